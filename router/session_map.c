#include "router/session_map.h"
#include "common/base/mem.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct session_map *session_map_new(struct comet_lives *comets, session_map_owns_fn *owns,
                                    void *arg)
{
    struct session_map *sessions = mem_zalloc(sizeof *sessions);

    sessions->comets = comets;
    sessions->owns = owns;
    sessions->owns_arg = arg;
    session_pool_init(&sessions->pool);
    uid_index_init(&sessions->index);
    sessions->rooms = interned_new(true);
    sessions->keys = interned_new(false);
    return sessions;
}

void session_map_free(struct session_map *sessions)
{
    if (sessions == NULL)
        return;
    interned_free(sessions->keys);
    interned_free(sessions->rooms);
    uid_index_close(&sessions->index);
    session_pool_close(&sessions->pool);
    free(sessions);
}

static bool session_is_dead(const struct session_map *sessions, const struct session_row *session)
{
    return sessions->comets->lives[session->life].dead;
}

/* True: the comet of SESSION seems to have a later epoch, which membership does not show yet. */
static bool session_is_doubted(const struct session_map *sessions,
                               const struct session_row *session)
{
    return sessions->comets->lives[session->life].comet->doubted;
}

/* What a put has to know of the chain of a uid. */
struct chain_view {
    struct session_row *same; /* the session of this life and handle */
    uint32_t others;          /* live sessions besides that one */
    bool any;                 /* there is any session, dead or alive */
};

static struct chain_view chain_look(const struct session_map *sessions,
                                    const struct session_new *put)
{
    struct chain_view view = {0};
    uint32_t slot = *uid_index_head(&sessions->index, put->uid);

    while (slot != SLOT_NONE) {
        struct session_row *session = session_pool_at(&sessions->pool, slot);
        slot = session->next;
        if (session->uid != put->uid)
            continue;
        view.any = true;
        if (session->life == put->life && session->handle == put->handle)
            view.same = session;
        else if (!session_is_dead(sessions, session) && !session_is_doubted(sessions, session))
            view.others++;
    }
    return view;
}

/* Takes the new names before it gives up the old ones, so that an unchanged name does not vanish in
 * between. */
static void session_rename(struct session_map *sessions, struct session_row *session,
                           const struct session_new *put)
{
    uint32_t room = interned_ref(sessions->rooms, put->room);
    uint32_t key = interned_ref(sessions->keys, put->key);

    interned_unref(sessions->rooms, session->room);
    interned_unref(sessions->keys, session->key);
    session->room = room;
    session->key = key;
    session->acked = put->acked;
}

static void session_add(struct session_map *sessions, uint32_t slot, const struct session_new *put)
{
    struct session_row *session = session_pool_at(&sessions->pool, slot);
    uint32_t *link = uid_index_head(&sessions->index, put->uid);

    while (put->again && *link != SLOT_NONE)
        link = &session_pool_at(&sessions->pool, *link)->next;
    *session = (struct session_row){.uid = put->uid,
                                    .handle = put->handle,
                                    .life = put->life,
                                    .acked = put->acked,
                                    .next = *link,
                                    .room = interned_ref(sessions->rooms, put->room),
                                    .key = interned_ref(sessions->keys, put->key)};
    *link = slot;
    comet_lives_take(sessions->comets, put->life);
    uid_index_fit(&sessions->index, &sessions->pool);
}

enum session_map_put session_map_put(struct session_map *sessions, const struct session_new *put)
{
    struct chain_view view = chain_look(sessions, put);

    assert(!sessions->comets->lives[put->life].dead);
    if (view.same != NULL) {
        session_rename(sessions, view.same, put);
        return SESSION_MAP_OK;
    }
    if (put->max_others != 0 && view.others >= put->max_others)
        return SESSION_MAP_TOO_MANY;
    uint32_t slot = session_pool_take(&sessions->pool);
    if (slot == SLOT_NONE)
        return SESSION_MAP_FULL;
    session_add(sessions, slot, put);
    sessions->uids += !view.any;
    return SESSION_MAP_OK;
}

/* Unlinks and releases the session in SLOT. */
static void session_remove(struct session_map *sessions, uint32_t slot)
{
    struct session_row *session = session_pool_at(&sessions->pool, slot);
    uint32_t *link = uid_index_head(&sessions->index, session->uid);
    uint32_t *mine = NULL;
    bool last_of_uid = true;

    while (*link != SLOT_NONE) {
        struct session_row *at = session_pool_at(&sessions->pool, *link);
        if (at == session)
            mine = link;
        else if (at->uid == session->uid)
            last_of_uid = false;
        link = &at->next;
    }
    assert(mine != NULL);
    *mine = session->next;
    sessions->uids -= last_of_uid;
    interned_unref(sessions->rooms, session->room);
    interned_unref(sessions->keys, session->key);
    comet_lives_release(sessions->comets, session->life);
    session_pool_release(&sessions->pool, slot);
    uid_index_fit(&sessions->index, &sessions->pool);
}

bool session_map_del(struct session_map *sessions, int64_t uid, uint16_t life, uint64_t handle)
{
    uint32_t slot = *uid_index_head(&sessions->index, uid);

    while (slot != SLOT_NONE) {
        const struct session_row *session = session_pool_at(&sessions->pool, slot);
        if (session->uid == uid && session->life == life && session->handle == handle) {
            session_remove(sessions, slot);
            return true;
        }
        slot = session->next;
    }
    return false;
}

static const struct session_row *chain_find(const struct session_map *sessions, uint32_t slot,
                                            int64_t uid)
{
    while (slot != SLOT_NONE) {
        const struct session_row *session = session_pool_at(&sessions->pool, slot);
        if (session->uid == uid && !session_is_dead(sessions, session))
            return session;
        slot = session->next;
    }
    return NULL;
}

const struct session_row *session_map_first(const struct session_map *sessions, int64_t uid)
{
    return chain_find(sessions, *uid_index_head(&sessions->index, uid), uid);
}

const struct session_row *session_map_next(const struct session_map *sessions,
                                           const struct session_row *session)
{
    return chain_find(sessions, session->next, session->uid);
}

static void sweep_order(struct sweep *sweep, bool owners)
{
    if (sweep->active) {
        sweep->again = true;
        sweep->owners_again |= owners;
        return;
    }
    sweep->active = true;
    sweep->owners = owners;
    sweep->cursor = 0;
}

void session_map_moved(struct session_map *sessions)
{
    sweep_order(&sessions->sweep, true);
}

static void sweep_end_pass(struct session_map *sessions)
{
    struct sweep *sweep = &sessions->sweep;
    bool again = sweep->again, owners = sweep->owners_again;

    sessions->sweeps++;
    sweep->active = sweep->again = sweep->owners = sweep->owners_again = false;
    if (again)
        sweep_order(sweep, owners);
}

static void sweep_slot(struct session_map *sessions, uint32_t slot)
{
    const struct session_row *session = session_pool_at(&sessions->pool, slot);

    if (session->life == 0)
        return;
    if (session_is_dead(sessions, session))
        sessions->swept_dead++;
    else if (sessions->sweep.owners && !sessions->owns(session->uid, sessions->owns_arg))
        sessions->swept_moved++;
    else
        return;
    session_remove(sessions, slot);
}

/* Sweeps up to *N slots of the cursor's chunk. A chunk without sessions costs one. */
static void sweep_chunk(struct session_map *sessions, uint32_t *n)
{
    struct sweep *sweep = &sessions->sweep;
    uint32_t number = sweep->cursor / SLOTS_PER_CHUNK;
    const struct slot_chunk *chunk = &sessions->pool.chunks[number];

    /* Reads the chunk's fields anew each time, because its memory may go with its last session. */
    while (chunk->used > 0 && sweep->cursor % SLOTS_PER_CHUNK < chunk->fresh) {
        if (*n == 0)
            return;
        --*n;
        sweep_slot(sessions, sweep->cursor++);
        if (sweep->cursor % SLOTS_PER_CHUNK == 0)
            return;
    }
    sweep->cursor = (number + 1) * SLOTS_PER_CHUNK;
    *n -= *n > 0;
}

bool session_map_sweep(struct session_map *sessions, uint32_t n)
{
    struct sweep *sweep = &sessions->sweep;

    if (sweep->deaths != sessions->comets->deaths) {
        sweep->deaths = sessions->comets->deaths;
        sweep_order(sweep, false);
    }
    while (sweep->active && n > 0) {
        if (sweep->cursor / SLOTS_PER_CHUNK < sessions->pool.n_chunks)
            sweep_chunk(sessions, &n);
        else
            sweep_end_pass(sessions);
    }
    return session_map_sweep_waits(sessions);
}

void session_map_sweep_moved(struct session_map *sessions, uint32_t slice)
{
    while (sessions->sweep.owners || sessions->sweep.owners_again)
        session_map_sweep(sessions, slice);
}

size_t session_map_bytes(const struct session_map *sessions)
{
    return sizeof *sessions + sessions->pool.bytes +
           sessions->pool.capacity * sizeof(struct slot_chunk) + uid_index_bytes(&sessions->index) +
           interned_bytes(sessions->rooms) + interned_bytes(sessions->keys) +
           comet_lives_bytes(sessions->comets);
}

#include "router/session_map.h"
#include "common/base/mem.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct session_map *sessions_new(struct comet_lives *comets, sessions_owns_fn *owns, void *arg)
{
    struct session_map *sessions = mem_zalloc(sizeof *sessions);

    sessions->comets = comets;
    sessions->owns = owns;
    sessions->owns_arg = arg;
    slots_init(&sessions->slots);
    buckets_init(&sessions->buckets);
    sessions->rooms = names_new(true);
    sessions->keys = names_new(false);
    return sessions;
}

void sessions_free(struct session_map *sessions)
{
    if (sessions == NULL)
        return;
    names_free(sessions->keys);
    names_free(sessions->rooms);
    buckets_close(&sessions->buckets);
    slots_close(&sessions->slots);
    free(sessions);
}

static bool session_is_dead(const struct session_map *sessions, const struct session_row *session)
{
    return sessions->comets->lives[session->life].dead;
}

/* Its comet seems to have another life by now, as membership will tell. */
static bool session_is_doubted(const struct session_map *sessions,
                               const struct session_row *session)
{
    return sessions->comets->lives[session->life].comet->doubted;
}

/* What the chain of a uid holds, as far as a put wants to know. */
struct chain_view {
    struct session_row *same; /* live, of this life and handle */
    uint32_t others;          /* live ones beside it */
    bool any;                 /* dead ones count here */
};

static struct chain_view chain_look(const struct session_map *sessions,
                                    const struct session_new *put)
{
    struct chain_view view = {0};
    uint32_t slot = *buckets_head(&sessions->buckets, put->uid);

    while (slot != SLOT_NONE) {
        struct session_row *session = slots_at(&sessions->slots, slot);
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

/* New names first: an unchanged one must not vanish between. */
static void session_rename(struct session_map *sessions, struct session_row *session,
                           const struct session_new *put)
{
    uint32_t room = names_ref(sessions->rooms, put->room);
    uint32_t key = names_ref(sessions->keys, put->key);

    names_unref(sessions->rooms, session->room);
    names_unref(sessions->keys, session->key);
    session->room = room;
    session->key = key;
}

static void session_add(struct session_map *sessions, uint32_t slot, const struct session_new *put)
{
    struct session_row *session = slots_at(&sessions->slots, slot);
    uint32_t *head = buckets_head(&sessions->buckets, put->uid);

    *session = (struct session_row){.uid = put->uid,
                                    .handle = put->handle,
                                    .life = put->life,
                                    .next = *head,
                                    .room = names_ref(sessions->rooms, put->room),
                                    .key = names_ref(sessions->keys, put->key)};
    *head = slot;
    comets_take(sessions->comets, put->life);
    buckets_fit(&sessions->buckets, &sessions->slots);
}

enum sessions_put sessions_put(struct session_map *sessions, const struct session_new *put)
{
    struct chain_view view = chain_look(sessions, put);

    assert(!sessions->comets->lives[put->life].dead);
    if (view.same != NULL) {
        session_rename(sessions, view.same, put);
        return SESSIONS_OK;
    }
    if (put->max_others != 0 && view.others >= put->max_others)
        return SESSIONS_TOO_MANY;
    uint32_t slot = slots_take(&sessions->slots);
    if (slot == SLOT_NONE)
        return SESSIONS_FULL;
    session_add(sessions, slot, put);
    sessions->uids += !view.any;
    return SESSIONS_OK;
}

/* Unlinks and releases the session in SLOT. */
static void session_remove(struct session_map *sessions, uint32_t slot)
{
    struct session_row *session = slots_at(&sessions->slots, slot);
    uint32_t *link = buckets_head(&sessions->buckets, session->uid);
    uint32_t *mine = NULL;
    bool last_of_uid = true;

    while (*link != SLOT_NONE) {
        struct session_row *at = slots_at(&sessions->slots, *link);
        if (at == session)
            mine = link;
        else if (at->uid == session->uid)
            last_of_uid = false;
        link = &at->next;
    }
    assert(mine != NULL);
    *mine = session->next;
    sessions->uids -= last_of_uid;
    names_unref(sessions->rooms, session->room);
    names_unref(sessions->keys, session->key);
    comets_release(sessions->comets, session->life);
    slots_release(&sessions->slots, slot);
    buckets_fit(&sessions->buckets, &sessions->slots);
}

bool sessions_del(struct session_map *sessions, int64_t uid, uint16_t life, uint64_t handle)
{
    uint32_t slot = *buckets_head(&sessions->buckets, uid);

    while (slot != SLOT_NONE) {
        const struct session_row *session = slots_at(&sessions->slots, slot);
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
        const struct session_row *session = slots_at(&sessions->slots, slot);
        if (session->uid == uid && !session_is_dead(sessions, session))
            return session;
        slot = session->next;
    }
    return NULL;
}

const struct session_row *sessions_first(const struct session_map *sessions, int64_t uid)
{
    return chain_find(sessions, *buckets_head(&sessions->buckets, uid), uid);
}

const struct session_row *sessions_next(const struct session_map *sessions,
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

void sessions_moved(struct session_map *sessions)
{
    sweep_order(&sessions->sweep, true);
}

bool sessions_sweep_waits(const struct session_map *sessions)
{
    return sessions->sweep.active || sessions->sweep.deaths != sessions->comets->deaths;
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
    const struct session_row *session = slots_at(&sessions->slots, slot);

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

/* Up to *N slots of the cursor's chunk. A chunk without sessions costs one. */
static void sweep_chunk(struct session_map *sessions, uint32_t *n)
{
    struct sweep *sweep = &sessions->sweep;
    uint32_t number = sweep->cursor / SLOTS_PER_CHUNK;
    const struct slot_chunk *chunk = &sessions->slots.chunks[number];

    /* Its fields are looked at anew each time: taking the last session out of a chunk may take its
     * memory away. */
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

bool sessions_sweep(struct session_map *sessions, uint32_t n)
{
    struct sweep *sweep = &sessions->sweep;

    if (sweep->deaths != sessions->comets->deaths) {
        sweep->deaths = sessions->comets->deaths;
        sweep_order(sweep, false);
    }
    while (sweep->active && n > 0) {
        if (sweep->cursor / SLOTS_PER_CHUNK < sessions->slots.n_chunks)
            sweep_chunk(sessions, &n);
        else
            sweep_end_pass(sessions);
    }
    return sessions_sweep_waits(sessions);
}

void sessions_sweep_moved(struct session_map *sessions, uint32_t slice)
{
    while (sessions->sweep.owners || sessions->sweep.owners_again)
        sessions_sweep(sessions, slice);
}

size_t sessions_bytes(const struct session_map *sessions)
{
    return sizeof *sessions + sessions->slots.bytes +
           sessions->slots.capacity * sizeof(struct slot_chunk) +
           buckets_bytes(&sessions->buckets) + names_bytes(sessions->rooms) +
           names_bytes(sessions->keys) + comets_bytes(sessions->comets);
}

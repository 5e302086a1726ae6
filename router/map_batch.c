/*   MapBatch:  puts ─► dels ─► rooms ─► registered ─► lookups ─► forget ─► counts ─► top ─► totals
 *   MapReply:  puts[i]        room_totals[i]         lookups[i]         rooms,   top[i]  totals[i]
 *                                                                       comets
 *
 * router.proto states this order. */
#include "router/map_batch.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "router/room_top.h"
#include <errno.h>
#include <string.h>

struct map_batch_run {
    struct map_shard *shard;
    const Imc__V1__MapBatch *batch;
    struct arena *arena;
    struct known_comet **comets; /* per CometRef: the comet it named when it was last looked up */
    bool ring_matches;
    size_t bytes_left; /* left for the lists of the reply that have no fixed length */
};

/* A reply must stay below the longest message. The overheads are what a session or a count takes
 * besides its texts. */
enum { REPLY_BYTES = 3 << 20, SESSION_OVERHEAD = 32, COUNT_OVERHEAD = 16 };

/* Lists of top rooms in one reply. The longest are 0.6 MB together, which REPLY_BYTES leaves. */
enum { TOPS_MAX = 4 };

static void *run_alloc(struct map_batch_run *run, size_t n, size_t size)
{
    return arena_alloc(run->arena, n * size);
}

/* Finds the comet that reference INDEX names. 0, or an error of comet_lives_see(). */
static int run_see(struct map_batch_run *run, uint32_t index, struct known_comet **comet)
{
    if (index >= run->batch->n_comets)
        return -EINVAL;
    const Imc__V1__CometRef *ref = run->batch->comets[index];
    struct known_comet *known = run->comets[index];

    if (known == NULL || known->epoch != ref->epoch || known->state == COMET_GONE) {
        int err =
            comet_lives_see(run->shard->comets, ref->id, ref->epoch, run->shard->now_ms, &known);
        if (err != 0)
            return err;
        run->comets[index] = known;
    }
    *comet = known;
    return 0;
}

static uint32_t put_refuse(const Imc__V1__Put *put, const char *why)
{
    log_warn("put refused", "uid=%lld comet_index=%u why=\"%s\"", (long long)put->uid, put->comet,
             why);
    return IMC__V1__PUT_STATUS__PUT_REFUSED;
}

/* True: a new session is refused because memory is short. A user who has a session here is let in,
 * because most such puts repeat a session when a comet registers, and take no memory. */
static bool refused_for_memory(struct map_batch_run *run, const Imc__V1__Put *put)
{
    if (!run->shard->refuses || session_map_first(run->shard->sessions, put->uid) != NULL)
        return false;
    metric_add(run->shard->counters, ROUTER_NO_MEMORY, 1);
    return true;
}

static uint32_t put_one(struct map_batch_run *run, const Imc__V1__Put *put)
{
    struct known_comet *comet;
    int err = run_see(run, put->comet, &comet);

    if (err == -ESTALE)
        return IMC__V1__PUT_STATUS__PUT_STALE_COMET;
    if (err == -EINVAL)
        return put_refuse(put, "comet index out of range, or id or epoch not valid");
    if (err != 0)
        return put_refuse(put, "too many comets, or too many epochs of this one");
    if (strlen(put->room) > MAP_BATCH_ROOM_MAX || strlen(put->key) > MAP_BATCH_KEY_MAX)
        return put_refuse(put, "room or key too long");
    struct session_new session = {.uid = put->uid,
                                  .handle = put->handle,
                                  .life = comet_lives_current(run->shard->comets, comet),
                                  .key = put->key,
                                  .room = put->room,
                                  .acked = put->acked,
                                  .again = put->again,
                                  .max_others = put->max_sessions};
    if (refused_for_memory(run, put))
        return put_refuse(put, "memory is short, see memory.limit");
    if (session.life == LIFE_NONE)
        return put_refuse(put, "too many lives of comets, wait for the sweep");
    switch (session_map_put(run->shard->sessions, &session)) {
    case SESSION_MAP_OK:
        return IMC__V1__PUT_STATUS__PUT_OK;
    case SESSION_MAP_TOO_MANY:
        return IMC__V1__PUT_STATUS__PUT_TOO_MANY;
    case SESSION_MAP_FULL:
        break;
    }
    return put_refuse(put, "the map is full");
}

static const enum router_metric put_metrics[] = {
    [IMC__V1__PUT_STATUS__PUT_OK] = ROUTER_PUT_OK,
    [IMC__V1__PUT_STATUS__PUT_TOO_MANY] = ROUTER_PUT_TOO_MANY,
    [IMC__V1__PUT_STATUS__PUT_STALE_COMET] = ROUTER_PUT_STALE,
    [IMC__V1__PUT_STATUS__PUT_REFUSED] = ROUTER_PUT_REFUSED,
};

static void run_puts(struct map_batch_run *run, Imc__V1__MapReply *reply)
{
    const Imc__V1__MapBatch *batch = run->batch;

    if (!run->ring_matches) {
        metric_add(run->shard->counters, ROUTER_PUT_RING, (int64_t)batch->n_puts);
        return;
    }
    reply->puts = run_alloc(run, batch->n_puts, sizeof *reply->puts);
    reply->n_puts = batch->n_puts;
    for (size_t i = 0; i < batch->n_puts; i++) {
        reply->puts[i] = put_one(run, batch->puts[i]);
        metric_add(run->shard->counters, put_metrics[reply->puts[i]], 1);
    }
}

/* Sets whose word it is. False: nobody's that it could be believed of. */
static bool word_names(struct map_batch_run *run, const Imc__V1__RoomShare *in,
                       struct room_word *word)
{
    struct known_comet *comet;

    if (in->foreign[0] != '\0') {
        word->comet = in->foreign;
        return strlen(in->foreign) <= MAP_BATCH_FOREIGN_MAX;
    }
    if (run_see(run, in->comet, &comet) != 0)
        return false;
    word->comet = comet->id;
    word->epoch = comet->epoch;
    return true;
}

static void room_say(struct map_batch_run *run, const Imc__V1__RoomShare *in)
{
    struct room_word word = {
        .room = in->room, .loop = in->loop, .sessions = in->sessions, .number = in->number};

    metric_add(run->shard->counters, ROUTER_ROOM_WORDS, 1);
    if (in->loop >= COMET_LOOPS_MAX || in->room[0] == '\0' ||
        strlen(in->room) > MAP_BATCH_ROOM_MAX || run->shard->refuses || !word_names(run, in, &word))
        return;
    room_counts_set(run->shard->rooms, &word, run->shard->now_ms);
}

/* Answers each word with the whole room's number. A word that cannot be taken is left out of it. */
static void run_rooms(struct map_batch_run *run, Imc__V1__MapReply *reply)
{
    const Imc__V1__MapBatch *batch = run->batch;

    if (!run->ring_matches)
        return;
    reply->room_totals = run_alloc(run, batch->n_rooms, sizeof *reply->room_totals);
    reply->n_room_totals = batch->n_rooms;
    for (size_t i = 0; i < batch->n_rooms; i++) {
        room_say(run, batch->rooms[i]);
        reply->room_totals[i] = room_counts_total(run->shard->rooms, batch->rooms[i]->room);
    }
}

static void run_dels(struct map_batch_run *run)
{
    const Imc__V1__MapBatch *batch = run->batch;
    struct map_shard *shard = run->shard;

    for (size_t i = 0; i < batch->n_dels; i++) {
        const Imc__V1__Del *del = batch->dels[i];
        uint16_t life = LIFE_NONE;
        if (del->comet < batch->n_comets) {
            const Imc__V1__CometRef *ref = batch->comets[del->comet];
            life = comet_lives_of(shard->comets, ref->id, ref->epoch);
        }
        bool found =
            life != LIFE_NONE && session_map_del(shard->sessions, del->uid, life, del->handle);
        metric_add(shard->counters, found ? ROUTER_DEL_FOUND : ROUTER_DEL_UNKNOWN, 1);
    }
}

static void run_registered(struct map_batch_run *run)
{
    const Imc__V1__MapBatch *batch = run->batch;

    if (!run->ring_matches)
        return;
    for (size_t i = 0; i < batch->n_registered; i++) {
        const Imc__V1__CometRegistered *registered = batch->registered[i];
        struct known_comet *comet;
        int err = run_see(run, registered->comet, &comet);
        if (err == 0)
            err = completeness_loop(comet, registered->loop, registered->loops);
        if (err == 0)
            metric_add(run->shard->counters, ROUTER_REGISTERED, 1);
        else if (err != -ESTALE)
            log_warn("registration refused", "comet_index=%u loop=%u loops=%u err=%d",
                     registered->comet, registered->loop, registered->loops, err);
    }
}

static void session_describe(const struct map_shard *shard, const struct session_row *session,
                             Imc__V1__Session *out)
{
    const struct life *life = &shard->comets->lives[session->life];

    imc__v1__session__init(out);
    out->comet = life->comet->id;
    out->epoch = life->epoch;
    out->handle = session->handle;
    out->acked = session->acked != 0;
    out->key = interned_text(shard->sessions->keys, session->key);
    out->room = interned_text(shard->sessions->rooms, session->room);
}

/* True if BYTES still fit into the reply; they are then taken. */
static bool run_spend(struct map_batch_run *run, size_t bytes)
{
    if (bytes > run->bytes_left)
        return false;
    run->bytes_left -= bytes;
    return true;
}

static size_t session_bytes(const Imc__V1__Session *session)
{
    return SESSION_OVERHEAD + strlen(session->comet) + strlen(session->key) + strlen(session->room);
}

/* One user has more sessions than a whole reply holds. */
static void lookup_cut(struct map_batch_run *run, int64_t uid, Imc__V1__MapReply *reply)
{
    reply->complete = false;
    metric_add(run->shard->counters, ROUTER_LOOKUPS_CUT, 1);
    log_warn("sessions cut", "uid=%lld; more than one answer holds, see sessions.max_per_uid",
             (long long)uid);
}

static bool lookup_one(struct map_batch_run *run, int64_t uid, Imc__V1__Lookup *lookup)
{
    const struct session_map *sessions = run->shard->sessions;
    const struct session_row *first = session_map_first(sessions, uid);
    size_t n = 0;

    imc__v1__lookup__init(lookup);
    for (const struct session_row *at = first; at != NULL; at = session_map_next(sessions, at))
        n++;
    metric_add(run->shard->counters, n > 0 ? ROUTER_LOOKUP_HIT : ROUTER_LOOKUP_MISS, 1);
    if (n == 0)
        return true;
    Imc__V1__Session *out = run_alloc(run, n, sizeof *out);
    lookup->sessions = run_alloc(run, n, sizeof(Imc__V1__Session *));
    for (const struct session_row *at = first; at != NULL; at = session_map_next(sessions, at)) {
        session_describe(run->shard, at, out);
        if (!run_spend(run, session_bytes(out)))
            return false;
        lookup->sessions[lookup->n_sessions++] = out++;
    }
    return true;
}

static void run_lookups(struct map_batch_run *run, Imc__V1__MapReply *reply)
{
    const Imc__V1__MapBatch *batch = run->batch;
    Imc__V1__Lookup *lookups = run_alloc(run, batch->n_lookups, sizeof *lookups);

    reply->lookups = run_alloc(run, batch->n_lookups, sizeof(Imc__V1__Lookup *));
    for (size_t i = 0; i < batch->n_lookups; i++) {
        bool whole = lookup_one(run, batch->lookups[i], &lookups[i]);
        if (!whole && i > 0) /* logic asks again for this one and the rest */
            return;
        if (!whole)
            lookup_cut(run, batch->lookups[i], reply);
        reply->lookups[reply->n_lookups++] = &lookups[i];
    }
}

static void run_forget(struct map_batch_run *run)
{
    const Imc__V1__MapBatch *batch = run->batch;

    for (size_t i = 0; i < batch->n_forget; i++) {
        comet_lives_forget(run->shard->comets, batch->forget[i]);
        room_counts_forget(run->shard->rooms, batch->forget[i]);
        metric_add(run->shard->counters, ROUTER_FORGET, 1);
        log_info("comet forgotten", "comet=\"%.64s\"", batch->forget[i]);
    }
}

/* True: the list is full, and NAME does not fit any more. */
static bool counts_cut(struct map_batch_run *run, const char *what, size_t n, const char *name)
{
    if (n < run->shard->limits.max_counted && run_spend(run, COUNT_OVERHEAD + strlen(name)))
        return false;
    metric_add(run->shard->counters, ROUTER_COUNTS_CUT, 1);
    log_warn("counts cut", "what=%s listed=%zu limit=%u setting=map.max_counted", what, n,
             run->shard->limits.max_counted);
    return true;
}

static Imc__V1__Count *run_count(struct map_batch_run *run, char *name, uint64_t sessions)
{
    Imc__V1__Count *count = run_alloc(run, 1, sizeof *count);

    imc__v1__count__init(count);
    count->name = name;
    count->sessions = sessions;
    return count;
}

static void run_count_rooms(struct map_batch_run *run, Imc__V1__MapReply *reply)
{
    const struct room_counts *rooms = run->shard->rooms;
    const struct counted_room *room = NULL;
    const struct room_filter all = {.prefix = "", .least = 1};
    struct room_total total;

    reply->rooms = run_alloc(run, room_counts_kept(rooms), sizeof(Imc__V1__Count *));
    while ((room = room_counts_next(rooms, room, &all, &total)) != NULL) {
        if (counts_cut(run, "rooms", reply->n_rooms, total.name))
            break;
        reply->rooms[reply->n_rooms++] = run_count(run, mem_unconst(total.name), total.sessions);
    }
}

static Imc__V1__Top *run_top(struct map_batch_run *run, const Imc__V1__TopRooms *in)
{
    size_t limit = in->limit < ROOM_TOP_MAX ? in->limit : ROOM_TOP_MAX;
    struct room_total *totals = run_alloc(run, limit, sizeof *totals);
    size_t n = in->by_name ? room_page(run->shard->rooms, in->prefix, in->after, totals, limit)
                           : room_top(run->shard->rooms, in->prefix, totals, limit);
    Imc__V1__Top *top = run_alloc(run, 1, sizeof *top);

    imc__v1__top__init(top);
    top->by_name = in->by_name;
    top->rooms = run_alloc(run, n, sizeof(Imc__V1__Count *));
    for (size_t i = 0; i < n; i++)
        top->rooms[top->n_rooms++] =
            run_count(run, mem_unconst(totals[i].name), totals[i].sessions);
    metric_add(run->shard->counters, ROUTER_ROOM_LISTS, 1);
    return top;
}

/* The answer to an earlier question of the batch that is the same as the one at INDEX, or NULL. */
static Imc__V1__Top *top_again(const Imc__V1__MapBatch *batch, const Imc__V1__MapReply *reply,
                               size_t index)
{
    const Imc__V1__TopRooms *in = batch->top[index];

    for (size_t i = 0; i < index; i++) {
        const Imc__V1__TopRooms *other = batch->top[i];
        if (other->limit == in->limit && other->by_name == in->by_name &&
            strcmp(other->prefix, in->prefix) == 0 && strcmp(other->after, in->after) == 0)
            return reply->top[i];
    }
    return NULL;
}

/* Each list is a walk over all rooms, so only some of them are made in a turn of the loop. A list
 * that repeats goes into the reply as often as it was asked for, within the bytes. */
static void run_tops(struct map_batch_run *run, Imc__V1__MapReply *reply)
{
    const Imc__V1__MapBatch *batch = run->batch;

    reply->top = run_alloc(run, TOPS_MAX, sizeof(Imc__V1__Top *));
    for (size_t i = 0; i < batch->n_top && i < TOPS_MAX; i++) {
        Imc__V1__Top *top = top_again(batch, reply, i);
        reply->top[reply->n_top++] = top != NULL ? top : run_top(run, batch->top[i]);
    }
}

static void run_totals(struct map_batch_run *run, Imc__V1__MapReply *reply)
{
    const Imc__V1__MapBatch *batch = run->batch;

    reply->totals = run_alloc(run, batch->n_totals, sizeof *reply->totals);
    for (size_t i = 0; i < batch->n_totals; i++)
        reply->totals[reply->n_totals++] = room_counts_total(run->shard->rooms, batch->totals[i]);
    metric_add(run->shard->counters, ROUTER_ROOM_TOTALS, (int64_t)batch->n_totals);
}

static void run_count_comets(struct map_batch_run *run, Imc__V1__MapReply *reply)
{
    const struct comet_lives *comets = run->shard->comets;

    reply->comets = run_alloc(run, comets->n, sizeof(Imc__V1__Count *));
    for (size_t i = 0; i < comets->n; i++) {
        struct known_comet *comet = comets->all[i];
        uint32_t sessions = comets->lives[comet->life].sessions;
        if (sessions == 0)
            continue;
        if (counts_cut(run, "comets", reply->n_comets, comet->id))
            break;
        reply->comets[reply->n_comets++] = run_count(run, comet->id, sessions);
    }
}

struct msg *map_batch_apply(struct map_shard *shard, const Imc__V1__MapBatch *batch,
                            struct arena *arena)
{
    Imc__V1__MapReply reply;
    imc__v1__map_reply__init(&reply);
    struct map_batch_run run = {.shard = shard,
                                .batch = batch,
                                .arena = arena,
                                .ring_matches =
                                    batch->ring != 0 && batch->ring == shard->completeness.hash,
                                .bytes_left = REPLY_BYTES};

    run.comets = run_alloc(&run, batch->n_comets, sizeof(struct known_comet *));
    memset(run.comets, 0, batch->n_comets * sizeof(struct known_comet *));
    metric_add(shard->counters, ROUTER_BATCHES, 1);
    metric_add(shard->counters, ROUTER_MISMATCHES, !run.ring_matches);
    reply.seq = batch->seq;
    reply.ring_mismatch = !run.ring_matches;
    run_puts(&run, &reply);
    run_dels(&run);
    run_rooms(&run, &reply);
    run_registered(&run);
    reply.complete = run.ring_matches && completeness_is_reached(&shard->completeness);
    run_lookups(&run, &reply);
    run_forget(&run);
    if (batch->count_rooms)
        run_count_rooms(&run, &reply);
    if (batch->count_comets)
        run_count_comets(&run, &reply);
    run_tops(&run, &reply);
    run_totals(&run, &reply);
    return msg_pack(&reply.base);
}

/* One router.
 *
 *   router_peer_submit ─► waiting ──peer_fill──► MapBatch ══ pipe ══► router
 *        fn() ◄── router_request_finish ◄── peer_answered ◄── MapReply ◄┘
 *                                          (rpc thread: peer_decode)
 *
 * A list in a reply answers the same list of its batch, index by index. Requests keep their order,
 * so the n-th put of a batch is the n-th ROUTER_PUT among its requests. A router answers as many
 * lookups as fit one message, and a few lists of top rooms; we ask for the others again. */
#include "logic/router/router_peer.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/protocol/unpack.h"
#include "logic/base/pb.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_MOST = 2048,
    /* The wheel that ends requests after their timeout. */
    TICK_MS = 10,
    WHEEL_SLOTS = 512,
};

struct router_reply {
    uint32_t refs;
    struct decoded decoded;
    const Imc__V1__MapReply *map;
    const struct router_counted *rooms, *comets; /* those of MAP */
    const struct router_counted **top;           /* of each list */
};

struct map_batch {
    uint64_t ring;
    size_t n;
    struct router_request *requests[];
};

/* --- a request --- */

static void count_lookup(struct logic *logic, const struct router_answer *answer)
{
    if (answer->result == ROUTER_AWAY)
        logic_count(logic, LOGIC_LOOKUP_UNANSWERED, 1);
    else
        logic_count(logic, answer->complete ? LOGIC_LOOKUP_COMPLETE : LOGIC_LOOKUP_INCOMPLETE, 1);
}

static void request_answer(struct router_request *request, const struct router_answer *answer)
{
    router_fn fn = request->fn;
    struct router_requests *requests = request->of;

    if (wheel_is_set(&request->timer))
        wheel_cancel(requests->wheel, &request->timer);
    request->fn = NULL;
    if (request->kind == ROUTER_LOOKUP)
        count_lookup(requests->logic, answer);
    fn(request->arg, answer);
}

void router_request_finish(struct router_request *request, const struct router_answer *answer)
{
    struct slab *slab = request->of->slab;

    if (request->fn != NULL)
        request_answer(request, answer);
    slab_free(slab, request);
}

static void on_timeout(struct wheel *wheel, struct wheel_timer *timer)
{
    struct router_request *request = container_of(timer, struct router_request, timer);
    struct router_answer away = {.result = ROUTER_AWAY, .ring = request->of->ring};

    (void)wheel;
    logic_count(request->of->logic, LOGIC_ROUTER_TIMEOUT, 1);
    request_answer(request, &away);
}

struct router_request *router_request_new(struct router_requests *requests, enum router_kind kind,
                                          router_fn fn, void *arg)
{
    struct router_request *request = slab_alloc(requests->slab);

    request->of = requests;
    request->kind = kind;
    request->fn = fn;
    request->arg = arg;
    return request;
}

void router_requests_open(struct router_requests *requests, struct logic *logic)
{
    requests->logic = logic;
    requests->wheel = wheel_open(logic->loop, TICK_MS, WHEEL_SLOTS, on_timeout);
    requests->slab = slab_open("router_request", sizeof(struct router_request));
}

void router_requests_stop(struct router_requests *requests)
{
    wheel_close(requests->wheel);
}

void router_requests_close(struct router_requests *requests)
{
    slab_close(requests->slab);
}

/* --- packing --- */

/* The lists of a MapBatch that is being made, all in one arena. */
struct packing {
    struct arena arena;
    Imc__V1__MapBatch map;
};

static uint32_t comet_index(struct packing *p, const struct router_session *session)
{
    Imc__V1__MapBatch *map = &p->map;

    for (size_t i = map->n_comets; i > 0; i--) {
        const Imc__V1__CometRef *ref = map->comets[i - 1];
        if (ref->epoch == session->epoch && strcmp(ref->id, session->comet) == 0)
            return (uint32_t)(i - 1);
    }
    Imc__V1__CometRef *ref = arena_alloc(&p->arena, sizeof *ref);
    imc__v1__comet_ref__init(ref);
    ref->id = pb_text(session->comet);
    ref->epoch = session->epoch;
    map->comets[map->n_comets] = ref;
    return (uint32_t)map->n_comets++;
}

static void pack_put(struct packing *p, const struct router_request *request)
{
    Imc__V1__Put *put = arena_alloc(&p->arena, sizeof *put);

    imc__v1__put__init(put);
    put->comet = comet_index(p, &request->session);
    put->uid = request->session.uid;
    put->handle = request->session.handle;
    put->key = pb_text(request->session.key);
    put->room = pb_text(request->session.room);
    put->max_sessions = request->session.max_sessions;
    put->acked = request->session.acked;
    put->again = request->session.again;
    p->map.puts[p->map.n_puts++] = put;
}

static void pack_del(struct packing *p, const struct router_request *request)
{
    Imc__V1__Del *del = arena_alloc(&p->arena, sizeof *del);

    imc__v1__del__init(del);
    del->comet = comet_index(p, &request->session);
    del->uid = request->session.uid;
    del->handle = request->session.handle;
    p->map.dels[p->map.n_dels++] = del;
}

static void pack_registered(struct packing *p, const struct router_request *request)
{
    Imc__V1__CometRegistered *registered = arena_alloc(&p->arena, sizeof *registered);

    imc__v1__comet_registered__init(registered);
    registered->comet = comet_index(p, &request->session);
    registered->loop = request->loop;
    registered->loops = request->loops;
    p->map.registered[p->map.n_registered++] = registered;
}

static void pack_room(struct packing *p, const struct router_request *request)
{
    Imc__V1__RoomShare *share = arena_alloc(&p->arena, sizeof *share);

    imc__v1__room_share__init(share);
    if (request->foreign)
        share->foreign = pb_text(request->session.comet);
    share->comet = request->foreign ? UINT32_MAX : comet_index(p, &request->session);
    share->loop = request->loop;
    share->room = pb_text(request->session.room);
    share->sessions = request->members;
    share->number = request->number;
    p->map.rooms[p->map.n_rooms++] = share;
}

static void pack_top(struct packing *p, const struct router_request *request)
{
    Imc__V1__TopRooms *top = arena_alloc(&p->arena, sizeof *top);

    imc__v1__top_rooms__init(top);
    top->limit = request->limit;
    top->prefix = pb_text(request->session.room);
    top->by_name = request->by_name;
    if (request->by_name)
        top->after = pb_text(request->session.key);
    p->map.top[p->map.n_top++] = top;
}

static void pack_request(struct packing *p, const struct router_request *request)
{
    switch (request->kind) {
    case ROUTER_PUT:
        pack_put(p, request);
        break;
    case ROUTER_DEL:
        pack_del(p, request);
        break;
    case ROUTER_REGISTERED:
        pack_registered(p, request);
        break;
    case ROUTER_ROOM:
        pack_room(p, request);
        break;
    case ROUTER_LOOKUP:
        p->map.lookups[p->map.n_lookups++] = request->session.uid;
        break;
    case ROUTER_FORGET:
        p->map.forget[p->map.n_forget++] = pb_text(request->session.comet);
        break;
    case ROUTER_ROOMS:
        p->map.count_rooms = true;
        break;
    case ROUTER_COMETS:
        p->map.count_comets = true;
        break;
    case ROUTER_TOP:
        pack_top(p, request);
        break;
    case ROUTER_TOTAL:
        p->map.totals[p->map.n_totals++] = pb_text(request->session.room);
        break;
    }
}

static struct msg *pack_batch(const struct map_batch *batch, uint64_t seq)
{
    struct packing p = {.map = IMC__V1__MAP_BATCH__INIT};
    size_t n = batch->n;

    arena_init(&p.arena);
    p.map.seq = seq;
    p.map.ring = batch->ring;
    p.map.comets = arena_alloc(&p.arena, n * sizeof(void *));
    p.map.puts = arena_alloc(&p.arena, n * sizeof(void *));
    p.map.dels = arena_alloc(&p.arena, n * sizeof(void *));
    p.map.registered = arena_alloc(&p.arena, n * sizeof(void *));
    p.map.rooms = arena_alloc(&p.arena, n * sizeof(void *));
    p.map.lookups = arena_alloc(&p.arena, n * sizeof(int64_t));
    p.map.forget = arena_alloc(&p.arena, n * sizeof(void *));
    p.map.top = arena_alloc(&p.arena, n * sizeof(void *));
    p.map.totals = arena_alloc(&p.arena, n * sizeof(void *));
    for (size_t i = 0; i < n; i++)
        pack_request(&p, batch->requests[i]);
    struct msg *msg = msg_pack(&p.map.base);
    arena_free(&p.arena);
    return msg;
}

/* Takes up to BATCH_MOST requests out of the queue, without those that have timed out. */
static struct map_batch *take_batch(struct router_peer *peer)
{
    size_t most = peer->waiting.n < BATCH_MOST ? peer->waiting.n : BATCH_MOST;
    struct map_batch *batch = mem_alloc(sizeof *batch + most * sizeof(void *));

    batch->n = 0;
    batch->ring = peer->requests->ring;
    while (batch->n < most) {
        struct router_request *request = router_queue_take(&peer->waiting);
        if (request == NULL)
            break;
        if (request->fn != NULL)
            batch->requests[batch->n++] = request;
        else
            router_request_finish(request, NULL);
    }
    return batch;
}

static struct msg *peer_fill(struct pipe *pipe, void *arg, uint64_t seq, void **out)
{
    struct router_peer *peer = arg;
    struct map_batch *batch = take_batch(peer);

    /* A pipe that is down needs a probe, even an empty batch: only an answer brings it up. */
    if (batch->n == 0 && pipe_is_up(pipe)) {
        free(batch);
        return NULL;
    }
    logic_count(peer->requests->logic, LOGIC_ROUTER_BATCHES, 1);
    *out = batch;
    return pack_batch(batch, seq);
}

/* --- answers --- */

static const struct router_counted *reply_counts(struct router_reply *reply, size_t n,
                                                 Imc__V1__Count *const *list)
{
    struct router_counted *counts = arena_alloc(&reply->decoded.arena, n * sizeof *counts);

    for (size_t i = 0; i < n; i++)
        counts[i] = (struct router_counted){list[i]->name, list[i]->sessions};
    return counts;
}

static const struct router_counted **reply_tops(struct router_reply *reply)
{
    const Imc__V1__MapReply *map = reply->map;
    const struct router_counted **top =
        arena_alloc(&reply->decoded.arena, map->n_top * sizeof(void *));

    for (size_t i = 0; i < map->n_top; i++)
        top[i] = reply_counts(reply, map->top[i]->n_rooms, map->top[i]->rooms);
    return top;
}

/* rpc thread. */
static void *peer_decode(struct msg *msg)
{
    struct router_reply *reply = mem_alloc(sizeof *reply);

    if (!decoded_begin(&reply->decoded, &imc__v1__map_reply__descriptor, msg, "router")) {
        free(reply);
        return NULL;
    }
    reply->refs = 1;
    reply->map = (const Imc__V1__MapReply *)reply->decoded.message;
    reply->rooms = reply->comets = NULL;
    reply->top = reply->map->n_top > 0 ? reply_tops(reply) : NULL;
    if (reply->map->n_rooms > 0)
        reply->rooms = reply_counts(reply, reply->map->n_rooms, reply->map->rooms);
    if (reply->map->n_comets > 0)
        reply->comets = reply_counts(reply, reply->map->n_comets, reply->map->comets);
    return reply;
}

struct router_reply *router_reply_ref(struct router_reply *reply)
{
    if (reply != NULL)
        reply->refs++;
    return reply;
}

/* The references need no atomics. Only one thread at a time has the reply: the rpc thread until it
 * posts it, then the main loop. */
void router_reply_unref(struct router_reply *reply)
{
    if (reply == NULL || --reply->refs > 0)
        return;
    decoded_end(&reply->decoded);
    free(reply);
}

static void peer_drop(void *reply)
{
    router_reply_unref(reply);
}

static bool reply_fits(const struct map_batch *batch, const Imc__V1__MapReply *map)
{
    size_t puts = 0, lookups = 0, rooms = 0, tops = 0, totals = 0;

    for (size_t i = 0; i < batch->n; i++) {
        puts += batch->requests[i]->kind == ROUTER_PUT;
        lookups += batch->requests[i]->kind == ROUTER_LOOKUP;
        rooms += batch->requests[i]->kind == ROUTER_ROOM;
        tops += batch->requests[i]->kind == ROUTER_TOP;
        totals += batch->requests[i]->kind == ROUTER_TOTAL;
    }
    bool some = map->n_lookups > 0 || lookups == 0;
    bool applied = map->n_puts == puts && map->n_room_totals == rooms;
    bool listed = map->n_top <= tops && (map->n_totals == totals || map->n_totals == 0);
    return some && map->n_lookups <= lookups && listed && (applied || map->ring_mismatch);
}

/* Takes all lookups and lists but those that MAP answers out of BATCH, and puts them at the head of
 * the queue. A router that gives no list at all is an older one: it is not asked again. */
static void ask_again(struct router_peer *peer, struct map_batch *batch,
                      const Imc__V1__MapReply *map)
{
    struct router_queue again;
    size_t n = 0, lookups = 0, tops = 0;

    router_queue_init(&again);
    for (size_t i = 0; i < batch->n; i++) {
        struct router_request *request = batch->requests[i];
        bool is_left = request->kind == ROUTER_LOOKUP && lookups++ >= map->n_lookups;
        if (request->kind == ROUTER_TOP && tops++ >= map->n_top)
            is_left = map->n_top > 0;
        if (is_left)
            router_queue_add(&again, request);
        else
            batch->requests[n++] = request;
    }
    batch->n = n;
    if (again.n == 0)
        return;
    router_queue_move(&again, &peer->waiting);
    router_queue_move(&peer->waiting, &again);
    pipe_kick(peer->pipe);
}

/* How many of each list of the reply were handed out. */
struct answered {
    size_t puts, lookups, rooms, tops, totals;
};

/* Lists of rooms, and rooms by name. An older router answers neither. */
static void answer_rooms(struct router_request *request, const struct router_reply *reply,
                         struct answered *n, struct router_answer *answer)
{
    const Imc__V1__MapReply *map = reply->map;
    size_t i = request->kind == ROUTER_TOP ? n->tops++ : n->totals++;

    if (i >= (request->kind == ROUTER_TOP ? map->n_top : map->n_totals) ||
        (request->kind == ROUTER_TOP && map->top[i]->by_name != request->by_name)) {
        answer->result = ROUTER_AWAY;
    } else if (request->kind == ROUTER_TOP) {
        answer->n_counts = map->top[i]->n_rooms;
        answer->counts = reply->top[i];
    } else {
        answer->room_total = map->totals[i];
    }
}

static void answer_request(struct router_request *request, struct router_reply *reply,
                           uint64_t ring, struct answered *n)
{
    const Imc__V1__MapReply *map = reply->map;
    struct router_answer answer = {
        .result = map->ring_mismatch ? ROUTER_MISMATCH : ROUTER_OK,
        .ring = ring,
        .complete = map->complete && !map->ring_mismatch,
        .reply = reply,
    };

    if (request->kind == ROUTER_PUT) {
        answer.status = n->puts < map->n_puts ? map->puts[n->puts] : IMC__V1__PUT_STATUS__PUT_OK;
        n->puts++;
    } else if (request->kind == ROUTER_ROOM) {
        answer.room_total = n->rooms < map->n_room_totals ? map->room_totals[n->rooms] : 0;
        n->rooms++;
    } else if (request->kind == ROUTER_LOOKUP) {
        answer.n_sessions = map->lookups[n->lookups]->n_sessions;
        answer.sessions = map->lookups[n->lookups]->sessions;
        n->lookups++;
    } else if (request->kind == ROUTER_ROOMS) {
        answer.n_counts = map->n_rooms;
        answer.counts = reply->rooms;
    } else if (request->kind == ROUTER_COMETS) {
        answer.n_counts = map->n_comets;
        answer.counts = reply->comets;
    } else if (request->kind == ROUTER_TOP || request->kind == ROUTER_TOTAL) {
        answer_rooms(request, reply, n, &answer);
    }
    router_request_finish(request, &answer);
}

static void fail_batch(struct map_batch *batch)
{
    struct router_answer away = {.result = ROUTER_AWAY, .ring = batch->ring};

    for (size_t i = 0; i < batch->n; i++)
        router_request_finish(batch->requests[i], &away);
    free(batch);
}

static void peer_answered(struct pipe *pipe, void *arg, void *batch_, void *reply_)
{
    struct router_peer *peer = arg;
    struct map_batch *batch = batch_;
    struct router_reply *reply = reply_;
    struct logic *logic = peer->requests->logic;
    struct answered answered = {0};

    if (!reply_fits(batch, reply->map)) {
        log_error("router answer does not fit its batch",
                  "router=%s address=%s requests=%zu puts=%zu lookups=%zu", peer->id,
                  pipe_address(pipe), batch->n, reply->map->n_puts, reply->map->n_lookups);
        logic_count(logic, LOGIC_ROUTER_MALFORMED, 1);
        fail_batch(batch);
        router_reply_unref(reply);
        return;
    }
    if (reply->map->ring_mismatch)
        logic_count(logic, LOGIC_ROUTER_MISMATCH, 1);
    ask_again(peer, batch, reply->map); /* first of all, since a callback may close the peer */
    for (size_t i = 0; i < batch->n; i++)
        answer_request(batch->requests[i], reply, batch->ring, &answered);
    free(batch);
    router_reply_unref(reply);
}

static void peer_failed(struct pipe *pipe, void *arg, void *batch)
{
    (void)pipe;
    (void)arg;
    fail_batch(batch);
}

static void fail_waiting(struct router_peer *peer)
{
    struct router_answer away = {.result = ROUTER_AWAY, .ring = peer->requests->ring};
    struct router_queue queue;
    struct router_request *request;

    /* Only the requests that wait now: their callbacks may make new ones. */
    router_queue_init(&queue);
    router_queue_move(&queue, &peer->waiting);
    while ((request = router_queue_take(&queue)) != NULL)
        router_request_finish(request, &away);
}

static void peer_state(struct pipe *pipe, void *arg, bool up, const char *why)
{
    struct router_peer *peer = arg;

    struct logic *logic = peer->requests->logic;

    if (up) {
        log_info("router up", "router=%s address=%s", peer->id, pipe_address(pipe));
    } else {
        log_warn("router away", "router=%s address=%s why=\"%s\"", peer->id, pipe_address(pipe),
                 why);
        fail_waiting(peer);
    }
    if (logic->routers_told != NULL)
        logic->routers_told(logic);
}

/* --- life --- */

static const struct pipe_ops peer_ops = {
    .fill = peer_fill,
    .decode = peer_decode,
    .answered = peer_answered,
    .failed = peer_failed,
    .state = peer_state,
    .drop = peer_drop,
};

struct router_peer *router_peer_open(struct router_requests *requests, const struct member *member)
{
    struct logic *logic = requests->logic;
    struct router_peer *peer = mem_zalloc(sizeof *peer);
    struct pipe_options options = {
        .path = "/imc.v1.Router/Map",
        .window = (int)logic->config->router_window,
        .timeout_ms = (int)logic->config->router_timeout_ms,
        .to = member_name(member),
        .call = PIPE_MAP,
    };

    peer->requests = requests;
    memcpy(peer->id, member->id, sizeof peer->id);
    memcpy(peer->address, member->rpc, sizeof peer->address);
    router_queue_init(&peer->waiting);
    peer->pipe =
        pipe_open(logic->loop, logic->daemon->rpc, peer->address, &options, &peer_ops, peer);
    return peer;
}

void router_peer_want(struct router_peer *peer, const struct member *member)
{
    const struct rpc_name name = member_name(member);

    pipe_want(peer->pipe, &name);
}

void router_peer_close(struct router_peer *peer)
{
    pipe_close(peer->pipe);
    fail_waiting(peer);
    free(peer);
}

bool router_peer_is_up(const struct router_peer *peer)
{
    return pipe_is_up(peer->pipe);
}

bool router_peer_submit(struct router_peer *peer, struct router_request *request)
{
    if (!pipe_is_up(peer->pipe))
        return false;
    router_queue_add(&peer->waiting, request);
    pipe_kick(peer->pipe);
    return true;
}

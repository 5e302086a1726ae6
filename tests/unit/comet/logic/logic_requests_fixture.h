/* logic_requests_fixture.h - a worker's link on a loop that the test turns by hand, and logics in
 * the same process whose behaviour is a variable. */
#ifndef IMC_TESTS_UNIT_COMET_LOGIC_LOGIC_REQUESTS_FIXTURE_H
#define IMC_TESTS_UNIT_COMET_LOGIC_LOGIC_REQUESTS_FIXTURE_H

#include "comet/base/cluster_view.h"
#include "comet/base/comet.h"
#include "comet/logic/logic_requests.h"
#include "common/base/mem.h"
#include "common/rpc/rpc.h"
#include "proto/session.pb-c.h"
#include "tests/unit/lib/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CONNECTS = 10, LOGICS = 2, BATCHES = 256, DONE_MAX = 4096, ORDERS = 4 };

enum behaviour {
    LOGIC_ANSWERS,
    LOGIC_KEEPS_QUIET,
    LOGIC_BREAKS,    /* ends the stream instead of answering */
    LOGIC_MISCOUNTS, /* answers another batch than it got */
    LOGIC_BABBLES,   /* its answer is no protobuf message */
};

struct logic {
    struct rpc_server *server;
    char address[32];
    _Atomic enum behaviour behaviour;
    pthread_mutex_t lock;
    Imc__V1__SessionBatch *batches[BATCHES]; /* under lock: what came */
    int n_batches;
    struct rpc_stream *stream; /* under lock: the last one that spoke */
};

static struct {
    struct worker worker;
    struct comet comet;
    struct comet_config config;
    struct daemon daemon;
    _Atomic int64_t counters[COMET_METRIC_COUNT];
    struct rpc *rpc;
    struct logic logics[LOGICS];
    int n_done, n_answered, n_unanswered;
    struct logic_answer last; /* its pointers are not valid any more */
    int64_t last_uid;
    uint64_t done_handles[DONE_MAX];
    uint32_t done_status[DONE_MAX];
    struct backing *kept; /* of the last Fetch */
    const struct mailbox_page *fetched;
    struct room_order *orders[ORDERS]; /* that came: the test finishes them */
    int n_orders;
} w;

/* --- a logic; rpc thread --- */

/* Status i of a list is i, so that the test sees that the right request gets it. */
static inline uint32_t *statuses(size_t n)
{
    uint32_t *list = mem_alloc((n + 1) * sizeof *list);
    for (size_t i = 0; i < n; i++)
        list[i] = (uint32_t)i;
    return list;
}

static inline void answer_connects(const Imc__V1__SessionBatch *batch, Imc__V1__SessionReply *reply)
{
    reply->n_connects = batch->n_connects;
    reply->connects = mem_alloc((batch->n_connects + 1) * sizeof *reply->connects);
    for (size_t i = 0; i < batch->n_connects; i++) {
        reply->connects[i] = mem_alloc(sizeof *reply->connects[i]);
        imc__v1__connect_result__init(reply->connects[i]);
        reply->connects[i]->uid = (int64_t)batch->connects[i]->handle + 1000;
        reply->connects[i]->code = (uint32_t)i;
    }
}

static inline void answer_fetches(const Imc__V1__SessionBatch *batch, Imc__V1__SessionReply *reply)
{
    static uint8_t body[] = "waiting";
    reply->n_fetches = batch->n_fetches;
    reply->fetches = mem_alloc((batch->n_fetches + 1) * sizeof *reply->fetches);
    for (size_t i = 0; i < batch->n_fetches; i++) {
        Imc__V1__FetchResult *result = reply->fetches[i] = mem_alloc(sizeof *result);
        imc__v1__fetch_result__init(result);
        result->n_waiting = 1;
        result->waiting = mem_alloc(sizeof *result->waiting);
        result->waiting[0] = mem_alloc(sizeof **result->waiting);
        imc__v1__waiting__init(result->waiting[0]);
        result->waiting[0]->id = batch->fetches[i]->after + 1;
        result->waiting[0]->body.data = body;
        result->waiting[0]->body.len = sizeof body;
    }
}

/* All but the last frame of each session is taken. */
static inline void answer_upstreams(const Imc__V1__SessionBatch *batch,
                                    Imc__V1__SessionReply *reply)
{
    reply->n_upstreams = batch->n_upstreams;
    reply->upstreams = mem_alloc((batch->n_upstreams + 1) * sizeof *reply->upstreams);
    for (size_t i = 0; i < batch->n_upstreams; i++) {
        reply->upstreams[i] = mem_alloc(sizeof *reply->upstreams[i]);
        imc__v1__upstream_result__init(reply->upstreams[i]);
        reply->upstreams[i]->taken = (uint32_t)batch->upstreams[i]->n_frames - 1;
        reply->upstreams[i]->status = IMC__V1__LOGIC_STATUS__UNAVAILABLE;
    }
}

static inline void reply_free(Imc__V1__SessionReply *reply)
{
    for (size_t i = 0; i < reply->n_upstreams; i++)
        free(reply->upstreams[i]);
    free(reply->upstreams);
    for (size_t i = 0; i < reply->n_connects; i++)
        free(reply->connects[i]);
    for (size_t i = 0; i < reply->n_fetches; i++) {
        free(reply->fetches[i]->waiting[0]);
        free(reply->fetches[i]->waiting);
        free(reply->fetches[i]);
    }
    free(reply->connects);
    free(reply->fetches);
    free(reply->disconnects);
    free(reply->confirms);
    free(reply->stores);
    free(reply->registers);
}

static inline struct msg *answer_to(const Imc__V1__SessionBatch *batch, bool miscount)
{
    Imc__V1__SessionReply reply;
    imc__v1__session_reply__init(&reply);
    reply.seq = batch->seq;
    reply.ring = 77;
    reply.registered = 5;
    answer_connects(batch, &reply);
    answer_fetches(batch, &reply);
    reply.disconnects = statuses(reply.n_disconnects = batch->n_disconnects);
    reply.confirms = statuses(reply.n_confirms = batch->n_confirms);
    reply.stores = statuses(reply.n_stores = batch->n_stores);
    reply.registers = statuses(reply.n_registers = batch->n_registers);
    answer_upstreams(batch, &reply);
    reply.n_stores -= miscount && reply.n_stores > 0;
    struct msg *msg = msg_new(imc__v1__session_reply__get_packed_size(&reply));
    imc__v1__session_reply__pack(&reply, msg->data);
    reply_free(&reply);
    return msg;
}

static inline void logic_message(struct rpc_stream *stream, void *arg, struct msg *msg)
{
    struct logic *logic = arg;
    Imc__V1__SessionBatch *batch = imc__v1__session_batch__unpack(NULL, msg->len, msg->data);
    msg_unref(msg);
    assert_non_null(batch);
    enum behaviour behaviour = atomic_load(&logic->behaviour);
    if (behaviour == LOGIC_ANSWERS || behaviour == LOGIC_MISCOUNTS) {
        rpc_stream_send(stream, answer_to(batch, behaviour == LOGIC_MISCOUNTS));
    } else if (behaviour == LOGIC_BABBLES) {
        rpc_stream_send(stream, msg_copy("\x0a\xff", 2));
    } else if (behaviour == LOGIC_BREAKS) {
        rpc_stream_close(stream);
    }
    pthread_mutex_lock(&logic->lock);
    assert_true(logic->n_batches < BATCHES);
    logic->batches[logic->n_batches++] = batch;
    if (logic->stream != stream) {
        rpc_stream_unref(logic->stream);
        logic->stream = rpc_stream_ref(stream);
    }
    pthread_mutex_unlock(&logic->lock);
}

static inline void logic_closed(struct rpc_stream *stream, void *arg, const char *why)
{
    (void)stream, (void)arg, (void)why;
}

static const struct rpc_stream_events logic_events = {logic_message, logic_closed};

static inline void logic_opened(struct rpc_stream *stream, void *logic)
{
    rpc_stream_accept(stream, &logic_events, logic);
}

static const struct rpc_method methods[] = {{"/imc.v1.Logic/Sessions", logic_opened, NULL},
                                            {.path = NULL}};

static inline void logic_start(struct logic *logic)
{
    const char *address = logic->address[0] != '\0' ? logic->address : "127.0.0.1:0";
    assert_int_equal(rpc_server_open(w.rpc, address, methods, logic, &logic->server), 0);
    snprintf(logic->address, sizeof logic->address, "127.0.0.1:%d", rpc_server_port(logic->server));
}

static inline void logic_behaves(struct logic *logic, enum behaviour behaviour)
{
    atomic_store(&logic->behaviour, behaviour);
}

static inline int logic_batches(struct logic *logic)
{
    pthread_mutex_lock(&logic->lock);
    int n = logic->n_batches;
    pthread_mutex_unlock(&logic->lock);
    return n;
}

/* Only while no more can come. */
static inline const Imc__V1__SessionBatch *logic_batch(struct logic *logic, int i)
{
    assert_true(i < logic_batches(logic));
    return logic->batches[i];
}

/* --- the worker --- */

static inline void on_done(struct worker *worker, struct logic_request *request,
                           const struct logic_answer *answer)
{
    assert_ptr_equal(worker, &w.worker);
    assert_true(w.n_done < DONE_MAX);
    w.done_handles[w.n_done] = request->handle;
    w.done_status[w.n_done++] = answer->answered ? answer->status : UINT32_MAX;
    w.n_answered += answer->answered;
    w.n_unanswered += !answer->answered;
    w.last = *answer;
    if (answer->answered && answer->connect != NULL)
        w.last_uid = answer->connect->uid;
    if (answer->answered && answer->fetch != NULL) {
        if (w.kept != NULL)
            backing_unref(w.kept);
        w.kept = backing_ref(answer->backing);
        w.fetched = answer->fetch;
    }
}

static inline void give_way(struct worker *worker, int64_t uid, const uint64_t *handles,
                            size_t n_handles, enum give_way_why why)
{
    (void)worker, (void)uid, (void)handles, (void)n_handles, (void)why;
}

static inline void order_room(struct worker *worker, struct room_order *order)
{
    assert_ptr_equal(worker, &w.worker);
    assert_true(w.n_orders < ORDERS);
    w.orders[w.n_orders++] = order;
}

static const struct logic_asks asks = {.give_way = give_way, .room_order = order_room};

static inline struct logic_request *request(enum logic_request_kind kind, uint64_t handle)
{
    struct logic_request *made = logic_requests_new(w.worker.logic, kind);
    made->handle = handle;
    made->uid = (int64_t)handle * 10;
    made->done = on_done;
    return made;
}

static inline void ask(enum logic_request_kind kind, uint64_t handle)
{
    logic_requests_send(w.worker.logic, request(kind, handle));
}

static inline void see(unsigned logics, uint64_t epoch)
{
    struct member members[LOGICS];
    struct member_list seen = {.members = members}, nobody = {0};
    memset(members, 0, sizeof members);
    for (int i = 0; i < LOGICS; i++) {
        if ((logics & 1U << i) == 0)
            continue;
        struct member *member = &members[seen.n++];
        snprintf(member->id, sizeof member->id, "logic-%d", i);
        snprintf(member->rpc, sizeof member->rpc, "%s", w.logics[i].address);
        member->epoch = 1;
    }
    cluster_view_unref(w.worker.view);
    w.worker.view = cluster_view_new(&seen, &nobody, epoch, false);
    logic_requests_update(w.worker.logic);
}

static inline void on_time(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

enum { SOON_MS = 60000 }; /* for what comes, and may be late on a machine that is busy */

/* Turns the loop for MS, or until *COUNT is N (COUNT may be NULL). */
static inline void run(int ms, const int *count, int n)
{
    bool over = false;
    uv_timer_t timer;
    uv_update_time(&w.worker.loop.uv);
    uv_timer_init(&w.worker.loop.uv, &timer);
    timer.data = &over;
    uv_timer_start(&timer, on_time, (uint64_t)ms, 0);
    while (!over && (count == NULL || *count != n))
        uv_run(&w.worker.loop.uv, UV_RUN_ONCE);
    if (count != NULL)
        assert_int_equal(*count, n);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&w.worker.loop.uv, UV_RUN_NOWAIT);
}

static inline void run_until_batches(struct logic *logic, int n)
{
    assert_true(until(logic_batches(logic) >= n, run(1, NULL, 0)));
}

static inline int setup(void **state)
{
    static const struct member_list nobody = {0};
    (void)state;
    memset(&w, 0, sizeof w);
    assert_int_equal(rpc_open(&w.rpc, 4 << 20), 0);
    for (int i = 0; i < LOGICS; i++) {
        pthread_mutex_init(&w.logics[i].lock, NULL);
        logic_start(&w.logics[i]);
    }
    w.config.logic_window = 2;
    w.config.connect_ms = 300;
    w.daemon.rpc = w.rpc;
    w.comet.daemon = &w.daemon;
    w.comet.n_workers = 3;
    memcpy(w.comet.id, "comet-1", 8);
    clock_share_slowly(2);
    assert_int_equal(loop_init(&w.worker.loop, "test", 1), 0);
    w.worker.comet = &w.comet;
    w.worker.config = &w.config;
    w.worker.counters = w.counters;
    w.worker.view = cluster_view_new(&nobody, &nobody, 0, false);
    const struct logic_link link = {.asks = asks,
                                    .window = (int)w.config.logic_window,
                                    .admissions = CONNECTS,
                                    .timeout_ms = (int)w.config.connect_ms + 2000};
    w.worker.logic = logic_requests_open(&w.worker, &link);
    return 0;
}

static inline void link_close(void)
{
    if (w.worker.logic != NULL)
        logic_requests_close(w.worker.logic);
    w.worker.logic = NULL;
}

static inline int teardown(void **state)
{
    (void)state;
    link_close();
    loop_close(&w.worker.loop);
    clock_give_back();
    for (int i = 0; i < LOGICS; i++) {
        struct logic *logic = &w.logics[i];
        rpc_server_close(logic->server, 0);
        rpc_stream_unref(logic->stream);
        for (int b = 0; b < logic->n_batches; b++)
            imc__v1__session_batch__free_unpacked(logic->batches[b], NULL);
        pthread_mutex_destroy(&logic->lock);
    }
    rpc_close(w.rpc);
    cluster_view_unref(w.worker.view);
    backing_unref(w.kept);
    return 0;
}

/* --- what goes out, what comes back --- */

static inline void no_free(struct backing *backing)
{
    (void)backing;
}

static struct backing immortal = {.refs = 1, .free = no_free};

static inline void confirm(enum confirm_how how, int64_t uid, uint64_t handle, uint64_t id)
{
    struct logic_confirm confirm = {.how = how, .uid = uid, .handle = handle};
    logic_requests_confirm(w.worker.logic, &confirm, id);
}

static inline void ask_all_kinds(void)
{
    struct logic_request *made = request(REQUEST_CONNECT, 1);
    made->bytes = mem_strdup("token");
    made->bytes_len = 5;
    made->wire = 2;
    snprintf(made->peer, sizeof made->peer, "10.0.0.1");
    logic_requests_send(w.worker.logic, made);
    ask(REQUEST_DISCONNECT, 2);
    made = request(REQUEST_FETCH, 3);
    made->after = 33;
    logic_requests_send(w.worker.logic, made);
    made = request(REQUEST_STORE, 4);
    made->behind = 43;
    made->push = (struct push){.backing = backing_ref(&immortal),
                               .body = (const uint8_t *)"body",
                               .body_len = 4,
                               .op = 5,
                               .id = 44,
                               .expires_ms = 444};
    logic_requests_send(w.worker.logic, made);
    made = request(REQUEST_REGISTER, 5);
    made->bytes = mem_strdup("lobby");
    logic_requests_send(w.worker.logic, made);
    ask(REQUEST_REGISTERED, 6);
    confirm(CONFIRM_WAIVED, 70, 8, 7);
}

#endif

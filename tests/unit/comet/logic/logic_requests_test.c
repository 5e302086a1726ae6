/* A worker's link on a loop that the test turns by hand, and logics in the same process whose
 * behaviour is a variable. */
#include "comet/base/cluster_view.h"
#include "comet/base/comet.h"
#include "comet/base/metrics.h"
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

enum { LOGICS = 2, BATCHES = 256, DONE_MAX = 4096 };

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
} w;

/* --- a logic; rpc thread --- */

/* Status i of a list is i, so that the test sees that the right request gets it. */
static uint32_t *statuses(size_t n)
{
    uint32_t *list = mem_alloc((n + 1) * sizeof *list);
    for (size_t i = 0; i < n; i++)
        list[i] = (uint32_t)i;
    return list;
}

static void answer_connects(const Imc__V1__SessionBatch *batch, Imc__V1__SessionReply *reply)
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

static void answer_fetches(const Imc__V1__SessionBatch *batch, Imc__V1__SessionReply *reply)
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

static void reply_free(Imc__V1__SessionReply *reply)
{
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

static struct msg *answer_to(const Imc__V1__SessionBatch *batch, bool miscount)
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
    reply.n_stores -= miscount && reply.n_stores > 0;
    struct msg *msg = msg_new(imc__v1__session_reply__get_packed_size(&reply));
    imc__v1__session_reply__pack(&reply, msg->data);
    reply_free(&reply);
    return msg;
}

static void logic_message(struct rpc_stream *stream, void *arg, struct msg *msg)
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

static void logic_closed(struct rpc_stream *stream, void *arg, const char *why)
{
    (void)stream, (void)arg, (void)why;
}

static const struct rpc_stream_events logic_events = {logic_message, logic_closed};

static void logic_opened(struct rpc_stream *stream, void *logic)
{
    rpc_stream_accept(stream, &logic_events, logic);
}

static const struct rpc_method methods[] = {{"/imc.v1.Logic/Sessions", logic_opened}, {NULL, NULL}};

static void logic_start(struct logic *logic)
{
    const char *address = logic->address[0] != '\0' ? logic->address : "127.0.0.1:0";
    assert_int_equal(rpc_server_open(w.rpc, address, methods, logic, &logic->server), 0);
    snprintf(logic->address, sizeof logic->address, "127.0.0.1:%d", rpc_server_port(logic->server));
}

static void logic_stop(struct logic *logic)
{
    rpc_server_close(logic->server, 0);
    logic->server = NULL;
}

static void logic_behaves(struct logic *logic, enum behaviour behaviour)
{
    atomic_store(&logic->behaviour, behaviour);
}

/* Answers the batches that were met with silence. */
static void logic_speaks_up(struct logic *logic)
{
    logic_behaves(logic, LOGIC_ANSWERS);
    pthread_mutex_lock(&logic->lock);
    for (int i = 0; i < logic->n_batches; i++)
        rpc_stream_send(logic->stream, answer_to(logic->batches[i], false));
    pthread_mutex_unlock(&logic->lock);
}

static int logic_batches(struct logic *logic)
{
    pthread_mutex_lock(&logic->lock);
    int n = logic->n_batches;
    pthread_mutex_unlock(&logic->lock);
    return n;
}

/* Only while no more can come. */
static const Imc__V1__SessionBatch *logic_batch(struct logic *logic, int i)
{
    assert_true(i < logic_batches(logic));
    return logic->batches[i];
}

/* --- the worker --- */

static void on_done(struct worker *worker, struct logic_request *request,
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

static void give_way(struct worker *worker, int64_t uid, const uint64_t *handles, size_t n_handles)
{
    (void)worker, (void)uid, (void)handles, (void)n_handles;
}

static struct logic_request *request(enum logic_request_kind kind, uint64_t handle)
{
    struct logic_request *made = logic_requests_new(w.worker.logic, kind);
    made->handle = handle;
    made->uid = (int64_t)handle * 10;
    made->done = on_done;
    return made;
}

static void ask(enum logic_request_kind kind, uint64_t handle)
{
    logic_requests_send(w.worker.logic, request(kind, handle));
}

static void ask_until(enum logic_request_kind kind, uint64_t handle, uint64_t ms)
{
    struct logic_request *made = request(kind, handle);
    made->deadline_ms = loop_now_ms(&w.worker.loop) + ms;
    logic_requests_send(w.worker.logic, made);
}

static void see(unsigned logics, uint64_t epoch)
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

static void on_time(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

enum { SOON_MS = 60000 }; /* for what comes, and may be late on a machine that is busy */

/* Turns the loop for MS, or until *COUNT is N (COUNT may be NULL). */
static void run(int ms, const int *count, int n)
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

static void run_until_batches(struct logic *logic, int n)
{
    assert_true(until(logic_batches(logic) >= n, run(1, NULL, 0)));
}

static int setup(void **state)
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
    w.worker.logic = logic_requests_open(&w.worker, give_way);
    return 0;
}

static void link_close(void)
{
    if (w.worker.logic != NULL)
        logic_requests_close(w.worker.logic);
    w.worker.logic = NULL;
}

static int teardown(void **state)
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

static void no_free(struct backing *backing)
{
    (void)backing;
}

static struct backing immortal = {.refs = 1, .free = no_free};

static void confirm(enum confirm_how how, int64_t uid, uint64_t handle, uint64_t id)
{
    struct logic_confirm confirm = {.how = how, .uid = uid, .handle = handle};
    logic_requests_confirm(w.worker.logic, &confirm, id);
}

static void ask_all_kinds(void)
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

static void one_batch_carries_every_kind(void **state)
{
    (void)state;
    see(1, 9);
    ask_all_kinds();
    assert_int_equal(logic_requests_pending(w.worker.logic), 7);
    run(SOON_MS, &w.n_done, 6);
    assert_int_equal(logic_requests_pending(w.worker.logic), 0);
    assert_int_equal(logic_batches(&w.logics[0]), 1);
    const Imc__V1__SessionBatch *batch = logic_batch(&w.logics[0], 0);
    assert_string_equal(batch->comet, "comet-1");
    assert_int_equal(batch->epoch, 9);
    assert_int_equal(batch->ring, 0);
    assert_int_equal(batch->connects[0]->handle, 1);
    assert_memory_equal(batch->connects[0]->token.data, "token", 5);
    assert_string_equal(batch->connects[0]->address, "10.0.0.1");
    assert_int_equal(batch->connects[0]->wire, 2);
    assert_int_equal(batch->disconnects[0]->uid, 20);
    assert_int_equal(batch->fetches[0]->after, 33);
    assert_int_equal(batch->fetches[0]->handle, 0); /* nothing is left out */
    assert_int_equal(batch->stores[0]->handle, 4);
    assert_int_equal(batch->stores[0]->message->id, 44);
    assert_int_equal(batch->stores[0]->behind, 43);
    assert_int_equal(batch->stores[0]->message->op, 5);
    assert_int_equal(batch->stores[0]->message->expires_ms, 444);
    assert_memory_equal(batch->stores[0]->message->body.data, "body", 4);
    assert_string_equal(batch->registers[0]->room, "lobby");
    assert_int_equal(batch->registered->loop, 1);
    assert_int_equal(batch->registered->loops, 3);
    assert_int_equal(batch->confirms[0]->uid, 70);
    assert_int_equal(batch->confirms[0]->ids[0], 7);
    assert_int_equal(batch->confirms[0]->handle, 8);
    assert_int_equal(batch->confirms[0]->how, CONFIRM_WAIVED);
    assert_int_equal(w.done_handles[5], 6);
    assert_int_equal(w.done_status[5], 5); /* Registered has its own status */
    assert_int_equal(w.last.ring, 77);
    assert_int_equal(w.last.epoch, 9);
    assert_int_equal(immortal.refs, 1);
    /* A reply lives as long as somebody needs it. */
    assert_int_equal(w.fetched->waiting[0].id, 34);
    assert_string_equal((const char *)w.fetched->waiting[0].body, "waiting");
}

static void every_request_gets_its_own_result(void **state)
{
    (void)state;
    see(1, 1);
    for (uint64_t i = 0; i < 30; i++)
        ask(i % 3 == 0 ? REQUEST_DISCONNECT : i % 3 == 1 ? REQUEST_REGISTER : REQUEST_FETCH, i);
    run(SOON_MS, &w.n_done, 30);
    for (uint64_t i = 0; i < 30; i++) {
        assert_int_equal(w.done_handles[i], i);
        assert_int_equal(w.done_status[i], i % 3 == 2 ? 0 : i / 3);
    }
}

static void while_the_window_is_full_the_next_batch_grows(void **state)
{
    (void)state;
    struct logic *logic = &w.logics[0];
    logic_behaves(logic, LOGIC_KEEPS_QUIET);
    see(1, 1);
    for (uint64_t i = 0; i < 2; i++) {
        ask(REQUEST_DISCONNECT, i);
        run_until_batches(logic, (int)i + 1);
    }
    for (uint64_t i = 0; i < 500; i++) {
        ask(REQUEST_DISCONNECT, i);
        if (i % 50 == 0)
            run(1, NULL, 0);
    }
    assert_int_equal(logic_batches(logic), 2);
    logic_speaks_up(logic);
    run(SOON_MS, &w.n_done, 502);
    assert_int_equal(logic_batches(logic), 3);
    assert_int_equal(logic_batch(logic, 2)->n_disconnects, 500);
}

static void batches_have_limits(void **state)
{
    (void)state;
    struct logic *logic = &w.logics[0];
    static uint8_t large[200 * 1024];
    see(1, 1);
    for (uint64_t i = 0; i < 2500; i++)
        ask(REQUEST_DISCONNECT, i);
    for (int i = 0; i < 6; i++) {
        struct logic_request *made = request(REQUEST_STORE, 1);
        made->push = (struct push){.body = large, .body_len = sizeof large, .id = 1};
        logic_requests_send(w.worker.logic, made);
    }
    ask(REQUEST_REGISTERED, 1);
    ask(REQUEST_REGISTERED, 2);
    run(SOON_MS, &w.n_done, 2508);
    size_t disconnects = 0, stores = 0;
    int registered = 0;
    for (int i = 0; i < logic_batches(logic); i++) {
        const Imc__V1__SessionBatch *batch = logic_batch(logic, i);
        disconnects += batch->n_disconnects;
        stores += batch->n_stores;
        registered += batch->registered != NULL;
        assert_in_range(batch->n_disconnects + batch->n_stores, 0, 1000);
        assert_in_range(batch->n_stores, 0, 3);
    }
    assert_int_equal(disconnects, 2500);
    assert_int_equal(stores, 6);
    assert_int_equal(registered, 2);
}

static void a_fetch_may_leave_out_what_others_are_owed(void **state)
{
    (void)state;
    see(1, 1);
    struct logic_request *made = request(REQUEST_FETCH, 9);
    made->own = true;
    logic_requests_send(w.worker.logic, made);
    run(SOON_MS, &w.n_done, 1);
    assert_int_equal(logic_batch(&w.logics[0], 0)->fetches[0]->handle, 9);
}

static void confirms_of_another_session_or_kind_do_not_share_one(void **state)
{
    (void)state;
    see(1, 1);
    confirm(CONFIRM_WRITTEN, 1, 5, 1);
    confirm(CONFIRM_WRITTEN, 1, 6, 1);
    confirm(CONFIRM_WAIVED, 1, 6, 3);
    confirm(CONFIRM_WAIVED, 1, 6, 4);
    assert_int_equal(logic_requests_pending(w.worker.logic), 3);
    run_until_batches(&w.logics[0], 1);
    const Imc__V1__SessionBatch *batch = logic_batch(&w.logics[0], 0);
    for (size_t i = 0; i < 3; i++) {
        static const size_t ids[] = {1, 1, 2};
        assert_int_equal(batch->confirms[i]->handle, i == 0 ? 5 : 6);
        assert_int_equal(batch->confirms[i]->n_ids, ids[i]);
    }
    assert_int_equal(batch->confirms[2]->how, CONFIRM_WAIVED);
    assert_int_equal(w.counters[COMET_CONFIRMED], 2); /* a waiver is none */
}

static void confirms_of_a_session_share_a_request(void **state)
{
    (void)state;
    struct logic *logic = &w.logics[0];
    see(1, 1);
    for (uint64_t id = 1; id <= 100; id++)
        confirm(CONFIRM_WRITTEN, 1, 8, id);
    confirm(CONFIRM_WRITTEN, 2, 8, 5);
    confirm(CONFIRM_WRITTEN, 1, 8, 101);
    assert_int_equal(logic_requests_pending(w.worker.logic), 4);
    run_until_batches(logic, 1);
    /* The request before is on its way. */
    confirm(CONFIRM_WRITTEN, 1, 8, 102);
    assert_int_equal(w.counters[COMET_CONFIRMED], 103);
    run_until_batches(logic, 2);
    const Imc__V1__SessionBatch *batch = logic_batch(logic, 0);
    assert_int_equal(batch->n_confirms, 4);
    assert_int_equal(batch->confirms[0]->n_ids, 64);
    assert_int_equal(batch->confirms[1]->n_ids, 36);
    assert_int_equal(batch->confirms[1]->ids[35], 100);
    assert_int_equal(batch->confirms[2]->uid, 2);
    assert_int_equal(batch->confirms[3]->ids[0], 101);
    assert_int_equal(logic_batch(logic, 1)->confirms[0]->ids[0], 102);
}

static void what_was_taken_back_is_not_sent(void **state)
{
    (void)state;
    see(1, 1);
    struct logic_request *made = request(REQUEST_REGISTERED, 1);
    logic_requests_send(w.worker.logic, made);
    made->cancelled = true;
    ask(REQUEST_DISCONNECT, 2);
    run(SOON_MS, &w.n_done, 2);
    assert_null(logic_batch(&w.logics[0], 0)->registered);
}

static void nothing_is_sent_before_the_lease_is_held(void **state)
{
    (void)state;
    see(1, 0);
    ask(REQUEST_DISCONNECT, 1);
    run(250, NULL, 0);
    for (int i = 0; i < logic_batches(&w.logics[0]); i++)
        assert_int_equal(logic_batch(&w.logics[0], i)->n_disconnects, 0);
    see(1, 5);
    run(SOON_MS, &w.n_done, 1);
    assert_int_equal(w.last.epoch, 5);
}

/* --- logics come and go --- */

static void what_a_logic_left_unanswered_goes_to_another(void **state)
{
    (void)state;
    logic_behaves(&w.logics[0], LOGIC_BREAKS);
    logic_behaves(&w.logics[1], LOGIC_KEEPS_QUIET);
    see(1, 1);
    for (uint64_t i = 0; i < 10; i++)
        ask(REQUEST_DISCONNECT, i);
    run_until_batches(&w.logics[0], 1);
    logic_behaves(&w.logics[1], LOGIC_ANSWERS);
    see(3, 1);
    run(SOON_MS, &w.n_done, 10);
    run(50, NULL, 0);
    assert_int_equal(w.n_done, 10); /* once */
    assert_int_equal(w.n_answered, 10);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(w.done_handles[i], i);
}

static void a_logic_that_leaves_the_view_hands_its_batches_back(void **state)
{
    (void)state;
    logic_behaves(&w.logics[0], LOGIC_KEEPS_QUIET);
    see(1, 1);
    ask(REQUEST_DISCONNECT, 1);
    ask(REQUEST_FETCH, 2);
    run_until_batches(&w.logics[0], 1);
    see(2, 1);
    run(SOON_MS, &w.n_done, 2);
    assert_int_equal(w.n_answered, 2);
    assert_int_equal(logic_batches(&w.logics[1]), 1);
}

static void a_dead_logic_gets_probes_until_it_is_back(void **state)
{
    (void)state;
    struct logic *dead = &w.logics[0];
    see(3, 1);
    ask(REQUEST_DISCONNECT, 0);
    run(SOON_MS, &w.n_done, 1);
    logic_stop(dead);
    run(300, NULL, 0);
    int before = logic_batches(dead);
    for (uint64_t i = 1; i <= 20; i++) { /* nothing waits for it in vain */
        ask(REQUEST_DISCONNECT, i);
        run(SOON_MS, &w.n_done, (int)i + 1);
    }
    logic_start(dead);
    run_until_batches(dead, before + 1);
    assert_int_equal(logic_batch(dead, before)->n_disconnects, 0);
    run(200, NULL, 0);
    see(1, 1); /* only it is left, and up */
    ask(REQUEST_DISCONNECT, 21);
    run(SOON_MS, &w.n_done, 22);
    assert_int_equal(w.n_answered, 22);
}

static void answers_to_something_else_are_no_answers(void **state)
{
    (void)state;
    logic_behaves(&w.logics[0], LOGIC_MISCOUNTS);
    see(1, 1);
    for (uint64_t i = 0; i < 3; i++)
        ask(REQUEST_STORE, i);
    run(SOON_MS, &w.n_done, 3);
    assert_int_equal(w.n_unanswered, 3);
}

static void a_malformed_reply_breaks_the_stream(void **state)
{
    (void)state;
    logic_behaves(&w.logics[0], LOGIC_BABBLES);
    see(1, 1);
    ask(REQUEST_DISCONNECT, 1);
    run_until_batches(&w.logics[0], 1);
    logic_behaves(&w.logics[0], LOGIC_ANSWERS);
    run(SOON_MS, &w.n_done, 1);
    assert_int_equal(w.n_answered, 1);
}

/* --- deadlines --- */

static void without_a_logic_deadlines_pass(void **state)
{
    (void)state;
    ask_until(REQUEST_CONNECT, 1, 100);
    ask(REQUEST_DISCONNECT, 2);
    ask_until(REQUEST_STORE, 3, 150);
    ask_until(REQUEST_STORE, 4, 5000);
    run(SOON_MS, &w.n_done, 2);
    assert_int_equal(w.done_handles[0], 1);
    assert_int_equal(w.done_handles[1], 3);
    assert_int_equal(w.n_unanswered, 2);
    assert_int_equal(logic_requests_pending(w.worker.logic), 2);
    see(1, 1);
    run(SOON_MS, &w.n_done, 4);
    assert_int_equal(w.n_answered, 2);
}

/* Perhaps it was carried out: only its answer tells whom to disconnect again. */
static void a_connect_that_was_sent_waits_for_its_answer(void **state)
{
    (void)state;
    logic_behaves(&w.logics[0], LOGIC_KEEPS_QUIET);
    see(1, 1);
    ask_until(REQUEST_CONNECT, 1, SOON_MS);
    ask_until(REQUEST_STORE, 2, SOON_MS);
    run_until_batches(&w.logics[0], 1);
    see(0, 1);
    clock_move(SOON_MS);
    run(SOON_MS, &w.n_done, 1);
    run(300, NULL, 0);
    assert_int_equal(w.n_done, 1);
    assert_int_equal(w.done_handles[0], 2);
    see(2, 1);
    run(SOON_MS, &w.n_done, 2);
    assert_int_equal(w.last_uid, 1001);
}

static void closing_answers_what_is_left(void **state)
{
    (void)state;
    logic_behaves(&w.logics[0], LOGIC_KEEPS_QUIET);
    see(1, 1);
    ask_all_kinds();
    run_until_batches(&w.logics[0], 1);
    ask_all_kinds();
    link_close();
    assert_int_equal(w.n_unanswered, 12);
    assert_int_equal(immortal.refs, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(one_batch_carries_every_kind),
        TEST(every_request_gets_its_own_result),
        TEST(while_the_window_is_full_the_next_batch_grows),
        TEST(batches_have_limits),
        TEST(confirms_of_a_session_share_a_request),
        TEST(confirms_of_another_session_or_kind_do_not_share_one),
        TEST(a_fetch_may_leave_out_what_others_are_owed),
        TEST(what_was_taken_back_is_not_sent),
        TEST(nothing_is_sent_before_the_lease_is_held),
        TEST(what_a_logic_left_unanswered_goes_to_another),
        TEST(a_logic_that_leaves_the_view_hands_its_batches_back),
        TEST(a_dead_logic_gets_probes_until_it_is_back),
        TEST(answers_to_something_else_are_no_answers),
        TEST(a_malformed_reply_breaks_the_stream),
        TEST(without_a_logic_deadlines_pass),
        TEST(a_connect_that_was_sent_waits_for_its_answer),
        TEST(closing_answers_what_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

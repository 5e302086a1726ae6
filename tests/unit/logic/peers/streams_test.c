/* Streams of comets and jobs; what handles their batches is the test itself. */
#include "common/daemon/internal.h"
#include "logic/peers/session_requests.h"
#include "logic/peers/settle_requests.h"
#include "logic/peers/streams.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/lib/freed.h"
#include "tests/unit/lib/rpc_caller.h"

enum { KEPT = 256 };

/* Batches that were handed over and are not answered yet, in order. */
static struct stream_batch *kept[KEPT];
static size_t n_kept;
static bool at_once;

static void answer(struct stream_batch *batch)
{
    if (batch->message->descriptor == &imc__v1__session_batch__descriptor) {
        Imc__V1__SessionReply reply = IMC__V1__SESSION_REPLY__INIT;
        reply.seq = ((Imc__V1__SessionBatch *)batch->message)->seq;
        stream_reply(batch, &reply.base);
    } else {
        Imc__V1__SettleReply reply;
        imc__v1__settle_reply__init(&reply);
        reply.seq = ((Imc__V1__SettleBatch *)batch->message)->seq;
        stream_reply(batch, &reply.base);
    }
}

static void handle(struct stream_batch *batch)
{
    assert_true(n_kept < KEPT);
    if (at_once)
        answer(batch);
    else
        kept[n_kept++] = batch;
}

void session_requests_handle(struct stream_batch *batch)
{
    handle(batch);
}

void settle_requests_handle(struct stream_batch *batch)
{
    handle(batch);
}

static void answer_all(void)
{
    for (size_t i = 0; i < n_kept; i++)
        answer(kept[i]);
    n_kept = 0;
}

struct fixture {
    struct daemon daemon;
    struct daemon_internal internal;
    struct logic_config config;
    struct logic logic;
    struct caller_side caller;
    char listen[32];
};

static int setup_to(void **state, const char *path)
{
    static const struct stream_services services = {session_requests_handle, settle_requests_handle,
                                                    NULL, NULL};
    struct fixture *f = mem_zalloc(sizeof *f);

    n_kept = 0;
    at_once = true;
    snprintf(f->listen, sizeof f->listen, "127.0.0.1:0");
    f->config.daemon.rpc_listen = f->listen;
    f->daemon.internal = &f->internal;
    f->daemon.config = &f->config;
    assert_int_equal(loop_init(&f->daemon.loop, "main", 0), 0);
    f->daemon.metrics = metrics_open(logic_metric_rows, LOGIC_METRIC_ROWS);
    f->daemon.counters = metrics_block(f->daemon.metrics);
    assert_int_equal(rpc_open(&f->daemon.rpc, 4 << 20), 0);
    f->logic = (struct logic){.daemon = &f->daemon,
                              .config = &f->config,
                              .loop = &f->daemon.loop,
                              .counters = f->daemon.counters};
    assert_int_equal(streams_open(&f->logic, &services, &f->logic.streams), 0);
    caller_open(&f->caller, f->daemon.rpc, &f->daemon.loop, f->internal.rpc_port, path);
    *state = f;
    return 0;
}

static int setup_comet(void **state)
{
    return setup_to(state, "/imc.v1.Logic/Sessions");
}

/* With a topic for what clients send; here nobody looks into it. */
static int setup_comet_upstream(void **state)
{
    static long opaque;
    int err = setup_comet(state);
    struct fixture *f = *state;

    f->logic.upstream = (struct upstream *)(void *)&opaque;
    return err;
}

static int setup_job(void **state)
{
    return setup_to(state, "/imc.v1.Logic/Settle");
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    answer_all();
    caller_close(&f->caller);
    streams_close(f->logic.streams);
    free(f->logic.streams);
    rpc_close(f->daemon.rpc);
    loop_close(&f->daemon.loop);
    metrics_close(f->daemon.metrics);
    free(f);
    return 0;
}

/* SEQ, then N items of the list FIELD, each with a uid. */
static void ask(struct fixture *f, uint8_t seq, unsigned field, size_t n)
{
    enum { HEAD = 9, ITEM = 11 };
    struct msg *msg = msg_new(HEAD + ITEM * n);

    memset(msg->data, 0, msg->len);
    msg->data[0] = 0x09;
    msg->data[1] = seq;
    for (size_t i = 0; i < n; i++)
        memcpy(msg->data + HEAD + ITEM * i, (uint8_t[]){(uint8_t)(field << 3 | 2), ITEM - 2, 0x09},
               3);
    rpc_stream_send(f->caller.stream, msg);
}

static int64_t count(struct fixture *f, enum logic_metric metric)
{
    return metrics_sum(f->daemon.metrics, metric);
}

static void turn(struct fixture *f)
{
    uv_run(&f->daemon.loop.uv, UV_RUN_NOWAIT);
}

static bool turn_until(struct fixture *f, size_t batches)
{
    return until(n_kept >= batches, turn(f));
}

static void every_batch_is_answered(void **state)
{
    struct fixture *f = *state;

    for (uint8_t seq = 1; seq <= 100; seq++)
        ask(f, seq, 7, 1);
    assert_true(caller_wait(&f->caller, 100, false));
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(f->caller.answers[i]->data[1], i + 1);
    assert_int_equal(count(f, LOGIC_BATCHES_COMET), 100);
    assert_int_equal(count(f, LOGIC_BATCHES_PENDING), 0);
    assert_int_equal(streams_count(f->logic.streams), 1);
}

/* gRPC keeps copies of its own for a while, which are out of reach. */
static void tokens_are_overwritten(void **state)
{
    static char token[] = FREED_SECRET;
    struct fixture *f = *state;
    Imc__V1__Connect connect, *connects = &connect;
    Imc__V1__SessionBatch batch;

    if (!freed_is_watched)
        skip();
    imc__v1__connect__init(&connect);
    connect.token = (ProtobufCBinaryData){sizeof token, (uint8_t *)token};
    imc__v1__session_batch__init(&batch);
    batch.n_connects = 1;
    batch.connects = &connects;
    freed_watch(true);
    for (batch.seq = 1; batch.seq <= 2; batch.seq++) {
        struct msg *msg = msg_new(imc__v1__session_batch__get_packed_size(&batch));
        imc__v1__session_batch__pack(&batch, msg->data);
        msg_is_secret(msg);
        rpc_stream_send(f->caller.stream, msg);
    }
    assert_true(caller_wait(&f->caller, 2, false));
    assert_int_equal(freed_end(), 0);
}

static void job_at_the_limit_of_items(void **state)
{
    struct fixture *f = *state;

    ask(f, 1, 3, STREAM_SETTLES_MAX);
    assert_true(caller_wait(&f->caller, 1, false));
    ask(f, 2, 3, STREAM_SETTLES_MAX + 1);
    assert_true(caller_wait(&f->caller, 0, true));
    assert_int_equal(f->caller.n, 1);
    assert_int_equal(count(f, LOGIC_BATCHES_JOB), 1);
}

static void comet_beyond_the_limit_of_items(void **state)
{
    struct fixture *f = *state;

    ask(f, 1, 7, STREAM_SESSIONS_MAX);
    ask(f, 2, 7, STREAM_SESSIONS_MAX + 1);
    ask(f, 3, 7, 1);
    assert_true(caller_wait(&f->caller, 0, true));
    assert_int_equal(count(f, LOGIC_BATCHES_COMET), 1);
    assert_true(until(count(f, LOGIC_BATCHES_MALFORMED) == 1, turn(f)));
    assert_int_equal(streams_count(f->logic.streams), 0);
}

/* A peer that does not wait for answers is not read on. */
static void more_than_may_be_unanswered_wait(void **state)
{
    struct fixture *f = *state;

    at_once = false;
    for (uint8_t seq = 1; seq <= 200; seq++)
        ask(f, seq, 7, 1);
    assert_true(turn_until(f, RPC_UNANSWERED_MAX));
    struct rpc_stats stats = {0};
    assert_true(until(stats.paused != 0, rpc_stats(f->daemon.rpc, &stats)));
    uv_run(&f->daemon.loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(n_kept, RPC_UNANSWERED_MAX);
    assert_in_range(stats.held, 1, 100 << 20);
    assert_true(until(caller_has(&f->caller, 200, false), (turn(f), answer_all())));
    rpc_stats(f->daemon.rpc, &stats);
    assert_int_equal(stats.held, 0);
}

static void a_stream_may_end_before_its_answers(void **state)
{
    struct fixture *f = *state;

    at_once = false;
    ask(f, 1, 7, 1);
    ask(f, 2, 7, 1);
    assert_true(turn_until(f, 2));
    assert_true(stream_is_open(kept[0]));
    rpc_stream_close(f->caller.stream);
    assert_true(caller_wait(&f->caller, 0, true));
    assert_true(until(!stream_is_open(kept[0]), turn(f)));
    assert_false(stream_is_open(kept[1]));
    answer_all(); /* the last one frees the stream */
    assert_int_equal(count(f, LOGIC_BATCHES_PENDING), 0);
}

/* What was taken is answered, then the stream ends; no more is taken. */
static void draining_ends_streams_when_they_are_answered(void **state)
{
    struct fixture *f = *state;

    at_once = false;
    ask(f, 1, 7, 1);
    assert_true(turn_until(f, 1));
    streams_drain(f->logic.streams);
    ask(f, 2, 7, 1);
    answer_all();
    assert_true(caller_wait(&f->caller, 0, true));
    assert_int_equal(f->caller.n, 1);
    assert_int_equal(n_kept, 0);
}

/* Is answer I of the kind that says whether logic admits, and does it say CLOSED? */
static void said(struct fixture *f, size_t i, const char *closed)
{
    assert_true(caller_wait(&f->caller, i + 1, false));
    const struct msg *msg = f->caller.answers[i];
    Imc__V1__SessionReply *reply = imc__v1__session_reply__unpack(NULL, msg->len, msg->data);

    assert_non_null(reply);
    assert_int_equal(reply->seq, 0);
    assert_non_null(reply->admitting);
    assert_string_equal(reply->admitting->closed, closed);
    imc__v1__session_reply__free_unpacked(reply, NULL);
}

static void comets_are_told_whether_logic_admits(void **state)
{
    struct fixture *f = *state;

    streams_admit(f->logic.streams, "");
    ask(f, 1, 7, 1);
    assert_true(caller_wait(&f->caller, 1, false));
    streams_admit(f->logic.streams, "redis: away");
    streams_admit(f->logic.streams, "redis: away"); /* nothing new */
    said(f, 1, "redis: away");
    streams_admit(f->logic.streams, "");
    said(f, 2, "");
}

static void a_comet_that_comes_later_is_told(void **state)
{
    struct fixture *f = *state;

    streams_admit(f->logic.streams, "router: none answers");
    said(f, 0, "router: none answers");
}

/* Before anything else, so that one that answers and has not said it does not. */
static void comets_are_told_that_what_clients_send_is_taken(void **state)
{
    struct fixture *f = *state;

    ask(f, 1, 7, 1);
    assert_true(caller_wait(&f->caller, 2, false));
    const struct msg *msg = f->caller.answers[0];
    Imc__V1__SessionReply *reply = imc__v1__session_reply__unpack(NULL, msg->len, msg->data);
    assert_non_null(reply);
    assert_non_null(reply->takes_upstream);
    assert_int_equal(reply->seq, 0);
    imc__v1__session_reply__free_unpacked(reply, NULL);
    assert_int_equal(f->caller.answers[1]->data[1], 1);
}

static void jobs_are_not_told(void **state)
{
    struct fixture *f = *state;

    streams_admit(f->logic.streams, "redis: away");
    ask(f, 7, 3, 1);
    assert_true(caller_wait(&f->caller, 1, false));
    assert_int_equal(f->caller.answers[0]->data[1], 7);
}

int main(void)
{
#define row(test, setup) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        row(tokens_are_overwritten, setup_comet),
        row(every_batch_is_answered, setup_comet),
        row(job_at_the_limit_of_items, setup_job),
        row(comet_beyond_the_limit_of_items, setup_comet),
        row(more_than_may_be_unanswered_wait, setup_comet),
        row(a_stream_may_end_before_its_answers, setup_comet),
        row(draining_ends_streams_when_they_are_answered, setup_comet),
        row(comets_are_told_whether_logic_admits, setup_comet),
        row(a_comet_that_comes_later_is_told, setup_comet),
        row(comets_are_told_that_what_clients_send_is_taken, setup_comet_upstream),
        row(jobs_are_not_told, setup_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

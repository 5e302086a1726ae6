/* Batches over a real stream: answered, or the stream ends. */
#include "common/daemon/internal.h"
#include "proto/router.pb-c.h"
#include "router/server.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/lib/rpc_caller.h"

struct fixture {
    struct daemon daemon;
    struct daemon_internal internal;
    struct router router;
    struct caller_side caller;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof *f);
    struct map_shard_limits limits = {
        .comet_grace_ms = 7000, .sweep_slice = 64, .max_counted = 100};

    f->daemon.internal = &f->internal;
    assert_int_equal(loop_init(&f->daemon.loop, "main", 0), 0);
    f->daemon.metrics = metrics_open(router_metric_rows, ROUTER_METRIC_ROWS);
    f->daemon.counters = metrics_block(f->daemon.metrics);
    assert_int_equal(rpc_open(&f->daemon.rpc, 4 << 20), 0);
    f->router.daemon = &f->daemon;
    map_shard_init(&f->router.shard, &limits, f->daemon.counters);
    assert_int_equal(server_open(&f->router, "127.0.0.1:0"), 0);
    assert_in_range(f->internal.rpc_port, 1, 65535);
    caller_open(&f->caller, f->daemon.rpc, &f->daemon.loop, f->internal.rpc_port,
                "/imc.v1.Router/Map");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    caller_close(&f->caller);
    server_close(&f->router);
    rpc_close(f->daemon.rpc);
    map_shard_close(&f->router.shard);
    loop_close(&f->daemon.loop);
    metrics_close(f->daemon.metrics);
    free(f);
    return 0;
}

static int64_t count(struct fixture *f, enum router_metric metric)
{
    return metrics_sum(f->daemon.metrics, metric);
}

static void ask(struct fixture *f, uint64_t seq, size_t lookups)
{
    Imc__V1__MapBatch batch = IMC__V1__MAP_BATCH__INIT;

    batch.seq = seq;
    batch.n_lookups = lookups;
    batch.lookups = mem_zalloc(lookups * sizeof *batch.lookups + 1);
    struct msg *msg = msg_new(imc__v1__map_batch__get_packed_size(&batch));
    imc__v1__map_batch__pack(&batch, msg->data);
    free(batch.lookups);
    rpc_stream_send(f->caller.stream, msg);
}

static void expect_end(struct fixture *f)
{
    assert_true(caller_wait(&f->caller, 0, true));
    assert_int_equal(f->caller.n, 0);
    assert_int_equal(count(f, ROUTER_MALFORMED), 1);
}

static void batches_are_answered_in_order(void **state)
{
    struct fixture *f = *state;

    for (uint64_t seq = 1; seq <= 100; seq++)
        ask(f, seq, 3);
    assert_true(caller_wait(&f->caller, 100, false));
    for (size_t i = 0; i < 100; i++) {
        const struct msg *msg = f->caller.answers[i];
        Imc__V1__MapReply *reply = imc__v1__map_reply__unpack(NULL, msg->len, msg->data);
        assert_non_null(reply);
        assert_int_equal(reply->seq, i + 1);
        assert_int_equal(reply->n_lookups, 3);
        imc__v1__map_reply__free_unpacked(reply, NULL);
    }
    assert_int_equal(count(f, ROUTER_STREAMS), 1);
}

static void most_items_are_answered(void **state)
{
    struct fixture *f = *state;

    ask(f, 1, 16384);
    assert_true(caller_wait(&f->caller, 1, false));
    assert_int_equal(count(f, ROUTER_MALFORMED), 0);
}

static void one_item_more_ends_the_stream(void **state)
{
    ask(*state, 1, 16385);
    expect_end(*state);
}

static void a_batch_needs_a_seq(void **state)
{
    ask(*state, 0, 1);
    expect_end(*state);
}

static void what_is_no_batch_ends_the_stream(void **state)
{
    struct fixture *f = *state;

    rpc_stream_send(f->caller.stream, msg_copy("\xff\xff", 2));
    expect_end(f);
}

/* Its batches run before the map goes; the answers go nowhere. */
static void closing_with_batches_under_way(void **state)
{
    struct fixture *f = *state;

    for (uint64_t seq = 1; seq <= 20; seq++)
        ask(f, seq, 3);
    assert_true(until(count(f, ROUTER_STREAMS) != 0, (void)0));
    server_close(&f->router);
    assert_true(caller_wait(&f->caller, 0, true));
    assert_int_equal(count(f, ROUTER_STREAMS), 0);
}

int main(void)
{
#define row(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        row(batches_are_answered_in_order),    row(most_items_are_answered),
        row(one_item_more_ends_the_stream),    row(a_batch_needs_a_seq),
        row(what_is_no_batch_ends_the_stream), row(closing_with_batches_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

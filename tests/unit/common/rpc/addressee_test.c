/* Streams that name whom they want, against a server in the same process that may be somebody else.
 * Both ends are one rpc: who it is counts on the callee's side, whom it wants on the caller's. */
#include "common/base/mem.h"
#include "common/rpc/internal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

#include "tests/unit/lib/rpc_caller.h"

enum { MAX_MESSAGE = 1 << 16, LONGEST = sizeof((struct rpc_name *)0)->id - 1 };

static struct rpc *rpc;
static struct rpc_server *server;
static struct loop loop; /* of nobody: the answers come on the rpc thread */
static uint64_t missed, refused;

static void echo(struct rpc_stream *stream, void *arg, struct msg *msg)
{
    (void)arg;
    rpc_stream_send(stream, msg);
}

static void on_closed(struct rpc_stream *stream, void *arg, const char *why)
{
    (void)stream;
    (void)arg;
    (void)why;
}

static const struct rpc_stream_events echo_events = {echo, on_closed};

static void opened(struct rpc_stream *stream, void *arg)
{
    rpc_stream_accept(stream, &echo_events, arg);
}

static const struct rpc_method methods[] = {{"/test/Echo", opened, NULL}, {.path = NULL}};

static int setup(void **state)
{
    (void)state;
    assert_int_equal(loop_init(&loop, "test", 0), 0);
    assert_int_equal(rpc_open(&rpc, MAX_MESSAGE), 0);
    assert_int_equal(rpc_server_open(rpc, "127.0.0.1:0", methods, NULL, &server), 0);
    missed = rpc_addressees_missed();
    refused = rpc_addressees_refused();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rpc_server_close(server, 0);
    rpc_close(rpc);
    loop_close(&loop);
    return 0;
}

/* --- one stream --- */

static void expect_counts(uint64_t more)
{
    assert_int_equal(rpc_addressees_refused(), refused + more);
    assert_int_equal(rpc_addressees_missed(), missed + more);
}

/* A stream that wants ID under EPOCH (NULL: names nobody) is served, or is refused with WHY. */
static void open_stream(const char *id, uint64_t epoch, const char *why)
{
    struct caller_side caller;
    struct rpc_name name = {.epoch = epoch};
    bool served = why == NULL;

    caller_dial(&caller, rpc, &loop, rpc_server_port(server));
    if (id != NULL) {
        snprintf(name.id, sizeof name.id, "%s", id);
        rpc_channel_want(caller.channel, &name);
    }
    caller_begin(&caller, "/test/Echo");
    rpc_stream_send(caller.stream, msg_copy("x", 1));
    assert_true(caller_wait(&caller, 1, !served));
    if (!served && strstr(caller.why, why) == NULL)
        fail_msg("\"%s\" has no \"%s\"", caller.why, why);
    caller_close(&caller);
}

static void is_served(const char *id, uint64_t epoch)
{
    open_stream(id, epoch, NULL);
    expect_counts(0);
}

static void is_refused(const char *id, uint64_t epoch, const char *why)
{
    open_stream(id, epoch, why);
    expect_counts(1);
    refused++;
    missed++;
}

/* --- the tests --- */

static void who_is_meant_serves(void **state)
{
    (void)state;
    rpc_be(rpc, "comet-1", 7);
    is_served("comet-1", 7);
    is_served(NULL, 0); /* as of programs that know no names */
    is_served("", 7);
}

static void somebody_else_refuses_and_says_who_it_is(void **state)
{
    (void)state;
    rpc_be(rpc, "comet-1", 7);
    is_refused("comet-2", 7, "this is comet-1 (epoch 7), not comet-2 (epoch 7)");
    is_refused("comet-", 7, "not comet- (");
    is_refused("comet-10", 7, "not comet-10 (");
    is_served("comet-1", 7);
}

/* An epoch says which life of an id is meant. */
static void another_process_with_the_id_refuses(void **state)
{
    (void)state;
    rpc_be(rpc, "comet-1", 7);
    is_refused("comet-1", 6, "not comet-1 (epoch 6)"); /* it has ended, we are its successor */
    is_refused("comet-1", 8, "not comet-1 (epoch 8)"); /* it is our successor */
}

/* A lease that was lost and taken again raises the epoch of a process that goes on. */
static void an_earlier_epoch_of_this_process_is_still_it(void **state)
{
    (void)state;
    rpc_be(rpc, "comet-1", 7);
    rpc_be(rpc, "comet-1", 9);
    is_served("comet-1", 7);
    is_served("comet-1", 8);
    is_served("comet-1", 9);
    is_refused("comet-1", 6, "this is comet-1 (epoch 9)");
    is_refused("comet-1", 10, "this is comet-1 (epoch 9)");

    /* Under another id nothing of the former counts. */
    rpc_be(rpc, "comet-2", 20);
    is_refused("comet-1", 9, "this is comet-2");
    is_refused("comet-2", 19, "this is comet-2");
    is_served("comet-2", 20);
}

static void who_has_no_name_yet_serves_all(void **state)
{
    (void)state;
    is_served("comet-1", 7);
    is_served(NULL, 0);
}

static void every_byte_of_a_name_counts(void **state)
{
    char longest[LONGEST + 1], other[LONGEST + 1];

    (void)state;
    memset(longest, 'x', LONGEST);
    longest[LONGEST] = '\0';
    memcpy(other, longest, sizeof other);
    other[LONGEST - 1] = 'y';
    rpc_be(rpc, longest, UINT64_MAX);
    is_served(longest, UINT64_MAX);
    is_refused(other, UINT64_MAX, "not xxx");
    is_refused(longest, UINT64_MAX >> 8, "epoch 72057594037927935)");
    rpc_be(rpc, "a \"\xc3\xa9\"", 0x0100000000000000);
    is_served("a \"\xc3\xa9\"", 0x0100000000000000);
    is_refused("a \"\xc3\xa9\"", 1, "epoch 1)");
}

/* A further stream on the channel of OTHER, which wants ID. */
static void begin_beside(struct caller_side *caller, const struct caller_side *other,
                         const char *id)
{
    struct rpc_name name = {.epoch = 1};

    snprintf(name.id, sizeof name.id, "%s", id);
    memset(caller, 0, sizeof *caller);
    pthread_mutex_init(&caller->lock, NULL);
    caller->loop = other->loop;
    caller->channel = other->channel;
    rpc_channel_want(caller->channel, &name);
    caller_begin(caller, "/test/Echo");
    rpc_stream_send(caller->stream, msg_copy("x", 1));
}

/* A stream is for whom its channel wanted when it was opened. */
static void a_channel_may_want_another(void **state)
{
    struct caller_side dialled, first, second, third;

    (void)state;
    rpc_be(rpc, "b", 1);
    caller_dial(&dialled, rpc, &loop, rpc_server_port(server));
    begin_beside(&first, &dialled, "b");
    begin_beside(&second, &dialled, "c");
    begin_beside(&third, &dialled, ""); /* whoever is there */
    assert_true(caller_wait(&first, 1, false));
    assert_true(caller_wait(&second, 0, true));
    assert_true(caller_wait(&third, 1, false));
    assert_int_equal(second.n, 0);
    expect_counts(1);
    caller_end(&second);
    caller_end(&third);
    caller_close(&first);
    expect_counts(1);
}

/* --- what others may put into the metadata --- */

static size_t taken(const char *key, const void *value, size_t len)
{
    struct rpc_stream stream = {0};
    grpc_metadata row = {.key = grpc_slice_from_static_string(key),
                         .value = grpc_slice_from_static_buffer(value, len)};
    grpc_metadata_array metadata = {.count = 1, .capacity = 1, .metadata = &row};

    rpc_addressee_take(&stream, &metadata);
    if (stream.want.len > 0)
        assert_memory_equal(stream.want.bytes, value, len);
    return stream.want.len;
}

static void a_name_that_is_too_long_is_none(void **state)
{
    static const uint8_t bytes[RPC_EPOCH_LEN + LONGEST + 2];

    (void)state;
    assert_int_equal(taken("imc-to-bin", bytes, RPC_EPOCH_LEN + LONGEST), RPC_EPOCH_LEN + LONGEST);
    assert_int_equal(taken("imc-to-bin", bytes, RPC_EPOCH_LEN + LONGEST + 1), 0);
    assert_int_equal(taken("imc-to-bin", bytes, sizeof bytes), 0);
    assert_int_equal(taken("imc-for-bin", bytes, RPC_EPOCH_LEN + 1), 0);
}

/* An epoch without an id, or half an epoch: it is for whoever is there. */
static void a_name_that_is_too_short_is_none(void **state)
{
    (void)state;
    rpc_be(rpc, "comet-1", 7);
    for (size_t len = 0; len <= RPC_EPOCH_LEN; len++) {
        struct rpc_stream stream = {.rpc = rpc, .want.len = (uint8_t)len};
        assert_true(rpc_addressee_fits(&stream));
    }
    expect_counts(0);
}

#define row(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(who_is_meant_serves),
        row(somebody_else_refuses_and_says_who_it_is),
        row(another_process_with_the_id_refuses),
        row(an_earlier_epoch_of_this_process_is_still_it),
        row(who_has_no_name_yet_serves_all),
        row(every_byte_of_a_name_counts),
        row(a_channel_may_want_another),
        row(a_name_that_is_too_long_is_none),
        row(a_name_that_is_too_short_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

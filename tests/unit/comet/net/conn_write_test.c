/* What the socket does not take: queueing, tickets, limits, stalls. Over a socket pair with a small
 * buffer. */
#include "comet/net/sendq.h"
#include "tests/unit/lib/frontend_fixture.h"

static int peer; /* the client's end */
static struct conn *conn;
static int written, dropped, taken;
static uint64_t last_arg;

static void count_done(void *owner, uint64_t arg, struct conn *of, enum ticket_result result)
{
    (void)owner;
    assert_ptr_equal(of, conn);
    if (result == TICKET_WRITTEN)
        assert_int_equal(arg, ++last_arg); /* in order */
    written += result == TICKET_WRITTEN;
    dropped += result == TICKET_DROPPED;
}

static const struct ticket_ops count_ops = {.done = count_done};

static struct ticket numbered(uint64_t arg)
{
    return (struct ticket){.ops = &count_ops, .arg = arg};
}

static int setup(void **state)
{
    int pair[2], size = 4096;
    fixture_setup(state);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    conn = conn_accept(fixture.frontend, pair[0], false);
    peer = pair[1];
    session_connect(conn, (const uint8_t *)"t", 1, 1);
    written = dropped = taken = 0;
    last_arg = 0;
    char reply[16];
    assert_true(client_read(peer, reply, sizeof reply));
    return 0;
}

static int teardown(void **state)
{
    close(peer);
    return fixture_teardown(state);
}

static enum write_result write_byte(struct conn *to, struct ticket ticket)
{
    char byte = 'x';
    return conn_write(to, &(struct iovec){&byte, 1}, 1, ticket);
}

/* Writes messages of 1000 bytes, numbered from 1, until one is queued; its number. */
static uint64_t fill(void)
{
    struct msg *msg = msg_new(1000);
    uint64_t n = 0;
    enum write_result result;
    memset(msg->data, 'f', 1000);
    do {
        result = conn_write_msg(conn, msg, numbered(++n));
    } while (result == WRITE_DONE);
    assert_int_equal(result, WRITE_QUEUED);
    msg_unref(msg);
    return n;
}

static void drain(void)
{
    char buf[4096];
    for (int i = 0; i < 1000 && conn_has_queued(conn); i++) {
        while (recv(peer, buf, sizeof buf, MSG_DONTWAIT) > 0)
            continue;
        step();
    }
    assert_false(conn_has_queued(conn));
    for (int i = 0; i < 3; i++)
        step();
}

static void tickets_are_told_in_order(void **state)
{
    (void)state;
    uint64_t n = fill();
    assert_int_equal(written, n - 1);
    for (uint64_t i = n + 1; i <= n + 30; i++)
        assert_int_equal(write_byte(conn, numbered(i)), WRITE_QUEUED);
    assert_int_equal(written, n - 1);
    assert_true(fixture_counters[COMET_QUEUED_BYTES] > 30);
    drain();
    assert_int_equal(written, n + 30);
    assert_int_equal(dropped, 0);
    assert_int_equal(fixture_counters[COMET_QUEUED_BYTES], 0);
    assert_null(conn->out);
    assert_int_equal(session_notes.drained, 1);
    assert_false(conn->writable_armed);
}

static void bytes_arrive_whole_and_in_order(void **state)
{
    (void)state;
    static uint8_t sent[60000], got[60000];
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (uint8_t)(i * 31 >> 3);
    struct iovec iov[3] = {{sent, 10}, {sent + 10, 29990}, {sent + 30000, 20000}};
    assert_int_equal(conn_write(conn, iov, 3, numbered(1)), WRITE_QUEUED);
    struct msg *msg = msg_copy(sent + 50000, 10000);
    assert_int_equal(conn_write_msg(conn, msg, numbered(2)), WRITE_QUEUED);
    msg_unref(msg);
    assert_true(client_read(peer, got, sizeof got));
    assert_memory_equal(got, sent, sizeof sent);
    step();
    assert_int_equal(written, 2);
}

static void the_queue_has_a_limit_but_one_write_always_fits(void **state)
{
    (void)state;
    static char big[200000];
    struct msg *msg = msg_new(1000);
    memset(msg->data, 0, 1000);
    assert_int_equal(conn_write(conn, &(struct iovec){big, sizeof big}, 1, numbered(1)),
                     WRITE_QUEUED);
    assert_int_equal(conn_write_msg(conn, msg, numbered(2)), WRITE_FULL);
    assert_int_equal(write_byte(conn, numbered(2)), WRITE_FULL);
    drain();
    assert_int_equal(written, 1);
    uint64_t n = 1;
    enum write_result result;
    while ((result = conn_write_msg(conn, msg, numbered(n + 1))) != WRITE_FULL)
        n++;
    assert_true(conn->out->bytes <= 64 * 1024);
    assert_true(conn->out->bytes > 64 * 1024 - 1000);
    msg_unref(msg);
    drain();
    assert_int_equal(written, n);
}

static void take_one(struct ticket *ticket, void *arg)
{
    uint64_t *previous = arg;
    assert_true(*previous == 0 || ticket->arg == *previous + 1); /* in order */
    *previous = ticket->arg;
    taken++;
}

static void a_stalled_queue_is_told_and_can_be_taken(void **state)
{
    (void)state;
    uint64_t n = fill(), last_taken = 0;
    for (uint64_t i = n + 1; i <= n + 5; i++)
        assert_int_equal(write_byte(conn, numbered(i)), WRITE_QUEUED);
    step_for(99); /* spill_ms is 100, and looked at every quarter of it */
    assert_int_equal(session_notes.stalled, 0);
    step_for(1 + 25);
    assert_int_equal(session_notes.stalled, 1);
    conn_take_queued(conn, take_one, &last_taken);
    assert_int_equal(last_taken, n + 5);
    assert_true(taken == 5 || taken == 6); /* the first may be sent in part */
    assert_true(conn->out != NULL);
    assert_int_equal(session_notes.drained, 0); /* not before the socket is writable */
    step_for(10);
    assert_int_equal(session_notes.drained, 0);
    char buf[4096];
    while (recv(peer, buf, sizeof buf, MSG_DONTWAIT) > 0)
        continue;
    for (int i = 0; i < 10; i++)
        step();
    assert_int_equal(session_notes.drained, 1);
    assert_null(conn->out);
}

static void the_end_drops_what_is_queued(void **state)
{
    (void)state;
    uint64_t n = fill();
    assert_int_equal(write_byte(conn, numbered(n + 1)), WRITE_QUEUED);
    close(peer);
    step_for(10);
    assert_int_equal(dropped, 2);
    assert_int_equal(session_notes.closed, 1);
    assert_int_equal(frontend_connections(&fixture), 0);
    peer = -1;
}

static void a_socket_error_closes_after_the_call(void **state)
{
    (void)state;
    close(peer);
    assert_int_equal(write_byte(conn, numbered(1)), WRITE_CLOSED);
    assert_int_equal(write_byte(conn, numbered(1)), WRITE_CLOSED);
    conn_kick(conn, CLOSE_KICKED, "too late");
    assert_int_equal(session_notes.closed, 0);
    step_for(5);
    assert_int_equal(session_notes.closed, 1);
    assert_int_equal(written + dropped, 0); /* never taken */
    peer = -1;
}

static void a_kick_goes_out_behind_the_queue(void **state)
{
    (void)state;
    static char buf[200000];
    uint64_t n = fill();
    conn_kick(conn, CLOSE_TOO_SLOW, "too slow");
    assert_int_equal(write_byte(conn, numbered(n + 1)), WRITE_CLOSED);
    size_t len = client_read_all(peer, buf, sizeof buf);
    assert_int_equal(written, n);
    static const char reason[] = "{\"code\":8,\"reason\":\"too slow\"}";
    assert_int_equal(len, n * 1000 + FRAME_HEADER + sizeof reason - 1);
    assert_memory_equal(buf + len - (sizeof reason - 1), reason, sizeof reason - 1);
}

static void replies_that_nobody_reads_end_the_connection(void **state)
{
    (void)state;
    for (int i = 0; i < 100000 && conn->state == CONN_OPEN; i++)
        conn_reply(conn, 1, OP_HEARTBEAT_REPLY, i, NULL, 0);
    assert_int_equal(conn->state, CONN_CLOSING);
    assert_int_equal(fixture_counters[COMET_KICKED_8], 1);
}

static void write_again(void *owner, uint64_t arg, struct conn *of, enum ticket_result result);

static const struct ticket_ops again_ops = {.done = write_again};

static void write_again(void *owner, uint64_t arg, struct conn *of, enum ticket_result result)
{
    (void)owner;
    assert_int_equal(result, TICKET_WRITTEN);
    taken++;
    if (arg > 0)
        write_byte(of, (struct ticket){.ops = &again_ops, .arg = arg - 1});
}

static void a_ticket_may_write_again(void **state)
{
    (void)state;
    uint64_t n = fill();
    assert_int_equal(write_byte(conn, (struct ticket){.ops = &again_ops, .arg = 3}), WRITE_QUEUED);
    drain();
    assert_int_equal(taken, 4);
    assert_int_equal(written, n);
}

static void conn_push_uses_the_wire_form(void **state)
{
    (void)state;
    static uint8_t body[70000], got[70016];
    struct push push = {.op = 5, .body = body, .body_len = sizeof body};
    assert_int_equal(conn_push(conn, &push, numbered(1)), WRITE_QUEUED);
    assert_true(client_read(peer, got, sizeof got));
    assert_memory_equal(got, "\0\1\x11\x80\0\x10\0\0\0\0\0\5\0\0\0\0", 16);
    step();
    assert_int_equal(written, 1);
}

int main(void)
{
#define OUTPUT_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        OUTPUT_TEST(tickets_are_told_in_order),
        OUTPUT_TEST(bytes_arrive_whole_and_in_order),
        OUTPUT_TEST(the_queue_has_a_limit_but_one_write_always_fits),
        OUTPUT_TEST(a_stalled_queue_is_told_and_can_be_taken),
        OUTPUT_TEST(the_end_drops_what_is_queued),
        OUTPUT_TEST(a_socket_error_closes_after_the_call),
        OUTPUT_TEST(a_kick_goes_out_behind_the_queue),
        OUTPUT_TEST(replies_that_nobody_reads_end_the_connection),
        OUTPUT_TEST(a_ticket_may_write_again),
        OUTPUT_TEST(conn_push_uses_the_wire_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Memory is short: who is refused, who is let go, in what order. */
#include "comet/net/sendq.h"
#include "tests/unit/lib/frontend_fixture.h"

enum { READERS = 40, AT_A_TIME = 32 };

static struct conn *conns[READERS];
static int peers[READERS];
static int dropped;

static void count_dropped(void *owner, uint64_t arg, struct conn *of, enum ticket_result result)
{
    (void)owner;
    (void)arg;
    (void)of;
    dropped += result == TICKET_DROPPED;
}

static const struct ticket_ops dropped_ops = {.done = count_dropped};

static struct conn *accept_pair(enum listener_kind kind, int *peer)
{
    int pair[2], size = 4096;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    *peer = pair[1];
    return conn_accept(fixture.frontend, pair[0], kind == LISTENER_WS);
}

static void hang_up(int n)
{
    for (int i = 0; i < n; i++)
        close(peers[i]);
    step_until(frontend_connections(&fixture) == 0);
}

static void no_new_connection_while_memory_is_short(void **state)
{
    (void)state;
    int old = client_login();
    fixture.memory = MEMORY_SHORT;
    int fd = client_connect(LISTENER_TCP);
    char byte;
    ssize_t n;
    step_until((n = recv(fd, &byte, 1, MSG_DONTWAIT)) >= 0 || errno != EAGAIN);
    assert_true(n <= 0);
    assert_int_equal(frontend_connections(&fixture), 1);
    assert_int_equal(fixture_counters[COMET_REFUSED_MEMORY], 1);
    assert_int_equal(fixture_counters[COMET_REFUSED_FULL], 0);
    close(fd);
    fixture.memory = MEMORY_OK;
    close(client_login());
    close(old);
    step_until(frontend_connections(&fixture) == 0);
}

/* Number I has I messages of 1000 bytes waiting, and what its socket took before. */
static void those_with_most_waiting_go_first(void **state)
{
    (void)state;
    struct msg *msg = msg_new(1000);
    memset(msg->data, 'x', 1000);
    dropped = 0;
    for (int i = 0; i < READERS; i++) {
        conns[i] = accept_pair(LISTENER_TCP, &peers[i]);
        session_connect(conns[i], (const uint8_t *)"t", 1, 1);
        while (conns[i]->out == NULL)
            (void)conn_write_msg(conns[i], msg, TICKET_NONE);
        for (int k = 0; k < i; k++)
            (void)conn_write_msg(conns[i], msg, (struct ticket){.ops = &dropped_ops});
    }
    msg_unref(msg);
    int64_t queued = fixture_counters[COMET_QUEUED_BYTES];
    load_shedding_run(&fixture);
    step();
    step();
    assert_int_equal(frontend_connections(&fixture), READERS - AT_A_TIME);
    for (int i = 0; i < READERS - AT_A_TIME; i++)
        assert_int_equal(conns[i]->state, CONN_OPEN);
    assert_true(fixture_counters[COMET_QUEUED_BYTES] < queued / 10); /* at once, not after linger */
    int least = 0;
    for (int i = READERS - AT_A_TIME; i < READERS; i++)
        least += i;
    assert_int_equal(dropped, least);
    assert_int_equal(fixture_counters[COMET_LET_GO_SLOW], AT_A_TIME);
    assert_int_equal(fixture_counters[COMET_LET_GO_STRANGER], 0);
    load_shedding_run(&fixture);
    step();
    step();
    assert_int_equal(frontend_connections(&fixture), 0);
    assert_int_equal(fixture_counters[COMET_LET_GO_SLOW], READERS);
    hang_up(READERS);
}

static void the_oldest_strangers_go_and_sessions_that_read_stay(void **state)
{
    (void)state;
    conns[0] = accept_pair(LISTENER_TCP, &peers[0]);
    session_connect(conns[0], (const uint8_t *)"t", 1, 1);
    for (int i = 1; i < READERS; i++)
        conns[i] = accept_pair(i % 2 == 0 ? LISTENER_TCP : LISTENER_WS, &peers[i]);
    load_shedding_run(&fixture);
    step();
    step();
    assert_int_equal(frontend_connections(&fixture), READERS - AT_A_TIME);
    assert_int_equal(conns[0]->state, CONN_OPEN);
    for (int i = AT_A_TIME + 1; i < READERS; i++)
        assert_true(conns[i]->state < CONN_CONNECTING);
    assert_int_equal(fixture_counters[COMET_LET_GO_STRANGER], AT_A_TIME);
    load_shedding_run(&fixture);
    step();
    step();
    assert_int_equal(frontend_connections(&fixture), 1);
    load_shedding_run(&fixture); /* nobody is left to let go */
    step();
    step();
    assert_int_equal(frontend_connections(&fixture), 1);
    hang_up(READERS);
}

int main(void)
{
#define LET_GO_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        LET_GO_TEST(no_new_connection_while_memory_is_short),
        LET_GO_TEST(those_with_most_waiting_go_first),
        LET_GO_TEST(the_oldest_strangers_go_and_sessions_that_read_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

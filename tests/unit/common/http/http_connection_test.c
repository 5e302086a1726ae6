/* Several requests on a connection, and clients that close, vanish or are slow. */
#include "tests/unit/common/http/server_fixture.h"

/* Requests of all kinds in one write are answered in order, each once, also behind answers that
 * take time. */
static void test_pipelining(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    char text[16384] = "", want[64];
    size_t used = 0;
    dial(&client, fixture);
    int before = handled(fixture);
    for (int i = 0; i < 60; i++) {
        if (i % 20 == 7)
            used += (size_t)snprintf(text + used, sizeof(text) - used,
                                     "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
        else if (i % 2 == 0)
            used += (size_t)snprintf(text + used, sizeof(text) - used,
                                     "GET /p%d HTTP/1.1\r\nHost: x\r\n\r\n", i);
        else
            used += (size_t)snprintf(
                text + used, sizeof(text) - used,
                "POST /p%d HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nb%03d", i, i);
    }
    put(&client, text);
    for (int i = 0; i < 60; i++) {
        snprintf(want, sizeof(want), i % 20 == 7 ? "later" : "path=/p%d a0", i);
        expect(&client, 200, want);
    }
    assert_int_equal(handled(fixture) - before, 60);
    hang_up(&client);
}

/* Who sends hundreds of requests at once does not keep the loop from others: one of his a turn, be
 * they handled, or refused at the head. */
static void test_a_turn_for_each(void **state)
{
    enum { N = 400 };
    struct fixture *fixture = *state;
    struct client client;
    char *text = calloc(N, 64);
    size_t used = 0;
    dial(&client, fixture);
    for (int i = 0; i < N; i++)
        used += (size_t)snprintf(text + used, 64, "GET /%s%d HTTP/1.1\r\nHost: x\r\n\r\n",
                                 i % 2 == 0 ? "p" : "secret", i);
    put(&client, text);
    for (int i = 0; i < N; i++)
        expect(&client, i % 2 == 0 ? 200 : 401, i % 2 == 0 ? "path=/p" : "no");
    assert_int_equal(atomic_load_explicit(&fixture->most_in_turn, memory_order_acquire), 1);
    hang_up(&client);
    free(text);
}

static void test_later_answers(void **state)
{
    struct fixture *fixture = *state;
    struct client clients[8];
    int before = handled(fixture);
    for (int i = 0; i < 8; i++) {
        dial(&clients[i], *state);
        put(&clients[i], "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab");
    }
    assert_true(until(handled(fixture) == before + 8, (void)0));
    for (int i = 0; i < 8; i++) /* arrives while the first is unanswered */
        put(&clients[i], "POST /next HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\ncd");
    for (int i = 0; i < 8; i++) {
        expect(&clients[i], 200, "later");
        expect(&clients[i], 200, "path=/next");
        hang_up(&clients[i]);
    }
}

static void test_client_vanishes(void **state)
{
    struct client client;
    struct linger reset = {.l_onoff = 1};
    for (int i = 0; i < 10; i++) {
        int before = handled(*state);
        dial(&client, *state);
        put(&client, "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab");
        if (i % 2 == 0) { /* by reset, once the request has been read */
            assert_true(until(handled(*state) > before, (void)0));
            setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        }
        hang_up(&client);
    }
    struct answer answer = {0};
    dial(&client, *state);
    for (bool only_this_one = false; !only_this_one; free(answer.body)) {
        put(&client, "GET /pending HTTP/1.1\r\nHost: x\r\n\r\n");
        get_answer(&client, &answer, false);
        only_this_one = strcmp(answer.body, "1") == 0;
    }
    hang_up(&client);
}

static void test_connection_header(void **state)
{
    struct client client;
    dial(&client, *state);
    put(&client, "GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    expect(&client, 200, "path=/c");
    expect_end(&client);
    hang_up(&client);
    dial(&client, *state);
    put(&client, "GET /later HTTP/1.0\r\n\r\n");
    expect(&client, 200, "later");
    expect_end(&client);
    hang_up(&client);
    dial(&client, *state);
    put(&client, "GET /c HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    expect(&client, 200, "path=/c");
    put(&client, "GET /d HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    expect(&client, 200, "path=/d");
    hang_up(&client);
}

static void test_slow_clients(void **state)
{
    struct client client;
    dial(&client, *state);
    put(&client, "GET /quick HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&client, 200, "path=/quick");
    int64_t start = now_ms();
    put(&client, "GET /slow HT");
    for (int i = 0; i < 3; i++) {
        move_s(HEADER_MS / 4000);
        usleep(5000);
        assert_false(has_come(&client));
        put(&client, "T"); /* trickling does not help */
    }
    comes_after(&client, start, HEADER_MS);
    expect(&client, 408, "headers");
    expect_end(&client);
    hang_up(&client);
    start = now_ms();
    dial(&client, *state);
    put(&client, "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    comes_after(&client, start, BODY_MS);
    expect(&client, 408, "body");
    expect_end(&client);
    hang_up(&client);
    start = now_ms();
    dial(&client, *state);
    put(&client, "GET /idle HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&client, 200, "path=/idle");
    comes_after(&client, start, IDLE_MS);
    expect_end(&client);
    hang_up(&client);
}

/* A client that sends no more is still answered, also later and also what it pipelined. */
static void test_half_closed_client(void **state)
{
    struct client client;
    dial(&client, *state);
    put(&client, "GET /later HTTP/1.1\r\nHost: x\r\n\r\nGET /two HTTP/1.1\r\nHost: x\r\n\r\n"
                 "GET /later HTTP/1.1\r\nHost: x\r\n\r\nGET /unfinished HT");
    shutdown(client.fd, SHUT_WR);
    expect(&client, 200, "later");
    expect(&client, 200, "path=/two");
    expect(&client, 200, "later");
    expect_end(&client);
    hang_up(&client);
}

/* Its FIN comes in the turn of the loop in which an answer has left and the next request waits. */
static void test_half_closed_between_answers(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    dial(&client, fixture);
    put(&client, "GET /rendezvous HTTP/1.1\r\nHost: x\r\n\r\nGET /two HTTP/1.1\r\nHost: x\r\n\r\n");
    while (!atomic_load_explicit(&fixture->answered, memory_order_acquire))
        usleep(1000);
    shutdown(client.fd, SHUT_WR);
    atomic_store_explicit(&fixture->shut, 1, memory_order_release);
    expect(&client, 200, "later");
    expect(&client, 200, "path=/two");
    expect_end(&client);
    hang_up(&client);
}

/* What is read ahead of an unanswered request is bounded: the rest waits in the kernel, and none is
 * lost. */
static void test_read_ahead_is_bounded(void **state)
{
    static const char request[] = "POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n";
    struct client client;
    enum { N = 400 };
    size_t one = sizeof(request) - 1 + 1000, used = 0;
    char *text = malloc(N * one + 200);
    dial(&client, *state);
    put(&client, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < N; i++, used += one) {
        memcpy(text + used, request, sizeof(request) - 1);
        memset(text + used + sizeof(request) - 1, 'z', 1000);
    }
    text[used] = '\0';
    put(&client, text);
    expect(&client, 200, "later");
    for (int i = 0; i < N; i++)
        expect(&client, 200, "zzzz");
    hang_up(&client);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(test_pipelining),
        SERVER_TEST(test_a_turn_for_each),
        SERVER_TEST(test_later_answers),
        SERVER_TEST(test_client_vanishes),
        SERVER_TEST(test_connection_header),
        cmocka_unit_test_setup_teardown(test_slow_clients, open_impatient, close_fixture),
        SERVER_TEST(test_half_closed_client),
        SERVER_TEST(test_half_closed_between_answers),
        SERVER_TEST(test_read_ahead_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

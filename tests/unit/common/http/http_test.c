/* What a request brings and an answer takes; the server as a whole. */
#include "tests/unit/common/http/server_fixture.h"

#include <sys/resource.h>

static void test_query(void **state)
{
    struct client client;
    dial(&client, *state);
    put(&client, "GET /a/b?a=1%2B1&a=x+y&b= HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&client, 200, "method=0 path=/a/b a0=1+1 a1=x y b= fa=(none)");
    put(&client, "GET /?b HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&client, 200, "path=/ a0=(none) a1=(none) b= fa");
    put(&client, "GET /?&&a=%26%3d HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&client, 200, "a0=&= a1=(none)");
    put(&client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&client, 200, "a0=(none)");
    hang_up(&client);
}

static void test_headers_and_form(void **state)
{
    struct client client;
    dial(&client, *state);
    put(&client, "POST /f HTTP/1.1\r\nhost: x\r\nX-API-Key: k1\r\nAuthorization: Basic t\r\n"
                 "Content-Type: application/x-www-form-urlencoded; "
                 "charset=utf-8\r\nContent-Length: 12\r\n\r\n"
                 "a=1+2&b=%41%");
    expect(&client, 200,
           "fa=1 2 fb=A% type=application/x-www-form-urlencoded; charset=utf-8 auth=Basic t key=k1 "
           "peer=127.0.0.1");
    put(&client, "POST /f HTTP/1.1\r\nhost: x\r\nContent-Length: 3\r\n\r\na=1");
    expect(&client, 200, "fa=(none)");
    hang_up(&client);
}

static void test_methods(void **state)
{
    struct client client;
    struct answer answer;
    dial(&client, *state);
    put(&client, "PUT /m HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab");
    expect(&client, 200, "method=2");
    put(&client, "DELETE /m HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&client, 200, "method=3");
    put(&client, "OPTIONS /m HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&client, 200, "method=5");
    put(&client, "PATCH /m HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab");
    expect(&client, 200, "method=6");
    put(&client, "GET /m HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab");
    expect(&client, 200, "body=ab");
    put(&client, "PROPFIND /m HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&client, 200, "method=6");
    put(&client, "POST /m HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    expect(&client, 200, "method=1");
    put(&client, "HEAD /m HTTP/1.1\r\nHost: x\r\n\r\n");
    get_answer(&client, &answer, true);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.head, "X-Extra: yes\r\n"));
    assert_null(strstr(answer.head, "Content-Length: 0\r\n"));
    free(answer.body);
    put(&client, "GET /after HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&client, 200, "path=/after");
    hang_up(&client);
}

static void test_big_answers(void **state)
{
    struct client client;
    struct answer answer;
    dial(&client, *state);
    put(&client, "GET /big HTTP/1.1\r\nHost: x\r\n\r\nGET /after HTTP/1.1\r\nHost: x\r\n\r\n");
    usleep(50000); /* so that it does not fit in the socket */
    get_answer(&client, &answer, false);
    assert_int_equal(answer.len, BIG_ANSWER);
    assert_int_equal(answer.body[BIG_ANSWER - 1], 'x');
    free(answer.body);
    expect(&client, 200, "path=/after");
    put(&client, "GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    usleep(50000);
    get_answer(&client, &answer, false);
    assert_int_equal(answer.len, BIG_ANSWER);
    free(answer.body);
    expect_end(&client);
    hang_up(&client);
}

/* goim's API lists keys as repeated parameters. */
static void test_many_parameters(void **state)
{
    struct client client;
    char *text = malloc(20000);
    int n = snprintf(text, 20000, "GET /q?");
    for (int i = 0; i < 1500; i++)
        n += snprintf(text + n, (size_t)(20000 - n), "k=%04d&", i);
    snprintf(text + n, (size_t)(20000 - n),
             "a=first&a=last HTTP/1.1\r\nHost: x\r\nX-Api-Key:  k2  \r\nEmpty:\r\n\r\n");
    dial(&client, *state);
    put(&client, text);
    expect(&client, 200,
           "path=/q a0=first a1=last b=(none) fa=(none) fb=(none) type=(none) auth=(none) key=k2 "
           "peer");
    hang_up(&client);
    free(text);
}

/* Out of file descriptors: who comes waits, and is served when there are some again. */
static void test_no_descriptors(void **state)
{
    struct fixture *fixture = *state;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)http_server_port(fixture->server))};
    struct client client = {.buf = malloc(ANSWER_SIZE)};
    struct rlimit before, none;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client.fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)client.fd + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(connect(client.fd, (struct sockaddr *)&address, sizeof(address)), 0);
    put(&client, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    usleep(250000);
    assert_int_equal(handled(fixture), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    expect(&client, 200, "path=/wait");
    hang_up(&client);
}

static void test_address_in_use(void **state)
{
    struct fixture *fixture = *state;
    struct http_server *server = NULL;
    char address[32];
    struct loop loop;
    snprintf(address, sizeof(address), "127.0.0.1:%d", http_server_port(fixture->server));
    struct http_options options = {.address = address, .handle = handle};
    assert_int_equal(loop_init(&loop, "other", 1), 0);
    assert_int_equal(http_server_open(&loop, &options, &server), -EADDRINUSE);
    assert_null(server);
    loop_close(&loop);
}

/* Held until after http_server_close(); close_fixture answers it. */
static void test_answer_after_close(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    dial(&client, fixture);
    put(&client, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(until(atomic_load_explicit(&fixture->held, memory_order_acquire) != NULL, (void)0));
    hang_up(&client);
}

struct drain_item {
    struct inbox_item item;
    struct http_server *server;
};

static void run_drain(struct loop *loop, struct inbox_item *item)
{
    (void)loop;
    http_server_drain(container_of(item, struct drain_item, item)->server);
}

static void test_drain(void **state)
{
    struct fixture *fixture = *state;
    struct drain_item drain = {.item = {.run = run_drain}, .server = fixture->server};
    struct client busy, idle, late;
    dial(&idle, fixture);
    put(&idle, "GET /i HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&idle, 200, "path=/i");
    dial(&busy, fixture);
    int before = handled(fixture);
    put(&busy, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(until(handled(fixture) > before, (void)0));
    assert_true(inbox_post(&fixture->loop, &drain.item));
    expect_end(&idle);
    struct answer answer;
    get_answer(&busy, &answer, false);
    assert_string_equal(answer.body, "later");
    assert_non_null(strstr(answer.head, "Connection: close"));
    free(answer.body);
    expect_end(&busy);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)http_server_port(fixture->server))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    late.fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(late.fd, (struct sockaddr *)&address, sizeof(address)), -1);
    close(late.fd);
    hang_up(&busy);
    hang_up(&idle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(test_query),           SERVER_TEST(test_headers_and_form),
        SERVER_TEST(test_methods),         SERVER_TEST(test_big_answers),
        SERVER_TEST(test_many_parameters), SERVER_TEST(test_no_descriptors),
        SERVER_TEST(test_address_in_use),  SERVER_TEST(test_answer_after_close),
        SERVER_TEST(test_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

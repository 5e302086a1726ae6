/* Questions to a server on the same loop that answers with prepared texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/http/client.h"

static struct loop loop;
static uv_timer_t guard;

/* What the server does with each request: writes ANSWER (NULL: nothing), then closes if CLOSE. */
static struct {
    uv_tcp_t listener;
    struct sockaddr_in address;
    const char *answer;
    size_t len; /* 0: strlen */
    bool close, close_idle;
    int connections, requests;
    int answers; /* so many more; 0: any number */
    char request[1024];
} server;

struct served {
    uv_tcp_t tcp;
    char in[1024];
};

enum { LARGE = 100 * 1000 };

static struct {
    int calls, status;
    size_t len;
    char body[LARGE + 1];
} got;

/* --- the server --- */

static void on_served_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct served *served = handle->data;
    (void)suggested;
    *buf = uv_buf_init(served->in, sizeof served->in - 1);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct served *served = stream->data;
    (void)buf;
    if (n <= 0) {
        uv_close((uv_handle_t *)stream, on_served_closed);
        return;
    }
    server.requests++;
    (void)snprintf(server.request, sizeof server.request, "%.*s", (int)n, served->in);
    if (server.close_idle && server.requests == 2) { /* as a server whose idle time was over */
        uv_close((uv_handle_t *)stream, on_served_closed);
        return;
    }
    if (server.answer != NULL && server.answers >= 0) {
        if (server.answers > 0 && --server.answers == 0)
            server.answers = -1;
        size_t len = server.len != 0 ? server.len : strlen(server.answer);
        uv_buf_t out = uv_buf_init(mem_unconst(server.answer), (unsigned)len);
        assert_int_equal(uv_try_write(stream, &out, 1), (int)len);
    }
    if (server.close)
        uv_close((uv_handle_t *)stream, on_served_closed);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct served *served = calloc(1, sizeof *served);
    assert_int_equal(status, 0);
    server.connections++;
    uv_tcp_init(listener->loop, &served->tcp);
    served->tcp.data = served;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&served->tcp), 0);
    uv_read_start((uv_stream_t *)&served->tcp, on_alloc, on_read);
}

static int setup(void **state)
{
    int len = sizeof server.address;
    (void)state;
    memset(&server, 0, sizeof server);
    memset(&got, 0, sizeof got);
    assert_int_equal(loop_init(&loop, "test", 0), 0);
    uv_timer_init(&loop.uv, &guard);
    uv_tcp_init(&loop.uv, &server.listener);
    uv_ip4_addr("127.0.0.1", 0, &server.address);
    assert_int_equal(uv_tcp_bind(&server.listener, (struct sockaddr *)&server.address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&server.listener, 8, on_connection), 0);
    uv_tcp_getsockname(&server.listener, (struct sockaddr *)&server.address, &len);
    return 0;
}

static void close_served(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (handle->type == UV_TCP && handle != (uv_handle_t *)&server.listener &&
        !uv_is_closing(handle))
        uv_close(handle, on_served_closed);
}

/* After http_client_close(): what is left are the server's connections. */
static int teardown(void **state)
{
    (void)state;
    uv_walk(&loop.uv, close_served, NULL);
    loop_close(&loop);
    return 0;
}

/* --- the asker --- */

static void on_answer(int status, const char *body, size_t len, void *arg)
{
    (void)arg;
    got.calls++;
    got.status = status;
    got.len = len;
    memcpy(got.body, body, len);
    got.body[len] = '\0';
}

static void on_guard(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static void turn_for(uint64_t ms, int calls)
{
    bool late = false;
    guard.data = &late;
    uv_update_time(&loop.uv);
    uv_timer_start(&guard, on_guard, ms, 0);
    while (!late && got.calls < calls)
        uv_run(&loop.uv, UV_RUN_ONCE);
    uv_timer_stop(&guard);
}

static struct http_client *open_ask(void)
{
    return http_client_open(&loop, (struct sockaddr *)&server.address, on_answer, NULL);
}

static void get(struct http_client *ask, int status, const char *body)
{
    int calls = got.calls;
    http_client_get(ask, "/member?id=a%20b", 300);
    assert_true(http_client_busy(ask));
    assert_int_equal(got.calls, calls);
    turn_for(3000, calls + 1);
    assert_int_equal(got.calls, calls + 1);
    assert_false(http_client_busy(ask));
    assert_int_equal(got.status, status);
    assert_string_equal(got.body, body);
}

static void a_connection_is_kept(void **state)
{
    struct http_client *ask = open_ask();
    char host[64];
    (void)state;
    server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    get(ask, 200, "hello");
    get(ask, 200, "hello");
    server.answer =
        "HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
    get(ask, 503, "abc");
    server.answer = "HTTP/1.1 204 No Content\r\n\r\n";
    get(ask, 204, "");
    assert_int_equal(server.connections, 1);
    assert_int_equal(server.requests, 4);
    assert_int_equal(strncmp(server.request, "GET /member?id=a%20b HTTP/1.1\r\n", 31), 0);
    (void)snprintf(host, sizeof host, "Host: 127.0.0.1:%d\r\n", ntohs(server.address.sin_port));
    assert_non_null(strstr(server.request, host));
    http_client_close(ask);
}

static void a_server_may_close(void **state)
{
    struct http_client *ask = open_ask();
    (void)state;
    server.answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
    get(ask, 200, "hi");
    server.close = true;
    server.answer = "HTTP/1.0 200 OK\r\n\r\nto the end";
    get(ask, 200, "to the end");
    assert_int_equal(server.connections, 2);
    server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut";
    get(ask, -ECONNRESET, "");
    server.answer = NULL;
    get(ask, -ECONNRESET, "");
    http_client_close(ask);
}

static void a_kept_connection_that_ended_is_replaced(void **state)
{
    struct http_client *ask = open_ask();
    (void)state;
    server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    server.close_idle = true;
    get(ask, 200, "hi");
    get(ask, 200, "hi");
    assert_int_equal(server.connections, 2);
    assert_int_equal(server.requests, 3);
    http_client_close(ask);
}

static void what_goes_wrong_is_told(void **state)
{
    static char big[HTTP_CLIENT_MAX + 200];
    struct http_client *ask = open_ask();
    (void)state;
    server.answer = "SSH-2.0-OpenSSH_9.2\r\n";
    get(ask, -EBADMSG, "");
    server.answer = NULL;
    get(ask, -ETIMEDOUT, "");
    int head = snprintf(big, sizeof big, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
                        HTTP_CLIENT_MAX + 1);
    memset(big + head, 'x', HTTP_CLIENT_MAX + 1);
    server.answer = big;
    server.len = (size_t)head + HTTP_CLIENT_MAX + 1;
    get(ask, -EMSGSIZE, "");
    /* At the limit. */
    head =
        snprintf(big, sizeof big, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", HTTP_CLIENT_MAX);
    memset(big + head, 'y', HTTP_CLIENT_MAX);
    server.len = (size_t)head + HTTP_CLIENT_MAX;
    http_client_get(ask, "/", 1000);
    turn_for(3000, got.calls + 1);
    assert_int_equal(got.status, 200);
    assert_int_equal(got.len, HTTP_CLIENT_MAX);
    /* What was not asked for ends the connection, not the asker. */
    server.len = 0;
    server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n\r\n";
    get(ask, 200, "a");
    server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb";
    get(ask, 200, "b");
    http_client_close(ask);
}

static void post(struct http_client *ask, const struct http_client_body *body, int status)
{
    int calls = got.calls;
    http_client_post_body(ask, "/who", body, 1000);
    turn_for(3000, calls + 1);
    assert_int_equal(got.calls, calls + 1);
    assert_int_equal(got.status, status);
}

static void a_post_has_headers_and_a_body(void **state)
{
    const struct http_client_body body = {"application/json", "{\"a\":1}", 7},
                                  empty = {"text/plain", NULL, 0};
    struct http_client *ask = open_ask();
    (void)state;
    server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    http_client_set_host(ask, "auth.example:8000");
    http_client_set_header(ask, "Authorization: Bearer s3cret\r\n");
    post(ask, &body, 200);
    assert_string_equal(server.request,
                        "POST /who HTTP/1.1\r\nHost: auth.example:8000\r\nAccept: */*\r\n"
                        "Content-Type: application/json\r\nContent-Length: 7\r\n"
                        "Authorization: Bearer s3cret\r\n\r\n{\"a\":1}");
    /* A kept connection that has ended: all of it is sent once more. */
    server.close_idle = true;
    server.requests = 1;
    post(ask, &body, 200);
    assert_int_equal(server.connections, 2);
    assert_int_equal(server.requests, 3);
    assert_non_null(strstr(server.request, "Bearer s3cret\r\n\r\n{\"a\":1}"));
    server.close_idle = false;
    http_client_set_header(ask, NULL);
    post(ask, &empty, 200);
    assert_string_equal(server.request,
                        "POST /who HTTP/1.1\r\nHost: auth.example:8000\r\nAccept: */*\r\n"
                        "Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n");
    http_client_close(ask);
}

static void any_method_may_be_sent(void **state)
{
    const struct http_client_body body = {"application/json", "{}", 2};
    struct http_client *ask = open_ask();
    (void)state;
    server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    http_client_set_host(ask, "logic");
    http_client_send(ask, "DELETE", "/v1/mailbox?uid=1", NULL, 1000);
    turn_for(3000, 1);
    assert_int_equal(got.status, 200);
    assert_string_equal(server.request, "DELETE /v1/mailbox?uid=1 HTTP/1.1\r\nHost: logic\r\n"
                                        "Accept: */*\r\n\r\n");
    http_client_send(ask, "PUT", "/", &body, 1000);
    turn_for(3000, 2);
    assert_int_equal(got.status, 200);
    assert_string_equal(server.request,
                        "PUT / HTTP/1.1\r\nHost: logic\r\nAccept: */*\r\n"
                        "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
    http_client_close(ask);
}

static void an_answer_may_be_larger_if_it_is_allowed_to(void **state)
{
    static char big[LARGE + 200];
    struct http_client *ask = open_ask();
    (void)state;
    int head = snprintf(big, sizeof big, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LARGE);
    for (int i = 0; i < LARGE; i++)
        big[head + i] = (char)('a' + i % 26);
    server.answer = big;
    server.len = (size_t)head + LARGE;
    http_client_limit(ask, LARGE - 1);
    get(ask, -EMSGSIZE, "");
    http_client_limit(ask, LARGE);
    get(ask, 200, big + head);
    assert_int_equal(got.len, LARGE);
    http_client_close(ask);
}

static void the_rest_of_an_answer_may_be_dropped(void **state)
{
    static char big[LARGE + 200];
    struct http_client *ask = open_ask();
    (void)state;
    int head = snprintf(big, sizeof big, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LARGE);
    memset(big + head, 'x', LARGE);
    server.answer = big;
    server.len = (size_t)head + LARGE;
    http_client_cut(ask, 3);
    get(ask, 200, "xxx");
    http_client_cut(ask, 0);
    get(ask, 200, "");
    assert_int_equal(server.connections, 1);
    http_client_close(ask);
}

static const char *header_name;
static char header_value[64];

static void on_header_answer(int status, const char *body, size_t len, void *arg)
{
    const char *value = http_client_answer_header(*(struct http_client **)arg, header_name);
    (void)snprintf(header_value, sizeof header_value, "%s", value != NULL ? value : "(none)");
    on_answer(status, body, len, arg);
}

static void headers_of_the_answer_can_be_read(void **state)
{
    struct http_client *ask = NULL;
    (void)state;
    ask = http_client_open(&loop, (struct sockaddr *)&server.address, on_header_answer, &ask);
    header_name = "retry-after";
    server.answer =
        "HTTP/1.1 429 No\r\nRetry-After: 7\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n";
    get(ask, 429, "");
    assert_string_equal(header_value, "7");
    server.answer = "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n";
    get(ask, 503, "");
    assert_string_equal(header_value, "(none)");
    server.answer = NULL;
    get(ask, -ETIMEDOUT, "");
    assert_string_equal(header_value, "(none)");
    http_client_close(ask);
}

static void a_redirect_is_an_answer_like_others(void **state)
{
    struct http_client *ask = open_ask();
    (void)state;
    server.answer =
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    get(ask, 302, "");
    assert_int_equal(server.requests, 1);
    http_client_close(ask);
}

/* A server may refuse a long body before it has read it. What is still to be written must not come
 * before the next request. */
static void an_answer_before_all_was_written_ends_the_connection(void **state)
{
    static char big[8 << 20];
    const struct http_client_body body = {"text/plain", big, sizeof big},
                                  small = {"text/plain", "b", 1};
    struct http_client *ask = open_ask();
    (void)state;
    server.answers = 1;
    server.answer = "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n";
    post(ask, &body, 413);
    turn_for(200, got.calls + 1);
    server.answers = 0;
    server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    post(ask, &small, 200);
    assert_int_equal(server.connections, 2);
    http_client_close(ask);
}

static void on_listener_closed(uv_handle_t *handle)
{
    *(bool *)handle->data = true;
}

static void nobody_listens(void **state)
{
    struct http_client *ask = open_ask();
    bool closed = false;
    (void)state;
    server.listener.data = &closed;
    uv_close((uv_handle_t *)&server.listener, on_listener_closed);
    while (!closed)
        uv_run(&loop.uv, UV_RUN_ONCE);
    get(ask, -ECONNREFUSED, "");
    get(ask, -ECONNREFUSED, "");
    http_client_close(ask);
}

static void closed_while_asking(void **state)
{
    struct http_client *connecting = open_ask(), *waiting = open_ask();
    (void)state;
    http_client_get(waiting, "/", 1000);
    turn_for(50, 1);
    assert_int_equal(server.requests, 1);
    http_client_get(connecting, "/", 1000);
    http_client_close(connecting);
    http_client_close(waiting);
    http_client_close(NULL);
    turn_for(50, 1);
    assert_int_equal(got.calls, 0);
}

#define ask_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ask_test(a_connection_is_kept),
        ask_test(a_server_may_close),
        ask_test(a_kept_connection_that_ended_is_replaced),
        ask_test(what_goes_wrong_is_told),
        ask_test(a_post_has_headers_and_a_body),
        ask_test(any_method_may_be_sent),
        ask_test(an_answer_may_be_larger_if_it_is_allowed_to),
        ask_test(headers_of_the_answer_can_be_read),
        ask_test(the_rest_of_an_answer_may_be_dropped),
        ask_test(a_redirect_is_an_answer_like_others),
        ask_test(an_answer_before_all_was_written_ends_the_connection),
        ask_test(nobody_listens),
        ask_test(closed_while_asking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

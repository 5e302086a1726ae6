/* A server on a loop in a thread of its own; the tests are blocking clients. */
#include "common/http/http.h"
#include "common/http/internal.h"
#include "tests/unit/lib/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
/* cmocka wants these first */
#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MAX_BODY    2000
#define HEADER_MS   400000
#define BODY_MS     600000
#define IDLE_MS     900000
#define LATE_MS     60000 /* no bound: the machine may be busy */
#define BIG_ANSWER  (6 << 20)
#define LATER_MS    60
#define ANSWER_SIZE (8 << 20)

struct fixture {
    struct loop loop;
    struct http_server *server, *second;
    struct http_request *_Atomic held; /* answered by the test, after the server has closed */
    _Atomic int handled;
    _Atomic int answered, shut; /* "/rendezvous" has been; the client has sent its FIN */
    bool impatient;             /* its clock is the test's */
    uv_check_t turn_end;
    int in_turn; /* requests handled in one turn */
    _Atomic int most_in_turn;
};

struct later {
    uv_timer_t timer;
    struct http_request *request;
    struct fixture *fixture;
};

struct client {
    int fd;
    char *buf;
    size_t used;
};

struct answer {
    int status;
    char head[4096];
    char *body;
    size_t len;
};

static int handled(struct fixture *fixture)
{
    return atomic_load_explicit(&fixture->handled, memory_order_relaxed);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static _Atomic uint64_t ahead_s; /* of the impatient server's clock, and of ours */

static void move_s(unsigned s)
{
    atomic_fetch_add(&ahead_s, s);
}

static void count_in_turn(struct fixture *fixture)
{
    if (++fixture->in_turn > fixture->most_in_turn)
        atomic_store_explicit(&fixture->most_in_turn, fixture->in_turn, memory_order_release);
}

static void free_later(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_later(uv_timer_t *timer)
{
    struct later *later = timer->data;
    bool rendezvous = strcmp(http_path(later->request), "/rendezvous") == 0;
    http_respond(later->request, 200, NULL, "later", 5, NULL);
    if (rendezvous) {
        atomic_store_explicit(&later->fixture->answered, 1, memory_order_release);
        while (!atomic_load_explicit(&later->fixture->shut, memory_order_acquire))
            usleep(1000);
    }
    uv_close((uv_handle_t *)timer, free_later);
}

static void answer_later(struct fixture *fixture, struct http_request *request)
{
    struct later *later = calloc(1, sizeof(*later));
    later->request = request;
    later->fixture = fixture;
    later->timer.data = later;
    uv_timer_init(&fixture->loop.uv, &later->timer);
    uv_timer_start(&later->timer, on_later, LATER_MS, 0);
}

static const char *or_none(const char *text)
{
    return text != NULL ? text : "(none)";
}

/* Says what arrived. */
static void echo(struct http_request *request)
{
    char text[MAX_BODY + 2000];
    size_t len;
    const uint8_t *body = http_body(request, &len);
    snprintf(
        text, sizeof(text),
        "method=%d path=%s a0=%s a1=%s b=%s fa=%s fb=%s type=%s auth=%s key=%s peer=%s body=%.*s",
        http_method(request), http_path(request), or_none(http_query(request, "a", 0)),
        or_none(http_query(request, "a", 1)), or_none(http_query(request, "b", 0)),
        or_none(http_form(request, "a", 0)), or_none(http_form(request, "b", 0)),
        or_none(http_header(request, "content-type")),
        or_none(http_header(request, "authorization")), or_none(http_header(request, "x-api-key")),
        http_peer(request), (int)len, (const char *)body);
    http_respond(request, 200, "text/plain", text, strlen(text), "X-Extra: yes\r\n");
}

static void handle(struct http_request *request, void *arg)
{
    struct fixture *fixture = arg;
    const char *path = http_path(request);
    atomic_fetch_add_explicit(&fixture->handled, 1, memory_order_relaxed);
    count_in_turn(fixture);
    if (strcmp(path, "/later") == 0 || strcmp(path, "/rendezvous") == 0) {
        answer_later(fixture, request);
    } else if (strcmp(path, "/hold") == 0) {
        atomic_store_explicit(&fixture->held, request, memory_order_release);
    } else if (strcmp(path, "/big") == 0) {
        char *big = malloc(BIG_ANSWER);
        memset(big, 'x', BIG_ANSWER);
        http_respond(request, 200, NULL, big, BIG_ANSWER, NULL);
        free(big);
    } else if (strcmp(path, "/pending") == 0) {
        char text[32];
        snprintf(text, sizeof(text), "%zu", http_server_pending(fixture->server));
        http_respond(request, 200, NULL, text, strlen(text), NULL);
    } else {
        echo(request);
    }
}

/* "/secret…" is for nobody. */
static void head(struct http_request *request, void *arg)
{
    if (strncmp(http_path(request), "/secret", 7) != 0)
        return;
    count_in_turn(arg);
    http_respond(request, 401, NULL, "no", 2, NULL);
}

static void refuse(int status, const char *why, struct http_request *request, char *body,
                   size_t bodylen, const char **content_type)
{
    (void)request;
    snprintf(body, bodylen, "{\"status\":%d,\"why\":\"%s\"}", status, why);
    *content_type = "application/json";
}

/* Before the turn's deferred tasks: a check that was started later runs first. */
static void on_turn_end(uv_check_t *check)
{
    struct fixture *fixture = check->data;
    fixture->in_turn = 0;
    if (fixture->impatient)
        clock_follow(&ahead_s);
}

static int open_with(void **state, bool impatient, int header_ms, int body_ms, int idle_ms)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    fixture->impatient = impatient;
    ahead_s = 0;
    clock_follow(impatient ? &ahead_s : NULL);
    struct http_options options = {
        .address = "127.0.0.1:0",
        .max_body = MAX_BODY,
        .header_timeout_ms = header_ms,
        .body_timeout_ms = body_ms,
        .idle_timeout_ms = idle_ms,
        .head = head,
        .handle = handle,
        .refuse = refuse,
        .arg = fixture,
    };
    assert_int_equal(loop_init(&fixture->loop, "http", 0), 0);
    assert_int_equal(http_server_open(&fixture->loop, &options, &fixture->server), 0);
    options.refuse = NULL;
    assert_int_equal(http_server_open(&fixture->loop, &options, &fixture->second), 0);
    uv_check_init(&fixture->loop.uv, &fixture->turn_end);
    fixture->turn_end.data = fixture;
    uv_check_start(&fixture->turn_end, on_turn_end);
    assert_int_equal(loop_start(&fixture->loop), 0);
    *state = fixture;
    return 0;
}

static int open_fixture(void **state)
{
    return open_with(state, false, LATE_MS, LATE_MS, LATE_MS);
}

static int open_impatient(void **state)
{
    return open_with(state, true, HEADER_MS, BODY_MS, IDLE_MS);
}

static int close_fixture(void **state)
{
    struct fixture *fixture = *state;
    loop_stop(&fixture->loop);
    loop_join(&fixture->loop);
    http_server_close(fixture->server);
    http_server_close(fixture->second);
    if (fixture->held != NULL)
        http_respond(fixture->held, 200, NULL, "too late", 8, NULL);
    loop_close(&fixture->loop);
    free(fixture);
    return 0;
}

static void dial_port(struct client *client, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval limit = {.tv_sec = LATE_MS / 1000};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->fd = socket(AF_INET, SOCK_STREAM, 0);
    client->buf = malloc(ANSWER_SIZE);
    client->used = 0;
    setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    assert_int_equal(connect(client->fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void dial(struct client *client, struct fixture *fixture)
{
    dial_port(client, http_server_port(fixture->server));
}

static void hang_up(struct client *client)
{
    close(client->fd);
    free(client->buf);
}

static void put(struct client *client, const char *text)
{
    size_t len = strlen(text);
    assert_int_equal(send(client->fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Reads more; false at the end of the connection (also by reset). */
static bool more(struct client *client)
{
    ssize_t n = recv(client->fd, client->buf + client->used, ANSWER_SIZE - 1 - client->used, 0);
    if (n < 0)
        assert_int_equal(errno, ECONNRESET);
    if (n <= 0)
        return false;
    client->used += (size_t)n;
    return true;
}

/* One whole answer off the connection; WITHOUT_BODY for HEAD. */
static void get_answer(struct client *client, struct answer *answer, bool without_body)
{
    char *end;
    for (;;) {
        client->buf[client->used] = '\0';
        end = strstr(client->buf, "\r\n\r\n");
        if (end != NULL)
            break;
        assert_true(more(client));
    }
    size_t head = (size_t)(end - client->buf) + 4, len;
    assert_true(head < sizeof(answer->head));
    memcpy(answer->head, client->buf, head);
    answer->head[head] = '\0';
    assert_int_equal(strncmp(answer->head, "HTTP/1.1 ", 9), 0);
    answer->status = (int)strtol(answer->head + 9, NULL, 10);
    len = without_body ? 0 : strtoul(strstr(answer->head, "Content-Length: ") + 16, NULL, 10);
    while (client->used < head + len)
        assert_true(more(client));
    answer->len = len;
    answer->body = malloc(len + 1);
    memcpy(answer->body, client->buf + head, len);
    answer->body[len] = '\0';
    client->used -= head + len;
    memmove(client->buf, client->buf + head + len, client->used);
}

static void expect(struct client *client, int status, const char *in_body)
{
    struct answer answer;
    get_answer(client, &answer, false);
    if (answer.status != status || strstr(answer.body, in_body) == NULL)
        fail_msg("wanted %d with \"%s\", got %s%s", status, in_body, answer.head, answer.body);
    free(answer.body);
}

/* The other side has closed. */
static void expect_end(struct client *client)
{
    while (more(client))
        continue;
    assert_int_equal(client->used, 0);
}

static bool has_come(const struct client *client)
{
    char byte;
    return client->used > 0 || recv(client->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

/* Of the impatient server: an answer, or the end, comes when MS have passed since START, and not
 * before. */
static void comes_after(const struct client *client, int64_t start, int64_t ms)
{
    assert_true(until(has_come(client), move_s(2)));
    assert_in_range(now_ms() - start, ms - 10, INT32_MAX);
}

static void expect_alive(struct fixture *fixture)
{
    struct client client;
    dial(&client, fixture);
    put(&client, "GET /alive HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&client, 200, "path=/alive");
    hang_up(&client);
}

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
    put(&client, "POST /f HTTP/1.1\r\nhost: x\r\nX-API-Key: k1\r\nAuthorization: Bearer t\r\n"
                 "Content-Type: application/x-www-form-urlencoded; "
                 "charset=utf-8\r\nContent-Length: 12\r\n\r\n"
                 "a=1+2&b=%41%");
    expect(
        &client, 200,
        "fa=1 2 fb=A% type=application/x-www-form-urlencoded; charset=utf-8 auth=Bearer t key=k1 "
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

static void test_chunked_body(void **state)
{
    static const char *const pieces[] = {"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chun",
                                         "ked\r\n\r\n5;x=y\r\nhel", "lo\r", "\n6\r\n world\r\n0",
                                         "\r\nTrailer: z\r\n\r\n"};
    struct client client;
    dial(&client, *state);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        put(&client, pieces[i]);
        usleep(5000);
    }
    expect(&client, 200, "body=hello world");
    put(&client, "GET /after HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&client, 200, "path=/after");
    hang_up(&client);
    dial(&client, *state);
    put(&client, "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
    expect(&client, 400, "chunk size");
    expect_end(&client);
    hang_up(&client);
    dial(&client, *state);
    put(&client, "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7d1\r\n");
    for (int i = 0; i < 2001; i++)
        send(client.fd, "x", 1, MSG_NOSIGNAL);
    expect(&client, 413, "longer than 2000 bytes");
    hang_up(&client);
}

static void test_no_length(void **state)
{
    struct client client;
    dial(&client, *state);
    put(&client, "POST /n?a=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&client, 200, "path=/n a0=1");
    put(&client, "POST /n?a=2 HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&client, 200, "path=/n a0=2");
    hang_up(&client);
}

static void test_body_limit(void **state)
{
    struct client client;
    char text[MAX_BODY + 200];
    int n = snprintf(text, sizeof(text),
                     "POST /l HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", MAX_BODY);
    memset(text + n, 'y', MAX_BODY);
    text[n + MAX_BODY] = '\0';
    dial(&client, *state);
    put(&client, text);
    expect(&client, 200, "yyyy");
    hang_up(&client);
    dial(&client, *state);
    put(&client, "POST /l HTTP/1.1\r\nHost: x\r\nContent-Length: 2001\r\n\r\n");
    expect(&client, 413, "{\"status\":413");
    expect_end(&client);
    hang_up(&client);
    dial(&client, *state);
    put(&client, "POST /l HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\nabc");
    expect(&client, 400, "Content-Length");
    hang_up(&client);
    expect_alive(*state);
}

static void test_bad_framing(void **state)
{
    static const char *const heads[] = {"Content-Length: abc", "Content-Length: -5",
                                        "Content-Length: +5",
                                        "Content-Length: 5\r\nContent-Length: 5",
                                        "Content-Length: 5\r\nTransfer-Encoding: chunked"};
    struct client client;
    char text[256];
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        dial(&client, *state);
        snprintf(text, sizeof(text), "POST /b HTTP/1.1\r\nHost: x\r\n%s\r\n\r\nhello", heads[i]);
        put(&client, text);
        expect(&client, 400, "\"status\":400");
        expect_end(&client);
        hang_up(&client);
    }
    dial(&client, *state);
    put(&client, "POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\nhello");
    expect(&client, 400, "transfer-encoding");
    hang_up(&client);
}

static void test_garbage(void **state)
{
    static const char *const texts[] = {"\x16\x03\x01\x02\x01\x01\xfc\x03\x03",
                                        "hello there\r\n\r\n",
                                        "NOSUCH / HTTP/1.1\r\nHost: x\r\n\r\n",
                                        "GET / HTTP/9.9.9\r\n\r\n",
                                        "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
                                        "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n",
                                        "GET / HTTP/1.1\r\nBad Name: x\r\n\r\n",
                                        "\r\nhello",
                                        "\n"};
    struct client client;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        dial(&client, *state);
        put(&client, texts[i]);
        expect(&client, 400, "malformed");
        expect_end(&client);
        hang_up(&client);
    }
    expect_alive(*state);
}

/* The first bytes of a proper request: what follows makes it one or not. */
#define EIGHT_BLANKS "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"
#define HEAD(target) "POST " target " HTTP/1.1\r\nHost: x\r\n"
#define CHUNKS       HEAD("/c") "Transfer-Encoding: chunked\r\n\r\n"

struct strict_case {
    int status;
    const char *text;
    size_t len;
};
#define CASE(status, text)             \
    {                                  \
        status, text, sizeof(text) - 1 \
    }

/* RFC 9112: what two readers may read in two ways is read by none. */
static const struct strict_case strict_cases[] = {
    /* bytes in the head */
    CASE(400, HEAD("/") "e: \0n\r\n\r\n"),
    CASE(400, HEAD("/") "e: n\0\r\n\r\n"),
    CASE(400, HEAD("/") "e\0: n\r\n\r\n"),
    CASE(400, HEAD("/\0")),
    CASE(400, HEAD("/") "e: a\x01\r\n\r\n"),
    CASE(400, HEAD("/") "e: a\x7f\r\n\r\n"),
    CASE(200, HEAD("/") "e: a\tb\xc3\xa4\r\n\r\n"),
    CASE(400, HEAD("/\tx") "\r\n"),
    CASE(400, HEAD("/\xc3\xa4") "\r\n"),
    /* lines */
    CASE(400, "GET / HTTP/1.1\nHost: x\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: x\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: x\r\n\n"),
    CASE(400, "GET / HTTP/1.1\n\n"),
    CASE(400, HEAD("/") "e: a\rb: c\r\n\r\n"),
    CASE(400, HEAD("/") "e:\rb: c\r\n\r\n"),
    CASE(400, HEAD("/") "e: a\r\n b\r\n\r\n"),
    CASE(400, HEAD("/") "e: a\r\n\tb\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\n Host: x\r\n\r\n"),
    CASE(400, HEAD("/") "e : a\r\n\r\n"),
    CASE(400, HEAD("/") "e\t: a\r\n\r\n"),
    CASE(400, HEAD("/") ": a\r\n\r\n"),
    CASE(400, HEAD("/") "e\r\n\r\n"),
    CASE(200, "\r\n" HEAD("/") "\r\n"),
    CASE(200, EIGHT_BLANKS HEAD("/") "\r\n"),
    CASE(400, EIGHT_BLANKS "\r\n" HEAD("/") "\r\n"),
    CASE(400, "GET  / HTTP/1.1\r\nHost: x\r\n\r\n"),
    CASE(400, "GET /  HTTP/1.1\r\nHost: x\r\n\r\n"),
    CASE(200, HEAD("/") "e:\r\nf:\r\n\r\n"),
    /* versions */
    CASE(505, "GET / HTTP/1.2\r\nHost: x\r\n\r\n"),
    CASE(505, "GET / HTTP/2.0\r\nHost: x\r\n\r\n"),
    CASE(505, "GET / HTTP/0.9\r\nHost: x\r\n\r\n"),
    CASE(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    CASE(505, "GET /\r\n\r\n"),
    CASE(505, "GET / RTSP/1.0\r\nHost: x\r\n\r\n"),
    CASE(505, "OPTIONS / RTSP/1.0\r\nHost: x\r\n\r\n"),
    CASE(505, "SOURCE / ICE/1.0\r\nHost: x\r\n\r\n"),
    CASE(400, "GET / http/1.1\r\nHost: x\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1 \r\nHost: x\r\n\r\n"),
    /* hosts */
    CASE(400, "GET / HTTP/1.1\r\n\r\n"),
    CASE(200, "GET / HTTP/1.0\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"),
    CASE(400, "GET / HTTP/1.0\r\nHost: x\r\nhost: y\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: x, y\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n"),
    CASE(200, "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
    CASE(200, "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n"),
    CASE(200, "GET / HTTP/1.1\r\nHost: x:\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: x:y\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: [::1]:80:\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n"),
    /* headers of which there is one */
    CASE(400, HEAD("/") "X-API-Key: a\r\nX-API-Key: b\r\n\r\n"),
    CASE(400, HEAD("/") "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n"),
    /* framing */
    CASE(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    CASE(400, HEAD("/") "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
    CASE(400, HEAD("/") "Transfer-Encoding: chunked, chunked\r\n\r\n"),
    CASE(501, HEAD("/") "Transfer-Encoding: gzip, chunked\r\n\r\n"),
    CASE(400, HEAD("/") "Transfer-Encoding: chunked, gzip\r\n\r\n"),
    CASE(400, HEAD("/") "Transfer-Encoding: xchunked\r\n\r\n"),
    CASE(400, HEAD("/") "Transfer-Encoding:\r\n\r\n"),
    CASE(400, HEAD("/") "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"),
    CASE(400, HEAD("/") "Content-Length: 0\r\nContent-Length: 0\r\n\r\n"),
    CASE(400, HEAD("/") "Content-Length: 0, 0\r\n\r\n"),
    CASE(400, HEAD("/") "Content-Length:\r\n\r\n"),
    CASE(400, HEAD("/") "Content-Length: 0x1\r\n\r\na"),
    CASE(400, HEAD("/") "Content-Length: 1 1\r\n\r\na"),
    CASE(200, CHUNKS "1\r\na\r\n0\r\n\r\n"),
    CASE(400, CHUNKS "1\r\naXX0\r\n\r\n"),
    CASE(400, CHUNKS "1\r\na\n0\r\n\r\n"),
    CASE(400, CHUNKS "1\na\r\n0\r\n\r\n"),
    CASE(400, CHUNKS "1 \r\na\r\n0\r\n\r\n"),
    CASE(400, CHUNKS "0x1\r\na\r\n0\r\n\r\n"),
    CASE(400, CHUNKS "-1\r\na\r\n0\r\n\r\n"),
    CASE(400, CHUNKS "ffffffffffffffff1\r\na"),
    CASE(400, CHUNKS "1;a\nb\r\na\r\n0\r\n\r\n"),
    CASE(400, CHUNKS "0\r\nt: a\nb: c\r\n\r\n"),
    CASE(400, CHUNKS "0\r\n\n"),
    CASE(400, CHUNKS "\r\n0\r\n\r\n"),
    /* targets: no proxy in front may have read another path */
    CASE(400, HEAD("/1/%70ush") "\r\n"),
    CASE(400, HEAD("/1%2fpush") "\r\n"),
    CASE(400, HEAD("/1%2Fpush") "\r\n"),
    CASE(400, HEAD("/1%5cpush") "\r\n"),
    CASE(400, HEAD("/1\\push") "\r\n"),
    CASE(400, HEAD("/a%00") "\r\n"),
    CASE(400, HEAD("/a%0d%0a") "\r\n"),
    CASE(400, HEAD("/a%7F") "\r\n"),
    CASE(400, HEAD("//a") "\r\n"),
    CASE(400, HEAD("/a//b") "\r\n"),
    CASE(400, HEAD("/a/../b") "\r\n"),
    CASE(400, HEAD("/a/%2e%2E/b") "\r\n"),
    CASE(400, HEAD("/a/.") "\r\n"),
    CASE(400, HEAD("/..") "\r\n"),
    CASE(200, HEAD("/..a/.b/c.") "\r\n"),
    CASE(400, HEAD("/a#b") "\r\n"),
    CASE(400, HEAD("/a?b#c") "\r\n"),
    CASE(200, HEAD("http://x/a") "\r\n"),
    CASE(200, HEAD("HTTP://X?a=1") "\r\n"),
    CASE(400, HEAD("http://y/a") "\r\n"),
    CASE(400, HEAD("http://x@y/a") "\r\n"),
    CASE(400, HEAD("http:///a") "\r\n"),
    CASE(400, HEAD("http://x//a") "\r\n"),
    CASE(400, HEAD("https://x/a") "\r\n"),
    CASE(400, HEAD("ftp://x/a") "\r\n"),
    CASE(400, HEAD("x:80") "\r\n"),
    CASE(400, HEAD("*") "\r\n"),
    CASE(400, HEAD("/{a}") "\r\n"),
    CASE(200, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"),
    CASE(400, "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n"),
    /* parameters; these end no connection */
    CASE(400, HEAD("/?a=b%00c") "Connection: close\r\n\r\n"),
    CASE(400, HEAD("/?a=%0A") "Connection: close\r\n\r\n"),
    CASE(400, HEAD("/?a=%0d") "Connection: close\r\n\r\n"),
    CASE(400, HEAD("/?a%00=b") "Connection: close\r\n\r\n"),
    CASE(200, HEAD("/?a=%2F%zz%") "\r\n"),
};

static void test_strictness(void **state)
{
    struct client client;
    for (size_t i = 0; i < sizeof(strict_cases) / sizeof(strict_cases[0]); i++) {
        const struct strict_case *c = &strict_cases[i];
        struct answer answer;
        dial(&client, *state);
        assert_int_equal(send(client.fd, c->text, c->len, MSG_NOSIGNAL), (ssize_t)c->len);
        get_answer(&client, &answer, false);
        if (answer.status != c->status)
            fail_msg("case %zu: wanted %d, got %s%s for:\n%s", i, c->status, answer.head,
                     answer.body, c->text);
        free(answer.body);
        if (c->status != 200)
            expect_end(&client);
        hang_up(&client);
    }
    expect_alive(*state);
}

/* A client may wish for another protocol; it gets this one. */
static void test_upgrade_is_ignored(void **state)
{
    struct client client;
    dial(&client, *state);
    put(&client,
        "GET /u HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n");
    expect(&client, 200, "path=/u");
    put(&client, "POST /v HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: "
                 "websocket\r\nContent-Length: 2\r\n\r\nhi");
    expect(&client, 200, "body=hi");
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

static void test_oversized_headers(void **state)
{
    struct client client;
    char *text = malloc(100000);
    int n = snprintf(text, 100000, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: ");
    memset(text + n, 'l', (size_t)(90000 - n));
    memcpy(text + 90000, "\r\n\r\n", 5);
    dial(&client, *state);
    send(client.fd, text, strlen(text), MSG_NOSIGNAL);
    expect(&client, 431, "longer than allowed");
    hang_up(&client);
    dial(&client, *state); /* 8,000 bytes are fine */
    memcpy(text + 8000, "\r\n\r\n", 5);
    put(&client, text);
    expect(&client, 200, "path=/ ");
    hang_up(&client);
    free(text);
    expect_alive(*state);
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

static void test_expect_continue(void **state)
{
    struct client client;
    char line[64] = "";
    dial(&client, *state);
    put(&client,
        "POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(recv(client.fd, line, 25, MSG_WAITALL), 25);
    assert_string_equal(line, "HTTP/1.1 100 Continue\r\n\r\n");
    put(&client, "abc");
    expect(&client, 200, "body=abc");
    /* HTTP/1.0 knows no 100: the answer itself is the first line. */
    put(&client, "POST /e HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc");
    expect(&client, 200, "body=abc");
    expect_end(&client);
    hang_up(&client);
}

/* The head is enough, and the connection lives on behind a small body. */
static void test_refused_at_the_head(void **state)
{
    struct client client;
    dial(&client, *state);
    put(&client, "POST /secret HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n");
    expect(&client, 401, "no");
    put(&client, "bodyGET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&client, 200, "path=/a");
    put(&client, "POST /secret HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
                 "GET /secret HTTP/1.1\r\nHost: x\r\n\r\n"
                 "GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&client, 401, "no");
    expect(&client, 401, "no");
    expect(&client, 200, "path=/b");
    put(&client, "POST /secret HTTP/1.0\r\nContent-Length: 4\r\n\r\nbody");
    expect(&client, 401, "no");
    expect_end(&client);
    hang_up(&client);
}

/* A body that never comes does not keep the connection. */
static void test_refused_and_silent(void **state)
{
    struct client client;
    dial(&client, *state);
    int64_t start = now_ms();
    put(&client, "POST /secret HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n");
    expect(&client, 401, "no");
    comes_after(&client, start, BODY_MS);
    expect_end(&client);
    hang_up(&client);
}

/* A long body is not waited for: the connection ends, but no reset takes the answer away from who
 * reads it only after sending all. */
static void test_refused_with_a_long_body(void **state)
{
    static const char *const heads[] = {"Content-Length: 1000000", "Transfer-Encoding: chunked",
                                        "Content-Length: 3\r\nExpect: 100-continue"};
    struct client client;
    char text[256], body[4096] = "f0000\r\n";
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        dial(&client, *state);
        snprintf(text, sizeof(text), "POST /secret HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", heads[i]);
        put(&client, text);
        for (int n = 0; n < 200; n++)
            assert_int_equal(send(client.fd, body, sizeof(body), MSG_NOSIGNAL), sizeof(body));
        expect(&client, 401, "no");
        expect_end(&client);
        hang_up(&client);
    }
    expect_alive(*state);
}

static void test_default_refusal_on_second(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    assert_int_not_equal(http_server_port(fixture->server), http_server_port(fixture->second));
    dial_port(&client, http_server_port(fixture->second));
    put(&client, "GET /s HTTP/1.1\r\nHost: x\r\n\r\nPOST /s HTTP/1.1\r\nHost: x\r\nContent-Length: "
                 "x\r\n\r\n");
    expect(&client, 200, "path=/s");
    expect(&client, 400, "malformed request: Invalid character in Content-Length\n");
    hang_up(&client);
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

#define SERVER_TEST(fn) cmocka_unit_test_setup_teardown(fn, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(test_query),
        SERVER_TEST(test_headers_and_form),
        SERVER_TEST(test_methods),
        SERVER_TEST(test_pipelining),
        SERVER_TEST(test_a_turn_for_each),
        SERVER_TEST(test_later_answers),
        SERVER_TEST(test_client_vanishes),
        SERVER_TEST(test_connection_header),
        SERVER_TEST(test_chunked_body),
        SERVER_TEST(test_no_length),
        SERVER_TEST(test_body_limit),
        SERVER_TEST(test_bad_framing),
        SERVER_TEST(test_garbage),
        SERVER_TEST(test_strictness),
        SERVER_TEST(test_upgrade_is_ignored),
        cmocka_unit_test_setup_teardown(test_slow_clients, open_impatient, close_fixture),
        SERVER_TEST(test_oversized_headers),
        SERVER_TEST(test_big_answers),
        SERVER_TEST(test_many_parameters),
        SERVER_TEST(test_half_closed_client),
        SERVER_TEST(test_half_closed_between_answers),
        SERVER_TEST(test_read_ahead_is_bounded),
        SERVER_TEST(test_expect_continue),
        SERVER_TEST(test_refused_at_the_head),
        cmocka_unit_test_setup_teardown(test_refused_and_silent, open_impatient, close_fixture),
        SERVER_TEST(test_refused_with_a_long_body),
        SERVER_TEST(test_default_refusal_on_second),
        SERVER_TEST(test_no_descriptors),
        SERVER_TEST(test_address_in_use),
        SERVER_TEST(test_answer_after_close),
        SERVER_TEST(test_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

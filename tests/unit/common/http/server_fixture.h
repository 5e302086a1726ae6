/* server_fixture.h - a server on a loop in a thread of its own; the tests are blocking clients. */
#ifndef IMC_TESTS_UNIT_COMMON_HTTP_SERVER_FIXTURE_H
#define IMC_TESTS_UNIT_COMMON_HTTP_SERVER_FIXTURE_H

#include "common/http/http.h"
#include "common/http/internal.h"
#include "tests/unit/lib/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

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

static inline int handled(struct fixture *fixture)
{
    return atomic_load_explicit(&fixture->handled, memory_order_relaxed);
}

static inline int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static _Atomic uint64_t ahead_s; /* of the impatient server's clock, and of ours */

static inline void move_s(unsigned s)
{
    atomic_fetch_add(&ahead_s, s);
}

static inline void count_in_turn(struct fixture *fixture)
{
    if (++fixture->in_turn > fixture->most_in_turn)
        atomic_store_explicit(&fixture->most_in_turn, fixture->in_turn, memory_order_release);
}

static inline void free_later(uv_handle_t *handle)
{
    free(handle->data);
}

static inline void on_later(uv_timer_t *timer)
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

static inline void answer_later(struct fixture *fixture, struct http_request *request)
{
    struct later *later = calloc(1, sizeof(*later));
    later->request = request;
    later->fixture = fixture;
    later->timer.data = later;
    uv_timer_init(&fixture->loop.uv, &later->timer);
    uv_timer_start(&later->timer, on_later, LATER_MS, 0);
}

static inline const char *or_none(const char *text)
{
    return text != NULL ? text : "(none)";
}

/* Says what arrived. */
static inline void echo(struct http_request *request)
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

static inline void handle(struct http_request *request, void *arg)
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
static inline void head(struct http_request *request, void *arg)
{
    if (strncmp(http_path(request), "/secret", 7) != 0)
        return;
    count_in_turn(arg);
    http_respond(request, 401, NULL, "no", 2, NULL);
}

static inline void refuse(int status, const char *why, struct http_request *request, char *body,
                          size_t bodylen, const char **content_type)
{
    (void)request;
    snprintf(body, bodylen, "{\"status\":%d,\"why\":\"%s\"}", status, why);
    *content_type = "application/json";
}

/* Before the turn's deferred tasks: a check that was started later runs first. */
static inline void on_turn_end(uv_check_t *check)
{
    struct fixture *fixture = check->data;
    fixture->in_turn = 0;
    if (fixture->impatient)
        clock_follow(&ahead_s);
}

static inline int open_with(void **state, bool impatient, int header_ms, int body_ms, int idle_ms)
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

static inline int open_fixture(void **state)
{
    return open_with(state, false, LATE_MS, LATE_MS, LATE_MS);
}

static inline int open_impatient(void **state)
{
    return open_with(state, true, HEADER_MS, BODY_MS, IDLE_MS);
}

static inline int close_fixture(void **state)
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

static inline void dial_port(struct client *client, int port)
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

static inline void dial(struct client *client, struct fixture *fixture)
{
    dial_port(client, http_server_port(fixture->server));
}

static inline void hang_up(struct client *client)
{
    close(client->fd);
    free(client->buf);
}

static inline void put(struct client *client, const char *text)
{
    size_t len = strlen(text);
    assert_int_equal(send(client->fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Reads more; false at the end of the connection (also by reset). */
static inline bool more(struct client *client)
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
static inline void get_answer(struct client *client, struct answer *answer, bool without_body)
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

static inline void expect(struct client *client, int status, const char *in_body)
{
    struct answer answer;
    get_answer(client, &answer, false);
    if (answer.status != status || strstr(answer.body, in_body) == NULL)
        fail_msg("wanted %d with \"%s\", got %s%s", status, in_body, answer.head, answer.body);
    free(answer.body);
}

/* The other side has closed. */
static inline void expect_end(struct client *client)
{
    while (more(client))
        continue;
    assert_int_equal(client->used, 0);
}

static inline bool has_come(const struct client *client)
{
    char byte;
    return client->used > 0 || recv(client->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

/* Of the impatient server: an answer, or the end, comes when MS have passed since START, and not
 * before. */
static inline void comes_after(const struct client *client, int64_t start, int64_t ms)
{
    assert_true(until(has_come(client), move_s(2)));
    assert_in_range(now_ms() - start, ms - 10, INT32_MAX);
}

static inline void expect_alive(struct fixture *fixture)
{
    struct client client;
    dial(&client, fixture);
    put(&client, "GET /alive HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&client, 200, "path=/alive");
    hang_up(&client);
}

#define SERVER_TEST(fn) cmocka_unit_test_setup_teardown(fn, open_fixture, close_fixture)

#endif

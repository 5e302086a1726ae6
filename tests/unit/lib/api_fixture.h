/* api_fixture.h - handlers of the HTTP API behind a real HTTP server, with a real Redis, on one
 * loop that the test turns. Include cmocka.h first.
 *
 *   api_call() ─► socket ─► http server ─► api_head() ─► the handler of the path ─► answer, whole
 *
 * api_around() runs in every turn: a test that has a fake bus or router moves it there. */
#ifndef IMC_TESTS_UNIT_LIB_API_FIXTURE_H
#define IMC_TESTS_UNIT_LIB_API_FIXTURE_H

#include "common/daemon/internal.h"
#include "logic/http/callers.h"
#include "logic/http/local_callers.h"
#include "logic/http/route_times.h"
#include "logic/http/routes.h"
#include "tests/unit/lib/clock.h"
#include "tests/unit/lib/redis_fixture.h"

#include <errno.h>

static _Atomic int64_t counters[LOGIC_METRIC_COUNT];
static char api_listen[] = "127.0.0.1:0", api_host[] = "t", api_none[] = "";
static char api_origins[] = "https://page.example";
static struct logic_config config = {
    .api_listen = api_listen,
    .api_keys = api_none, /* who calls from here may */
    .api_keys_file = api_none,
    .api_max_requests = 100,
    .api_hosts = api_host,
    .api_trusted = api_none,
    .api_origins = api_origins,
    .api_max_body = 65536,
    .api_max_bodies = 1 << 20,
    .api_header_timeout_ms = SOON,
    .api_body_timeout_ms = SOON,
    .api_idle_timeout_ms = SOON,
    .bus_timeout_ms = 10000,
    .lookup_timeout_ms = 500,
    .mailbox_limit = 20,
    .mailbox_limit_spilled = 10000,
    .mailbox_ttl_ms = 86400000,
    .mailbox_page = 500,
    .mailbox_page_bytes = 1 << 20,
    .tokens_ttl_ms = 86400000,
    .push_max_message = 1000,
    .push_max_uids = 3,
    .push_max_keys = 3,
    .keys_ttl_ms = 86400000,
    .push_max_bytes = 1000,
    .push_max_pending = 100,
    .push_max_lag_ms = 30000,
    .push_max_backlog = 80,
};
static struct redis_server server;
static struct fixture f;
static struct daemon_internal internal = {.files = {.http = 100}};
static struct daemon daemon_of_test = {.internal = &internal};
static struct logic logic = {
    .daemon = &daemon_of_test, .config = &config, .counters = counters, .has_node = true};

struct api_reply {
    int status;
    char text[131072]; /* head and body */
    const char *body;  /* into text */
};

static void api_around(void);

static inline int api_setup(void **state)
{
    (void)state;
    redis_server_start(&server, NULL);
    open_up(&f, server.address);
    logic_init(&logic);
    logic.loop = &f.loop;
    logic.redis = f.redis;
    message_id_init(&logic.ids, 3);
    return routes_open(&logic);
}

static inline int api_teardown(void **state)
{
    (void)state;
    http_server_close(logic.http);
    route_times_close(logic.route_times);
    callers_close(logic.callers);
    logic.callers = NULL;
    local_callers_close(logic.local);
    close_all(&f);
    redis_server_stop(&server);
    return 0;
}

static inline void api_turn(void)
{
    uv_run(&f.loop.uv, UV_RUN_ONCE);
    api_around();
}

/* A head and nothing behind it; the answer is to be waited for with api_await(). */
static inline int api_send_head(const char *method, const char *target, const char *lines)
{
    static char head[65536];
    struct sockaddr_in to = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int n = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: t\r\nConnection: close\r\n%s\r\n",
                     method, target, lines);

    assert_in_range(n, 1, sizeof head - 1);
    to.sin_port = htons((uint16_t)http_server_port(logic.http));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(send(fd, head, (size_t)n, MSG_NOSIGNAL), n);
    return fd;
}

/* The same for a whole call. */
static inline int api_send(const char *method, const char *target, const char *lines,
                           const void *body, size_t len)
{
    char all[8192];

    (void)snprintf(all, sizeof all, "%sContent-Length: %zu\r\n", lines, len);
    int fd = api_send_head(method, target, all);
    if (len > 0)
        assert_int_equal(send(fd, body, len, MSG_NOSIGNAL), len);
    return fd;
}

static inline bool api_read(int fd, struct api_reply *reply, size_t *at)
{
    ssize_t n = recv(fd, reply->text + *at, sizeof reply->text - 1 - *at, MSG_DONTWAIT);

    if (n > 0)
        *at += (size_t)n;
    return n == 0;
}

static inline const struct api_reply *api_await(int fd)
{
    static struct api_reply reply;
    size_t at = 0;
    bool ended = false;

    memset(&reply, 0, sizeof reply);
    (void)until(ended || (ended = api_read(fd, &reply, &at)), api_turn());
    close(fd);
    assert_true(ended);
    assert_int_equal(sscanf(reply.text, "HTTP/1.1 %d", &reply.status), 1);
    reply.body = strstr(reply.text, "\r\n\r\n");
    assert_non_null(reply.body);
    reply.body += 4;
    return &reply;
}

static inline const struct api_reply *api_call(const char *method, const char *target,
                                               const char *lines, const char *body)
{
    return api_await(api_send(method, target, lines, body, strlen(body)));
}

/* The call is answered with exactly this. */
static inline void api_says(const struct api_reply *reply, int status, const char *body)
{
    assert_string_equal(reply->body, body);
    assert_int_equal(reply->status, status);
}

/* N times C, in memory that the next call with the same N's parity reuses. */
static inline const char *api_long(char c, size_t n)
{
    static char buf[2][8192];
    char *text = buf[n % 2];

    assert_true(n < sizeof buf[0]);
    memset(text, c, n);
    text[n] = '\0';
    return text;
}

#endif

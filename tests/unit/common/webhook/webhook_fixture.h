/* webhook_fixture.h - a webhook against an HTTP server on the same loop, which answers as the test
 * says. */
#ifndef IMC_TESTS_UNIT_COMMON_WEBHOOK_WEBHOOK_FIXTURE_H
#define IMC_TESTS_UNIT_COMMON_WEBHOOK_WEBHOOK_FIXTURE_H

#include "common/base/mem.h"
#include "common/http/http.h"
#include "common/webhook/signature.h"
#include "common/webhook/webhook.h"

#include <errno.h>
#include <jansson.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* needs the above */
#include <cmocka.h>

#define KEY "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

enum { MOST = 256, POSTS = 256 };

static struct loop loop;
static struct http_server *server;
static struct webhook *hook;
static struct webhook_settings settings;
static char url[256], key_path[] = "/tmp/imc-hook-XXXXXX";
static int64_t counted[WEBHOOK_COUNTS];
static bool ready, was_unready;
static char why_unready[512];

/* --- the business --- */

static struct {
    int status; /* of every answer, unless `bad` is set */
    int bad;    /* a post with this event gets bad_status, others 200; 0: none is bad */
    int bad_status;
    const char *extra, *answer;
    bool silent; /* it keeps requests, and does not answer */
    struct http_request *kept[POSTS];
    int n_kept;
    int n;                 /* posts */
    char text[POSTS][400]; /* events of each: "1 2 3" */
    char id[POSTS][WEBHOOK_ID_MAX];
    uint64_t at_ms[POSTS];
    char body[400], signature[200], timestamp[32], type[100], path[64];
} business;

static void keep_header(const struct http_request *request, const char *name, char *out,
                        size_t size)
{
    const char *value = http_header(request, name);

    assert_non_null(value);
    (void)snprintf(out, size, "%s", value);
}

/* Notes the post; returns whether the bad event is in it. */
static bool note(struct http_request *request)
{
    size_t len, at = 0, i;
    const char *body = (const char *)http_body(request, &len);
    json_t *list = json_loadb(body, len, 0, NULL), *event;
    bool bad = false;
    char *text = business.text[business.n];

    assert_true(json_is_array(list) && business.n < POSTS);
    text[0] = '\0';
    json_array_foreach(list, i, event) {
        int n = (int)json_integer_value(json_object_get(event, "n"));
        bad |= n == business.bad;
        at +=
            (size_t)snprintf(text + at, sizeof business.text[0] - at, "%s%d", i > 0 ? " " : "", n);
    }
    json_decref(list);
    (void)snprintf(business.body, sizeof business.body, "%.*s", (int)len, body);
    keep_header(request, "webhook-id", business.id[business.n], WEBHOOK_ID_MAX);
    keep_header(request, "webhook-signature", business.signature, sizeof business.signature);
    keep_header(request, "webhook-timestamp", business.timestamp, sizeof business.timestamp);
    keep_header(request, "content-type", business.type, sizeof business.type);
    (void)snprintf(business.path, sizeof business.path, "%s", http_path(request));
    business.at_ms[business.n++] = loop_now_ms(&loop);
    return bad && business.bad != 0;
}

static void on_request(struct http_request *request, void *arg)
{
    bool bad = note(request);
    int status = business.bad == 0 ? business.status : bad ? business.bad_status : 200;

    (void)arg;
    if (business.silent) {
        business.kept[business.n_kept++] = request;
        return;
    }
    http_respond(request, status, "application/json", business.answer, strlen(business.answer),
                 business.extra);
}

/* --- events --- */

static struct event {
    struct webhook_ticket ticket;
    char text[16];
    bool done;
    int err;
} events[MOST];
static char done_order[2000];
static char answered_with[64];

static void on_done(struct webhook_ticket *ticket, int err)
{
    struct event *event = container_of(ticket, struct event, ticket);

    assert_false(event->done);
    event->done = true;
    event->err = err;
    (void)snprintf(done_order + strlen(done_order), sizeof done_order - strlen(done_order), "%d ",
                   (int)(event - events));
}

static int send_event(int n, int64_t uid)
{
    struct event *event = &events[n];

    *event = (struct event){.ticket = {.event = event->text, .done = on_done}};
    event->ticket.len = (size_t)snprintf(event->text, sizeof event->text, "{\"n\":%d}", n);
    return webhook_send(hook, uid, &event->ticket);
}

static void on_answered(const char *body, size_t len, void *arg)
{
    (void)arg;
    (void)snprintf(answered_with, sizeof answered_with, "%.*s", (int)len, body);
}

static void on_ready(bool is_ready, const char *why, void *arg)
{
    assert_ptr_equal(arg, &settings);
    ready = is_ready;
    was_unready |= !is_ready;
    if (!is_ready)
        (void)snprintf(why_unready, sizeof why_unready, "%s", why);
}

static void on_count(enum webhook_count what, int64_t by, void *arg)
{
    assert_ptr_equal(arg, counted);
    counted[what] += by;
}

/* --- the loop --- */

static void on_deadline(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static bool run_for(uint64_t ms, bool (*until)(void))
{
    uv_timer_t deadline;
    bool late = false;

    uv_timer_init(&loop.uv, &deadline);
    deadline.data = &late;
    uv_timer_start(&deadline, on_deadline, ms, 0);
    while (!late && !(until != NULL && until()))
        uv_run(&loop.uv, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&deadline, NULL);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    return !late;
}

static int wanted;

static bool all_done(void)
{
    for (int i = 1; i <= wanted; i++) {
        if (!events[i].done)
            return false;
    }
    return true;
}

static void run_until_done(int n)
{
    wanted = n;
    assert_true(run_for(20000, all_done));
}

static bool posted(void)
{
    return business.n >= wanted;
}

static void run_until_posted(int n)
{
    wanted = n;
    assert_true(run_for(20000, posted));
}

/* --- life --- */

static void write_keys(const char *text)
{
    FILE *file = fopen(key_path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void open_hook(bool keeps)
{
    const struct webhook_options options = {.loop = &loop,
                                            .settings = &settings,
                                            .name = "test",
                                            .keeps = keeps,
                                            .max_waiting = keeps ? 0 : 100,
                                            .max_answer = 8,
                                            .answered = on_answered,
                                            .ready = on_ready,
                                            .ready_arg = &settings,
                                            .count = on_count,
                                            .arg = counted};

    assert_int_equal(webhook_open(&options, &hook), 0);
}

static int setup(void **state)
{
    const struct http_options options = {.address = "127.0.0.1:0",
                                         .max_body = 1 << 20,
                                         .header_timeout_ms = 10000,
                                         .body_timeout_ms = 10000,
                                         .idle_timeout_ms = 60000,
                                         .handle = on_request};

    (void)state;
    memset(&business, 0, sizeof business);
    memset(events, 0, sizeof events);
    memset(counted, 0, sizeof counted);
    done_order[0] = answered_with[0] = why_unready[0] = '\0';
    was_unready = ready = false;
    business.status = 200;
    business.answer = "";
    write_keys(KEY "\n");
    assert_int_equal(loop_init(&loop, "test", 0), 0);
    assert_int_equal(http_server_open(&loop, &options, &server), 0);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/events?a=b", http_server_port(server));
    settings = (struct webhook_settings){.url = url,
                                         .secret_file = key_path,
                                         .ca = (char[]){""},
                                         .timeout_ms = 400,
                                         .in_flight = 1,
                                         .batch = 4,
                                         .retry_ms = 300};
    hook = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    webhook_close(hook);
    while (business.n_kept > 0)
        http_respond(business.kept[--business.n_kept], 200, "text/plain", "", 0, NULL);
    http_server_close(server);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    loop_close(&loop);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* main() of a file of tests. */
static int run_group(const struct CMUnitTest *tests, size_t n)
{
    int fd = mkstemp(key_path);

    close(fd);
    int failed = _cmocka_run_group_tests("webhook", tests, n, NULL, NULL);
    unlink(key_path);
    return failed;
}

#endif

/* Spans on their way to a collector on the same loop, which answers as the test says. */
#include "common/base/mem.h"
#include "common/http/http.h"
#include "common/trace/otlp.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
#include "tests/unit/lib/clock.h"
#include <cmocka.h>

enum { SENT, LOST, METRICS };

static struct loop loop;
static struct http_server *server;
static struct otlp *otlp;
static _Atomic int64_t counters[METRICS];

static struct {
    int status;
    const char *answer, *extra;
    int requests;
    size_t spans; /* of the last request */
    uint64_t at_ms;
    char first[16]; /* name of its first span */
} collector;

static void on_request(struct http_request *request, void *arg)
{
    size_t len;
    const char *body = (const char *)http_body(request, &len);
    json_t *value = json_loadb(body, len, 0, NULL);
    const json_t *resource = json_array_get(json_object_get(value, "resourceSpans"), 0);
    const json_t *scope = json_array_get(json_object_get(resource, "scopeSpans"), 0);
    const json_t *spans = json_object_get(scope, "spans");

    (void)arg;
    assert_string_equal(http_path(request), "/v1/traces");
    assert_string_equal(json_string_value(json_object_get(scope, "schemaUrl")),
                        "https://opentelemetry.io/schemas/1.44.0");
    assert_string_equal(http_header(request, "api-key"), "k k");
    collector.requests++;
    collector.spans = json_array_size(spans);
    collector.at_ms = loop_now_ms(&loop);
    (void)snprintf(collector.first, sizeof collector.first, "%s",
                   json_string_value(json_object_get(json_array_get(spans, 0), "name")));
    json_decref(value);
    http_respond(request, collector.status, "application/json", collector.answer,
                 strlen(collector.answer), collector.extra);
}

static void add(int n)
{
    for (int i = 0; i < n; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "{\"name\":\"%d\"}", i);
        otlp_add(otlp, mem_strndup(text, strlen(text)));
    }
}

static void run_ms(uint64_t ms)
{
    uint64_t end = loop_now_ms(&loop) + ms;

    while (loop_now_ms(&loop) < end)
        uv_run(&loop.uv, UV_RUN_ONCE);
}

static void expect(int requests, int64_t sent, int64_t lost)
{
    assert_int_equal(collector.requests, requests);
    assert_int_equal(counters[SENT], sent);
    assert_int_equal(counters[LOST], lost);
}

static int setup(void **state)
{
    const struct http_options options = {.address = "127.0.0.1:0",
                                         .max_body = 1 << 20,
                                         .header_timeout_ms = 10000,
                                         .body_timeout_ms = 10000,
                                         .idle_timeout_ms = 60000,
                                         .handle = on_request};
    char url[64], err[128];

    (void)state;
    memset(&collector, 0, sizeof collector);
    collector.status = 200;
    collector.answer = "{\"partialSuccess\":{}}";
    counters[SENT] = counters[LOST] = 0;
    clock_take();
    assert_int_equal(loop_init(&loop, "test", 0), 0);
    assert_int_equal(http_server_open(&loop, &options, &server), 0);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d", http_server_port(server));
    const struct otlp_options with = {.url = url,
                                      .headers = "api-key=k%20k",
                                      .service = "imc-test",
                                      .member = "test-1",
                                      .counters = counters,
                                      .sent_metric = SENT,
                                      .lost_metric = LOST};
    assert_int_equal(otlp_open(&loop, &with, &otlp, err, sizeof err), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    otlp_close(otlp);
    http_server_close(server);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    loop_close(&loop);
    clock_give_back();
    return 0;
}

static void they_go_together(void **state)
{
    (void)state;
    add(OTLP_BATCH + 1);
    run_ms(OTLP_EVERY_MS + 100);
    expect(1, OTLP_BATCH, 0);
    run_ms(OTLP_EVERY_MS);
    expect(2, OTLP_BATCH + 1, 0);
    assert_int_equal(collector.spans, 1);
}

/* The collector answers 200 and has not taken all. */
static void refused_ones_are_lost(void **state)
{
    (void)state;
    collector.answer =
        "{\"partialSuccess\":{\"rejectedSpans\":\"2\",\"errorMessage\":\"too old\"}}";
    add(5);
    run_ms(OTLP_EVERY_MS + 100);
    expect(1, 3, 2);
    run_ms(OTLP_PAUSE_MS); /* they are not sent again */
    expect(1, 3, 2);
}

static void they_are_sent_again(void **state)
{
    (void)state;
    collector.status = 503;
    add(3);
    run_ms(OTLP_EVERY_MS + 100);
    expect(1, 0, 0);
    collector.status = 200;
    add(2);
    run_ms(OTLP_PAUSE_MS + OTLP_EVERY_MS);
    expect(2, 5, 0);
    assert_string_equal(collector.first, "0");
}

static void not_for_ever(void **state)
{
    (void)state;
    collector.status = 429;
    add(3);
    run_ms((OTLP_TRIES - 1) * OTLP_PAUSE_MS);
    assert_int_equal(counters[LOST], 0);
    run_ms(2 * (OTLP_PAUSE_MS + OTLP_EVERY_MS));
    expect(OTLP_TRIES, 0, 3);
}

static void never_what_is_wrong_with_them(void **state)
{
    (void)state;
    collector.status = 400;
    add(3);
    run_ms(OTLP_EVERY_MS + 100);
    expect(1, 0, 3);
    collector.status = 200;
    run_ms(OTLP_PAUSE_MS + OTLP_EVERY_MS);
    expect(1, 0, 3);
}

static void after_what_the_collector_says(void **state)
{
    (void)state;
    collector.status = 503;
    collector.extra = "Retry-After: 30\r\n";
    add(1);
    run_ms(OTLP_EVERY_MS + 100);
    uint64_t first_ms = collector.at_ms;
    collector.status = 200;
    run_ms(40000);
    expect(2, 1, 0);
    assert_in_range(collector.at_ms - first_ms, 30000, 32000);
}

static void but_not_for_hours(void **state)
{
    (void)state;
    collector.status = 503;
    collector.extra = "Retry-After: 86400\r\n";
    add(1);
    run_ms(OTLP_EVERY_MS + 100);
    collector.status = 200;
    run_ms(OTLP_RETRY_AFTER_MOST_S * 1000 + OTLP_EVERY_MS);
    expect(2, 1, 0);
}

static void only_so_many_wait(void **state)
{
    (void)state;
    collector.status = 503;
    add(OTLP_WAITING_MOST + 2);
    expect(0, 0, 2);
    run_ms(OTLP_EVERY_MS + 100);
    add(1); /* those of the request wait, too */
    expect(1, 0, 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(they_go_together),
        TEST(refused_ones_are_lost),
        TEST(they_are_sent_again),
        TEST(not_for_ever),
        TEST(never_what_is_wrong_with_them),
        TEST(after_what_the_collector_says),
        TEST(but_not_for_hours),
        TEST(only_so_many_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* /goim/online/top and /goim/online/room: goim's parameters, and how often routers are asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* needs cmocka.h */
#include "logic/http/goim_online.h"
#include "logic/router/room_lists.h"
#include "tests/unit/lib/api_fixture.h"

enum { CALLS_MOST = 16, ROOMS_MOST = 300 };

/* In place of the routers. */
static struct {
    bool silent; /* questions wait */
    enum router_result result;
    struct router_counted counts[2];
    size_t n_counts;
    unsigned tops, named;
    char prefix[200], names[ROOMS_MOST][32];
    uint32_t limit;
    size_t n_names, n_waiting;
    struct {
        router_fn fn;
        void *arg;
        size_t n; /* rooms by name; 0: a list of the largest */
    } waiting[CALLS_MOST];
} routers;

static void wait_for_answer(router_fn fn, void *arg, size_t n)
{
    assert_true(routers.n_waiting < CALLS_MOST);
    routers.waiting[routers.n_waiting].fn = fn;
    routers.waiting[routers.n_waiting].n = n;
    routers.waiting[routers.n_waiting++].arg = arg;
}

void room_lists_top(struct routers *link, const char *prefix, uint32_t limit, router_fn fn,
                    void *arg)
{
    (void)link;
    routers.tops++;
    routers.limit = limit;
    (void)snprintf(routers.prefix, sizeof routers.prefix, "%s", prefix);
    wait_for_answer(fn, arg, 0);
}

void room_lists_named(struct routers *link, const char *const *names, size_t n, router_fn fn,
                      void *arg)
{
    (void)link;
    routers.named++;
    routers.n_names = n;
    for (size_t i = 0; i < n && i < ROOMS_MOST; i++)
        (void)snprintf(routers.names[i], sizeof routers.names[i], "%s", names[i]);
    wait_for_answer(fn, arg, n);
}

static void answer_one(router_fn fn, void *arg, size_t n)
{
    struct router_counted named[ROOMS_MOST] = {{0}};
    struct router_answer answer = {
        .result = routers.result, .counts = routers.counts, .n_counts = routers.n_counts};

    for (size_t i = 0; i < n; i++)
        named[i] = (struct router_counted){.name = routers.names[i], .sessions = 10 * (i + 1)};
    if (n > 0) {
        answer.counts = named;
        answer.n_counts = n;
    }
    fn(arg, &answer);
}

static void api_around(void)
{
    if (routers.silent)
        return;
    size_t n = routers.n_waiting;
    routers.n_waiting = 0;
    for (size_t i = 0; i < n; i++)
        answer_one(routers.waiting[i].fn, routers.waiting[i].arg, routers.waiting[i].n);
}

static int setup(void **state)
{
    memset(&routers, 0, sizeof routers);
    memset(counters, 0, sizeof counters);
    routers.counts[0] = (struct router_counted){.name = "live://1000", .sessions = 12};
    routers.counts[1] = (struct router_counted){.name = "live://a \"b\"", .sessions = 3};
    routers.n_counts = 2;
    logic.online = goim_online_open();
    return api_setup(state);
}

static int teardown(void **state)
{
    int failed = api_teardown(state);

    goim_online_close(logic.online);
    return failed;
}

static const struct api_reply *get(const char *target)
{
    return api_call("GET", target, "", "");
}

static const char top[] = "{\"code\":0,\"message\":\"\",\"data\":["
                          "{\"room_id\":\"1000\",\"count\":12},"
                          "{\"room_id\":\"a \\\"b\\\"\",\"count\":3}]}";

static void the_largest_rooms_of_a_type(void **state)
{
    (void)state;
    api_says(get("/goim/online/top?type=live&limit=10"), 200, top);
    assert_string_equal(routers.prefix, "live://");
    assert_int_equal(routers.limit, 10);
    /* Nor does a router that says something else lead beyond its own words. */
    api_says(get("/goim/online/top?type=another-kind-of-room&limit=1000"), 200,
             "{\"code\":0,\"message\":\"\",\"data\":[]}");
    routers.n_counts = 0;
    api_says(get("/goim/online/top?type=chat&limit=1000"), 200,
             "{\"code\":0,\"message\":\"\",\"data\":[]}");
}

/* A list costs each router a walk over all its rooms. */
static void routers_are_asked_once_a_second(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        api_says(get("/goim/online/top?type=live&limit=10"), 200, top);
    assert_int_equal(routers.tops, 1);
    (void)get("/goim/online/top?type=live&limit=11");
    (void)get("/goim/online/top?type=live2&limit=10");
    assert_int_equal(routers.tops, 3);
    clock_move(1000);
    uv_update_time(&f.loop.uv);
    routers.n_counts = 1;
    const struct api_reply *reply = get("/goim/online/top?type=live&limit=10");
    assert_int_equal(routers.tops, 4);
    assert_non_null(strstr(reply->body, "1000"));
    assert_null(strstr(reply->body, "a \\\"b"));
    for (int i = 0; i < 20; i++) { /* more than are kept */
        char target[64];
        (void)snprintf(target, sizeof target, "/goim/online/top?type=t%d&limit=1", i);
        assert_int_equal(get(target)->status, 200);
    }
    assert_int_equal(routers.tops, 24);
}

static void only_some_lists_are_asked_for_at_once(void **state)
{
    int fds[8];

    (void)state;
    routers.silent = true;
    for (int i = 0; i < 8; i++) {
        fds[i] = api_send("GET", "/goim/online/top?type=live&limit=10", "", "", 0);
        (void)until(routers.tops == (unsigned)i + 1, api_turn());
    }
    const struct api_reply *reply = get("/goim/online/top?type=live&limit=10");
    assert_int_equal(reply->status, 200);
    assert_non_null(strstr(reply->body, "{\"code\":-500,\"message\":\"routers are asked"));
    assert_non_null(strstr(reply->text, "Retry-After: 5\r\n"));
    assert_int_equal(routers.tops, 8);
    routers.silent = false;
    for (int i = 0; i < 8; i++)
        api_says(api_await(fds[i]), 200, top);
    api_says(get("/goim/online/top?type=live&limit=10"), 200, top);
}

static void rooms_by_name(void **state)
{
    (void)state;
    api_says(get("/goim/online/room?type=live&rooms=1000&rooms=a%20%22b&rooms=1000"), 200,
             "{\"code\":0,\"message\":\"\",\"data\":{\"1000\":10,\"a \\\"b\":20}}");
    assert_int_equal(routers.n_names, 3);
    assert_string_equal(routers.names[1], "live://a \"b");
}

static void a_router_that_is_away_is_told(void **state)
{
    static const char *const targets[] = {"/goim/online/top?type=live&limit=10",
                                          "/goim/online/room?type=live&rooms=1"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        routers.result = ROUTER_AWAY;
        const struct api_reply *reply = get(targets[i]);
        assert_int_equal(reply->status, 200);
        assert_non_null(strstr(reply->body, "{\"code\":-500,"));
        assert_non_null(strstr(reply->text, "Retry-After: 1\r\n"));
        routers.result = ROUTER_MISMATCH; /* some numbers may be low */
        assert_non_null(strstr(get(targets[i])->body, "{\"code\":0,"));
    }
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *target, *error;
    } rows[] = {
        {"/goim/online/top", "type: missing"},
        {"/goim/online/top?type=&limit=1", "type: missing"},
        {"/goim/online/top?type=a", "limit: missing, or 0"},
        {"/goim/online/top?type=a&limit=", "limit: missing, or 0"},
        {"/goim/online/top?type=a&limit=0", "limit: missing, or 0"},
        {"/goim/online/top?type=a&limit=-1", "limit: must be between 0 and 2147483647"},
        {"/goim/online/top?type=a&limit=1001", "limit: must be between 1 and 1000"},
        {"/goim/online/top?type=a&limit=x", "limit: not a number"},
        {"/goim/online/top?type=a&limit=1&limit=1", "limit: given twice"},
        {"/goim/online/top?type=a&type=a&limit=1", "type: given twice"},
        {"/goim/online/top?type=%ff&limit=1", "type: not UTF-8"},
        {"/goim/online/room", "type: missing"},
        {"/goim/online/room?type=a", "rooms: missing"},
        {"/goim/online/room?rooms=1", "type: missing"},
        {"/goim/online/room?type=a&rooms=", "rooms: item 0: missing"},
        {"/goim/online/room?type=a&rooms=1&rooms=%ff", "rooms: item 1: not UTF-8"},
        {"/goim/online/room?type=a&type=b&rooms=1", "type: given twice"},
    };
    char want[300];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(want, sizeof want, "{\"code\":-400,\"message\":\"%s\"}", rows[i].error);
        api_says(get(rows[i].target), 200, want);
    }
    assert_int_equal(routers.tops + routers.named, 0);
}

/* The longest name of a room, and the most rooms. */
static void limits(void **state)
{
    static char target[20000];
    char want[64];
    size_t at = (size_t)snprintf(target, sizeof target, "/goim/online/room?type=a");

    (void)state;
    for (int i = 0; i < ROOM_LISTS_NAMED_MAX; i++)
        at += (size_t)snprintf(target + at, sizeof target - at, "&rooms=%d", i);
    assert_int_equal(get(target)->status, 200);
    assert_int_equal(routers.n_names, ROOM_LISTS_NAMED_MAX);
    (void)snprintf(target + at, sizeof target - at, "&rooms=x");
    (void)snprintf(want, sizeof want, "rooms: more than %d", ROOM_LISTS_NAMED_MAX);
    assert_non_null(strstr(get(target)->body, want));
    (void)snprintf(target, sizeof target, "/goim/online/top?limit=1&type=%s", api_long('t', 125));
    assert_int_equal(get(target)->status, 200);
    assert_int_equal(strlen(routers.prefix), 128);
    (void)snprintf(target, sizeof target, "/goim/online/top?limit=1&type=%s", api_long('t', 126));
    assert_non_null(strstr(get(target)->body, "type: longer than 125"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_largest_rooms_of_a_type, setup, teardown),
        cmocka_unit_test_setup_teardown(routers_are_asked_once_a_second, setup, teardown),
        cmocka_unit_test_setup_teardown(only_some_lists_are_asked_for_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(rooms_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(a_router_that_is_away_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(limits, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

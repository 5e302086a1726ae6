/* /1/count and /1/server/del: what several routers say, together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* needs cmocka.h */
#include "common/base/mem.h"
#include "common/membership/internal.h"
#include "logic/router/routers.h"
#include "tests/unit/lib/api_fixture.h"
#include "tests/unit/lib/no_room_lists.h"

enum { ROUTERS = 2 };

/* In place of the routers. */
static struct {
    size_t n;    /* that live */
    size_t away; /* that do not answer, the last ones */
    const char *names[ROUTERS][2];
    uint64_t sessions[ROUTERS][2];
    enum router_count asked;
    char forgotten[64];
    router_fn fn;
    void *arg;
    size_t waiting; /* questions without an answer */
} routers;

static size_t ask_all(router_fn fn, void *arg)
{
    routers.fn = fn;
    routers.arg = arg;
    routers.waiting = routers.n;
    return routers.n;
}

size_t router_count(struct routers *link, enum router_count what, router_fn fn, void *arg)
{
    (void)link;
    routers.asked = what;
    return ask_all(fn, arg);
}

size_t router_forget(struct routers *link, const char *comet, router_fn fn, void *arg)
{
    (void)link;
    (void)snprintf(routers.forgotten, sizeof routers.forgotten, "%s", comet);
    return ask_all(fn, arg);
}

void router_lookup(struct routers *link, int64_t uid, uint64_t within_ms, router_fn fn, void *arg)
{
    (void)link;
    (void)uid;
    (void)within_ms;
    (void)fn;
    (void)arg;
}

struct router_reply *router_reply_ref(struct router_reply *reply)
{
    return reply;
}

void router_reply_unref(struct router_reply *reply)
{
    (void)reply;
}

/* One router after the other: what it counts, or that it is away. */
static void api_around(void)
{
    while (routers.waiting > 0) {
        size_t router = routers.n - routers.waiting--;
        struct router_counted counts[2];
        struct router_answer answer = {.result = ROUTER_OK, .counts = counts};
        for (size_t i = 0; i < 2 && routers.names[router][i] != NULL; i++)
            counts[answer.n_counts++] = (struct router_counted){
                .name = routers.names[router][i], .sessions = routers.sessions[router][i]};
        if (router >= routers.n - routers.away)
            answer = (struct router_answer){.result = ROUTER_AWAY};
        routers.fn(routers.arg, &answer);
    }
}

static struct member comet = {.id = "comet-1"};
static struct membership membership = {.lists[MEMBER_COMET] = {.n = 1, .members = &comet}};

static int setup(void **state)
{
    memset(&routers, 0, sizeof routers);
    memset(counters, 0, sizeof counters);
    routers.n = ROUTERS;
    membership.loop = &f.loop;
    logic.membership = &membership;
    return api_setup(state);
}

static void counts_of_all_routers_are_added(void **state)
{
    (void)state;
    routers.names[0][0] = routers.names[1][0] = "7";
    routers.names[1][1] = "a \"b\"";
    routers.sessions[0][0] = 2;
    routers.sessions[1][0] = 40;
    routers.sessions[1][1] = 1;
    const struct api_reply *reply = api_call("GET", "/1/count?type=room", "", "");
    assert_int_equal(reply->status, 200);
    assert_int_equal(routers.asked, ROUTER_COUNT_ROOMS);
    assert_non_null(strstr(reply->body, "{\"RoomId\":7,\"Count\":42}"));
    assert_non_null(strstr(reply->body, "{\"RoomId\":\"a \\\"b\\\"\",\"Count\":1}"));
    reply = api_call("GET", "/1/count?type=server", "", "");
    assert_int_equal(routers.asked, ROUTER_COUNT_COMETS);
    assert_non_null(strstr(reply->body, "{\"Server\":7,\"Count\":42}"));
    memset(routers.names, 0, sizeof routers.names);
    api_says(api_call("GET", "/1/count?type=room", "", ""), 200, "{\"ret\":1,\"data\":[]}");
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *method, *target, *text;
    } rows[] = {
        {"GET", "/1/count", "type: missing"},
        {"GET", "/1/count?type=x", "type: neither room nor server"},
        {"GET", "/1/count?type=room&type=room", "type: given twice"},
        {"POST", "/1/server/del", "server: missing"},
        {"POST", "/1/server/del?server=a&server=b", "server: given twice"},
        {"POST", "/1/server/del?server=", "server: "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct api_reply *reply = api_call(rows[i].method, rows[i].target, "", "");
        assert_int_equal(reply->status, 200);
        assert_non_null(strstr(reply->body, "\"ret\":65534"));
        if (strstr(reply->body, rows[i].text) == NULL)
            fail_msg("%s: %s", rows[i].target, reply->body);
    }
    assert_int_equal(routers.fn == NULL, true);
}

/* Half an answer would be a wrong one. */
static void a_router_that_is_away_makes_it_unavailable(void **state)
{
    (void)state;
    routers.names[0][0] = "comet-1";
    routers.away = 1;
    assert_int_equal(api_call("GET", "/1/count?type=room", "", "")->status, 503);
    assert_int_equal(api_call("POST", "/1/server/del?server=comet-1", "", "")->status, 503);
    assert_string_equal(routers.forgotten, "");
    routers.n = 0;
    routers.away = 0;
    assert_int_equal(api_call("GET", "/1/count?type=room", "", "")->status, 503);
    assert_int_equal(api_call("POST", "/1/server/del?server=comet-1", "", "")->status, 503);
    assert_int_equal(counters[LOGIC_REFUSED_ROUTER], 4);
}

static void a_comet_is_forgotten_by_all(void **state)
{
    char target[32 + 16384];

    (void)state;
    api_says(api_call("POST", "/1/server/del?server=comet-1", "", ""), 200, "{\"ret\":1}");
    assert_string_equal(routers.forgotten, "comet-1");
    /* One that is no member any more, of which a router still knows sessions. */
    routers.names[1][0] = "comet-9";
    routers.sessions[1][0] = 3;
    api_says(api_call("POST", "/1/server/del?server=comet-9", "", ""), 200, "{\"ret\":1}");
    assert_string_equal(routers.forgotten, "comet-9");
    assert_non_null(
        strstr(api_call("POST", "/1/server/del?server=nobody", "", "")->body, "\"ret\":1001"));
    assert_string_equal(routers.forgotten, "comet-9");
    (void)snprintf(target, sizeof target, "/1/server/del?server=%s", api_long('c', 64));
    assert_non_null(strstr(api_call("POST", target, "", "")->body, "\"ret\":65534"));
    (void)snprintf(target, sizeof target, "/1/server/del?server=%s", api_long('c', 63));
    assert_non_null(strstr(api_call("POST", target, "", "")->body, "\"ret\":1001"));
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, api_teardown)
    const struct CMUnitTest tests[] = {
        TEST(counts_of_all_routers_are_added),
        TEST(what_is_wrong_is_named),
        TEST(a_router_that_is_away_makes_it_unavailable),
        TEST(a_comet_is_forgotten_by_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

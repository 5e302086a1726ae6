/* /goim/nodes/weighted and /goim/nodes/instances: goim's fields, and who may ask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* needs cmocka.h */
#include "logic/nodes/nodes.h"
#include "tests/unit/lib/api_fixture.h"

static void api_around(void)
{
}

static char domain[] = "conn.example", host_domain[] = ".conn.example", keys[] = "k1";
static char trusted[] = "192.0.2.0/24", regions[] = "sh=10.1.0.0/16,bj=2001:db8::/32";
static struct member members[] = {
    {.id = "a \"1\"",
     .host = "a",
     .ips = "10.0.0.1,10.0.0.2",
     .weight = 10,
     .region = "sh",
     .zone = "sh001",
     .rpc = "10.0.0.1:8092",
     .epoch = UINT64_C(1700000000123) << 20 | 7,
     .connections = 5,
     .client_ips = 3},
    {.id = "b", .weight = 20, .rpc = "b:8092", .refuses_clients = true},
};
static struct member_list comets = {2, members};

static int setup(void **state)
{
    memset(counters, 0, sizeof counters);
    config.nodes_open = false;
    config.api_trusted = trusted;
    config.nodes_domain = domain;
    config.nodes_host_domain = host_domain;
    config.nodes_regions = regions;
    config.nodes_tcp_port = 3101;
    config.nodes_ws_port = 3102;
    config.nodes_wss_port = 3103;
    config.nodes_heartbeat_ms = 240000;
    config.nodes_heartbeat_max = 2;
    config.nodes_max_delay_ms = 300000;
    config.nodes_base_delay_ms = 3000;
    config.nodes_factor = 180;
    config.nodes_jitter = 30;
    config.nodes_region_weight = 1000;
    members[0].refuses_clients = false;
    members[1].refuses_clients = true;
    int failed = api_setup(state);
    logic.nodes = nodes_open(&f.loop, &config, counters);
    nodes_update(logic.nodes, &comets);
    return failed;
}

static int setup_keys(void **state)
{
    config.api_keys = keys;
    int failed = setup(state);
    config.api_keys = api_none;
    return failed;
}

static int teardown(void **state)
{
    nodes_close(logic.nodes);
    return api_teardown(state);
}

#define HEAD                                                                                \
    "{\"code\":0,\"message\":\"\",\"data\":{\"domain\":\"conn.example\",\"tcp_port\":3101," \
    "\"ws_port\":3102,\"wss_port\":3103,\"heartbeat\":240,\"heartbeat_max\":2,\"nodes\":"
#define TAIL ",\"backoff\":{\"max_delay\":300,\"base_delay\":3,\"factor\":1.8,\"jitter\":0.3}}}"

static void a_client_is_told_in_goims_words(void **state)
{
    (void)state;
    api_says(api_call("GET", "/goim/nodes/weighted?platform=web", "", ""), 200,
             HEAD "[\"a.conn.example\"]" TAIL);
    api_says(api_call("GET", "/goim/nodes/weighted?platform=android", "", ""), 200,
             HEAD "[\"10.0.0.1\",\"10.0.0.2\"]" TAIL);
    api_says(api_call("GET", "/goim/nodes/weighted", "", ""), 200,
             HEAD "[\"10.0.0.1\",\"10.0.0.2\"]" TAIL);
    assert_int_equal(counters[LOGIC_NODES_CHOSEN], 3);
    assert_int_equal(counters[LOGIC_NODES_NONE], 0);
}

/* goim has no such port. Its clients take no notice of it. */
static void tls_is_told_to_who_asks(void **state)
{
    (void)state;
    config.nodes_tcps_port = 3104;
    const struct api_reply *reply = api_call("GET", "/goim/nodes/weighted?tls=1", "", "");
    assert_non_null(strstr(reply->body, ",\"tcps_port\":3104,\"nodes\":[\"conn.example\"]"));
    snprintf(members[0].tcps, sizeof members[0].tcps, "a.example:8081");
    reply = api_call("GET", "/goim/nodes/weighted?tls=1", "", "");
    assert_non_null(strstr(reply->body, "\"nodes\":[\"a.example\"]"));
    reply = api_call("GET", "/goim/nodes/weighted?tls=0", "", "");
    assert_non_null(strstr(reply->body, "\"nodes\":[\"10.0.0.1\",\"10.0.0.2\"]"));
    config.nodes_tcps_port = 0;
    members[0].tcps[0] = '\0';
    reply = api_call("GET", "/goim/nodes/weighted?tls=yes", "", "");
    assert_non_null(strstr(reply->body, "\"code\":-400"));
}

static void without_a_comet_the_domain_stands_in(void **state)
{
    static char none[] = "";

    (void)state;
    members[0].refuses_clients = true;
    nodes_update(logic.nodes, &comets);
    api_says(api_call("GET", "/goim/nodes/weighted?platform=web", "", ""), 200,
             HEAD "[\"conn.example\"]" TAIL);
    assert_int_equal(counters[LOGIC_NODES_NONE], 1);
    config.nodes_domain = none;
    const struct api_reply *reply = api_call("GET", "/goim/nodes/weighted", "", "");
    assert_non_null(strstr(reply->body, "\"domain\":\"\""));
    assert_non_null(strstr(reply->body, "\"nodes\":[]"));
}

static void what_is_wrong_is_said_in_goims_form(void **state)
{
    (void)state;
    api_says(api_call("GET", "/goim/nodes/weighted?platform=a&platform=b", "", ""), 200,
             "{\"code\":-400,\"message\":\"platform: given twice\"}");
    assert_int_equal(api_call("POST", "/goim/nodes/weighted", "", "")->status, 405);
    assert_int_equal(api_call("POST", "/goim/nodes/instances", "", "")->status, 405);
    assert_int_equal(api_call("GET", "/goim/nodes/weighted/", "", "")->status, 404);
}

static void instances_look_like_goims(void **state)
{
    (void)state;
    api_says(api_call("GET", "/goim/nodes/instances", "", ""), 200,
             "{\"code\":0,\"message\":\"\",\"data\":["
             "{\"region\":\"sh\",\"zone\":\"sh001\",\"env\":\"\",\"appid\":\"goim.comet\","
             "\"hostname\":\"a\",\"addrs\":[\"grpc://10.0.0.1:8092\"],\"version\":\"\","
             "\"latest_timestamp\":1700000000123000000,\"metadata\":{\"weight\":\"10\","
             "\"offline\":\"false\",\"addrs\":\"10.0.0.1,10.0.0.2\",\"ip_count\":\"3\","
             "\"conn_count\":\"5\"}},"
             "{\"region\":\"\",\"zone\":\"\",\"env\":\"\",\"appid\":\"goim.comet\","
             "\"hostname\":\"b\",\"addrs\":[\"grpc://b:8092\"],\"version\":\"\","
             "\"latest_timestamp\":0,\"metadata\":{\"weight\":\"20\",\"offline\":\"true\","
             "\"addrs\":\"\",\"ip_count\":\"0\",\"conn_count\":\"0\"}}]}");
    api_says(api_call("GET", "/goim/online/total", "", ""), 200,
             "{\"code\":0,\"message\":\"\",\"data\":{\"ip_count\":3,\"conn_count\":5}}");
}

/* Only the list for one client may be open to all. */
static void a_key_is_needed_unless_nodes_are_open(void **state)
{
    static const char *const others[] = {"/goim/nodes/instances", "/goim/online/total",
                                         "/goim/online/top?type=a&limit=1",
                                         "/goim/online/room?type=a&rooms=1"};
    static const char ours[] = "Origin: https://page.example\r\n";
    static const char theirs[] = "Origin: https://evil.example\r\n";

    (void)state;
    assert_int_equal(api_call("GET", "/goim/nodes/weighted", "", "")->status, 401);
    assert_int_equal(api_call("GET", "/goim/nodes/weighted", "X-API-Key: k1\r\n", "")->status, 200);
    assert_int_equal(api_call("OPTIONS", "/goim/nodes/weighted", ours, "")->status, 401);
    config.nodes_open = true;
    const struct api_reply *reply = api_call("GET", "/goim/nodes/weighted", ours, "");
    assert_int_equal(reply->status, 200);
    assert_non_null(strstr(reply->text, "Access-Control-Allow-Origin: https://page.example\r\n"));
    assert_int_equal(api_call("OPTIONS", "/goim/nodes/weighted", ours, "")->status, 204);
    reply = api_call("GET", "/goim/nodes/weighted", theirs, "");
    assert_int_equal(reply->status, 200);
    assert_null(strstr(reply->text, "Access-Control"));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(api_call("GET", others[i], ours, "")->status, 401);
}

/* In how many of ten answers for a client the comet of "sh" is the first. */
static int firsts(const char *lines)
{
    int n = 0;

    for (int i = 0; i < 10; i++) {
        const struct api_reply *reply =
            api_call("GET", "/goim/nodes/weighted?platform=web", lines, "");
        assert_int_equal(reply->status, 200);
        n += strstr(reply->body, "\"nodes\":[\"a.") != NULL;
    }
    return n;
}

/* A comet weighs ten times as much in its own region here. */
static void a_proxy_says_where_a_client_is(void **state)
{
    (void)state;
    config.nodes_open = true;
    members[1].refuses_clients = false;
    snprintf(members[1].host, sizeof members[1].host, "b");
    snprintf(members[1].region, sizeof members[1].region, "bj");
    members[1].weight = 10;
    nodes_update(logic.nodes, &comets);
    assert_in_range(firsts("X-Forwarded-For: 10.1.2.3\r\n"), 8, 10);
    assert_in_range(firsts("X-Forwarded-For: 2001:db8::1\r\n"), 0, 2);
    assert_in_range(firsts(""), 4, 6);
    /* Behind what a client sent stands what the proxies added. The last ones are trusted. */
    assert_in_range(firsts("X-Forwarded-For: 2001:db8::1, 10.1.2.3\r\n"), 8, 10);
    assert_in_range(firsts("X-Forwarded-For: 2001:db8::1,10.1.2.3, 192.0.2.9 ,127.0.0.1\r\n"), 8,
                    10);
    /* Or what a proxy adds is a line of its own. */
    assert_in_range(firsts("X-Forwarded-For: 2001:db8::1\r\nX-Forwarded-For: 10.1.2.3\r\n"), 8, 10);
    static const char *const odd[] = {"X-Forwarded-For: \r\n", "X-Forwarded-For: ,\r\n",
                                      "X-Forwarded-For: 10.1.2.3:80\r\n",
                                      "X-Forwarded-For: 10.1.2.3, unknown\r\n"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        assert_in_range(firsts(odd[i]), 4, 6);
    members[1] = (struct member){.id = "b", .weight = 20, .rpc = "b:8092", .refuses_clients = true};
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_client_is_told_in_goims_words, setup, teardown),
        cmocka_unit_test_setup_teardown(tls_is_told_to_who_asks, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_comet_the_domain_stands_in, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_said_in_goims_form, setup, teardown),
        cmocka_unit_test_setup_teardown(instances_look_like_goims, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_is_needed_unless_nodes_are_open, setup_keys,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_proxy_says_where_a_client_is, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "logic/nodes/nodes.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* needs the above */
#include "tests/unit/lib/clock.h"

enum { COMETS = 8 };

static char domain[] = "conn.example", host_domain[] = ".conn.example";
static char regions[] = "sh=10.1.0.0/16,bj=10.2.0.0/16";
static struct logic_config config;
static struct loop loop;
static _Atomic int64_t counters[LOGIC_METRIC_COUNT];
static struct nodes *nodes;
static struct member members[COMETS];
static struct member_list list = {0, members};
static struct nodes_answer answer;
static bool wants_tls;

static int setup(void **state)
{
    (void)state;
    config = (struct logic_config){
        .nodes_domain = domain,
        .nodes_host_domain = host_domain,
        .nodes_regions = regions,
        .nodes_tcp_port = 3101,
        .nodes_ws_port = 3102,
        .nodes_tcps_port = 3104,
        .nodes_wss_port = 3103,
        .nodes_heartbeat_ms = 240000,
        .nodes_heartbeat_max = 2,
        .nodes_max_delay_ms = 300000,
        .nodes_base_delay_ms = 3000,
        .nodes_factor = 180,
        .nodes_jitter = 30,
        .nodes_region_weight = 160,
    };
    memset(members, 0, sizeof members);
    list.n = 0;
    wants_tls = false;
    clock_take();
    assert_int_equal(loop_init(&loop, "test", 0), 0);
    nodes = nodes_open(&loop, &config, counters);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    nodes_close(nodes);
    loop_close(&loop);
    clock_give_back();
    return 0;
}

static bool is_named(const char *name)
{
    for (size_t i = 0; i < answer.n; i++) {
        if (strcmp(answer.names[i], name) == 0)
            return true;
    }
    return false;
}

/* A comet "c<n>" in REGION, with weight 10. */
static struct member *add(const char *region)
{
    struct member *member = &members[list.n];

    snprintf(member->id, sizeof member->id, "c%zu", list.n);
    snprintf(member->host, sizeof member->host, "c%zu", list.n);
    snprintf(member->ips, sizeof member->ips, "192.0.2.%zu", list.n);
    snprintf(member->region, sizeof member->region, "%s", region);
    member->weight = 10;
    list.n++;
    nodes_update(nodes, &list);
    return member;
}

/* How often the comet INDEX is the first of 1000 clients at IP. */
static int firsts(size_t index, const char *ip)
{
    const struct member *chosen[NODES_MOST];
    int n = 0;

    for (int i = 0; i < 1000; i++)
        n += nodes_choose(nodes, ip, chosen, NODES_MOST) > 0 && chosen[0] == &members[index];
    return n;
}

static void ask(const char *platform, const char *ip)
{
    memset(&answer, 0x55, sizeof answer);
    nodes_answer(nodes, platform, ip, wants_tls, &answer);
}

static void nobody_there_is_an_empty_list(void **state)
{
    (void)state;
    assert_int_equal(nodes_comets(nodes)->n, 0);
    ask("web", NULL);
    assert_int_equal(answer.n, 0);
    assert_string_equal(answer.domain, "conn.example");
    assert_int_equal(answer.tcp_port, 3101);
    assert_int_equal(answer.ws_port, 3102);
    assert_int_equal(answer.tcps_port, 3104);
    assert_int_equal(answer.wss_port, 3103);
    assert_int_equal(answer.heartbeat_s, 240);
    assert_int_equal(answer.heartbeat_max, 2);
    assert_int_equal(answer.backoff.max_delay_s, 300);
    assert_int_equal(answer.backoff.base_delay_s, 3);
    assert_true(answer.backoff.factor == 1.8);
    assert_true(answer.backoff.jitter == 0.3);
    nodes_update(nodes, &list);
    ask("web", NULL);
    assert_int_equal(answer.n, 0);
    config.nodes_base_delay_ms = 1;
    ask("web", NULL);
    assert_int_equal(answer.backoff.base_delay_s, 1); /* 0 would be no wait at all */
}

static void web_pages_get_names_and_others_addresses(void **state)
{
    (void)state;
    add("sh");
    ask("web", NULL);
    assert_int_equal(answer.n, 1);
    assert_string_equal(answer.names[0], "c0.conn.example");
    static const char *const others[] = {"android", "ios", "", "WEB", NULL};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        ask(others[i], NULL);
        assert_int_equal(answer.n, 1);
        assert_string_equal(answer.names[0], "192.0.2.0");
    }
}

static void several_addresses_come_once_each(void **state)
{
    (void)state;
    snprintf(add("")->ips, sizeof members[0].ips, "192.0.2.1,2001:db8::1,192.0.2.1");
    snprintf(add("")->ips, sizeof members[0].ips, "192.0.2.1");
    ask(NULL, NULL);
    assert_int_equal(answer.n, 2);
    assert_string_equal(answer.names[0], "192.0.2.1");
    assert_string_equal(answer.names[1], "2001:db8::1");
}

/* A comet of an earlier version, or one that is not told its names. */
static void a_comet_without_names_is_reached_as_it_advertises(void **state)
{
    struct member *comet = add("");

    (void)state;
    comet->host[0] = comet->ips[0] = '\0';
    snprintf(comet->tcp, sizeof comet->tcp, "[2001:db8::7]:8080");
    snprintf(comet->ws, sizeof comet->ws, "ws.example:8090");
    nodes_update(nodes, &list);
    ask("web", NULL);
    assert_int_equal(answer.n, 1);
    assert_string_equal(answer.names[0], "ws.example");
    ask(NULL, NULL);
    assert_int_equal(answer.n, 1);
    assert_string_equal(answer.names[0], "2001:db8::7");
    comet->tcp[0] = '\0';
    ask(NULL, NULL);
    assert_int_equal(answer.n, 0);
}

/* The first comet has both, the second one has nothing without TLS, the third one nothing with it,
 * as one of an earlier version that says nothing of tcps. */
static void who_wants_tls_gets_only_comets_that_have_it(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct member *comet = add("");
        comet->host[0] = '\0';
        if (i != 1) {
            snprintf(comet->tcp, sizeof comet->tcp, "tcp%d.example:8080", i);
            snprintf(comet->ws, sizeof comet->ws, "ws%d.example:8090", i);
        }
        if (i != 2) {
            snprintf(comet->tcps, sizeof comet->tcps, "tcps%d.example:8081", i);
            snprintf(comet->wss, sizeof comet->wss, "wss%d.example:8095", i);
        }
    }
    wants_tls = true;
    ask(NULL, NULL);
    assert_int_equal(answer.n, 2);
    assert_true(is_named("tcps0.example") && is_named("tcps1.example")); /* not node.ips */
    ask("web", NULL);
    assert_int_equal(answer.n, 2);
    assert_true(is_named("wss0.example") && is_named("wss1.example"));
    wants_tls = false;
    ask("web", NULL);
    assert_int_equal(answer.n, 3);
    assert_true(is_named("ws0.example") && is_named("wss1.example") && is_named("ws2.example"));
    for (size_t i = 0; i < 3; i++)
        members[i].ips[0] = '\0';
    ask(NULL, NULL);
    assert_int_equal(answer.n, 3);
    assert_true(is_named("tcp0.example") && is_named("tcps1.example") && is_named("tcp2.example"));
}

static void an_answer_has_a_limit(void **state)
{
    (void)state;
    for (int i = 0; i < COMETS; i++) {
        struct member *comet = add("");
        size_t len = 0;
        for (int k = 0; k < 20; k++)
            len += (size_t)snprintf(comet->ips + len, sizeof comet->ips - len, "10.0.%d.%d,", i, k);
    }
    ask("web", NULL);
    assert_int_equal(answer.n, NODES_MOST);
    ask(NULL, NULL);
    assert_int_equal(answer.n, NODES_NAMES_MOST);
}

static void it_counts_what_it_tells(void **state)
{
    (void)state;
    memset(counters, 0, sizeof counters);
    ask("web", NULL);
    add("")->refuses_clients = true;
    add("");
    nodes_update(nodes, &list);
    ask("web", NULL);
    ask("web", NULL);
    nodes_scrape(nodes);
    assert_int_equal(counters[LOGIC_NODES_NONE], 1);
    assert_int_equal(counters[LOGIC_NODES_CHOSEN], 2);
    assert_int_equal(counters[LOGIC_NODES], 1);
}

static void who_refuses_clients_is_left_out(void **state)
{
    struct member *first = add(""), *second = add("");

    (void)state;
    assert_in_range(firsts(0, NULL), 499, 501);
    first->refuses_clients = true;
    nodes_update(nodes, &list);
    assert_int_equal(firsts(0, NULL), 0);
    ask("web", NULL);
    assert_int_equal(answer.n, 1);
    assert_string_equal(answer.names[0], "c1.conn.example");
    second->refuses_clients = true;
    nodes_update(nodes, &list);
    ask("web", NULL);
    assert_int_equal(answer.n, 0);
    first->refuses_clients = false;
    nodes_update(nodes, &list);
    assert_int_equal(firsts(0, NULL), 1000);
}

static void a_client_s_own_region_weighs_more(void **state)
{
    (void)state;
    add("sh");
    add("bj");
    assert_in_range(firsts(0, "10.1.2.3"), 614, 616); /* 1.6 of 2.6 */
    assert_in_range(firsts(0, "10.2.2.3"), 384, 386);
    assert_in_range(firsts(0, "10.3.2.3"), 499, 501);
    assert_in_range(firsts(0, NULL), 499, 501);
    assert_in_range(firsts(0, "no address"), 499, 501);
    assert_in_range(firsts(0, ""), 499, 501);
}

static void a_heavier_comet_comes_first_more_often(void **state)
{
    (void)state;
    add("")->weight = 30;
    add("");
    nodes_update(nodes, &list);
    assert_in_range(firsts(0, NULL), 749, 751);
}

static void connections_count_when_they_are_half_a_second_old(void **state)
{
    struct member *full = add("");

    (void)state;
    add("");
    assert_in_range(firsts(0, NULL), 499, 501);
    full->connections = 10000; /* membership writes them here without a word */
    assert_in_range(firsts(0, NULL), 499, 501);
    clock_move(500);
    uv_update_time(&loop.uv);
    assert_in_range(firsts(0, NULL), 15, 35);
    full->connections = 0;
    clock_move(500);
    uv_update_time(&loop.uv);
    assert_in_range(firsts(0, NULL), 450, 550);
}

static void settings_are_checked(void **state)
{
    static char bad_name[] = "conn.example:80", quote[] = "a\"b", table[] = "sh=x", none[] = "";
    char err[256] = "";

    (void)state;
    assert_int_equal(nodes_check(&config, err, sizeof err), 0);
    config.nodes_domain = bad_name;
    assert_int_equal(nodes_check(&config, err, sizeof err), -EINVAL);
    assert_non_null(strstr(err, "nodes.domain"));
    config.nodes_domain = none;
    config.nodes_host_domain = quote;
    assert_int_equal(nodes_check(&config, err, sizeof err), -EINVAL);
    config.nodes_host_domain = none;
    config.nodes_base_delay_ms = config.nodes_max_delay_ms + 1;
    assert_int_equal(nodes_check(&config, err, sizeof err), -EINVAL);
    assert_non_null(strstr(err, "nodes.backoff_base_delay"));
    config.nodes_base_delay_ms = config.nodes_max_delay_ms;
    config.nodes_regions = table;
    assert_int_equal(nodes_check(&config, err, sizeof err), -EINVAL);
    assert_non_null(strstr(err, "nodes.regions"));
    config.nodes_regions = regions;
    assert_int_equal(nodes_check(&config, err, sizeof err), 0);
}

#define nodes_unit(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        nodes_unit(nobody_there_is_an_empty_list),
        nodes_unit(web_pages_get_names_and_others_addresses),
        nodes_unit(several_addresses_come_once_each),
        nodes_unit(a_comet_without_names_is_reached_as_it_advertises),
        nodes_unit(who_wants_tls_gets_only_comets_that_have_it),
        nodes_unit(an_answer_has_a_limit),
        nodes_unit(it_counts_what_it_tells),
        nodes_unit(who_refuses_clients_is_left_out),
        nodes_unit(a_client_s_own_region_weighs_more),
        nodes_unit(a_heavier_comet_comes_first_more_often),
        nodes_unit(connections_count_when_they_are_half_a_second_old),
        nodes_unit(settings_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

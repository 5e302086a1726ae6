/* Where the clients of a comet that drains may go: a real nodes/nodes.c, a batch by hand. */
#include "logic/nodes/nodes.h"
#include "logic/peers/relocate_requests.h"
#include "logic/peers/session_batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { COMETS = 6, ASKED = 400 };

static char empty[] = "", regions[] = "sh=10.1.0.0/16";
static struct logic_config config;
static struct logic logic;
static struct loop loop;
static _Atomic int64_t counters[LOGIC_METRIC_COUNT];
static struct member members[COMETS];
static struct member_list list = {0, members};
static struct stream_batch batch;
static struct session_batch sb;
static Imc__V1__SessionBatch in;
static Imc__V1__Relocate asked[ASKED], *asked_list[ASKED];
static Imc__V1__RelocateResult results[ASKED], *results_list[ASKED];

static bool by_tls;

static struct member *add(const char *id, uint32_t weight)
{
    struct member *member = &members[list.n++];
    *member = (struct member){.weight = weight};
    (void)snprintf(member->id, sizeof member->id, "%s", id);
    (void)snprintf(member->tcp, sizeof member->tcp, "%s:8080", id);
    (void)snprintf(member->ws, sizeof member->ws, "%s:8090", id);
    return member;
}

static int setup(void **state)
{
    (void)state;
    config = (struct logic_config){
        .nodes_domain = empty,
        .nodes_host_domain = empty,
        .nodes_regions = regions,
        .nodes_max_delay_ms = 300000,
        .nodes_base_delay_ms = 3000,
        .nodes_factor = 180,
        .nodes_jitter = 30,
        .nodes_region_weight = 10000,
    };
    memset(counters, 0, sizeof counters);
    list.n = 0;
    by_tls = false;
    assert_int_equal(loop_init(&loop, "test", 0), 0);
    logic = (struct logic){.config = &config, .counters = counters, .loop = &loop};
    logic.nodes = nodes_open(&loop, &config, counters);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&batch.arena);
    nodes_close(logic.nodes);
    loop_close(&loop);
    return 0;
}

/* Asks for N clients of comet A at ADDRESS. */
static void ask(size_t n, char *address, bool websocket)
{
    static char comet[] = "a";
    nodes_update(logic.nodes, &list);
    arena_init(&batch.arena);
    imc__v1__session_batch__init(&in);
    in.comet = comet;
    in.n_relocates = n;
    in.relocates = asked_list;
    sb = (struct session_batch){
        .batch = &batch, .logic = &logic, .in = &in, .reply = IMC__V1__SESSION_REPLY__INIT};
    sb.reply.relocates = results_list;
    sb.reply.n_relocates = n;
    for (size_t i = 0; i < n; i++) {
        imc__v1__relocate__init(&asked[i]);
        imc__v1__relocate_result__init(&results[i]);
        asked[i].address = address;
        asked[i].websocket = websocket;
        asked[i].tls = by_tls;
        asked_list[i] = &asked[i];
        results_list[i] = &results[i];
    }
    relocates_start(&sb);
}

static int firsts(size_t n, const char *node)
{
    int sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += strcmp(results[i].nodes[0], node) == 0;
    return sum;
}

static void clients_are_spread_by_weight_and_never_sent_back(void **state)
{
    (void)state;
    char ip[] = "192.0.2.1";
    add("a", 10);
    add("b", 10);
    add("c", 30);
    add("full", 1000)->refuses_clients = true;
    ask(ASKED, ip, false);
    for (size_t i = 0; i < ASKED; i++) {
        assert_int_equal(results[i].n_nodes, 2);
        assert_int_equal(results[i].n_wss, 0);
        assert_string_not_equal(results[i].nodes[0], results[i].nodes[1]);
    }
    assert_int_equal(firsts(ASKED, "b:8080") + firsts(ASKED, "c:8080"), ASKED);
    assert_in_range(firsts(ASKED, "c:8080"), ASKED * 65 / 100, ASKED * 80 / 100);
    assert_int_equal(counters[LOGIC_NODES_MOVED], ASKED);
    assert_int_equal(sb.reply.backoff->base_delay_s, 3);
    assert_int_equal(sb.reply.backoff->max_delay_s, 300);
}

static void a_client_goes_to_its_region(void **state)
{
    (void)state;
    char near[] = "10.1.2.3";
    add("a", 10);
    add("b", 10);
    (void)snprintf(add("c", 10)->region, sizeof members[0].region, "sh");
    ask(100, near, false);
    assert_in_range(firsts(100, "c:8080"), 95, 100);
}

static void web_sockets_get_their_addresses_and_those_of_proxies(void **state)
{
    (void)state;
    char ip[] = "::1";
    add("a", 10);
    (void)snprintf(add("b", 10)->wss, sizeof members[0].wss, "b.example:443");
    add("c", 10)->ws[0] = '\0';
    ask(1, ip, true);
    assert_int_equal(results[0].n_nodes, 1);
    assert_string_equal(results[0].nodes[0], "b:8090");
    assert_int_equal(results[0].n_wss, 1);
    assert_string_equal(results[0].wss[0], "b.example:443");
}

static void who_came_by_tls_is_not_sent_where_there_is_none(void **state)
{
    (void)state;
    char ip[] = "::1";
    add("a", 10);
    (void)snprintf(add("b", 10)->wss, sizeof members[0].wss, "b.example:443");
    by_tls = true;
    ask(1, ip, true);
    assert_int_equal(results[0].n_nodes, 0);
    assert_string_equal(results[0].wss[0], "b.example:443");
    arena_free(&batch.arena);
    ask(1, ip, false); /* b is of an earlier version, and says nothing of TCP with TLS */
    assert_int_equal(results[0].n_nodes + results[0].n_wss + results[0].n_tcps, 0);
}

static void tcp_clients_get_addresses_with_tls_too(void **state)
{
    (void)state;
    char ip[] = "::1";
    add("a", 10);
    struct member *b = add("b", 10);
    (void)snprintf(b->tcps, sizeof b->tcps, "b.example:8081");
    (void)snprintf(b->wss, sizeof b->wss, "b.example:443");
    ask(1, ip, false);
    assert_int_equal(results[0].n_nodes, 1);
    assert_string_equal(results[0].nodes[0], "b:8080");
    assert_int_equal(results[0].n_tcps, 1);
    assert_string_equal(results[0].tcps[0], "b.example:8081");
    assert_int_equal(results[0].n_wss, 0);
    arena_free(&batch.arena);
    by_tls = true;
    ask(1, ip, false);
    assert_int_equal(results[0].n_nodes, 0);
    assert_int_equal(results[0].n_tcps, 1);
    assert_string_equal(results[0].tcps[0], "b.example:8081");
}

static void where_nobody_else_takes_clients_nobody_is_named(void **state)
{
    (void)state;
    char none[] = "";
    add("a", 10);
    add("b", 10)->refuses_clients = true;
    ask(3, none, false);
    assert_int_equal(results[2].n_nodes, 0);
    assert_int_equal(counters[LOGIC_NODES_NONE], 3);
    assert_int_equal(counters[LOGIC_NODES_MOVED], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(clients_are_spread_by_weight_and_never_sent_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_client_goes_to_its_region, setup, teardown),
        cmocka_unit_test_setup_teardown(web_sockets_get_their_addresses_and_those_of_proxies, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_came_by_tls_is_not_sent_where_there_is_none, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(tcp_clients_get_addresses_with_tls_too, setup, teardown),
        cmocka_unit_test_setup_teardown(where_nobody_else_takes_clients_nobody_is_named, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

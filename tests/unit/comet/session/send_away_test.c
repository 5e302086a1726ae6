#include "comet/base/worker.h"
#include "comet/logic/logic_request.h"
#include "comet/net/conn.h"
#include "comet/session/send_away.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char out[CONN_MORE_MAX + 1];

static const char *members(const struct relocation *to)
{
    size_t len = send_away_members(to, out);
    assert_true(len <= CONN_MORE_MAX);
    out[len] = '\0';
    return out;
}

static void nodes_and_backoff_are_named(void **state)
{
    (void)state;
    char a[] = "10.0.0.2:8080", b[] = "[::1]:8080";
    char *nodes[] = {a, b};
    struct relocation to = {.nodes = nodes,
                            .n_nodes = 2,
                            .max_delay_s = 300,
                            .base_delay_s = 3,
                            .factor = 1.8,
                            .jitter = 0.3};
    assert_string_equal(
        members(&to),
        ",\"nodes\":[\"10.0.0.2:8080\",\"[::1]:8080\"],\"backoff\":{\"max_delay\":300,"
        "\"base_delay\":3,\"factor\":1.8,\"jitter\":0.3}");
    to.tcps = &nodes[1];
    to.n_tcps = 1;
    to.factor = 0;
    assert_string_equal(members(&to), ",\"nodes\":[\"10.0.0.2:8080\",\"[::1]:8080\"],"
                                      "\"tcps\":[\"[::1]:8080\"]");
    to.n_tcps = 0;
    to.wss = nodes;
    to.n_wss = 1;
    assert_string_equal(members(&to), ",\"nodes\":[\"10.0.0.2:8080\",\"[::1]:8080\"],"
                                      "\"wss\":[\"10.0.0.2:8080\"]");
}

static void without_a_node_there_is_nothing(void **state)
{
    (void)state;
    char empty[] = "", quoted[] = "a\"b:1", control[] = "a\n:1";
    char *nodes[] = {empty, quoted, control};
    assert_string_equal(members(&(struct relocation){.factor = 2}), "");
    assert_string_equal(members(&(struct relocation){.nodes = nodes, .n_nodes = 3, .factor = 2}),
                        "");
}

static void however_much_logic_says_it_stays_within_the_limit(void **state)
{
    (void)state;
    char longest[128], too_long[129];
    char *nodes[64];
    memset(longest, 'n', 127);
    memset(too_long, 'n', 128);
    longest[127] = too_long[128] = '\0';
    nodes[0] = too_long;
    for (int i = 1; i < 64; i++)
        nodes[i] = longest;
    struct relocation to = {.nodes = nodes,
                            .n_nodes = 64,
                            .wss = nodes,
                            .n_wss = 64,
                            .max_delay_s = UINT32_MAX,
                            .base_delay_s = UINT32_MAX,
                            .factor = -1.23456e-300,
                            .jitter = -1.23456e-300};
    to.factor = 1.23456e-300;
    const char *text = members(&to);
    assert_null(strstr(text, too_long));
    int named = 0;
    for (const char *at = text; (at = strstr(at, longest)) != NULL; at += 127)
        named++;
    assert_int_equal(named, 5); /* three nodes, and two of three proxies fit */
    assert_non_null(strstr(text, "\"backoff\":{"));
    assert_int_equal(text[strlen(text) - 1], '}');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_and_backoff_are_named),
        cmocka_unit_test(without_a_node_there_is_nothing),
        cmocka_unit_test(however_much_logic_says_it_stays_within_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

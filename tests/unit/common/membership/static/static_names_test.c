/* Addresses that are names. */
#include "tests/unit/common/membership/static/static_fixture.h"

static void names_are_looked_up(void **state)
{
    char list[128];
    (void)state;
    prepare(&nodes[0], 0);
    prepare(&nodes[1], 0);
    (void)snprintf(list, sizeof list, "localhost:%d , localhost:%d,[::1]:%d", nodes[0].port,
                   nodes[1].port, nodes[0].port);
    join_list(&nodes[0], MEMBER_COMET, "a", list);
    join_list(&nodes[1], MEMBER_LOGIC, "b", list);
    turn_until(all_ready(2), 5000);
    turn_for(3 * RENEW);
    assert_non_null(seen(&nodes[0], MEMBER_LOGIC, "b"));
    assert_non_null(seen(&nodes[1], MEMBER_COMET, "a"));
    /* 127.0.0.1 twice; and ::1, where nobody listens, once or twice: as the machine's hosts say. */
    assert_in_range(stats_of(&nodes[0]).addresses, 3, 4);
    assert_int_equal(stats_of(&nodes[0]).unresolved, 0);
}

/* Not after 5 s, but now. */
static void look_up_again(struct node *node)
{
    int lookups = dns.lookups;
    ((struct static_members *)(void *)node->membership)->entries[0].due_ms = 0;
    turn_until(dns.lookups > lookups && dns.n_waiting == 0, 1000);
    turn_for(3 * RENEW);
}

static void a_name_stands_for_whatever_it_resolves_to(void **state)
{
    struct node *watcher = &nodes[0];
    char list[96];
    (void)state;
    for (int i = 0; i < 4; i++)
        prepare(&nodes[i], 0);
    (void)snprintf(list, sizeof list, "fleet.test:1,127.0.0.1:%d", nodes[0].port);
    dns.first = 1;
    dns.n = 1;
    join_list(&nodes[1], MEMBER_COMET, "a", list);
    join_list(&nodes[2], MEMBER_COMET, "b", list);
    join_list(&nodes[3], MEMBER_COMET, "c", list);
    join_list(watcher, MEMBER_ROUTER, "watcher", list);
    turn_until(all_ready(4), 3000);
    turn_for(3 * RENEW);
    assert_int_equal(membership_list(watcher->membership, MEMBER_COMET)->n, 1);
    assert_false(membership_known(nodes[2].membership)); /* nobody asks it yet */
    /* More of them. */
    dns.n = 3;
    look_up_again(watcher);
    assert_int_equal(membership_list(watcher->membership, MEMBER_COMET)->n, 3);
    assert_int_equal(stats_of(watcher).addresses, 4);
    /* DNS is away, then says that there is no such name: who lives still lives. */
    dns.err = UV_EAI_AGAIN;
    look_up_again(watcher);
    assert_int_equal(stats_of(watcher).unresolved, 1);
    assert_int_equal(membership_list(watcher->membership, MEMBER_COMET)->n, 3);
    dns.err = UV_EAI_NONAME;
    look_up_again(watcher);
    turn_for(TTL);
    assert_int_equal(membership_list(watcher->membership, MEMBER_COMET)->n, 3);
    assert_int_equal(stats_of(watcher).lapsed, 0);
    /* Out of DNS, and dead: another process at its address is nobody's business. */
    int port = nodes[1].port;
    vanish(&nodes[1]);
    prepare(&nodes[1], port);
    join_list(&nodes[1], MEMBER_COMET, "stranger", list);
    turn_for(TTL + 3 * RENEW);
    assert_int_equal(membership_list(watcher->membership, MEMBER_COMET)->n, 2);
    assert_null(seen(watcher, MEMBER_COMET, "stranger"));
    assert_int_equal(stats_of(watcher).addresses, 3);
    dns.err = 0;
    look_up_again(watcher);
    assert_non_null(seen(watcher, MEMBER_COMET, "stranger"));
}

static void without_dns_nobody_is_believed_away(void **state)
{
    struct node *router = &nodes[0];
    char list[96];
    (void)state;
    prepare(&nodes[0], 0);
    prepare(&nodes[1], 0);
    (void)snprintf(list, sizeof list, "fleet.test:1,127.0.0.1:%d", nodes[0].port);
    dns.first = 1;
    dns.n = 1;
    join_list(&nodes[1], MEMBER_COMET, "comet", list);
    turn_until(membership_ready(nodes[1].membership), 1000);
    dns.err = UV_EAI_AGAIN;
    join_list(router, MEMBER_ROUTER, "router", list);
    turn_for(2 * TTL);
    assert_false(membership_ready(router->membership));
    assert_int_equal(router->changed[MEMBER_COMET], 0);
    dns.err = 0;
    look_up_again(router);
    assert_true(membership_ready(router->membership));
    assert_non_null(seen(router, MEMBER_COMET, "comet"));
    /* A name that is none stands for nobody. */
    vanish(router);
    prepare(router, 0);
    dns.err = UV_EAI_NONAME;
    join_list(router, MEMBER_ROUTER, "router", list);
    turn_until(membership_ready(router->membership), TTL / 2);
    assert_null(seen(router, MEMBER_COMET, "comet"));
}

static void one_process_at_two_addresses_is_one(void **state)
{
    char list[128];
    (void)state;
    prepare(&nodes[0], 0);
    prepare(&nodes[1], 0);
    /* 127.0.0.2 reaches only listeners on every address: nobody. */
    (void)snprintf(list, sizeof list, "127.0.0.1:%d,127.0.0.1:%d,localhost:%d,127.0.0.2:%d",
                   nodes[0].port, nodes[1].port, nodes[1].port, nodes[1].port);
    join_list(&nodes[0], MEMBER_COMET, "a", list);
    join_list(&nodes[1], MEMBER_LOGIC, "b", list);
    turn_until(all_ready(2), 5000);
    turn_for(3 * RENEW);
    assert_int_equal(membership_list(nodes[0].membership, MEMBER_LOGIC)->n, 1);
    assert_int_equal(stats_of(&nodes[0]).doubles, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        member_test(names_are_looked_up),
        member_test(a_name_stands_for_whatever_it_resolves_to),
        member_test(without_dns_nobody_is_believed_away),
        member_test(one_process_at_two_addresses_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

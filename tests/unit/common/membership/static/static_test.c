/* Daemons that have a list of addresses see each other come and go. */
#include "tests/unit/common/membership/static/static_fixture.h"

/* --- the tests --- */

static void everyone_sees_everyone(void **state)
{
    struct node *comet = &nodes[0], *other = &nodes[1], *router = &nodes[2], *logic = &nodes[3];
    (void)state;
    join((struct who[]){{MEMBER_COMET, "comet-a"},
                        {MEMBER_COMET, "comet /&?b"},
                        {MEMBER_ROUTER, "router"},
                        {MEMBER_LOGIC, "logic"}},
         4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(membership_list(nodes[i].membership, MEMBER_COMET)->n, 2);
        assert_int_equal(membership_list(nodes[i].membership, MEMBER_ROUTER)->n, 1);
        assert_int_equal(membership_list(nodes[i].membership, MEMBER_LOGIC)->n, 1);
        assert_int_equal(membership_list(nodes[i].membership, MEMBER_JOB)->n, 0);
        assert_int_equal(nodes[i].changed[MEMBER_JOB], 0);
        assert_int_equal(nodes[i].held, 1);
        assert_int_equal(nodes[i].lost, 0);
        assert_true(membership_fresh(nodes[i].membership));
        turn_until(membership_known(nodes[i].membership), 1000);
        assert_int_equal(stats_of(&nodes[i]).lives, 1);
        assert_int_equal(stats_of(&nodes[i]).addresses, 4);
        assert_int_equal(stats_of(&nodes[i]).silent, 0);
        assert_int_equal(stats_of(&nodes[i]).malformed, 0);
    }
    const struct member *member = seen(router, MEMBER_COMET, "comet /&?b");
    assert_non_null(member);
    assert_null(seen(router, MEMBER_COMET, "router"));
    assert_string_equal(member->rpc, "rpc-of-comet /&?b:1");
    assert_string_equal(member->ws, "ws.example:8090");
    assert_string_equal(member->tcp, "");
    assert_string_equal(member->zone, "z\"1\"");
    assert_int_equal(member->weight, 7);
    assert_int_equal(member->epoch, epoch_of(other));
    assert_int_not_equal(member->epoch, epoch_of(comet));
    assert_int_equal(seen(comet, MEMBER_LOGIC, "logic")->node,
                     membership_self(logic->membership)->node);

    /* Connections come along, but are no change. */
    int changes = router->changed[MEMBER_COMET];
    membership_set_connections(other->membership, 123456);
    turn_for(3 * RENEW);
    assert_int_equal(seen(router, MEMBER_COMET, "comet /&?b")->connections, 123456);
    membership_set_clients(other->membership,
                           &(struct member_clients){.ips = 76, .refuses = false});
    turn_for(3 * RENEW);
    assert_int_equal(seen(router, MEMBER_COMET, "comet /&?b")->client_ips, 76);
    assert_int_equal(router->changed[MEMBER_COMET], changes);

    /* That it refuses clients is one. */
    membership_set_clients(other->membership, &(struct member_clients){.ips = 77, .refuses = true});
    turn_for(3 * RENEW);
    assert_true(seen(router, MEMBER_COMET, "comet /&?b")->refuses_clients);
    assert_int_equal(seen(router, MEMBER_COMET, "comet /&?b")->client_ips, 77);
    assert_int_equal(router->changed[MEMBER_COMET], changes + 1);
}

/* Nobody asks itself. */
static void what_we_say_of_ourselves_is_in_our_own_list(void **state)
{
    struct node *logic = &nodes[0];
    (void)state;
    join((struct who[]){{MEMBER_LOGIC, "logic"}, {MEMBER_LOGIC, "other"}}, 2);
    membership_set_unready(logic->membership, "bus,clock");
    turn_for(3 * RENEW);
    assert_string_equal(seen(logic, MEMBER_LOGIC, "logic")->unready, "bus,clock");
    assert_string_equal(seen(&nodes[1], MEMBER_LOGIC, "logic")->unready, "bus,clock");
    membership_set_unready(logic->membership, "");
    turn_for(3 * RENEW);
    assert_string_equal(seen(logic, MEMBER_LOGIC, "logic")->unready, "");
}

static void only_what_is_watched_is_listed(void **state)
{
    struct membership_options options = {.kind = MEMBER_COMET,
                                         .self.id = "comet",
                                         .watch = 1U << MEMBER_LOGIC,
                                         .renew_ms = RENEW,
                                         .ttl_ms = TTL};
    (void)state;
    prepare(&nodes[0], 0);
    prepare(&nodes[1], 0);
    prepare(&nodes[2], 0);
    join_list(&nodes[0], MEMBER_LOGIC, "logic", list_of(3));
    join_list(&nodes[1], MEMBER_ROUTER, "router", list_of(3));
    options.addresses = list_of(3);
    nodes[2].membership = membership_open(&nodes[2].loop, NULL, &options, NULL, NULL);
    turn_until(all_ready(3), 3000);
    turn_for(3 * RENEW);
    assert_int_equal(membership_list(nodes[2].membership, MEMBER_LOGIC)->n, 1);
    assert_int_equal(membership_list(nodes[2].membership, MEMBER_ROUTER)->n, 0);
    assert_int_equal(membership_list(nodes[2].membership, MEMBER_COMET)->n, 0);
    assert_int_equal(membership_list(nodes[0].membership, MEMBER_COMET)->n, 1);
}

static void on_left(void *arg)
{
    ++((struct node *)arg)->left;
}

static void who_leaves_is_gone_at_once_and_who_dies_after_its_ttl(void **state)
{
    struct node *watcher = &nodes[0], *leaver = &nodes[1], *dead = &nodes[2];
    (void)state;
    join(
        (struct who[]){{MEMBER_LOGIC, "watcher"}, {MEMBER_COMET, "leaver"}, {MEMBER_COMET, "dead"}},
        3);
    assert_int_equal(membership_list(watcher->membership, MEMBER_COMET)->n, 2);
    vanish(dead);
    turn_for(2 * RENEW);
    assert_int_equal(stats_of(watcher).silent, 1);
    membership_leave(leaver->membership, on_left, leaver);
    assert_int_equal(leaver->left, 0);
    turn_until(leaver->left == 1, 1000);
    assert_null(seen(watcher, MEMBER_COMET, "leaver")); /* it was told, it need not ask */
    assert_false(membership_ready(leaver->membership));
    turn_for(3 * RENEW);
    assert_null(seen(watcher, MEMBER_COMET, "leaver")); /* though it still answers */
    assert_non_null(seen(watcher, MEMBER_COMET, "dead"));
    assert_int_equal(leaver->lost, 0);
    turn_for(TTL);
    assert_null(seen(watcher, MEMBER_COMET, "dead"));
    assert_int_equal(stats_of(watcher).lapsed, 1);
    assert_int_equal(leaver->left, 1);
}

static void who_leaves_unheard_is_gone_with_the_next_answer(void **state)
{
    struct node *watcher = &nodes[0], *leaver = &nodes[1];
    (void)state;
    join((struct who[]){{MEMBER_LOGIC, "watcher"}, {MEMBER_COMET, "leaver"}}, 2);
    watcher->manner = HANGS; /* for what the leaver tells it */
    membership_leave(leaver->membership, NULL, NULL);
    turn_for(4 * RENEW);
    assert_null(seen(watcher, MEMBER_COMET, "leaver"));
    assert_int_equal(stats_of(watcher).lapsed, 0);
}

static void one_that_stood_still_starts_a_new_life(void **state)
{
    struct node *watcher = &nodes[0], *frozen = &nodes[1];
    (void)state;
    join((struct who[]){{MEMBER_LOGIC, "watcher"}, {MEMBER_COMET, "frozen"}}, 2);
    uint64_t epoch = epoch_of(frozen);
    assert_true(sees(watcher, MEMBER_COMET, "frozen", epoch));
    frozen->frozen = true;
    turn_for(TTL / 2);
    assert_true(sees(watcher, MEMBER_COMET, "frozen", epoch));
    turn_until(seen(watcher, MEMBER_COMET, "frozen") == NULL, TTL);
    turn_for(TTL / 2);
    frozen->frozen = false;
    turn_until(seen(watcher, MEMBER_COMET, "frozen") != NULL, TTL);
    turn_for(4 * RENEW);
    assert_int_equal(frozen->held, 2);
    assert_int_equal(frozen->lost, 1); /* once, whoever noticed first */
    assert_true(epoch_of(frozen) > epoch);
    assert_true(sees(watcher, MEMBER_COMET, "frozen", epoch_of(frozen)));
    /* For the time that it stood still itself it takes nobody for dead. */
    assert_non_null(seen(frozen, MEMBER_LOGIC, "watcher"));
    assert_int_equal(frozen->changed[MEMBER_LOGIC], 1);
    assert_int_equal(watcher->lost, 0);
    assert_int_equal(stats_of(frozen).lives, 2);
}

static void who_was_taken_for_dead_is_told_and_starts_a_new_life(void **state)
{
    struct node *watcher = &nodes[0], *silent = &nodes[1], *other = &nodes[2];
    (void)state;
    join((struct who[]){{MEMBER_ROUTER, "watcher"},
                        {MEMBER_COMET, "silent"},
                        {MEMBER_LOGIC, "other"}},
         3);
    uint64_t epoch = epoch_of(silent);
    /* Its loop turns, but its answers are lost. */
    shut(silent);
    turn_until(seen(watcher, MEMBER_COMET, "silent") == NULL, 2 * TTL);
    assert_int_equal(silent->lost, 0);
    serve(silent);
    turn_until(seen(watcher, MEMBER_COMET, "silent") != NULL, TTL);
    turn_for(4 * RENEW);
    assert_int_equal(silent->lost, 1);
    assert_true(epoch_of(silent) > epoch);
    assert_true(sees(watcher, MEMBER_COMET, "silent", epoch_of(silent)));
    assert_true(sees(other, MEMBER_COMET, "silent", epoch_of(silent)));
    assert_true(sees(silent, MEMBER_COMET, "silent", epoch_of(silent)));
    assert_int_equal(watcher->lost + other->lost, 0);
}

/* A logic has nothing registered that would have to be forgotten. */
static void a_logic_that_was_silent_comes_back_as_it_was(void **state)
{
    struct node *watcher = &nodes[0], *silent = &nodes[1];
    (void)state;
    join((struct who[]){{MEMBER_COMET, "watcher"}, {MEMBER_LOGIC, "silent"}}, 2);
    uint64_t epoch = epoch_of(silent);
    shut(silent);
    turn_until(seen(watcher, MEMBER_LOGIC, "silent") == NULL, 2 * TTL);
    serve(silent);
    turn_until(seen(watcher, MEMBER_LOGIC, "silent") != NULL, TTL);
    turn_for(4 * RENEW);
    assert_int_equal(silent->lost, 0);
    assert_true(sees(watcher, MEMBER_LOGIC, "silent", epoch));
}

/* From one life to the next, without a time between in which it is nobody. */
static void a_restart_is_seen_at_once(void **state)
{
    struct node *watcher = &nodes[0], *router = &nodes[1], *slow = &nodes[2];
    (void)state;
    join((struct who[]){{MEMBER_LOGIC, "watcher"}, {MEMBER_ROUTER, "router"}, {MEMBER_JOB, "slow"}},
         3);
    uint64_t epoch = epoch_of(router);
    int port = router->port;
    vanish(router);
    prepare(router, port);
    slow->manner = HANGS; /* so that it takes some time before it is a member */
    join_list(router, MEMBER_ROUTER, "router", list_of(3));
    turn_for(4 * RENEW);
    assert_false(membership_ready(router->membership));
    assert_true(sees(watcher, MEMBER_ROUTER, "router", epoch));
    shut(slow);
    slow->manner = SERVES;
    serve(slow);
    turn_until(membership_ready(router->membership), TTL / 2);
    turn_until(sees(watcher, MEMBER_ROUTER, "router", epoch_of(router)), TTL / 2);
    assert_true(epoch_of(router) > epoch);
    assert_int_equal(router->lost, 0);
    assert_int_equal(stats_of(watcher).lapsed, 0);
    assert_true(watcher->fewest[MEMBER_ROUTER] >= 1);
}

/* --- what anybody may ask --- */

static void ends_at_any_time(void **state)
{
    char list[96];
    (void)state;
    for (int i = 0; i < 4; i++)
        prepare(&nodes[i], 0);
    (void)snprintf(list, sizeof list, "localhost:%d,127.0.0.1:%d,fleet.test:1", nodes[0].port,
                   nodes[1].port);
    dns.slow = true;
    join_list(&nodes[0], MEMBER_COMET, "a", list); /* closed before it began, by teardown */
    join_list(&nodes[1], MEMBER_COMET, "b", list);
    membership_leave(nodes[1].membership, on_left, &nodes[1]); /* before it was a member */
    join_list(&nodes[2], MEMBER_COMET, "c", list);
    turn();
    membership_leave(nodes[2].membership, on_left, &nodes[2]); /* while names are looked up */
    turn_until(nodes[1].left == 1 && nodes[2].left == 1, 2000);
    nodes[0].manner = HANGS;
    join_list(&nodes[3], MEMBER_COMET, "d", list);
    turn_for(RENEW); /* a question is unanswered */
    membership_leave(nodes[3].membership, on_left, &nodes[3]);
    turn_until(nodes[3].left == 1, 2000);
    turn_for(2 * RENEW);
    assert_int_equal(nodes[1].left + nodes[2].left + nodes[3].left, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        member_test(everyone_sees_everyone),
        member_test(what_we_say_of_ourselves_is_in_our_own_list),
        member_test(only_what_is_watched_is_listed),
        member_test(who_leaves_is_gone_at_once_and_who_dies_after_its_ttl),
        member_test(who_leaves_unheard_is_gone_with_the_next_answer),
        member_test(one_that_stood_still_starts_a_new_life),
        member_test(who_was_taken_for_dead_is_told_and_starts_a_new_life),
        member_test(a_logic_that_was_silent_comes_back_as_it_was),
        member_test(a_restart_is_seen_at_once),
        member_test(ends_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

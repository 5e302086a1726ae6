/* An id and a number have one owner. */
#include "tests/unit/common/membership/static/static_fixture.h"

static void an_id_has_one_owner(void **state)
{
    struct node *watcher = &nodes[0], *first = &nodes[1], *second = &nodes[2];
    (void)state;
    for (int i = 0; i < 3; i++)
        prepare(&nodes[i], 0);
    join_list(watcher, MEMBER_LOGIC, "watcher", list_of(3));
    join_list(first, MEMBER_COMET, "same", list_of(3));
    turn_until(membership_ready(first->membership), 3000);
    turn_until(membership_ready(watcher->membership), 3000);
    join_list(second, MEMBER_COMET, "same", list_of(3));
    turn_for(2 * TTL);
    assert_false(membership_ready(second->membership));
    assert_int_equal(second->held, 0);
    assert_int_equal(first->lost, 0);
    assert_true(sees(second, MEMBER_COMET, "same", epoch_of(first)));
    assert_true(sees(watcher, MEMBER_COMET, "same", epoch_of(first)));
    vanish(first);
    turn_for(TTL / 2);
    assert_int_equal(second->held, 0);
    turn_until(membership_ready(second->membership), TTL);
    turn_for(3 * RENEW);
    assert_true(sees(watcher, MEMBER_COMET, "same", epoch_of(second)));
    assert_int_equal(second->lost, 0);
}

/* They became members without seeing each other. */
static void two_owners_of_an_id_become_one(void **state)
{
    struct node *watcher = &nodes[0], *older = &nodes[1], *younger = &nodes[2];
    char list[64];
    (void)state;
    for (int i = 0; i < 3; i++)
        prepare(&nodes[i], 0);
    join_list(watcher, MEMBER_LOGIC, "watcher", list_of(3));
    join_list(older, MEMBER_COMET, "same", list_of(2));
    turn_for(5);
    (void)snprintf(list, sizeof list, "127.0.0.1:%d,127.0.0.1:%d", nodes[0].port, nodes[2].port);
    join_list(younger, MEMBER_COMET, "same", list);
    turn_until(all_ready(3), 3000);
    turn_for(5 * RENEW);
    /* For the watcher the one that it saw first stays. */
    const struct member *member = seen(watcher, MEMBER_COMET, "same");
    assert_non_null(member);
    uint64_t epoch = member->epoch;
    turn_for(TTL);
    assert_true(sees(watcher, MEMBER_COMET, "same", epoch));
    assert_true(stats_of(watcher).doubles > 0);
    assert_int_equal(stats_of(watcher).lapsed, 0);
    /* Restarted with a list that shows the other one, the younger one waits. */
    int port = younger->port;
    vanish(younger);
    prepare(younger, port);
    join_list(younger, MEMBER_COMET, "same", list_of(3));
    turn_for(TTL / 2);
    assert_false(membership_ready(younger->membership));
    assert_true(membership_ready(older->membership));
}

static void logics_get_numbers_of_their_own(void **state)
{
    struct who who[NODES];
    static const char *const ids[NODES] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    (void)state;
    for (int i = 0; i < NODES; i++)
        who[i] = (struct who){MEMBER_LOGIC, ids[i]};
    join(who, NODES);
    for (int i = 0; i < NODES; i++) {
        const struct member_list *list = membership_list(nodes[i].membership, MEMBER_LOGIC);
        assert_int_equal(list->n, NODES);
        assert_true(membership_self(nodes[i].membership)->node <= 1023);
        for (size_t j = 0; j < list->n; j++) {
            for (size_t k = 0; k < j; k++)
                assert_int_not_equal(list->members[j].node, list->members[k].node);
        }
    }
}

/* A partition, or the one chance in a thousand. */
static void of_two_logics_with_one_number_the_younger_takes_another(void **state)
{
    struct node *older = &nodes[0], *younger = &nodes[1], *comet = &nodes[2];
    (void)state;
    for (int i = 0; i < 3; i++)
        prepare(&nodes[i], 0);
    shut(older);
    shut(younger);
    join_list(older, MEMBER_LOGIC, "older", list_of(3));
    turn_for(5);
    join_list(younger, MEMBER_LOGIC, "younger", list_of(3));
    join_list(comet, MEMBER_COMET, "comet", list_of(3));
    turn_until(all_ready(3), 3000);
    uint32_t node = membership_self(older->membership)->node;
    uint64_t epoch = epoch_of(younger);
    younger->membership->self.node = node;
    serve(older);
    serve(younger);
    turn_until(younger->held == 2, 2000);
    turn_for(4 * RENEW);
    assert_int_equal(older->held, 1);
    assert_int_equal(younger->lost, 1);
    assert_int_equal(membership_self(older->membership)->node, node);
    assert_int_not_equal(membership_self(younger->membership)->node, node);
    assert_true(epoch_of(younger) > epoch);
    assert_int_equal(seen(comet, MEMBER_LOGIC, "younger")->node,
                     membership_self(younger->membership)->node);
    assert_int_equal(seen(comet, MEMBER_LOGIC, "older")->node, node);
}

static void a_number_is_kept_over_a_new_life(void **state)
{
    struct node *logic = &nodes[0], *comet = &nodes[1];
    (void)state;
    join((struct who[]){{MEMBER_LOGIC, "logic"}, {MEMBER_COMET, "comet"}}, 2);
    uint32_t node = membership_self(logic->membership)->node;
    logic->frozen = true;
    turn_for(TTL + 3 * RENEW);
    assert_null(seen(comet, MEMBER_LOGIC, "logic"));
    logic->frozen = false;
    turn_until(logic->held == 2, 1000);
    assert_int_equal(membership_self(logic->membership)->node, node);
    turn_until(sees(comet, MEMBER_LOGIC, "logic", epoch_of(logic)), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        member_test(an_id_has_one_owner),
        member_test(two_owners_of_an_id_become_one),
        member_test(logics_get_numbers_of_their_own),
        member_test(of_two_logics_with_one_number_the_younger_takes_another),
        member_test(a_number_is_kept_over_a_new_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

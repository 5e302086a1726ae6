/* Whatever happens, and in whatever order: the client sees every message once, in order. */
#include "tests/unit/comet/session/session_fixture.h"

static void every_message_arrives_once_in_order_whatever_happens(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++)
        random_run(seed, (struct chances){.tcp = seed % 2}, false);
}

static void also_when_the_mailbox_often_fails(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++)
        random_run(seed, (struct chances){.store_fails = 30, .fetch_fails = 30, .tcp = seed % 2},
                   false);
}

static void also_when_the_mailbox_is_away_all_the_time(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++)
        random_run(seed, (struct chances){.no_mailbox = true, .tcp = seed % 2}, false);
}

static void also_when_pages_are_short(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++)
        random_run(seed, (struct chances){.short_page = 40, .store_fails = 5}, false);
}

static void also_with_another_device_and_replays(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++)
        random_run(seed, (struct chances){.other_device = 5, .replay = 5, .store_fails = 10},
                   false);
}

/* What another session is owed is no business of one that is open, whether it has had it or not;
 * but one that connects gets all. */
static void also_with_another_slow_device(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++)
        random_run(seed,
                   (struct chances){.others = seed % 3 == 0 ? 60 : 15,
                                    .short_page = seed % 2 ? 30 : 0,
                                    .other_device = seed % 5 == 0 ? 5 : 0,
                                    .replay = seed % 4 == 0 ? 5 : 0,
                                    .tcp = seed % 2},
                   false);
}

static void repeats_at_most_when_logics_overtake_each_other_or_the_lease_lapses(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++)
        random_run(seed,
                   (struct chances){.overtake = 3,
                                    .refetch = 2,
                                    .replay = 3,
                                    .store_fails = 10,
                                    .fetch_fails = 10,
                                    .others = seed % 3 * 20,
                                    .tcp = seed % 2},
                   true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_arrives_once_in_order_whatever_happens),
        cmocka_unit_test(also_when_the_mailbox_often_fails),
        cmocka_unit_test(also_when_the_mailbox_is_away_all_the_time),
        cmocka_unit_test(also_when_pages_are_short),
        cmocka_unit_test(also_with_another_device_and_replays),
        cmocka_unit_test(also_with_another_slow_device),
        cmocka_unit_test(repeats_at_most_when_logics_overtake_each_other_or_the_lease_lapses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* An acknowledged session: whatever happens, and in whatever order, the client sees every message
 * once, in order, and the mailbox is empty when it has acknowledged all. */
#include "tests/unit/comet/session/session_fixture.h"

/* All that was sent has been acknowledged, and confirmed. */
static void also_the_books_balance(void)
{
    assert_int_equal(w.counters[COMET_ACK_SENT], w.n_written);
    assert_int_equal(w.counters[COMET_ACKED], w.n_written);
    assert_int_equal(w.counters[COMET_ACK_LEFT], 0);
    assert_int_equal(w.counters[COMET_ACK_SESSIONS], 0);
    assert_int_equal(w.out, 0);
}

static void acked_run(unsigned seed, struct chances chance, bool repeats)
{
    chance.acks = seed % 3 == 0 ? 5 : 40;
    random_run(seed, chance, repeats);
    also_the_books_balance();
}

static void every_message_arrives_once_in_order_whatever_happens(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++)
        acked_run(seed, (struct chances){.fetch_fails = seed % 2 ? 30 : 0}, false);
}

static void also_when_pages_are_short(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++)
        acked_run(seed, (struct chances){.short_page = 40}, false);
}

static void also_when_the_mailbox_is_away_all_the_time(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++)
        acked_run(seed, (struct chances){.no_mailbox = true}, false);
}

static void also_with_another_device_and_replays(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++)
        acked_run(seed, (struct chances){.other_device = 5, .replay = 5}, false);
}

static void also_with_another_slow_device(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++)
        acked_run(seed, (struct chances){.others = seed % 3 == 0 ? 60 : 15}, false);
}

static void repeats_at_most_when_logics_overtake_each_other_or_the_lease_lapses(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++)
        acked_run(seed,
                  (struct chances){.overtake = 3,
                                   .refetch = 2,
                                   .replay = 3,
                                   .lapse = seed % 2 ? 2 : 0,
                                   .registered = 20,
                                   .fetch_fails = 10,
                                   .others = seed % 2 ? 0 : 20},
                  true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_arrives_once_in_order_whatever_happens),
        cmocka_unit_test(also_when_pages_are_short),
        cmocka_unit_test(also_when_the_mailbox_is_away_all_the_time),
        cmocka_unit_test(also_with_another_device_and_replays),
        cmocka_unit_test(also_with_another_slow_device),
        cmocka_unit_test(repeats_at_most_when_logics_overtake_each_other_or_the_lease_lapses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

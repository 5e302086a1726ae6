/* On a real Redis: what a device is owed waits for that device, up to mailbox.limit_acked; and the
 * newest message with a collapse key takes the place of the former one. */
#include "tests/unit/logic/mailbox/mailbox_fixture.h"

static void store_for(enum mailbox_by by, uint64_t number, const char *devices)
{
    store_put(&(struct mailbox_put){.by = by, .devices = devices}, number);
}

static void store_collapsing(uint64_t number, const char *key, const char *owed,
                             const char *devices)
{
    store_put(
        &(struct mailbox_put){
            .by = MAILBOX_SETTLE, .owed = owed, .devices = devices, .collapse = key},
        number);
}

static long long devices_owed(void)
{
    return redis_server_do(&server, "HLEN imc:mb:42:devices");
}

/* The numbers of the messages that a session which connects on KEY's device is given first. */
static void first_page(const char *key, size_t n, uint64_t first, uint64_t last)
{
    memset(&got, 0, sizeof got);
    mailbox_first(&logic, UID, key, on_page, NULL);
    wait_for(1);
    assert_int_equal(got.err, 0);
    assert_int_equal(got.n, n);
    if (n > 0)
        assert_true(got.ids[0] == first && got.ids[n - 1] == last);
}

/* --- devices --- */

static void what_a_device_is_owed_waits_for_it(void **state)
{
    (void)state;
    store_for(MAILBOX_SETTLE, 1, "/a");
    store(MAILBOX_SETTLE, 2, NULL);
    first_page("/b", 2, 1, 2); /* nobody has had them */
    device = "/b";
    confirm("c/1", 1, 2);
    assert_int_equal(got.n, 0); /* no session's place was taken */
    assert_left(1, 0);
    assert_int_equal(counters[LOGIC_CONFIRMED_KEPT], 1);
    first_page("/b", 0, 0, 0); /* not again */
    first_page("", 0, 0, 0);
    first_page("/c", 0, 0, 0);
    first_page("/a", 1, 1, 1);
    device = "/a";
    confirm("c/2", 1, 1);
    assert_left(0, 0);
    assert_int_equal(devices_owed(), 0);
    assert_int_equal(counters[LOGIC_CONFIRMED], 2);
}

static void each_device_confirms_for_itself(void **state)
{
    (void)state;
    store_for(MAILBOX_SETTLE, 1, "/a");
    store_for(MAILBOX_OWE, 1, "/a /b");
    assert_int_equal(counters[LOGIC_STORED_AGAIN], 0);
    device = "/b";
    confirm("c/1", 1, 1);
    confirm("c/1", 1, 1); /* repeated by another logic */
    assert_left(1, 0);
    fetch(0, "c/1");
    assert_int_equal(got.n, 0);
    device = "/a";
    fetch(0, "c/2");
    assert_int_equal(got.n, 1);
    confirm("c/2", 1, 1);
    assert_left(0, 0);
    assert_int_equal(counters[LOGIC_CONFIRMED], 1);
}

static void sessions_and_devices_beside_each_other(void **state)
{
    (void)state;
    store_put(&(struct mailbox_put){.by = MAILBOX_OWE, .owed = "c/1 c/2", .devices = "/a"}, 1);
    assert_left(1, 1);
    assert_int_equal(devices_owed(), 1);
    first_page("/b", 1, 1, 1); /* c/1 may be what this device had before */
    device = "/b";
    confirm("c/3", 1, 1);
    assert_int_equal(got.n, 1);
    assert_string_equal(got.owed, "c/1 c/2"); /* no device is asked for: it may come back */
    waive("c/1 c/2", 1, 1);
    assert_left(1, 0);
    first_page("/b", 0, 0, 0);
    first_page("/a", 1, 1, 1);
    device = "/a";
    confirm("c/4", 1, 1);
    assert_left(0, 0);
}

static void a_session_that_left_waives_nothing_for_its_device(void **state)
{
    (void)state;
    store_for(MAILBOX_OWE, 1, "/a");
    waive("c/1", 1, 1);
    assert_int_equal(devices_owed(), 1);
    device = "/a"; /* the session is there, and does not take such messages */
    waive("c/1", 1, 1);
    assert_left(1, 0); /* nobody has had it */
    assert_int_equal(devices_owed(), 0);
    first_page("/b", 1, 1, 1);
}

/* Between the first store and the next it was confirmed by the one session that it would be owed
 * to. */
static void not_owed_to_whom_has_had_it(void **state)
{
    (void)state;
    store_for(MAILBOX_SETTLE, 1, "/a");
    device = "/b";
    confirm("c/1", 1, 1);
    store(MAILBOX_OWE_IF_THERE, 1, "c/1");
    assert_left(1, 0);
    store_for(MAILBOX_SETTLE, 2, "/a");
    store(MAILBOX_OWE_IF_THERE, 2, "c/1");
    assert_left(2, 1);
}

static void what_devices_are_owed_is_trimmed_at_a_limit_of_its_own(void **state)
{
    (void)state;
    for (uint64_t number = 1; number <= LIMIT_ACKED; number++)
        store_for(MAILBOX_SETTLE, number, "/a");
    assert_int_equal(devices_owed(), LIMIT_ACKED);
    assert_int_equal(counters[LOGIC_TRIMMED_ACKED], 0);
    store(MAILBOX_OWE, 2, "c/1");
    store_for(MAILBOX_SETTLE, 7, "/b"); /* one more, of whatever device */
    assert_int_equal(devices_owed(), LIMIT_ACKED);
    assert_int_equal(counters[LOGIC_TRIMMED_ACKED], 1);
    store_for(MAILBOX_SETTLE, 8, "/b"); /* the second is owed to a session, too */
    assert_int_equal(devices_owed(), LIMIT_ACKED);
    assert_int_equal(counters[LOGIC_TRIMMED_ACKED], 1);
    assert_left(7, 1);
    store_for(MAILBOX_OWE, 8, "/c"); /* no more of them */
    assert_int_equal(devices_owed(), LIMIT_ACKED);
    assert_int_equal(counters[LOGIC_TRIMMED], 0);
}

/* Beside what devices are owed, mailbox.limit holds for the rest. */
static void trimming_leaves_what_devices_are_owed(void **state)
{
    (void)state;
    store(MAILBOX_SETTLE, 1, NULL);
    store_for(MAILBOX_SETTLE, 2, "/a");
    store_for(MAILBOX_SETTLE, 3, "/a");
    for (uint64_t number = 4; number <= LIMIT + 2; number++)
        store(MAILBOX_SETTLE, number, NULL);
    trim(LIMIT + 2);
    assert_int_equal(counters[LOGIC_TRIMMED], 0);
    store(MAILBOX_SETTLE, LIMIT + 3, NULL);
    trim(LIMIT + 2); /* the newest does not count */
    assert_int_equal(counters[LOGIC_TRIMMED], 0);
    trim(LIMIT + 3);
    assert_int_equal(counters[LOGIC_TRIMMED], 1);
    fetch(0, NULL);
    assert_true(got.ids[0] == 2 && got.ids[1] == 3 && got.ids[2] == 4);
    assert_left(LIMIT + 2, 0);
    assert_int_equal(devices_owed(), 2);
}

static void long_mailboxes_are_trimmed_likewise(void **state)
{
    (void)state;
    config.mailbox_limit_spilled = config.mailbox_limit_acked = 200;
    for (uint64_t number = 10; number < 100; number++)
        store_for(MAILBOX_SETTLE, number, number % 3 != 0 ? "/a" : NULL);
    trim(99);
    assert_int_equal(counters[LOGIC_TRIMMED], 30 - LIMIT);
    assert_left(60 + LIMIT, 0);
    assert_int_equal(devices_owed(), 60);
    config.mailbox_limit_spilled = LIMIT_SPILLED;
    config.mailbox_limit_acked = LIMIT_ACKED;
}

static void all_of_it_leaves_with_the_message(void **state)
{
    (void)state;
    for (uint64_t number = 1; number <= 5; number++)
        store_collapsing(number, number == 5 ? "k" : NULL, "c/1", "/a");
    assert_true(redis_server_do(&server, "PTTL imc:mb:42:devices") > 0);
    memset(&got, 0, sizeof got);
    mailbox_confirm_upto(&logic, UID, id_of(5), on_done, NULL);
    wait_for(1);
    assert_int_equal(redis_server_do(&server, "EXISTS imc:mb:42 imc:mb:42:owed imc:mb:42:devices "
                                              "imc:mb:42:collapse"),
                     0);
    assert_int_equal(counters[LOGIC_CONFIRMED], 5);
}

/* --- collapse --- */

static void the_newest_with_a_key_stays(void **state)
{
    (void)state;
    store_collapsing(1, "score", NULL, NULL);
    store_collapsing(2, "other", NULL, NULL);
    store(MAILBOX_SETTLE, 3, NULL);
    store_collapsing(4, "score", NULL, NULL);
    assert_left(3, 0);
    assert_int_equal(counters[LOGIC_REPLACED], 1);
    store_collapsing(4, "score", NULL, NULL); /* again */
    assert_left(3, 0);
    store_collapsing(1, "score", NULL, NULL); /* the former one, read from the bus again */
    assert_left(3, 0);
    assert_int_equal(counters[LOGIC_STORED_AGAIN], 2);
    store_collapsing(11, "score", NULL, NULL);
    assert_left(3, 0);
    assert_int_equal(counters[LOGIC_REPLACED], 2);
    fetch(0, NULL);
    assert_true(got.ids[0] == 2 && got.ids[1] == 3 && got.ids[2] == 11);
    confirm("c/1", 2, 11);
    assert_int_equal(redis_server_do(&server, "EXISTS imc:mb:42:collapse"), 0);
    assert_int_equal(counters[LOGIC_STORED_SETTLE], counters[LOGIC_CONFIRMED] + 2);
}

static void who_lacks_the_former_one_is_owed_the_newer_one(void **state)
{
    (void)state;
    store_collapsing(1, "score", "c/1 c/2", "/a /b");
    device = "/b";
    confirm("c/1", 1, 1);
    store_collapsing(2, "score", "c/3", NULL);
    assert_left(1, 1);
    device = NULL;
    confirm("c/2", 2, 2);
    confirm("c/3", 2, 2);
    assert_left(1, 0);
    first_page("/a", 1, 2, 2);
    first_page("/b", 0, 0, 0);
    device = "/a";
    confirm("c/4", 2, 2);
    assert_left(0, 0);
}

/* A client may come with another key each time, and acknowledge nothing. */
static void who_is_owed_it_does_not_add_up(void **state)
{
    char key[200];

    (void)state;
    for (uint64_t number = 1; number <= 150; number++) {
        memset(key, 'x', sizeof key);
        (void)snprintf(key, sizeof key, "/%03d", (int)number);
        key[4] = 'x';
        key[sizeof key - 1] = '\0';
        store_collapsing(number, "score", NULL, key);
    }
    assert_left(1, 0);
    assert_in_range(
        redis_server_do(&server,
                        "EVAL return(#redis.call('HVALS',KEYS[1])[1]) 1 imc:mb:42:devices"),
        16384, 16384 + sizeof key);
    first_page(key, 1, 150, 150); /* who came last is remembered */
}

static void what_has_left_is_replaced_no_more(void **state)
{
    (void)state;
    store_collapsing(1, "score", NULL, NULL);
    confirm("c/1", 1, 1);
    store(MAILBOX_SETTLE, 2, NULL);
    store_collapsing(3, "score", NULL, NULL);
    assert_left(2, 0);
    assert_int_equal(counters[LOGIC_REPLACED], 0);
    for (uint64_t number = 4; number <= LIMIT_SPILLED + 3; number++) /* 2 and 3 are trimmed */
        store(MAILBOX_SETTLE, number, NULL);
    assert_int_equal(redis_server_do(&server, "EXISTS imc:mb:42:collapse"), 0);
    assert_int_equal(counters[LOGIC_TRIMMED], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_a_device_is_owed_waits_for_it, clear),
        cmocka_unit_test_setup(each_device_confirms_for_itself, clear),
        cmocka_unit_test_setup(sessions_and_devices_beside_each_other, clear),
        cmocka_unit_test_setup(a_session_that_left_waives_nothing_for_its_device, clear),
        cmocka_unit_test_setup(not_owed_to_whom_has_had_it, clear),
        cmocka_unit_test_setup(what_devices_are_owed_is_trimmed_at_a_limit_of_its_own, clear),
        cmocka_unit_test_setup(trimming_leaves_what_devices_are_owed, clear),
        cmocka_unit_test_setup(long_mailboxes_are_trimmed_likewise, clear),
        cmocka_unit_test_setup(all_of_it_leaves_with_the_message, clear),
        cmocka_unit_test_setup(the_newest_with_a_key_stays, clear),
        cmocka_unit_test_setup(who_lacks_the_former_one_is_owed_the_newer_one, clear),
        cmocka_unit_test_setup(who_is_owed_it_does_not_add_up, clear),
        cmocka_unit_test_setup(what_has_left_is_replaced_no_more, clear),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}

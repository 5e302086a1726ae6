/* Pushes to some devices of a user. */
#include "tests/unit/logic/push/lanes_fixture.h"

/* Answers look-up I: the user has sessions with these keys. */
static void answer_keys(int i, const char *const *keys, size_t n, bool complete)
{
    static Imc__V1__Session sessions[8], *list[8];
    static int reply;

    for (size_t k = 0; k < n; k++) {
        imc__v1__session__init(&sessions[k]);
        sessions[k].comet = (char *)(uintptr_t) "comet-1";
        sessions[k].handle = k;
        sessions[k].key = (char *)(uintptr_t)keys[k];
        list[k] = &sessions[k];
    }
    struct router_answer answer = {
        .result = ROUTER_OK,
        .complete = complete,
        .n_sessions = n,
        .sessions = list,
        .reply = (struct router_reply *)(void *)&reply,
    };
    lookups[i].fn(lookups[i].arg, &answer);
}

static void only_sessions_with_the_keys_are_hinted(void **state)
{
    static const char *const wanted[] = {"a", "b"};
    const struct push_keys keys[] = {{wanted, 2}, {wanted + 1, 1}, {wanted, 1}};

    (void)state;
    push_keys(&logic, &message, &(struct push_users){3, (int64_t[]){7, 8, 9}, keys}, on_pushed,
              NULL);
    answer_keys(0, (const char *const[]){"", "b", "c", "a", "b"}, 5, true);
    answer_keys(1, (const char *const[]){"a", "bb"}, 2, true);
    answer_keys(2, (const char *const[]){"", "b"}, 2, false);
    assert_int_equal(n_produced, 3);
    const Imc__V1__PushMsg *first = produced[0].envelope;
    assert_string_equal(produced[0].key, "7"); /* in order with all of the user's messages */
    assert_true(first->has_uid && first->uid == 7 && !first->away);
    assert_int_equal(first->n_keys, 2);
    assert_string_equal(first->keys[0], "a");
    assert_string_equal(first->keys[1], "b");
    assert_int_equal(first->n_hints, 3);
    assert_int_equal(first->hints[0]->handle, 1);
    assert_int_equal(first->hints[1]->handle, 3);
    assert_int_equal(first->hints[2]->handle, 4);
    const Imc__V1__PushMsg *second = produced[1].envelope;
    assert_int_equal(second->n_keys, 1);
    assert_int_equal(second->n_hints, 0);
    assert_true(second->away); /* only other devices are there */
    assert_false(produced[2].envelope->away);
    for (int i = 0; i < 3; i++)
        report(i, 0);
    turn();
    assert_int_equal(answered, 1);
}

static void a_device_that_is_away_counts_as_away_while_much_is_to_be_stored(void **state)
{
    static const char *const wanted[] = {"a"};
    const struct push_keys keys[] = {{wanted, 1}};
    struct job_backlog_report told = {.why = "", .used_permille = 900};

    (void)state;
    job_backlogs_take(logic.backlogs, "job-1", &told);
    push_keys(&logic, &message, &(struct push_users){1, (int64_t[]){7}, keys}, on_pushed, NULL);
    answer_keys(0, (const char *const[]){"b"}, 1, true);
    turn();
    assert_int_equal(answered, 1);
    assert_true(last.refused);
    assert_int_equal(n_produced, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_sessions_with_the_keys_are_hinted, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_device_that_is_away_counts_as_away_while_much_is_to_be_stored, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

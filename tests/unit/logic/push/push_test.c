#include "tests/unit/logic/push/lanes_fixture.h"

static void a_hint_that_makes_it_too_large_is_left_out(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        bus_most = i == 0 ? 70 : 1000000;
        push_uids(&logic, &message, (int64_t[]){-42}, 1, on_pushed, NULL);
        answer_lookup(i, "a comet with a name that is not short");
        assert_int_equal(produced[i].envelope->n_hints, i);
        assert_false(produced[i].envelope->away);
        report(i, 0);
    }
}

static void uid_message_goes_with_its_hint(void **state)
{
    (void)state;
    push_uids(&logic, &message, (int64_t[]){-42}, 1, on_pushed, NULL);
    assert_int_equal(n_produced, 0);
    answer_lookup(0, "comet-1");
    assert_int_equal(n_produced, 1);
    Imc__V1__PushMsg *envelope = produced[0].envelope;
    assert_string_equal(produced[0].key, "-42");
    assert_true(envelope->has_uid && envelope->uid == -42 && envelope->expires_ms == 77);
    assert_int_equal(envelope->type, IMC__V1__PUSH_MSG__TYPE__PUSH);
    assert_int_equal(envelope->n_hints, 1);
    assert_string_equal(envelope->hints[0]->comet, "comet-1");
    assert_memory_equal(envelope->msg.data, "hello", 5);
    turn();
    assert_int_equal(answered, 0); /* not before the bus has it */
    report(0, 0);
    turn();
    assert_int_equal(answered, 1);
    assert_int_equal(last.n_failed, 0);
    assert_int_equal(counters[LOGIC_ACCEPTED_UID], 1);
    assert_int_equal(counters[LOGIC_PRODUCED_UID], 1);
}

/* One that may be lost must not be taken for delivered because another session has it. */
static void it_is_stored_first_if_one_of_several_sessions_acknowledges(void **state)
{
    static const struct {
        size_t n;
        bool acked, stored;
    } cases[] = {{1, false, false}, {1, true, false}, {2, false, false}, {2, true, true}};
    struct push_message any = message;

    (void)state;
    for (int i = 0; i < 4; i++) {
        Imc__V1__Session session, acked, *sessions[] = {&acked, &session};
        imc__v1__session__init(&session);
        imc__v1__session__init(&acked);
        session.comet = acked.comet = (char *)(uintptr_t) "comet-1";
        acked.acked = cases[i].acked;
        push_uids(&logic, &message, (int64_t[]){7}, 1, on_pushed, NULL);
        lookups[i].fn(lookups[i].arg, &(struct router_answer){.result = ROUTER_OK,
                                                              .complete = true,
                                                              .n_sessions = cases[i].n,
                                                              .sessions = sessions});
        assert_int_equal(produced[i].envelope->store_first, cases[i].stored);
        report(i, 0);
    }
    any.any = true;
    push_uids(&logic, &any, (int64_t[]){7}, 1, on_pushed, NULL);
    Imc__V1__Session session, *sessions[] = {&session, &session};
    imc__v1__session__init(&session);
    lookups[4].fn(lookups[4].arg, &(struct router_answer){.result = ROUTER_OK,
                                                          .complete = true,
                                                          .n_sessions = 2,
                                                          .sessions = sessions});
    assert_true(produced[4].envelope->any && produced[4].envelope->store_first);
    report(4, 0);
}

/* Of those that it replaces one may wait in the mailbox, whoever is there now. */
static void with_a_collapse_key_it_is_stored_first(void **state)
{
    struct push_message collapsing = message;
    Imc__V1__Session session, *sessions[] = {&session};

    (void)state;
    collapsing.collapse = "score";
    imc__v1__session__init(&session);
    for (int i = 0; i < 2; i++) {
        push_uids(&logic, &collapsing, (int64_t[]){7}, 1, on_pushed, NULL);
        lookups[i].fn(lookups[i].arg, &(struct router_answer){.result = ROUTER_OK,
                                                              .complete = true,
                                                              .n_sessions = (size_t)i,
                                                              .sessions = sessions});
        assert_string_equal(produced[i].envelope->collapse, "score");
        assert_int_equal(produced[i].envelope->store_first,
                         i == 1); /* without hints it is anyway */
        report(i, 0);
    }
}

/* The heart of "order per uid is the order of acceptance". */
static void lookups_out_of_order_change_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        push_uids(&logic, &message, (int64_t[]){7}, 1, on_pushed, NULL);
    push_uids(&logic, &message, (int64_t[]){8}, 1, on_pushed, NULL);
    answer_lookup(2, "third");
    answer_lookup(1, NULL);
    assert_int_equal(n_produced, 0);
    answer_lookup(3, "other"); /* another uid does not wait */
    assert_int_equal(n_produced, 1);
    assert_string_equal(produced[0].key, "8");
    answer_lookup(0, "first");
    assert_int_equal(n_produced, 4);
    assert_string_equal(produced[1].envelope->hints[0]->comet, "first");
    assert_int_equal(produced[2].envelope->n_hints, 0);
    assert_string_equal(produced[3].envelope->hints[0]->comet, "third");
    assert_true(produced[1].envelope->id < produced[2].envelope->id);
    assert_true(produced[2].envelope->id < produced[3].envelope->id);
    for (int i = 0; i < 4; i++)
        report(i, 0);
    turn();
    assert_int_equal(answered, 4);
}

static void many_uids_one_answer(void **state)
{
    (void)state;
    push_uids(&logic, &message, (int64_t[]){1, 2, 3}, 3, on_pushed, NULL);
    for (int i = 0; i < 3; i++)
        answer_lookup(i, NULL);
    report(2, 0);
    report(0, 0);
    turn();
    assert_int_equal(answered, 0);
    report(1, -EIO);
    turn();
    assert_int_equal(answered, 1);
    assert_int_equal(last.n, 3);
    assert_int_equal(last.n_failed, 1);
    assert_true(!last_failed[0] && last_failed[1] && !last_failed[2]);
    assert_int_equal(counters[LOGIC_ACCEPTED_UID],
                     counters[LOGIC_PRODUCED_UID] + counters[LOGIC_FAILED_UID]);
    assert_int_equal(counters[LOGIC_UNHINTED], 3);
}

/* job puts off only those who are known to be away. */
static void away_is_not_unknown(void **state)
{
    (void)state;
    push_uids(&logic, &message, (int64_t[]){1, 2, 3}, 3, on_pushed, NULL);
    answer_lookup(0, NULL);
    answer_in_vain(1);
    answer_lookup(2, "comet-1");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(produced[i].envelope->away, i == 0);
        assert_int_equal(produced[i].envelope->n_hints, i == 2);
        report(i, 0);
    }
}

static void no_broker_is_a_failure(void **state)
{
    (void)state;
    produce_err = -EAGAIN;
    push_room(&logic, &message, "7", on_pushed, NULL);
    assert_int_equal(answered, 0); /* never before the call returns */
    turn();
    assert_int_equal(answered, 1);
    assert_int_equal(last.n_failed, 1);
    assert_int_equal(counters[LOGIC_FAILED_ROOM], 1);
}

static void rooms_and_everybody(void **state)
{
    (void)state;
    push_room(&logic, &message, "live://7", on_pushed, NULL);
    push_all(&logic, &message, 100, on_pushed, NULL);
    assert_int_equal(n_lookups, 0);
    assert_string_equal(produced[0].key, "live://7");
    assert_string_equal(produced[0].envelope->room, "live://7");
    assert_int_equal(produced[0].envelope->type, IMC__V1__PUSH_MSG__TYPE__ROOM);
    assert_false(produced[0].envelope->has_uid);
    assert_string_equal(produced[1].key, "all");
    assert_int_equal(produced[1].envelope->type, IMC__V1__PUSH_MSG__TYPE__BROADCAST);
    assert_int_equal(produced[1].envelope->speed, 100);
    report(0, 0);
    report(1, 0);
    turn();
    assert_int_equal(answered, 2);
    assert_int_equal(counters[LOGIC_PRODUCED_ROOM], 1);
    assert_int_equal(counters[LOGIC_PRODUCED_ALL], 1);
}

static void nobody_is_answered_too(void **state)
{
    (void)state;
    push_uids(&logic, &message, NULL, 0, on_pushed, NULL);
    assert_int_equal(answered, 0);
    turn();
    assert_int_equal(answered, 1);
    assert_int_equal(last.n_failed, 0);
}

/* --- many users --- */

static void push_to(int64_t first, size_t n)
{
    int64_t *uids = mem_alloc(n * sizeof *uids);

    for (size_t i = 0; i < n; i++)
        uids[i] = first + (int64_t)i;
    push_uids(&logic, &message, uids, n, on_pushed, NULL);
    free(uids);
}

/* Each was asked for once, and is answered in the order it was asked for. */
static void answer_lookups(int *from, int to)
{
    while (*from < to)
        answer_lookup((*from)++, NULL);
}

static void lookups_of_a_large_call_let_others_in(void **state)
{
    (void)state;
    int looked_up = 0, reported = 0;

    push_to(1, 1500);
    assert_int_equal(n_lookups, 1024);
    push_to(10001, 300); /* large, too */
    assert_int_equal(n_lookups, 1024);
    push_to(20001, 1); /* not, and does not wait */
    assert_int_equal(n_lookups, 1025);
    assert_int_equal(lookups[1024].uid, 20001);
    answer_lookups(&looked_up, 512);
    assert_int_equal(n_lookups, 1025 + 512);
    size_t second = 0;
    for (int i = 1025; i < n_lookups; i++)
        second += lookups[i].uid > 10000;
    assert_int_equal(second, 256); /* each in turn */
    while (looked_up < n_lookups)
        answer_lookups(&looked_up, n_lookups);
    assert_int_equal(n_lookups, 1801);
    for (int turns = 0; answered < 3 && turns < 50; turns++) {
        turn();
        while (reported < n_produced)
            report(reported++, 0);
    }
    assert_int_equal(answered, 3);
    assert_int_equal(n_produced, 1801);
}

/* logic stops: neither routers nor bus are there any more. */
static void what_is_not_looked_up_yet_fails_at_the_end(void **state)
{
    (void)state;
    struct routers *before = logic.routers;

    push_to(1, 3000);
    logic.routers = NULL;
    logic.bus = NULL;
    for (int i = 0; i < 1024; i++)
        answer_in_vain(i);
    for (int turns = 0; answered == 0 && turns < 50; turns++)
        turn();
    logic.routers = before;
    logic.bus = (struct kafka_producer *)(void *)&producer;
    assert_int_equal(n_lookups, 1024);
    assert_int_equal(n_produced, 0);
    assert_int_equal(answered, 1);
    assert_int_equal(last.n_failed, 3000);
}

/* --- many bytes --- */

static struct push_message large_message(size_t len)
{
    static uint8_t *body;

    free(body);
    body = mem_zalloc(len);
    return (struct push_message){.op = 5, .body = body, .len = len};
}

static void look_up_all(int from, int to)
{
    for (int i = from; i < to; i++)
        answer_lookup(i, NULL);
}

static void report_all(int *from)
{
    while (*from < n_produced)
        report((*from)++, 0);
}

/* A slice is a megabyte. */
static void a_call_for_many_goes_in_slices_and_lets_others_in(void **state)
{
    (void)state;
    const struct push_message large = large_message(600000);
    push_uids(&logic, &large, (int64_t[]){1, 2, 3, 4, 5, 6, 7}, 7, on_pushed, NULL);
    look_up_all(0, 7);
    assert_int_equal(n_produced, 2);
    push_uids(&logic, &message, (int64_t[]){100}, 1, on_pushed, NULL);
    push_uids(&logic, &message, (int64_t[]){7}, 1, on_pushed, NULL); /* not before the seventh */
    look_up_all(7, 9);
    int reported = 0, turns = 0;
    while (answered < 3 && turns < 20) {
        turn();
        assert_true(n_produced <= 2 + 3 * ++turns);
        report_all(&reported);
    }
    assert_int_equal(n_produced, 9);
    assert_true(turns >= 3);
    int place[8] = {0};
    for (int i = 0; i < n_produced; i++) {
        if (strcmp(produced[i].key, "100") == 0)
            assert_true(i <= 4); /* each call in turn */
        if (strcmp(produced[i].key, "7") == 0)
            place[produced[i].envelope->msg.len == 5] = i;
    }
    assert_true(place[0] < place[1]);
    (void)large_message(1);
}

static void no_more_is_packed_than_the_bus_takes(void **state)
{
    (void)state;
    const struct push_message large = large_message(12 << 20);
    push_uids(&logic, &large, (int64_t[]){1, 2, 3, 4, 5}, 5, on_pushed, NULL);
    look_up_all(0, 5);
    for (int i = 0; i < 10; i++)
        turn();
    assert_int_equal(n_produced, 3); /* 36 MB */
    report(0, 0);
    for (int i = 0; i < 10; i++)
        turn();
    assert_int_equal(n_produced, 4);
    report(1, -EIO); /* then the others are not tried */
    turn();
    assert_int_equal(n_produced, 4);
    report(2, 0);
    report(3, 0);
    turn();
    assert_int_equal(answered, 1);
    assert_int_equal(last.n_failed, 2);
    assert_true(last_failed[1] && last_failed[4]);
    assert_int_equal(counters[LOGIC_ACCEPTED_UID],
                     counters[LOGIC_PRODUCED_UID] + counters[LOGIC_FAILED_UID]);
    (void)large_message(1);
}

/* --- too much to store --- */

static void jobs_tell(uint32_t used_permille)
{
    struct job_backlog_report backlog = {.why = ""};

    backlog.used_permille = used_permille;
    job_backlogs_take(logic.backlogs, "job-1", &backlog);
}

static void with_a_backlog_who_is_away_is_refused_whole(void **state)
{
    (void)state;
    jobs_tell(800);
    push_uids(&logic, &message, (int64_t[]){1, 2, 3}, 3, on_pushed, NULL);
    answer_lookup(0, "comet-1");
    answer_lookup(1, NULL);
    turn();
    assert_int_equal(n_produced + answered, 0); /* not before all are known */
    answer_lookup(2, "comet-1");
    turn();
    assert_int_equal(n_produced, 0);
    assert_int_equal(answered, 1);
    assert_true(last.refused && last.n_failed == 3);
    assert_int_equal(counters[LOGIC_ACCEPTED_UID] + counters[LOGIC_FAILED_UID], 0);
}

static void with_a_backlog_who_is_there_gets_his_in_order(void **state)
{
    (void)state;
    push_uids(&logic, &message, (int64_t[]){1}, 1, on_pushed, NULL);
    jobs_tell(800);
    push_uids(&logic, &message, (int64_t[]){1, 2}, 2, on_pushed, NULL);
    push_uids(&logic, &message, (int64_t[]){3, 1}, 2, on_pushed, NULL); /* 3 is away */
    jobs_tell(799);
    push_uids(&logic, &message, (int64_t[]){1}, 1, on_pushed, NULL);
    for (int i = 6; i-- > 1;)
        answer_lookup(i, i == 3 ? NULL : i == 5 ? "last" : "comet-1");
    assert_int_equal(n_produced, 1);
    assert_string_equal(produced[0].key, "2");
    answer_lookup(0, "first");
    turn();
    assert_int_equal(n_produced, 4);
    assert_string_equal(produced[1].envelope->hints[0]->comet, "first");
    assert_string_equal(produced[3].envelope->hints[0]->comet, "last");
    assert_int_equal(answered, 1);
    assert_true(last.refused);
    for (int i = 0; i < 4; i++)
        report(i, 0);
    turn();
    assert_int_equal(answered, 4);
    assert_int_equal(counters[LOGIC_ACCEPTED_UID], 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_hint_that_makes_it_too_large_is_left_out, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(uid_message_goes_with_its_hint, setup, teardown),
        cmocka_unit_test_setup_teardown(lookups_out_of_order_change_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(many_uids_one_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(with_a_collapse_key_it_is_stored_first, setup, teardown),
        cmocka_unit_test_setup_teardown(it_is_stored_first_if_one_of_several_sessions_acknowledges,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(away_is_not_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(no_broker_is_a_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(rooms_and_everybody, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_is_answered_too, setup, teardown),
        cmocka_unit_test_setup_teardown(lookups_of_a_large_call_let_others_in, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_looked_up_yet_fails_at_the_end, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_call_for_many_goes_in_slices_and_lets_others_in, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(no_more_is_packed_than_the_bus_takes, setup, teardown),
        cmocka_unit_test_setup_teardown(with_a_backlog_who_is_away_is_refused_whole, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(with_a_backlog_who_is_there_gets_his_in_order, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

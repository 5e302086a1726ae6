/* Pushes to users who have sessions on goim's comets: what goes to goim's job, and what to ours. */
#include "common/redis/redis.h"
#include "logic/foreign/foreign.h"

/* In place of Redis, which the test answers. */
static struct {
    int64_t uid;
    foreign_find_fn fn;
    void *arg;
} finds[8];
static int n_finds;
static struct redis_clock redis; /* all that pushes ask of Redis */

void foreign_find(struct logic *logic, int64_t uid, foreign_find_fn fn, void *arg)
{
    (void)logic;
    finds[n_finds].uid = uid;
    finds[n_finds].fn = fn;
    finds[n_finds++].arg = arg;
}

/* needs the above, because it has a `logic` of its own */
#include "tests/unit/logic/push/lanes_fixture.h"

static bool server_lives;

static int setup_goim(void **state)
{
    n_finds = 0;
    server_lives = true;
    config.goim_comets = true;
    redis.loop = &loop;
    logic.redis = (struct redis *)(void *)&redis;
    bus_most = 1000000;
    return setup(state);
}

static void push_to(int64_t uid)
{
    push_uids(&logic, &message, &uid, 1, on_pushed, NULL);
}

/* Answers the question for sessions on goim's comets: some with these keys, each at its server. */
static void answer_find(int i, size_t n, const char *const (*sessions)[2])
{
    struct foreign_session found[8];

    for (size_t k = 0; k < n; k++)
        found[k] =
            (struct foreign_session){finds[i].uid, sessions[k][0], sessions[k][1], server_lives};
    finds[i].fn(finds[i].arg, 0, found, n);
}

static void answer_nobody(int i, bool complete)
{
    struct router_answer answer = {.result = ROUTER_OK, .complete = complete};

    lookups[i].fn(lookups[i].arg, &answer);
}

static void for_goim(int i, const char *server, size_t n_keys)
{
    const Imc__V1__PushMsg *envelope = produced[i].envelope;

    assert_string_equal(envelope->server, server);
    assert_int_equal(envelope->n_keys, n_keys);
    assert_int_equal(envelope->type, IMC__V1__PUSH_MSG__TYPE__PUSH);
    assert_int_equal(envelope->operation, 5);
    assert_false(envelope->has_uid);
    assert_memory_equal(envelope->msg.data, "hello", 5);
    assert_string_equal(produced[i].key, "7"); /* in order with all of the user's messages */
}

static void for_us(int i, bool away)
{
    const Imc__V1__PushMsg *envelope = produced[i].envelope;

    assert_string_equal(envelope->server, "");
    assert_true(envelope->has_uid && envelope->uid == 7);
    assert_int_equal(envelope->away, away);
}

static void report_all(int err)
{
    for (int i = 0; i < n_produced; i++)
        report(i, err);
    turn();
    assert_int_equal(answered, 1);
}

static void each_server_gets_its_keys_and_we_get_ours(void **state)
{
    (void)state;
    push_to(7);
    answer_lookup(0, "comet-1");
    assert_int_equal(n_produced, 0);
    answer_find(0, 3, (const char *const[][2]){{"a", "g1"}, {"b", "g1"}, {"c", "g2"}});
    assert_int_equal(n_produced, 3);
    for_goim(0, "g1", 2);
    assert_string_equal(produced[0].envelope->keys[1], "b");
    for_goim(1, "g2", 1);
    for_us(2, false);
    assert_int_equal(produced[2].envelope->n_hints, 1);
    assert_int_equal(counters[LOGIC_GOIM_SENT], 2);
    report(0, 0);
    report(2, 0);
    turn();
    assert_int_equal(answered, 0); /* not before Kafka has all of it */
    report(1, 0);
    turn();
    assert_int_equal(answered, 1);
    assert_int_equal(last.n_failed, 0);
}

static void who_is_only_there_gets_nothing_into_the_mailbox(void **state)
{
    (void)state;
    push_to(7);
    answer_find(0, 1, (const char *const[][2]){{"a", "g1"}});
    answer_nobody(0, true);
    assert_int_equal(n_produced, 1);
    for_goim(0, "g1", 1);
    report_all(0);
    assert_int_equal(last.n_failed, 0);
}

/* Then he may have sessions on our comets, too. */
static void while_routers_do_not_know_our_job_asks_again(void **state)
{
    (void)state;
    for (int how = 0; how < 2; how++) {
        push_to(7);
        answer_find(how, 1, (const char *const[][2]){{"a", "g1"}});
        if (how == 0)
            answer_nobody(how, false);
        else
            answer_in_vain(how);
        assert_int_equal(n_produced, 2 * how + 2);
        for_goim(2 * how, "g1", 1);
        for_us(2 * how + 1, false);
        report(2 * how, 0);
        report(2 * how + 1, 0);
        turn();
        assert_int_equal(answered, how + 1);
    }
}

/* goim's comet does not tell when it ends. */
static void who_may_be_nowhere_waits_with_us_too(void **state)
{
    (void)state;
    server_lives = false;
    push_to(7);
    answer_find(0, 1, (const char *const[][2]){{"a", "g1"}});
    answer_nobody(0, true);
    assert_int_equal(n_produced, 2);
    for_goim(0, "g1", 1);
    for_us(1, false);
    report_all(0);
}

static void who_is_not_there_waits_with_us(void **state)
{
    (void)state;
    push_to(7);
    answer_nobody(0, true);
    answer_find(0, 0, NULL);
    assert_int_equal(n_produced, 1);
    for_us(0, true);
    report_all(0);
}

static void redis_that_is_away_knows_nobody(void **state)
{
    (void)state;
    push_to(7);
    answer_nobody(0, true);
    finds[0].fn(finds[0].arg, -EAGAIN, NULL, 0);
    assert_int_equal(n_produced, 1);
    for_us(0, true);
    report_all(0);
}

static void only_sessions_with_the_keys_are_meant(void **state)
{
    static const char *const wanted[] = {"b", "c"};
    const struct push_keys keys[] = {{wanted, 2}};

    (void)state;
    push_keys(&logic, &message, &(struct push_users){1, (int64_t[]){7}, keys}, on_pushed, NULL);
    answer_nobody(0, true);
    answer_find(0, 3, (const char *const[][2]){{"a", "g1"}, {"b", "g2"}, {"d", "g3"}});
    assert_int_equal(n_produced, 1);
    for_goim(0, "g2", 1);
    assert_string_equal(produced[0].envelope->keys[0], "b");
    report_all(0);
}

static void keys_that_do_not_fit_go_in_another_message(void **state)
{
    (void)state;
    bus_most = 40;
    push_to(7);
    answer_nobody(0, true);
    answer_find(
        0, 5,
        (const char *const[][2]){
            {"key-1", "g1"}, {"key-2", "g1"}, {"key-3", "g1"}, {"key-4", "g1"}, {"key-5", "g1"}});
    size_t keys = 0;
    for (int i = 0; i < n_produced; i++) {
        size_t n = produced[i].envelope->n_keys;
        for_goim(i, "g1", n);
        assert_in_range(n, 1, 4);
        for (size_t k = 0; k < n; k++)
            assert_int_equal(produced[i].envelope->keys[k][4], '1' + (int)keys++);
    }
    assert_int_equal(keys, 5);
    assert_in_range(n_produced, 2, 5);
    report_all(0);
}

static void what_kafka_does_not_take_was_not_accepted(void **state)
{
    (void)state;
    push_to(7);
    answer_lookup(0, "comet-1");
    answer_find(0, 1, (const char *const[][2]){{"a", "g1"}});
    assert_int_equal(n_produced, 2);
    report(0, -EIO);
    report(1, 0);
    turn();
    assert_int_equal(answered, 1);
    assert_int_equal(last.n_failed, 1);
    produce_err = -EAGAIN;
    push_to(7);
    answer_nobody(1, true);
    answer_find(1, 1, (const char *const[][2]){{"a", "g1"}});
    turn();
    turn();
    assert_int_equal(answered, 2);
    assert_int_equal(last.n_failed, 1);
    assert_int_equal(n_produced, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_goim, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_server_gets_its_keys_and_we_get_ours),
        TEST(who_is_only_there_gets_nothing_into_the_mailbox),
        TEST(while_routers_do_not_know_our_job_asks_again),
        TEST(who_may_be_nowhere_waits_with_us_too),
        TEST(who_is_not_there_waits_with_us),
        TEST(redis_that_is_away_knows_nobody),
        TEST(only_sessions_with_the_keys_are_meant),
        TEST(keys_that_do_not_fit_go_in_another_message),
        TEST(what_kafka_does_not_take_was_not_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Two shards of Redis, of which one stores nothing: users of the other do not notice. */
#include "common/redis/redis.h"
#include "job/mailbox/lag_report.h"
#include "job/mailbox/mailbox_shard.h"
#include "tests/unit/job/core_fixture.h"

/* Users of the first shard are below, those of the second from there on. */
enum { BAD = 1000, USERS = 12 };
static struct redis *redis;
static int64_t good[USERS], bad[USERS];

static void users_find(int64_t from, size_t shard, int64_t users[USERS])
{
    struct message *message = mem_zalloc(sizeof *message);

    for (size_t n = 0; n < USERS; from++) {
        *message = (struct message){.uid = from};
        if (mailbox_shard(&bench.job, message) == shard)
            users[n++] = from;
    }
    free(message);
}

/* Nobody listens there: only the names count. */
static int setup_shards(void **state)
{
    const struct redis_options options = {
        .servers = "127.0.0.1:1,127.0.0.1:2", .password = "", .timeout_ms = 1000};

    setup(state);
    members_are(3, 0);
    assert_int_equal(redis_open(&bench.loop, &options, NULL, NULL, &redis), 0);
    job_parts_shards(&bench.job, redis);
    users_find(1, 0, good);
    users_find(BAD, 1, bad);
    members_are(3, 1);
    fake_logic_refuse(bench.logics[0], BAD, false);
    return 0;
}

static int teardown_shards(void **state)
{
    if (bench.partition_open)
        partition_free(&bench.partition);
    bench.partition_open = false;
    redis_close(redis);
    return teardown(state);
}

/* As job/kafka/reread.c does, from the lowest that may be read. */
static void read_again(void)
{
    struct offset_parked parked;

    windows_look(&bench.job.windows);
    if (!partition_parked(&bench.partition, &parked) ||
        !windows_may_return(&bench.job.windows, parked.shard))
        return;
    for (int64_t from = parked.offset; from < bench.offset; from++)
        dispatch_again(&bench.partition, from, from, bus[from].bytes, bus[from].len);
}

static bool all_settled(int64_t n)
{
    read_again();
    assert_in_range(bench.job.windows.shards[0].storing.count, 0, 8);
    assert_in_range(bench.job.windows.shards[1].storing.count, 0, 8);
    return counter(JOB_SETTLED) == n;
}

/* Each user's messages came in order. */
static void assert_order(const int64_t *users)
{
    for (int i = 0; i < USERS; i++) {
        char first[32];
        const char *text = seen;
        snprintf(first, sizeof first, "%lld/", (long long)users[i]);
        uint64_t id = 0;
        while ((text = strstr(text, first)) != NULL) {
            if (text == seen || text[-1] == ' ') {
                uint64_t next = strtoull(text + strlen(first), NULL, 10);
                assert_true(next >= id);
                id = next;
            }
            text++;
        }
        assert_int_not_equal(id, 0);
    }
}

static void users_of_the_other_shard_are_stored(void **state)
{
    (void)state;
    bench.config.settle_window = 16; /* eight each */
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < USERS; i++) {
            push(bad[i], AWAY);
            push(good[i], AWAY);
        }
    }
    wait_for(all_settled(2 * USERS));
    (void)logic_saw(0);
    assert_order(good);
    assert_int_equal(position(), 0);
    assert_int_equal(bench.job.windows.shards[0].parked, 0);
    assert_true(bench.job.windows.shards[1].parked >= 2 * USERS - 8);
    fake_logic_refuse(bench.logics[0], 0, false);
    wait_for(all_settled(4 * USERS));
    (void)logic_saw(0);
    assert_order(bad);
    assert_int_equal(position(), 4 * USERS);
    assert_int_equal(counter(JOB_PARKED_LOST), 0);
}

/* Logic waits for a shard that does not answer, and so does job for that batch. */
static void batches_of_a_shard_hold_up_no_others(void **state)
{
    char word[32];

    (void)state;
    fake_logic_refuse(bench.logics[0], BAD, true);
    bench.config.logic_timeout_ms = 60000;
    bench.config.logic_window = 1;
    members_are(3, 0);
    members_are(3, 1);
    push(good[0], AWAY);
    wait_for(counter(JOB_SETTLED) == 1); /* the stream is there */
    push(bad[0], AWAY);
    push(bad[1], AWAY);
    snprintf(word, sizeof word, "%lld/", (long long)bad[0]);
    wait_for(logic_has_seen(0, word));
    for (int i = 0; i < USERS; i++) {
        push(good[i], AWAY);
        wait_for(counter(JOB_SETTLED) == 2 + i);
    }
}

static void the_shard_that_stores_nothing_is_named(void **state)
{
    (void)state;
    push(bad[0], AWAY);
    for (int i = 0; i < 45; i++) {
        push(good[0], AWAY);
        turn_for(100);
        lag_report_look(&bench.job, 0, 0);
        assert_true(i > 20 || !bench.job.report.stalled);
    }
    assert_true(bench.job.report.stalled);
    assert_non_null(strstr(bench.job.report.why, "127.0.0.1:2"));
    fake_logic_refuse(bench.logics[0], 0, false);
    wait_for(counter(JOB_SETTLED) == 46);
    lag_report_look(&bench.job, 0, 0);
    assert_false(bench.job.report.stalled);
    assert_string_equal(bench.job.report.why, "");
}

int main(void)
{
#define shards_test(fn) cmocka_unit_test_setup_teardown(fn, setup_shards, teardown_shards)
    const struct CMUnitTest tests[] = {
        shards_test(users_of_the_other_shard_are_stored),
        shards_test(batches_of_a_shard_hold_up_no_others),
        shards_test(the_shard_that_stores_nothing_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a store leaves behind, on a real Redis: nothing that has ended, and, whoever stores when,
 * never more than mailbox.limit for a user who is away. */
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/events/event_types.h"
#include "common/redis/redis.h"
#include "logic/mailbox/mailbox.h"
#include "tests/unit/lib/clock.h"
#include "tests/unit/lib/redis_server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

enum { UID = 42, LIMIT = 20, LIMIT_SPILLED = 1000, TTL = 60000 };

static struct redis_server server;
static struct loop loop;
static _Atomic int64_t counters[LOGIC_METRIC_COUNT];
static struct logic_config config = {
    .mailbox_limit = LIMIT,
    .mailbox_limit_spilled = LIMIT_SPILLED,
    .mailbox_ttl_ms = TTL,
    .mailbox_page = 500,
    .mailbox_page_bytes = 1 << 20,
};
static struct logic logic = {.config = &config, .counters = counters, .loop = &loop};
static int calls, failures;

static void on_done(void *arg, int err)
{
    (void)arg;
    calls++;
    failures += err != 0;
}

static void wait_for(int wanted)
{
    while (calls < wanted)
        uv_run(&loop.uv, UV_RUN_ONCE);
    assert_int_equal(failures, 0);
}

static long long redis(const char *command)
{
    return redis_server_do(&server, command);
}

static long long waiting(void)
{
    return redis("ZCARD imc:mb:42");
}

/* A message of AGO_MS, that ends IN_MS from now (0: not by itself). */
static void store(uint64_t number, uint64_t ago_ms, int64_t in_ms, const char *owed)
{
    uint64_t now = time_unix_ms();
    struct mailbox_put put = {
        .by = owed != NULL ? MAILBOX_SPILL : MAILBOX_SETTLE,
        .uid = UID,
        .message = {.id = (now - ago_ms) << 22 | number,
                    .op = 5,
                    .expires_ms = in_ms != 0 ? now + (uint64_t)in_ms : 0},
        .owed = owed,
    };
    calls = 0;
    mailbox_store(&logic, &put, on_done, NULL);
    wait_for(1);
}

/* --- what is behind another --- */

static int last_err;

static void on_tried(void *arg, int err)
{
    (void)arg;
    calls++;
    last_err = err;
}

static int store_behind(uint64_t id, uint64_t behind)
{
    struct mailbox_put put = {
        .by = MAILBOX_SETTLE, .uid = UID, .message = {.id = id, .op = 5}, .behind = behind};
    calls = 0;
    mailbox_store(&logic, &put, on_tried, NULL);
    wait_for(1);
    return last_err;
}

/* Whoever reads in between must not find the newer one alone. */
static void nothing_is_stored_before_what_it_is_behind(void **state)
{
    (void)state;
    uint64_t first = time_unix_ms() << 22 | 7, second = first + 1, third = first + (5 << 22);
    assert_int_equal(store_behind(second, first), -ENOENT);
    assert_int_equal(redis("EXISTS imc:mb:42"), 0);
    assert_int_equal(store_behind(first, 0), 0);
    assert_int_equal(store_behind(third, second), -ENOENT); /* another one of that millisecond is */
    assert_int_equal(waiting(), 1);
    assert_int_equal(store_behind(second, first), 0);
    assert_int_equal(store_behind(third, second), 0);
    assert_int_equal(store_behind(third, second), 0); /* again */
    assert_int_equal(waiting(), 3);
    assert_int_equal(counters[LOGIC_STORED_SETTLE], 3);
    assert_int_equal(counters[LOGIC_STORE_FAILED], 0);
}

/* What is quicker for the first one must not differ. */
static void the_first_that_waits_is_as_any_other(void **state)
{
    (void)state;
    redis("HSET imc:mb:42:owed stale c/1"); /* outlived its set */
    redis("SET imc:soon:42 1");
    for (uint64_t n = 1; n <= 2; n++) {
        store(n, 20000, 0, NULL);
        assert_in_range(redis("PTTL imc:mb:42"), TTL - 25000, TTL - 20000);
        assert_int_equal(waiting(), n);
        assert_int_equal(counters[LOGIC_STORED_SETTLE], n);
    }
    assert_int_equal(redis("EXISTS imc:soon:42"), 0);
    store(3, 0, 0, "c/1"); /* what is owed goes beside what is not */
    assert_int_equal(waiting(), 3);
    assert_int_equal(counters[LOGIC_EXPIRED] + counters[LOGIC_TRIMMED], 0);
}

/* --- what is told --- */

static int fact_at(int index)
{
    char command[96];

    snprintf(command, sizeof command,
             "EVAL return(string.byte(redis.call('LINDEX','imc:facts',%d)or'-')) 0", index);
    return (int)redis(command);
}

static void tell(uint64_t id, enum event_type type)
{
    calls = 0;
    mailbox_tell(&logic, &(struct mailbox_fact){UID, id, type}, on_done, NULL);
    wait_for(1);
}

/* It is told of only while it is there, and so before what becomes of it. */
static void stored_is_told_before_its_end(void **state)
{
    (void)state;
    logic.event_types = 1U << EVENT_STORED | 1U << EVENT_EXPIRED;
    config.events_facts = 100;
    uint64_t ids[LIMIT + 1];
    for (size_t i = 0; i <= LIMIT; i++) {
        ids[i] = (time_unix_ms() << 22) + i;
        assert_int_equal(store_behind(ids[i], 0), 0);
    }
    tell(ids[0], EVENT_STORED);
    tell(ids[0] + LIMIT + 1,
         EVENT_STORED); /* is not there, although others of its millisecond are */
    calls = 0;
    mailbox_trim(&logic, UID, ids[LIMIT], on_done, NULL);
    wait_for(1);
    tell(ids[0], EVENT_STORED);
    assert_int_equal(redis("LLEN imc:facts"), 2);
    assert_int_equal(fact_at(0), 's');
    assert_int_equal(fact_at(1), 't');
    assert_true(mailbox_tells(&logic, EVENT_EXPIRED) && !mailbox_tells(&logic, EVENT_DELIVERED));
    logic.event_types = 0;
}

/* And what is there ends by itself. */
static void what_is_too_old_to_be_stored_is_told_once_at_most(void **state)
{
    (void)state;
    logic.event_types = 1U << EVENT_EXPIRED;
    uint64_t id = time_unix_ms() << 22;
    tell(id, EVENT_EXPIRED);
    assert_int_equal(redis("LLEN imc:facts"), 1);
    assert_int_equal(fact_at(0), 'e');
    assert_int_equal(store_behind(id, 0), 0);
    tell(id, EVENT_EXPIRED);
    assert_int_equal(redis("LLEN imc:facts"), 1);
    logic.event_types = 0;
}

/* A session had it for longer than it took a newer one to come. */
static void what_comes_behind_its_replacement_is_told(void **state)
{
    (void)state;
    logic.event_types = 1U << EVENT_EXPIRED;
    for (uint64_t n = 2; n >= 1; n--) {
        struct mailbox_put put = {.by = MAILBOX_SPILL,
                                  .uid = UID,
                                  .message = {.id = (time_unix_ms() << 22) + (n << 32), .op = 5},
                                  .collapse = "k"};
        calls = 0;
        mailbox_store(&logic, &put, on_done, NULL);
        wait_for(1);
    }
    assert_int_equal(waiting(), 1);
    assert_int_equal(redis("LLEN imc:facts"), 1);
    assert_int_equal(fact_at(0), 'r');
    logic.event_types = 0;
}

/* --- what has ended --- */

/* Until COUNTER is WANTED. */
static void wait_for_counter(enum logic_metric counter, int64_t wanted)
{
    while (counters[counter] < wanted)
        uv_run(&loop.uv, UV_RUN_ONCE);
    assert_int_equal(counters[counter], wanted);
}

static void a_sweep_counts_what_it_tells_of(void **state)
{
    (void)state;
    logic.event_types = 1U << EVENT_EXPIRED;
    config.events_facts = 100;
    store(1, 0, 0, NULL);
    for (uint64_t i = 2; i < 6; i++)
        store(i, 0, 100, "c/1");
    assert_int_equal(redis("ZCARD imc:ends"), 1);
    clock_move(150);
    mailbox_sweep(&logic, UID);
    wait_for_counter(LOGIC_EXPIRED, 4);
    assert_int_equal(redis("LLEN imc:facts"), 4);
    assert_int_equal(waiting(), 1);
    assert_int_equal(redis("ZCARD imc:ends"), 1);
    clock_move(TTL); /* the key lives an hour longer, so that the last one can be told, too */
    mailbox_sweep(&logic, UID);
    wait_for_counter(LOGIC_EXPIRED, 5);
    assert_int_equal(waiting(), 0);
    assert_int_equal(redis("ZCARD imc:ends"), 0);
    mailbox_sweep(&logic, UID); /* another logic has done it */
    store(6, 0, 0, NULL);       /* is answered after it */
    assert_int_equal(counters[LOGIC_EXPIRED], 5);
    logic.event_types = 0;
}

static void keys_live_as_long_as_what_is_in_them(void **state)
{
    (void)state;
    store(1, 0, 900, "c/1");
    assert_in_range(redis("PTTL imc:mb:42"), 1, 900);
    assert_in_range(redis("PTTL imc:mb:42:owed"), 1, 900);
    assert_in_range(redis("PTTL imc:soon:42"), 1, 900);
    store(2, 0, 5000, NULL);
    assert_in_range(redis("PTTL imc:mb:42"), 901, 5000);
    store(3, 0, 500, NULL); /* one that ends sooner takes nothing from the others */
    assert_in_range(redis("PTTL imc:mb:42"), 901, 5000);
    assert_in_range(redis("PTTL imc:soon:42"), 901, 5000);
    store(4, 20000, 0, NULL); /* a third of its time is over */
    assert_in_range(redis("PTTL imc:mb:42"), 5001, TTL - 20000);
    store(5, 0, 10 * TTL, NULL); /* mailbox.ttl ends it sooner */
    assert_in_range(redis("PTTL imc:mb:42"), TTL - 20000, TTL);
}

static void nothing_is_left_of_short_ones(void **state)
{
    (void)state;
    store(1, 0, 200, "c/1");
    clock_move(300);
    assert_int_equal(redis("EXISTS imc:mb:42 imc:mb:42:owed imc:soon:42"), 0);
}

static void a_store_drops_what_has_ended(void **state)
{
    (void)state;
    store(1, 0, 0, NULL);
    for (uint64_t i = 2; i < 12; i++)
        store(i, 0, 100, "c/1");
    store(12, 0, 30000, NULL);
    assert_int_equal(waiting(), 12);
    clock_move(150);
    assert_int_equal(waiting(), 12); /* nobody looked */
    store(13, 0, 0, NULL);
    assert_int_equal(waiting(), 3);
    assert_int_equal(redis("HLEN imc:mb:42:owed"), 0);
    assert_int_equal(counters[LOGIC_EXPIRED], 10);
    assert_int_equal(counters[LOGIC_STORED_SETTLE] + counters[LOGIC_STORED_SPILL], 13);
}

static void ended_ones_are_looked_for_again_a_second_later(void **state)
{
    (void)state;
    store(1, 0, 50, NULL);
    store(2, 0, 300, NULL);
    clock_move(100);
    store(3, 0, 0, NULL);
    assert_int_equal(waiting(), 2);
    clock_move(1100);
    store(4, 0, 0, NULL);
    assert_int_equal(waiting(), 2);
}

static void a_store_drops_what_is_too_old(void **state)
{
    (void)state;
    for (uint64_t i = 1; i < 6; i++)
        store(i, 5000, 0, NULL);
    config.mailbox_ttl_ms = 4000;
    store(6, 0, 0, NULL);
    assert_int_equal(waiting(), 1);
    assert_int_equal(counters[LOGIC_EXPIRED], 5);
    config.mailbox_ttl_ms = TTL;
}

static void what_has_ended_is_not_stored(void **state)
{
    uint64_t now = time_unix_ms();
    struct mailbox_message message = {.id = now << 22, .expires_ms = now};

    (void)state;
    assert_true(mailbox_refuses(&logic, &message));
    message.expires_ms = now + 10000;
    assert_false(mailbox_refuses(&logic, &message));
    message = (struct mailbox_message){.id = (now - TTL) << 22};
    assert_true(mailbox_refuses(&logic, &message));
    assert_int_equal(counters[LOGIC_EXPIRED_UNSTORED], 2);
    assert_int_equal(counters[LOGIC_EXPIRED], 0);
}

/* --- mailbox.limit --- */

enum { MOST = 60 };

/* Settling, as logic/peers/settle_requests.c does, by two logics at a time: their commands reach
 * Redis in any order. */
struct settling {
    uint64_t id;
    struct mailbox_there there;
    enum { STORED, LOOKED_UP, CUT } at;
};

static void settling_store(struct settling *s)
{
    struct mailbox_put put = {
        .by = MAILBOX_SETTLE, .uid = UID, .message = {.id = s->id, .op = 5}, .there = &s->there};
    calls = 0;
    mailbox_store(&logic, &put, on_done, NULL);
    wait_for(1);
    s->at = STORED;
}

static void settling_cut(struct settling *s)
{
    s->at = CUT;
    if (s->there.n <= LIMIT)
        return;
    calls = 0;
    mailbox_trim(&logic, UID, s->there.newest > s->id ? s->there.newest : s->id, on_done, NULL);
    wait_for(1);
}

static void shuffle(struct settling *all, size_t n, unsigned *seed)
{
    for (size_t i = n - 1; i > 0; i--) {
        size_t k = (size_t)rand_r(seed) % (i + 1);
        struct settling swapped = all[i];
        all[i] = all[k];
        all[k] = swapped;
    }
}

static void one_round(unsigned *seed)
{
    struct settling all[MOST] = {0};
    size_t n = LIMIT + (size_t)rand_r(seed) % (MOST - LIMIT + 1), stored = 0, cut = 0;
    uint64_t first = time_unix_ms() << 22;

    redis("DEL imc:mb:42");
    for (size_t i = 0; i < n; i++)
        all[i].id = first + ((uint64_t)(i / 7) << 22) + i;
    shuffle(all, n, seed);
    while (cut < n) {
        if (stored < n && rand_r(seed) % 2 == 0)
            settling_store(&all[stored++]);
        else if (cut < stored) /* lookups come back in any order, too */
            for (size_t k = (size_t)rand_r(seed) % stored, i = 0; i < stored; i++) {
                struct settling *s = &all[(k + i) % stored];
                if (s->at == CUT)
                    continue;
                settling_cut(s);
                cut++;
                break;
            }
    }
    assert_int_equal(waiting(), LIMIT);
    char command[80]; /* the newest ones */
    (void)snprintf(command, sizeof command, "ZCOUNT imc:mb:42 (%llu +inf",
                   (unsigned long long)((first >> 22) + (n - 1) / 7));
    assert_int_equal(redis(command), 0);
}

static void never_more_than_the_limit_in_the_end(void **state)
{
    unsigned seed = 1;

    (void)state;
    for (int round = 0; round < 60; round++)
        one_round(&seed);
}

/* The newest ones are stored first, none of them finds more than the limit; then the older ones. */
static void newer_ones_first(void **state)
{
    struct settling all[45] = {0};
    uint64_t first = time_unix_ms() << 22;

    (void)state;
    for (uint64_t i = 0; i < 45; i++)
        all[i].id = first + i;
    for (int i = 25; i < 45; i++) {
        settling_store(&all[i]);
        settling_cut(&all[i]);
    }
    for (int i = 0; i < 25; i++) {
        settling_store(&all[i]);
        settling_cut(&all[i]);
    }
    assert_int_equal(waiting(), LIMIT);
    assert_int_equal(counters[LOGIC_TRIMMED], 25);
}

static int clear(void **state)
{
    (void)state;
    redis("FLUSHALL");
    memset(counters, 0, sizeof counters);
    failures = 0;
    return 0;
}

static void on_state(struct redis *redis, bool up, const char *why, void *arg)
{
    (void)redis;
    (void)why;
    *(bool *)arg = up;
}

static int open_all(void **state)
{
    static bool up;

    (void)state;
    logic_init(&logic);
    signal(SIGPIPE, SIG_IGN);
    clock_share(5, redis_servers_catch_up);
    clock_share_day(redis_server_day()); /* by it keys lapse */
    redis_server_start(&server, NULL);
    struct redis_options options = {.servers = server.address, .timeout_ms = 5000};
    loop_init(&loop, "test", 0);
    if (redis_open(&loop, &options, on_state, &up, &logic.redis) != 0)
        return -1;
    while (!up)
        uv_run(&loop.uv, UV_RUN_ONCE);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    redis_close(logic.redis);
    loop_close(&loop);
    redis_server_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_first_that_waits_is_as_any_other, clear),
        cmocka_unit_test_setup(nothing_is_stored_before_what_it_is_behind, clear),
        cmocka_unit_test_setup(stored_is_told_before_its_end, clear),
        cmocka_unit_test_setup(what_is_too_old_to_be_stored_is_told_once_at_most, clear),
        cmocka_unit_test_setup(what_comes_behind_its_replacement_is_told, clear),
        cmocka_unit_test_setup(a_sweep_counts_what_it_tells_of, clear),
        cmocka_unit_test_setup(keys_live_as_long_as_what_is_in_them, clear),
        cmocka_unit_test_setup(nothing_is_left_of_short_ones, clear),
        cmocka_unit_test_setup(a_store_drops_what_has_ended, clear),
        cmocka_unit_test_setup(ended_ones_are_looked_for_again_a_second_later, clear),
        cmocka_unit_test_setup(a_store_drops_what_is_too_old, clear),
        cmocka_unit_test_setup(what_has_ended_is_not_stored, clear),
        cmocka_unit_test_setup(never_more_than_the_limit_in_the_end, clear),
        cmocka_unit_test_setup(newer_ones_first, clear),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}

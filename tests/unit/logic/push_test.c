#include "common/mem.h"
#include "logic/bus_producer.h"
#include "logic/push.h"
#include "logic/router_link.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

enum { MOST = 16 };

/* In place of the routers. */
static struct {
    int64_t uid;
    router_fn fn;
    void *arg;
} lookups[MOST];
static int n_lookups, reply_refs;

void router_lookup(struct router_link *link, int64_t uid, uint64_t timeout_ms, router_fn fn,
                   void *arg)
{
    (void)link;
    assert_int_equal(timeout_ms, 500);
    lookups[n_lookups].uid = uid;
    lookups[n_lookups].fn = fn;
    lookups[n_lookups++].arg = arg;
}

struct router_reply *router_reply_ref(struct router_reply *reply)
{
    reply_refs += reply != NULL;
    return reply;
}

void router_reply_unref(struct router_reply *reply)
{
    reply_refs -= reply != NULL;
}

/* In place of the bus. */
static struct {
    char key[40];
    Imc__V1__PushMsg *envelope;
    struct bus_ticket *ticket;
} produced[MOST];
static int n_produced, produce_err;

int bus_produce(struct bus_producer *producer, const struct bus_message *message,
                struct bus_ticket *ticket, const char **why)
{
    (void)producer;
    *why = "no broker";
    if (produce_err != 0)
        return produce_err;
    memcpy(produced[n_produced].key, message->key, message->key_len);
    produced[n_produced].key[message->key_len] = '\0';
    produced[n_produced].envelope =
        imc__v1__push_msg__unpack(NULL, message->value_len, message->value);
    produced[n_produced++].ticket = ticket;
    free(message->value);
    return 0;
}

static size_t bus_most = 1000000;

size_t bus_producer_most(const struct bus_producer *producer)
{
    (void)producer;
    return bus_most;
}

/* --- */

static int64_t counters[LOGIC_METRIC_COUNT];
static struct logic_config config = {.lookup_timeout_ms = 500};
static struct loop loop;
static struct logic logic = {.config = &config, .counters = counters, .loop = &loop};
static int answered;
static struct push_result last;
static bool last_failed[MOST];
static const struct push_message message = {.op = 5, .expires_ms = 77, .body = "hello", .len = 5};

static void on_pushed(void *arg, const struct push_result *result)
{
    (void)arg;
    answered++;
    last = *result;
    memcpy(last_failed, result->failed, result->n * sizeof last_failed[0]);
}

static int setup(void **state)
{
    (void)state;
    memset(counters, 0, sizeof counters);
    n_lookups = n_produced = answered = produce_err = reply_refs = 0;
    ids_init(&logic.ids, 3);
    logic.lanes = push_lanes_open();
    return loop_init(&loop, "test", 0);
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < n_produced; i++)
        imc__v1__push_msg__free_unpacked(produced[i].envelope, NULL);
    push_lanes_close(logic.lanes);
    loop_close(&loop);
    assert_int_equal(reply_refs, 0);
    return 0;
}

static void turn(void)
{
    uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static void answer_lookup(int i, const char *comet)
{
    /* As a reply's memory: it lives on while references are held. */
    static Imc__V1__Session sessions[MOST], *lists[MOST];
    static int reply;
    imc__v1__session__init(&sessions[i]);
    sessions[i].comet = (char *)(uintptr_t)comet;
    lists[i] = &sessions[i];
    struct router_answer answer = {
        .result = comet == NULL ? ROUTER_AWAY : ROUTER_OK,
        .n_sessions = comet != NULL,
        .sessions = &lists[i],
        .reply = comet != NULL ? (struct router_reply *)(void *)&reply : NULL,
    };
    lookups[i].fn(lookups[i].arg, &answer);
}

static void report(int i, int err)
{
    produced[i].ticket->done(produced[i].ticket, err, "broken");
}

static void a_hint_that_makes_it_too_large_is_left_out(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        bus_most = i == 0 ? 70 : 1000000;
        push_uids(&logic, &message, (int64_t[]){-42}, 1, on_pushed, NULL);
        answer_lookup(i, "a comet with a name that is not short");
        assert_int_equal(produced[i].envelope->n_hints, i);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_hint_that_makes_it_too_large_is_left_out, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(uid_message_goes_with_its_hint, setup, teardown),
        cmocka_unit_test_setup_teardown(lookups_out_of_order_change_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(many_uids_one_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(no_broker_is_a_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(rooms_and_everybody, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_is_answered_too, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* lanes_fixture.h - push.c between fakes of the bus and of the routers, which the test answers. */
#ifndef IMC_TESTS_UNIT_LOGIC_PUSH_LANES_FIXTURE_H
#define IMC_TESTS_UNIT_LOGIC_PUSH_LANES_FIXTURE_H

#include "common/base/mem.h"
#include "logic/push/job_backlog.h"
#include "logic/push/kafka_producer.h"
#include "logic/push/push.h"
#include "logic/router/routers.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

enum { MOST = 4096 };

/* In place of the routers. */
static struct {
    int64_t uid;
    router_fn fn;
    void *arg;
} lookups[MOST];
static int n_lookups, reply_refs;

void router_lookup(struct routers *routers, int64_t uid, uint64_t timeout_ms, router_fn fn,
                   void *arg)
{
    (void)routers;
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
    struct kafka_ticket *ticket;
} produced[MOST];
static int n_produced, produce_err;

int kafka_produce(struct kafka_producer *producer, const struct kafka_message *message,
                  struct kafka_ticket *ticket, const char **why)
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

size_t kafka_producer_most(const struct kafka_producer *producer)
{
    (void)producer;
    return bus_most;
}

/* --- */

static _Atomic int64_t counters[LOGIC_METRIC_COUNT];
static struct logic_config config = {
    .lookup_timeout_ms = 500, .push_max_backlog = 80, .push_max_lag_ms = 30000};
static struct loop loop;
static int routers, producer; /* stand for them */
static struct logic logic = {
    .config = &config,
    .counters = counters,
    .loop = &loop,
    .routers = (struct routers *)(void *)&routers,
    .bus = (struct kafka_producer *)(void *)&producer,
};
static int answered;
static struct push_result last;
static bool last_failed[MOST];
static const struct push_message message = {.op = 5, .expires_ms = 77, .body = "hello", .len = 5};

static inline void on_pushed(void *arg, const struct push_result *result)
{
    (void)arg;
    answered++;
    last = *result;
    memcpy(last_failed, result->failed, result->n * sizeof last_failed[0]);
}

static inline void turn(void)
{
    uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static inline int setup(void **state)
{
    (void)state;
    memset(counters, 0, sizeof counters);
    n_lookups = n_produced = answered = produce_err = reply_refs = 0;
    message_id_init(&logic.ids, 3);
    int err = loop_init(&loop, "test", 0);
    logic.lanes = push_lanes_open(&logic);
    logic.backlogs = job_backlogs_open(&logic);
    return err;
}

static inline int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < n_produced; i++)
        imc__v1__push_msg__free_unpacked(produced[i].envelope, NULL);
    turn();
    assert_int_equal(push_pending(logic.lanes), 0);
    push_lanes_close(logic.lanes);
    job_backlogs_close(logic.backlogs);
    loop_close(&loop);
    assert_int_equal(reply_refs, 0);
    return 0;
}

static inline void answer_lookup(int i, const char *comet)
{
    /* As a reply's memory: it lives on while references are held. */
    static Imc__V1__Session sessions[MOST], *lists[MOST];
    static int reply;
    imc__v1__session__init(&sessions[i]);
    sessions[i].comet = mem_unconst(comet);
    lists[i] = &sessions[i];
    struct router_answer answer = {
        .result = ROUTER_OK,
        .complete = true,
        .n_sessions = comet != NULL,
        .sessions = &lists[i],
        .reply = comet != NULL ? (struct router_reply *)(void *)&reply : NULL,
    };
    lookups[i].fn(lookups[i].arg, &answer);
}

static inline void answer_in_vain(int i)
{
    struct router_answer answer = {.result = ROUTER_AWAY};

    lookups[i].fn(lookups[i].arg, &answer);
}

static inline void report(int i, int err)
{
    produced[i].ticket->done(produced[i].ticket, err, "broken");
}

#endif

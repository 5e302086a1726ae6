/* push_fixture.h - api_fixture.h with a fake bus and fake routers, for pushes: nobody is there, and
 * the bus keeps the envelopes. Include cmocka.h first. */
#ifndef IMC_TESTS_UNIT_LIB_PUSH_FIXTURE_H
#define IMC_TESTS_UNIT_LIB_PUSH_FIXTURE_H

#include "common/base/mem.h"
#include "logic/push/job_backlog.h"
#include "logic/push/kafka_producer.h"
#include "logic/push/push.h"
#include "logic/router/routers.h"
#include "proto/bus.pb-c.h"
#include "tests/unit/lib/api_fixture.h"
#include "tests/unit/lib/no_room_lists.h"

enum { MOST = 64 };

/* In place of the routers: nobody is there. */
static struct {
    router_fn fn;
    void *arg;
} lookups[MOST];
static int n_lookups;

void router_lookup(struct routers *link, int64_t uid, uint64_t within_ms, router_fn fn, void *arg)
{
    (void)link;
    (void)uid;
    (void)within_ms;
    assert_true(n_lookups < MOST);
    lookups[n_lookups].fn = fn;
    lookups[n_lookups++].arg = arg;
}

struct router_reply *router_reply_ref(struct router_reply *reply)
{
    return reply;
}

void router_reply_unref(struct router_reply *reply)
{
    (void)reply;
}

size_t router_count(struct routers *link, enum router_count what, router_fn fn, void *arg)
{
    (void)link;
    (void)what;
    (void)fn;
    (void)arg;
    return 0;
}

size_t router_forget(struct routers *link, const char *comet, router_fn fn, void *arg)
{
    (void)link;
    (void)comet;
    (void)fn;
    (void)arg;
    return 0;
}

/* In place of the bus: keeps what came since push_forget(), and reports it in the next turn unless
 * HELD.
 */
static struct {
    Imc__V1__PushMsg *envelope;
    struct kafka_ticket *ticket;
} produced[MOST];
static int n_produced, n_reported;
static bool held;
static int64_t broken_uid; /* its message is not taken; 0 = all are */
static size_t bus_most = 1000000;

int kafka_produce(struct kafka_producer *producer, const struct kafka_message *message,
                  struct kafka_ticket *ticket, const char **why)
{
    (void)producer;
    (void)why;
    assert_true(n_produced < MOST);
    produced[n_produced].envelope =
        imc__v1__push_msg__unpack(NULL, message->value_len, message->value);
    produced[n_produced++].ticket = ticket;
    free(message->value);
    return 0;
}

size_t kafka_producer_most(const struct kafka_producer *producer)
{
    (void)producer;
    return bus_most;
}

static void api_around(void)
{
    struct router_answer nobody = {.result = ROUTER_AWAY};

    for (int i = 0; i < n_lookups; i++)
        lookups[i].fn(lookups[i].arg, &nobody);
    n_lookups = 0;
    while (!held && n_reported < n_produced) {
        const Imc__V1__PushMsg *envelope = produced[n_reported].envelope;
        bool broken = broken_uid != 0 && envelope->has_uid && envelope->uid == broken_uid;
        struct kafka_ticket *ticket = produced[n_reported++].ticket;
        ticket->done(ticket, broken ? -EIO : 0, "broken");
    }
}

static void push_forget(void)
{
    for (int i = 0; i < n_produced; i++)
        imc__v1__push_msg__free_unpacked(produced[i].envelope, NULL);
    n_produced = n_reported = 0;
}

static int push_setup(void **state)
{
    static int routers, producer; /* stand for them */
    int failed = api_setup(state);

    logic.routers = (struct routers *)(void *)&routers;
    logic.bus = (struct kafka_producer *)(void *)&producer;
    logic.lanes = push_lanes_open(&logic);
    logic.backlogs = job_backlogs_open(&logic);
    return failed;
}

static int push_teardown(void **state)
{
    assert_int_equal(push_pending(logic.lanes), 0);
    push_lanes_close(logic.lanes);
    job_backlogs_close(logic.backlogs);
    return api_teardown(state);
}

static int push_clear(void **state)
{
    (void)state;
    push_forget();
    held = false;
    broken_uid = 0;
    bus_most = 1000000;
    return 0;
}

static inline const struct api_reply *push(const char *target, const char *body)
{
    return api_call("POST", target, "", body);
}

#endif

/* settle_requests_fixture.h - a batch that job sends to be settled, with fakes in place of streams,
 * mailbox and routers. */
#ifndef IMC_TESTS_UNIT_LOGIC_PEERS_SETTLE_REQUESTS_FIXTURE_H
#define IMC_TESTS_UNIT_LOGIC_PEERS_SETTLE_REQUESTS_FIXTURE_H

#include "common/base/mem.h"
#include "logic/mailbox/mailbox.h"
#include "logic/peers/settle_requests.h"
#include "logic/router/routers.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

enum { MOST = 8 };

static struct {
    enum mailbox_by by;
    int64_t uid;
    uint64_t id, behind;
    char owed[64], devices[64], collapse[64];
    mailbox_fn fn;
    void *arg;
} stores[MOST];
static size_t n_stores;
static struct mailbox_there there_now; /* what the mailbox is said to have */

static uint64_t refused_id;

bool mailbox_refuses(struct logic *logic, const struct mailbox_message *message)
{
    (void)logic;
    return message->id == refused_id;
}

void mailbox_store(struct logic *logic, const struct mailbox_put *put, mailbox_fn fn, void *arg)
{
    (void)logic;
    stores[n_stores].by = put->by;
    stores[n_stores].uid = put->uid;
    stores[n_stores].id = put->message.id;
    stores[n_stores].behind = put->behind;
    snprintf(stores[n_stores].owed, sizeof stores[n_stores].owed, "%s",
             put->owed != NULL ? put->owed : "");
    snprintf(stores[n_stores].devices, sizeof stores[n_stores].devices, "%s",
             put->devices != NULL ? put->devices : "");
    snprintf(stores[n_stores].collapse, sizeof stores[n_stores].collapse, "%s", put->collapse);
    stores[n_stores].fn = fn;
    stores[n_stores++].arg = arg;
    if (put->there != NULL)
        *put->there = there_now;
}

static struct {
    int64_t uid;
    uint64_t id;
    mailbox_fn fn;
    void *arg;
} trims[MOST];
static size_t n_trims;

void mailbox_trim(struct logic *logic, int64_t uid, uint64_t upto, mailbox_fn fn, void *arg)
{
    (void)logic;
    trims[n_trims].uid = uid;
    trims[n_trims].id = upto;
    trims[n_trims].fn = fn;
    trims[n_trims++].arg = arg;
}

static bool tells; /* the business wants to know of stored ones */
static struct {
    int64_t uid;
    uint64_t id;
    mailbox_fn fn;
    void *arg;
} told[MOST];
static size_t n_told;

bool mailbox_tells(const struct logic *logic, enum event_type type)
{
    (void)logic;
    assert_int_equal(type, EVENT_STORED);
    return tells;
}

void mailbox_tell(struct logic *logic, const struct mailbox_fact *fact, mailbox_fn fn, void *arg)
{
    (void)logic;
    assert_int_equal(fact->type, EVENT_STORED);
    told[n_told].uid = fact->uid;
    told[n_told].id = fact->id;
    told[n_told].fn = fn;
    told[n_told++].arg = arg;
}

static struct {
    int64_t uid;
    router_fn fn;
    void *arg;
} lookups[MOST];
static size_t n_lookups;
static int reply_refs;

void router_lookup(struct routers *link, int64_t uid, uint64_t timeout_ms, router_fn fn, void *arg)
{
    (void)link;
    (void)timeout_ms;
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

static Imc__V1__SettleReply *reply;

void stream_reply(struct stream_batch *batch, const ProtobufCMessage *message)
{
    assert_null(reply);
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = mem_alloc(len + 1);
    protobuf_c_message_pack(message, bytes);
    reply = imc__v1__settle_reply__unpack(NULL, len, bytes);
    free(bytes);
    arena_free(&batch->arena);
    free(batch);
}

static _Atomic int64_t counters[LOGIC_METRIC_COUNT];
static struct logic_config config = {.lookup_timeout_ms = 500, .mailbox_limit = 20};
static struct logic logic = {.config = &config, .counters = counters};

static const char *key_wanted;           /* of the settles; NULL: all sessions are meant */
static const char *keys_there[MOST + 2]; /* of the sessions; NULL: "" */

/* Of the user 0 all of them, each behind the one before it; else each of a user of its own. */
static bool of_one_user;

static bool any;                /* the first session that has it ends it for all */
static bool acked;              /* all sessions acknowledge */
static const char *device_then; /* had an acknowledged session when it was accepted; NULL: none */
static const char *collapse;    /* NULL: none */

static inline void settle(size_t n)
{
    static Imc__V1__Waiting waiting[MOST];
    static Imc__V1__Settle settles[MOST], *list[MOST];
    Imc__V1__SettleBatch in;
    struct stream_batch *batch = mem_zalloc(sizeof *batch);

    for (size_t i = 0; i < n; i++) {
        imc__v1__waiting__init(&waiting[i]);
        imc__v1__settle__init(&settles[i]);
        waiting[i].id = 1000 + i;
        settles[i].uid = of_one_user ? 0 : (int64_t)i;
        settles[i].behind = of_one_user ? 999 + i : 0;
        settles[i].message = &waiting[i];
        settles[i].keys = (char **)(uintptr_t)&key_wanted;
        settles[i].n_keys = key_wanted != NULL;
        settles[i].any = any;
        settles[i].devices = (char **)(uintptr_t)&device_then;
        settles[i].n_devices = device_then != NULL;
        if (collapse != NULL)
            settles[i].collapse = (char *)(uintptr_t)collapse;
        list[i] = &settles[i];
    }
    imc__v1__settle_batch__init(&in);
    in.seq = 3;
    in.n_settles = n;
    in.settles = list;
    size_t len = imc__v1__settle_batch__get_packed_size(&in);
    uint8_t *bytes = mem_alloc(len + 1);
    imc__v1__settle_batch__pack(&in, bytes);
    batch->logic = &logic;
    arena_init(&batch->arena);
    ProtobufCAllocator allocator = arena_allocator(&batch->arena);
    batch->message = &imc__v1__settle_batch__unpack(&allocator, len, bytes)->base;
    free(bytes);
    settle_requests_handle(batch);
}

static inline void router_says(size_t i, enum router_result result, bool complete,
                               size_t n_sessions)
{
    /* As a reply's arena: valid while references are held. */
    static Imc__V1__Session sessions[MOST + 2], *list[MOST + 2];
    static int dummy;

    for (size_t k = i; k < i + n_sessions; k++) {
        imc__v1__session__init(&sessions[k]);
        sessions[k].comet = (char *)(uintptr_t) "comet-1";
        sessions[k].handle = 16 + k - i;
        sessions[k].acked = acked;
        if (keys_there[k - i] != NULL)
            sessions[k].key = (char *)(uintptr_t)keys_there[k - i];
        list[k] = &sessions[k];
    }
    struct router_answer answer = {
        .result = result,
        .complete = complete,
        .n_sessions = n_sessions,
        .sessions = &list[i],
        .reply = (struct router_reply *)(void *)&dummy,
    };
    lookups[i].fn(lookups[i].arg, &answer);
}

static inline int setup(void **state)
{
    (void)state;
    memset(counters, 0, sizeof counters);
    static int routers;
    logic.routers = (struct routers *)(void *)&routers;
    n_stores = n_lookups = n_trims = n_told = 0;
    tells = false;
    there_now.n = 1;
    key_wanted = NULL;
    any = acked = false;
    device_then = collapse = NULL;
    memset(keys_there, 0, sizeof keys_there);
    reply_refs = 0;
    reply = NULL;
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    if (reply != NULL)
        imc__v1__settle_reply__free_unpacked(reply, NULL);
    assert_int_equal(reply_refs, 0);
    return 0;
}

#endif

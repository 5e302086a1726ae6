/* session_requests_fixture.h - a batch from a comet, with fakes in place of streams, tokens,
 * mailbox and routers. */
#ifndef IMC_TESTS_UNIT_LOGIC_PEERS_SESSION_REQUESTS_FIXTURE_H
#define IMC_TESTS_UNIT_LOGIC_PEERS_SESSION_REQUESTS_FIXTURE_H

#include "common/base/mem.h"
#include "logic/mailbox/gone_receivers.h"
#include "logic/mailbox/mailbox.h"
#include "logic/peers/connect.h"
#include "logic/peers/session_requests.h"
#include "logic/router/routers.h"
#include "logic/tokens/device_keys.h"
#include "logic/tokens/revoked.h"
#include "logic/tokens/tokens.h"
#include "tests/unit/lib/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 16, RING = 77 };

/* --- fakes: every request is kept until the test answers it --- */

struct router_ask {
    char what; /* p put, d del, r registered */
    struct router_session session;
    router_fn fn;
    void *arg;
};
static struct router_ask routers[MOST];
static size_t n_routers, n_live = 1;
static uint64_t ring_now = RING;

static inline void router_keep(char what, const struct router_session *session, router_fn fn,
                               void *arg)
{
    assert_true(n_routers < MOST);
    routers[n_routers++] = (struct router_ask){what, *session, fn, arg};
}

void router_put(struct routers *link, const struct router_session *session, uint64_t timeout_ms,
                router_fn fn, void *arg)
{
    (void)link;
    assert_true(timeout_ms > 0);
    router_keep('p', session, fn, arg);
}

void router_lookup(struct routers *link, int64_t uid, uint64_t timeout_ms, router_fn fn, void *arg)
{
    const struct router_session session = {.uid = uid};
    (void)link;
    (void)timeout_ms;
    router_keep('l', &session, fn, arg);
}

void router_del(struct routers *link, const struct router_session *session, router_fn fn, void *arg)
{
    (void)link;
    router_keep('d', session, fn, arg);
}

void router_room(struct routers *link, const struct router_room *room, router_fn fn, void *arg)
{
    const struct router_session session = {
        .comet = room->comet, .epoch = room->epoch, .key = "", .room = room->room};
    (void)link;
    router_keep('o', &session, fn, arg);
}

size_t router_registered(struct routers *link, const struct router_session *comet, uint32_t loop,
                         uint32_t loops, router_fn fn, void *arg)
{
    (void)link;
    assert_int_equal(loop, 1);
    assert_int_equal(loops, 2);
    for (size_t i = 0; i < n_live; i++)
        router_keep('r', comet, fn, arg);
    return n_live;
}

uint64_t routers_ring(const struct routers *link)
{
    (void)link;
    return ring_now;
}

size_t routers_count(const struct routers *link)
{
    (void)link;
    return n_live;
}

static inline void router_says(size_t i, enum router_result result, uint32_t status, uint64_t ring)
{
    struct router_answer answer = {
        .result = result, .status = status, .ring = ring, .complete = true};
    routers[i].fn(routers[i].arg, &answer);
}

static struct {
    token_fn fn;
    void *arg;
    size_t n;
} tokens;

void tokens_find(struct logic *logic, const struct token_ref *refs, size_t n, token_fn fn,
                 void *arg)
{
    (void)logic;
    (void)refs;
    tokens.fn = fn;
    tokens.arg = arg;
    tokens.n = n;
}

/* What is revoked: by default nothing. */
static uint32_t revoked_code;
static size_t revoked_asked;

void revoked_check(struct logic *logic, int64_t uid, const struct token_identity *identity,
                   revoked_fn fn, void *arg)
{
    (void)logic;
    (void)uid;
    (void)identity;
    revoked_asked++;
    fn(arg, revoked_code, "the token was revoked");
}

/* What is asked about open sessions. */
static struct {
    size_t asked;
    int err;
    struct revoked_session session;
} judged;

void revoked_judge(struct logic *logic, int64_t uid, const struct revoked_session *session,
                   revoked_judged_fn fn, void *arg)
{
    (void)logic;
    (void)uid;
    judged.asked++;
    judged.session = *session;
    fn(arg, judged.err, revoked_code, "the token was revoked");
}

/* Keys that are taken are told apart from those that are kept by FN. */
struct key_ask {
    char key[64];
    int64_t uid;
    device_key_fn fn;
    void *arg;
};
static struct key_ask keys[MOST];
static size_t n_keys;

static inline void key_note(const char *key, int64_t uid, device_key_fn fn, void *arg)
{
    assert_true(n_keys < MOST);
    keys[n_keys] = (struct key_ask){.uid = uid, .fn = fn, .arg = arg};
    (void)snprintf(keys[n_keys++].key, sizeof keys[0].key, "%s", key);
}

void device_keys_take(struct logic *logic, const char *key, int64_t uid, device_key_fn fn,
                      void *arg)
{
    (void)logic;
    key_note(key, uid, fn, arg);
}

void device_keys_keep(struct logic *logic, const char *key, int64_t uid)
{
    (void)logic;
    key_note(key, uid, NULL, NULL);
}

uint64_t device_keys_refresh_ms(const struct logic *logic)
{
    (void)logic;
    return 4242;
}

struct mailbox_ask {
    char what; /* s store, e tell that it has ended, f fetch, 1 first, c confirm, w waive */
    int64_t uid;
    mailbox_fn fn;
    mailbox_page_fn page_fn;
    mailbox_confirm_fn confirm_fn;
    void *arg;
    char token[32], device[32];
    uint64_t behind;
};
static struct mailbox_ask mailbox[MOST];
static size_t n_mailbox;

static inline struct mailbox_ask *mailbox_keep(char what, int64_t uid, const char *token, void *arg)
{
    struct mailbox_ask *ask = &mailbox[n_mailbox++];
    *ask = (struct mailbox_ask){.what = what, .uid = uid, .arg = arg};
    snprintf(ask->token, sizeof ask->token, "%s", token);
    return ask;
}

static bool is_too_old;  /* what is to be stored */
static bool tells_ended; /* the business wants to know */

bool mailbox_refuses(struct logic *logic, const struct mailbox_message *message)
{
    (void)logic;
    (void)message;
    return is_too_old;
}

bool mailbox_tells(const struct logic *logic, enum event_type type)
{
    (void)logic;
    assert_int_equal(type, EVENT_EXPIRED);
    return tells_ended;
}

void mailbox_tell(struct logic *logic, const struct mailbox_fact *fact, mailbox_fn fn, void *arg)
{
    (void)logic;
    assert_int_equal(fact->type, EVENT_EXPIRED);
    mailbox_keep('e', fact->uid, "", arg)->fn = fn;
}

void mailbox_store(struct logic *logic, const struct mailbox_put *put, mailbox_fn fn, void *arg)
{
    (void)logic;
    assert_int_equal(put->by, MAILBOX_SPILL);
    struct mailbox_ask *ask = mailbox_keep('s', put->uid, put->owed, arg);
    ask->fn = fn;
    ask->behind = put->behind;
}

void mailbox_fetch(struct logic *logic, const struct mailbox_read *read, mailbox_page_fn fn,
                   void *arg)
{
    (void)logic;
    struct mailbox_ask *ask = mailbox_keep('f', read->uid, read->own, arg);
    snprintf(ask->device, sizeof ask->device, "%s", read->device);
    ask->page_fn = fn;
}

void mailbox_first(struct logic *logic, int64_t uid, const char *device, mailbox_page_fn fn,
                   void *arg)
{
    (void)logic;
    struct mailbox_ask *ask = mailbox_keep('1', uid, "", arg);
    snprintf(ask->device, sizeof ask->device, "%s", device);
    ask->page_fn = fn;
}

void mailbox_confirm(struct logic *logic, const struct mailbox_debts *debts, mailbox_confirm_fn fn,
                     void *arg)
{
    (void)logic;
    struct mailbox_ask *ask = mailbox_keep('c', debts->uid, debts->owed, arg);
    snprintf(ask->device, sizeof ask->device, "%s", debts->device);
    ask->confirm_fn = fn;
}

void mailbox_waive(struct logic *logic, const struct mailbox_debts *debts, mailbox_fn fn, void *arg)
{
    (void)logic;
    struct mailbox_ask *ask = mailbox_keep('w', debts->uid, debts->owed, arg);
    snprintf(ask->device, sizeof ask->device, "%s", debts->device);
    ask->fn = fn;
}

static size_t n_inherited;

void gone_receivers_take(struct logic *logic, const struct mailbox_debts *left)
{
    (void)logic;
    n_inherited += left->n;
}

static bool stream_open = true;
static Imc__V1__SessionReply *reply; /* as the comet would unpack it */

bool stream_is_open(const struct stream_batch *batch)
{
    (void)batch;
    return stream_open;
}

void stream_name(struct stream_batch *batch, const char *comet, uint64_t epoch)
{
    (void)batch;
    (void)comet;
    (void)epoch;
}

/* Who was asked to give way: "comet/epoch:handle,handle ". */
static char told[256];

/* Nothing is asked of comets here. */
size_t stream_ask(struct streams *service, const char *comet, const ProtobufCMessage *message)
{
    (void)service;
    (void)comet;
    (void)message;
    abort();
}

size_t stream_tell(struct streams *service, const char *comet, uint64_t epoch,
                   const ProtobufCMessage *message)
{
    const Imc__V1__SessionReply *event = (const Imc__V1__SessionReply *)message;
    size_t at = strlen(told);

    (void)service;
    assert_int_equal(event->seq, 0);
    at +=
        (size_t)snprintf(told + at, sizeof told - at, "%s/%llu:", comet, (unsigned long long)epoch);
    for (size_t i = 0; i < event->give_way[0]->n_handles; i++)
        at += (size_t)snprintf(told + at, sizeof told - at, "%llu,",
                               (unsigned long long)event->give_way[0]->handles[i]);
    (void)snprintf(told + at, sizeof told - at, " ");
    return 1;
}

void stream_reply(struct stream_batch *batch, const ProtobufCMessage *message)
{
    assert_null(reply);
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = mem_alloc(len + 1);
    protobuf_c_message_pack(message, bytes);
    reply = imc__v1__session_reply__unpack(NULL, len, bytes);
    free(bytes);
    arena_free(&batch->arena);
    free(batch);
}

/* --- the worker of the test --- */

static _Atomic int64_t counters[LOGIC_METRIC_COUNT];
static struct logic_config config = {.connect_timeout_ms = 130,
                                     .router_timeout_ms = 100,
                                     .mailbox_page_bytes = 1000,
                                     .sessions_max_per_uid = 3};
static struct loop loop;
static struct logic logic = {.config = &config, .counters = counters, .loop = &loop};

static inline int setup(void **state)
{
    (void)state;
    memset(counters, 0, sizeof counters);
    n_routers = n_mailbox = n_inherited = 0;
    n_live = 1;
    ring_now = RING;
    stream_open = true;
    reply = NULL;
    clock_take();
    int err = loop_init(&loop, "test", 0);
    logic.connects = connects_open(&logic);
    return err;
}

static inline int teardown(void **state)
{
    (void)state;
    if (reply != NULL)
        imc__v1__session_reply__free_unpacked(reply, NULL);
    connects_close(logic.connects);
    loop_close(&loop);
    return 0;
}

static inline void handle(const Imc__V1__SessionBatch *in)
{
    struct stream_batch *batch = mem_zalloc(sizeof *batch);
    size_t len = imc__v1__session_batch__get_packed_size(in);
    uint8_t *bytes = mem_alloc(len + 1);

    imc__v1__session_batch__pack(in, bytes);
    batch->logic = &logic;
    arena_init(&batch->arena);
    ProtobufCAllocator allocator = arena_allocator(&batch->arena);
    batch->message = &imc__v1__session_batch__unpack(&allocator, len, bytes)->base;
    free(bytes);
    session_requests_handle(batch);
}

static inline Imc__V1__SessionBatch new_batch(void)
{
    Imc__V1__SessionBatch in;
    imc__v1__session_batch__init(&in);
    in.seq = 9;
    in.comet = (char *)(uintptr_t) "comet-1";
    in.epoch = 5;
    in.ring = RING;
    return in;
}

#endif

/* A batch from a comet, with fakes in place of streams, tokens, mailbox and routers. */
#include "common/base/mem.h"
#include "common/protocol/ops.h"
#include "logic/mailbox/gone_receivers.h"
#include "logic/mailbox/mailbox.h"
#include "logic/peers/connect.h"
#include "logic/peers/session_requests.h"
#include "logic/router/routers.h"
#include "logic/tokens/tokens.h"
#include "tests/unit/lib/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
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

static void router_keep(char what, const struct router_session *session, router_fn fn, void *arg)
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

static void router_says(size_t i, enum router_result result, uint32_t status, uint64_t ring)
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

static void token_is(size_t i, int64_t uid)
{
    struct token_value value = {
        .uid = uid, .room = "room-x", .room_len = 4, .accepts = "*", .accepts_len = 1};
    tokens.fn(tokens.arg, i, 0, &value);
}

struct mailbox_ask {
    char what; /* s store, f fetch, 1 first, c confirm, w waive */
    int64_t uid;
    mailbox_fn fn;
    mailbox_page_fn page_fn;
    mailbox_confirm_fn confirm_fn;
    void *arg;
    char token[32];
    uint64_t behind;
};
static struct mailbox_ask mailbox[MOST];
static size_t n_mailbox;

static struct mailbox_ask *mailbox_keep(char what, int64_t uid, const char *token, void *arg)
{
    struct mailbox_ask *ask = &mailbox[n_mailbox++];
    *ask = (struct mailbox_ask){.what = what, .uid = uid, .arg = arg};
    snprintf(ask->token, sizeof ask->token, "%s", token);
    return ask;
}

bool mailbox_refuses(struct logic *logic, const struct mailbox_message *message)
{
    (void)logic;
    (void)message;
    return false;
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
    mailbox_keep('f', read->uid, read->own, arg)->page_fn = fn;
}

void mailbox_first(struct logic *logic, int64_t uid, mailbox_page_fn fn, void *arg)
{
    (void)logic;
    mailbox_keep('1', uid, "", arg)->page_fn = fn;
}

void mailbox_confirm(struct logic *logic, const struct mailbox_debts *debts, mailbox_confirm_fn fn,
                     void *arg)
{
    (void)logic;
    mailbox_keep('c', debts->uid, debts->owed, arg)->confirm_fn = fn;
}

void mailbox_waive(struct logic *logic, const struct mailbox_debts *debts, mailbox_fn fn, void *arg)
{
    (void)logic;
    mailbox_keep('w', debts->uid, debts->owed, arg)->fn = fn;
}

static size_t n_inherited;

void gone_receivers_take(struct logic *logic, const struct mailbox_debts *left)
{
    (void)logic;
    n_inherited += left->n;
}

static void mailbox_says(size_t i, size_t n, size_t len, uint64_t last)
{
    struct mailbox_message messages[4];
    struct mailbox_page page = {.n = n, .messages = messages, .last = last};
    uint8_t *body = mem_zalloc(len + 1);
    for (size_t k = 0; k < n; k++)
        messages[k] = (struct mailbox_message){.id = 10 + k, .op = 5, .body = body, .len = len};
    mailbox[i].page_fn(mailbox[i].arg, 0, &page);
    free(body);
}

static void mailbox_has(size_t i, size_t n, size_t len)
{
    mailbox_says(i, n, len, 0);
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

void stream_tell(struct streams *service, const char *comet, uint64_t epoch,
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

/* --- */

static _Atomic int64_t counters[LOGIC_METRIC_COUNT];
static struct logic_config config = {.connect_timeout_ms = 130,
                                     .router_timeout_ms = 100,
                                     .mailbox_page_bytes = 1000,
                                     .sessions_max_per_uid = 3};
static struct loop loop;
static struct logic logic = {.config = &config, .counters = counters, .loop = &loop};

static int setup(void **state)
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

static int teardown(void **state)
{
    (void)state;
    if (reply != NULL)
        imc__v1__session_reply__free_unpacked(reply, NULL);
    connects_close(logic.connects);
    loop_close(&loop);
    return 0;
}

static void handle(const Imc__V1__SessionBatch *in)
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

static Imc__V1__SessionBatch new_batch(void)
{
    Imc__V1__SessionBatch in;
    imc__v1__session_batch__init(&in);
    in.seq = 9;
    in.comet = (char *)(uintptr_t) "comet-1";
    in.epoch = 5;
    in.ring = RING;
    return in;
}

static void connect_n(size_t n)
{
    static Imc__V1__Connect connects[4], *list[4];
    Imc__V1__SessionBatch in = new_batch();
    for (size_t i = 0; i < n; i++) {
        imc__v1__connect__init(&connects[i]);
        connects[i].handle = 100 + i;
        connects[i].token = (ProtobufCBinaryData){1, (uint8_t *)(uintptr_t) "t"};
        list[i] = &connects[i];
    }
    in.n_connects = n;
    in.connects = list;
    handle(&in);
}

static void run_until_routers(size_t n)
{
    while (n_routers < n)
        uv_run(&loop.uv, UV_RUN_ONCE);
}

static void empty_batch_is_answered(void **state)
{
    Imc__V1__SessionBatch in = new_batch();
    (void)state;
    handle(&in);
    assert_non_null(reply);
    assert_true(reply->seq == 9 && reply->ring == RING);
}

static void put_is_answered_before_the_mailbox_is_read(void **state)
{
    (void)state;
    connect_n(1);
    assert_int_equal(tokens.n, 1);
    token_is(0, 42);
    assert_int_equal(n_routers, 1);
    assert_string_equal(routers[0].session.comet, "comet-1");
    assert_string_equal(routers[0].session.room, "room");
    assert_int_equal(routers[0].session.max_sessions, 3);
    assert_int_equal(n_mailbox, 0);
    router_says(0, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, RING);
    assert_int_equal(n_mailbox, 1);
    assert_null(reply);
    mailbox_has(0, 2, 5);
    assert_non_null(reply);
    Imc__V1__ConnectResult *result = reply->connects[0];
    assert_int_equal(result->code, 0);
    assert_true(result->uid == 42);
    assert_string_equal(result->room, "room");
    assert_int_equal(result->n_waiting, 2);
    assert_false(result->more);
    assert_true(reply->ring == RING);
    assert_int_equal(counters[LOGIC_CONNECT_OK], 1);
}

static void reply_waits_for_the_last_item(void **state)
{
    (void)state;
    connect_n(3);
    token_is(1, 8);
    tokens.fn(tokens.arg, 0, -ENOENT, NULL);
    tokens.fn(tokens.arg, 2, -EAGAIN, NULL);
    assert_null(reply);
    router_says(0, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_TOO_MANY, RING);
    assert_null(reply);
    router_says(1, ROUTER_AWAY, 0, RING); /* who the others are */
    assert_non_null(reply);
    assert_int_equal(reply->connects[0]->code, CLOSE_BAD_TOKEN);
    assert_int_equal(reply->connects[1]->code, CLOSE_TOO_MANY_SESSIONS);
    assert_int_equal(reply->connects[2]->code, CLOSE_UNAVAILABLE);
}

/* The answer to lookup I: sessions of two comets, newest first. */
static void router_finds(size_t i)
{
    static char one[] = "one", two[] = "two";
    Imc__V1__Session sessions[6], *list[6];

    for (int s = 0; s < 6; s++) {
        imc__v1__session__init(&sessions[s]);
        sessions[s].comet = s % 2 == 0 ? one : two;
        sessions[s].epoch = 7;
        sessions[s].handle = 60 - (uint64_t)s;
        list[s] = &sessions[s];
    }
    assert_int_equal(routers[i].what, 'l');
    assert_int_equal(routers[i].session.uid, 8);
    const struct router_answer answer = {
        .result = ROUTER_OK, .ring = RING, .n_sessions = 6, .sessions = list};
    told[0] = '\0';
    routers[i].fn(routers[i].arg, &answer);
}

static void others_are_asked_to_give_way(void **state)
{
    (void)state;
    static const char *const asked[] = {"two/7:55, ", "one/7:58,56, two/7:57,55, ",
                                        "one/7:60,58,56, two/7:59,57,55, "};
    int64_t timeout_ms = config.connect_timeout_ms;
    config.connect_timeout_ms = 60000;
    connect_n(1);
    config.connect_timeout_ms = timeout_ms;
    token_is(0, 8);
    for (size_t i = 0; i < 3; i++) {
        router_says(2 * i, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_TOO_MANY, RING);
        router_finds(2 * i + 1);
        assert_string_equal(told, asked[i]);
        run_until_routers(2 * i + 3);
    }
    assert_null(reply);
    router_says(6, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_TOO_MANY, RING);
    assert_int_equal(reply->connects[0]->code, CLOSE_TOO_MANY_SESSIONS);
}

static void mismatch_is_tried_again(void **state)
{
    (void)state;
    connect_n(1);
    token_is(0, 42);
    router_says(0, ROUTER_MISMATCH, 0, RING);
    assert_int_equal(n_routers, 1);
    run_until_routers(2);
    assert_int_equal(routers[1].what, 'p');
    router_says(1, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, 78);
    mailbox_has(0, 0, 0);
    assert_int_equal(reply->connects[0]->code, 0);
    assert_true(reply->ring == 78); /* what it was put under, not what it is now */
}

static void late_router_is_unavailable(void **state)
{
    (void)state;
    connect_n(1);
    token_is(0, 42);
    for (size_t answered = 0; reply == NULL; uv_run(&loop.uv, UV_RUN_ONCE)) {
        for (; answered < n_routers; answered++)
            router_says(answered, ROUTER_AWAY, 0, RING);
        if (reply != NULL)
            break;
    }
    assert_int_equal(n_routers, 3); /* every 50 ms of 130: at 0, 50 and 100 */
    assert_int_equal(reply->connects[0]->code, CLOSE_UNAVAILABLE);
    assert_int_equal(counters[LOGIC_CONNECT_UNAVAILABLE], 1);
}

/* A put that timed out may have been applied: it is taken back before the answer. */
static void unanswered_put_is_taken_back(void **state)
{
    (void)state;
    connect_n(1);
    token_is(0, 42);
    uint64_t start = loop_now_ms(&loop);
    while (loop_now_ms(&loop) < start + 130) {
        clock_move(10);
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    }
    router_says(0, ROUTER_AWAY, 0, RING);
    assert_null(reply);
    assert_int_equal(routers[1].what, 'd');
    router_says(1, ROUTER_OK, 0, RING);
    assert_int_equal(reply->connects[0]->code, CLOSE_UNAVAILABLE);
}

static void failed_fetch_takes_the_put_back(void **state)
{
    (void)state;
    connect_n(1);
    token_is(0, 42);
    router_says(0, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, RING);
    mailbox[0].page_fn(mailbox[0].arg, -EAGAIN, NULL);
    assert_null(reply);
    assert_int_equal(n_routers, 2);
    assert_int_equal(routers[1].what, 'd');
    assert_true(routers[1].session.handle == 100 && routers[1].session.uid == 42);
    router_says(1, ROUTER_OK, 0, RING);
    assert_int_equal(reply->connects[0]->code, CLOSE_UNAVAILABLE);
}

/* It asks another logic with the same handle by then: taking that back would lose the session. */
static void comet_that_went_keeps_its_put(void **state)
{
    (void)state;
    connect_n(1);
    token_is(0, 42);
    router_says(0, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, RING);
    stream_open = false;
    mailbox[0].page_fn(mailbox[0].arg, -EAGAIN, NULL);
    assert_int_equal(n_routers, 1);
    assert_non_null(reply);
}

static void ring_that_changed_midway_is_zero(void **state)
{
    (void)state;
    connect_n(2);
    token_is(0, 1);
    token_is(1, 2);
    router_says(0, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, 77);
    router_says(1, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, 78);
    mailbox_has(0, 0, 0);
    mailbox_has(1, 0, 0);
    assert_true(reply->ring == 0);
}

static void waiting_messages_share_the_reply(void **state)
{
    (void)state;
    connect_n(2);
    token_is(0, 1);
    token_is(1, 2);
    router_says(0, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, RING);
    router_says(1, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, RING);
    mailbox_has(0, 1, 5000); /* the first of a reply always goes */
    mailbox_has(1, 2, 10);
    assert_int_equal(reply->connects[0]->n_waiting, 1);
    assert_int_equal(reply->connects[1]->n_waiting, 0);
    assert_true(reply->connects[1]->more);
}

static void mailbox_items(void **state)
{
    Imc__V1__SessionBatch in = new_batch();
    Imc__V1__Waiting waiting;
    imc__v1__waiting__init(&waiting);
    Imc__V1__Store store = IMC__V1__STORE__INIT, *stores[] = {&store};
    Imc__V1__Confirm confirm = IMC__V1__CONFIRM__INIT, waive = confirm,
                     *confirms[] = {&confirm, &waive};
    Imc__V1__Fetch fetch = IMC__V1__FETCH__INIT, all = fetch, *fetches[] = {&fetch, &all};
    uint64_t left_ids[] = {5, 6, 7};
    struct mailbox_debts left = {.uid = 1, .n = 3, .ids = left_ids, .owed = "comet-2/1"};

    (void)state;
    waiting.id = 1;
    store.message = &waiting;
    store.handle = 0x10;
    store.behind = 9;
    confirm.handle = 0x20;
    waive.handle = 0x30;
    waive.how = IMC__V1__CONFIRM__HOW__WAIVED;
    fetch.handle = 0x40;
    in.n_stores = 1;
    in.n_confirms = in.n_fetches = 2;
    in.stores = stores;
    in.confirms = confirms;
    in.fetches = fetches;
    handle(&in);
    /* What a fetch of the same batch must see, and must not. */
    static const char order[] = "scwff";
    static const char *const tokens_of[] = {"comet-1/10", "comet-1/20", "comet-1/30", "comet-1/40",
                                            ""};
    assert_int_equal(n_mailbox, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(mailbox[i].what, order[i]);
        assert_string_equal(mailbox[i].token, tokens_of[i]);
    }
    assert_int_equal(mailbox[0].behind, 9);
    mailbox_says(3, 1, 3, 99);
    mailbox_says(4, 2, 501, 99);
    mailbox[0].fn(mailbox[0].arg, -EAGAIN);
    mailbox[2].fn(mailbox[2].arg, 0);
    assert_null(reply);
    mailbox[1].confirm_fn(mailbox[1].arg, 0, &left);
    assert_int_equal(n_inherited, 3);
    assert_int_equal(reply->stores[0], IMC__V1__LOGIC_STATUS__UNAVAILABLE);
    assert_int_equal(reply->confirms[0], IMC__V1__LOGIC_STATUS__OK);
    assert_int_equal(reply->confirms[1], IMC__V1__LOGIC_STATUS__OK);
    assert_int_equal(reply->fetches[0]->n_waiting, 1);
    assert_int_equal(reply->fetches[0]->last, 99);
    /* What did not fit into the reply comes before what was left out behind it. */
    assert_int_equal(reply->fetches[1]->n_waiting, 1);
    assert_true(reply->fetches[1]->more && reply->fetches[1]->last == 0);
}

static Imc__V1__SessionBatch register_batch(bool with_register)
{
    static Imc__V1__Register one, *list[] = {&one};
    static Imc__V1__Registered registered;
    Imc__V1__SessionBatch in = new_batch();

    imc__v1__register__init(&one);
    imc__v1__registered__init(&registered);
    one.handle = 7;
    one.uid = 42;
    in.n_registers = with_register;
    in.registers = list;
    registered.loop = 1;
    registered.loops = 2;
    in.registered = &registered;
    return in;
}

static void registered_follows_the_registers_to_every_router(void **state)
{
    Imc__V1__SessionBatch in = register_batch(true);
    (void)state;
    n_live = 2;
    handle(&in);
    assert_int_equal(n_routers, 1);
    assert_int_equal(routers[0].session.max_sessions, 0); /* it is open already */
    router_says(0, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, RING);
    assert_int_equal(n_routers, 3);
    router_says(1, ROUTER_OK, 0, RING);
    assert_null(reply);
    router_says(2, ROUTER_MISMATCH, 0, RING);
    assert_int_equal(reply->registers[0], IMC__V1__LOGIC_STATUS__OK);
    assert_int_equal(reply->registered, IMC__V1__LOGIC_STATUS__RING_MISMATCH);
}

static void registered_only_if_every_register_was(void **state)
{
    Imc__V1__SessionBatch in = register_batch(true);
    (void)state;
    handle(&in);
    router_says(0, ROUTER_AWAY, 0, RING);
    assert_int_equal(n_routers, 1);
    assert_int_equal(reply->registers[0], IMC__V1__LOGIC_STATUS__UNAVAILABLE);
    assert_int_equal(reply->registered, IMC__V1__LOGIC_STATUS__UNAVAILABLE);
}

static void other_ring_registers_nothing(void **state)
{
    Imc__V1__SessionBatch in = register_batch(true);
    (void)state;
    ring_now = RING + 1;
    handle(&in);
    assert_int_equal(n_routers, 0);
    assert_int_equal(reply->registers[0], IMC__V1__LOGIC_STATUS__RING_MISMATCH);
    assert_int_equal(reply->registered, IMC__V1__LOGIC_STATUS__RING_MISMATCH);
    assert_true(reply->ring == RING + 1);
}

static void registered_alone(void **state)
{
    Imc__V1__SessionBatch in = register_batch(false);
    (void)state;
    handle(&in);
    router_says(0, ROUTER_OK, 0, RING);
    assert_int_equal(reply->registered, IMC__V1__LOGIC_STATUS__OK);
}

static void registered_with_no_router(void **state)
{
    Imc__V1__SessionBatch in = register_batch(false);
    (void)state;
    n_live = 0;
    handle(&in);
    assert_int_equal(reply->registered, IMC__V1__LOGIC_STATUS__UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(empty_batch_is_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(put_is_answered_before_the_mailbox_is_read, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(reply_waits_for_the_last_item, setup, teardown),
        cmocka_unit_test_setup_teardown(others_are_asked_to_give_way, setup, teardown),
        cmocka_unit_test_setup_teardown(mismatch_is_tried_again, setup, teardown),
        cmocka_unit_test_setup_teardown(late_router_is_unavailable, setup, teardown),
        cmocka_unit_test_setup_teardown(unanswered_put_is_taken_back, setup, teardown),
        cmocka_unit_test_setup_teardown(failed_fetch_takes_the_put_back, setup, teardown),
        cmocka_unit_test_setup_teardown(comet_that_went_keeps_its_put, setup, teardown),
        cmocka_unit_test_setup_teardown(ring_that_changed_midway_is_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(waiting_messages_share_the_reply, setup, teardown),
        cmocka_unit_test_setup_teardown(mailbox_items, setup, teardown),
        cmocka_unit_test_setup_teardown(registered_follows_the_registers_to_every_router, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(registered_only_if_every_register_was, setup, teardown),
        cmocka_unit_test_setup_teardown(other_ring_registers_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(registered_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(registered_with_no_router, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

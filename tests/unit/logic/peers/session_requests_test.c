/* What a comet asks of logic for its sessions, and when the batch is answered. */
#include "common/protocol/ops.h"
#include "tests/unit/logic/peers/session_requests_fixture.h"

#include <errno.h>

/* --- fakes: every request is kept until the test answers it --- */

static void token_is(size_t i, int64_t uid)
{
    struct token_value value = {
        .uid = uid, .room = "room-x", .room_len = 4, .accepts = "*", .accepts_len = 1};
    tokens.fn(tokens.arg, i, 0, &value, "");
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

/* --- */

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

/* It is read after the put, so that whoever revokes finds the session, or this connect sees it. */
static void what_is_revoked_by_then_is_taken_back(void **state)
{
    (void)state;
    revoked_code = CLOSE_BAD_TOKEN;
    revoked_asked = 0;
    connect_n(1);
    token_is(0, 42);
    assert_int_equal(revoked_asked, 0);
    router_says(0, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, RING);
    assert_int_equal(revoked_asked, 1);
    mailbox_has(0, 2, 5);
    assert_null(reply);
    assert_int_equal(n_routers, 2); /* the put is taken back first */
    router_says(1, ROUTER_OK, 0, RING);
    assert_non_null(reply);
    assert_int_equal(reply->connects[0]->code, CLOSE_BAD_TOKEN);
    assert_string_equal(reply->connects[0]->reason, "the token was revoked");
    assert_int_equal(reply->connects[0]->n_waiting, 0);
    revoked_code = CLOSE_NONE;
}

static void reply_waits_for_the_last_item(void **state)
{
    (void)state;
    connect_n(3);
    token_is(1, 8);
    tokens.fn(tokens.arg, 0, -ENOENT, NULL, "unknown or expired token");
    tokens.fn(tokens.arg, 2, -EAGAIN, NULL, "service unavailable");
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

/* sessions.when_full is close_oldest: the oldest that are too many are asked, until they have gone.
 */
static void the_oldest_is_asked_until_it_has_gone(void **state)
{
    (void)state;
    static char oldest[] = "close_oldest";
    int64_t timeout_ms = config.connect_timeout_ms;
    config.connect_timeout_ms = 60000;
    config.sessions_when_full = oldest;
    connect_n(1);
    config.connect_timeout_ms = timeout_ms;
    token_is(0, 8);
    for (size_t i = 0; i < 5; i++) {
        router_says(2 * i, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_TOO_MANY, RING);
        router_finds(2 * i + 1);
        assert_string_equal(told, "one/7:58,56, two/7:57,55, "); /* three may stay, one comes */
        run_until_routers(2 * i + 3);
    }
    config.sessions_when_full = NULL;
    router_says(10, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, RING);
    mailbox_has(0, 0, 0);
    assert_int_equal(reply->connects[0]->code, 0);
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
    assert_int_equal(n_routers,
                     4); /* every 50 ms of 130: at 0, 50 and 100; then it is taken back */
    assert_int_equal(routers[2].what, 'p');
    assert_int_equal(routers[3].what, 'd');
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

/* The router hangs. When it goes on, it may carry out the put; comet then says that it has ended.
 */
static void put_that_cannot_be_taken_back_is_told(void **state)
{
    (void)state;
    connect_n(1);
    token_is(0, 42);
    clock_move(130);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    router_says(0, ROUTER_AWAY, 0, RING);
    assert_int_equal(routers[1].what, 'd');
    router_says(1, ROUTER_AWAY, 0, RING);
    assert_int_equal(reply->connects[0]->code, CLOSE_UNAVAILABLE);
    assert_true(reply->connects[0]->put);
    assert_int_equal(reply->connects[0]->uid, 42);
}

static void put_that_was_to_be_tried_again_is_taken_back(void **state)
{
    (void)state;
    connect_n(1);
    token_is(0, 42);
    router_says(0, ROUTER_AWAY, 0, RING); /* its stream broke: it may have been carried out */
    assert_int_equal(n_routers, 1);
    clock_move(130);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(n_routers, 2);
    assert_int_equal(routers[1].what, 'd');
    router_says(1, ROUTER_OK, 0, RING);
    assert_int_equal(reply->connects[0]->code, CLOSE_UNAVAILABLE);
    assert_false(reply->connects[0]->put);
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
    Imc__V1__Confirm confirm, waive, *confirms[] = {&confirm, &waive};
    Imc__V1__Fetch fetch, all, *fetches[] = {&fetch, &all};
    uint64_t left_ids[] = {5, 6, 7};
    struct mailbox_debts left = {.uid = 1, .n = 3, .ids = left_ids, .owed = "comet-2/1"};

    (void)state;
    imc__v1__confirm__init(&confirm);
    imc__v1__confirm__init(&waive);
    imc__v1__fetch__init(&fetch);
    imc__v1__fetch__init(&all);
    waiting.id = 1;
    store.message = &waiting;
    store.handle = 0x10;
    store.behind = 9;
    confirm.handle = 0x20;
    confirm.key = all.key = (char *)(uintptr_t) "phone";
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
        assert_string_equal(mailbox[i].device, i == 1 || i == 4 ? "/phone" : "");
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

/* It is answered when that is told. */
static void what_is_too_old_to_be_stored_is_told(void **state)
{
    Imc__V1__SessionBatch in = new_batch();
    Imc__V1__Waiting waiting;
    imc__v1__waiting__init(&waiting);
    Imc__V1__Store store = IMC__V1__STORE__INIT, *stores[] = {&store};

    (void)state;
    is_too_old = tells_ended = true;
    waiting.id = 1;
    store.message = &waiting;
    store.uid = 7;
    in.n_stores = 1;
    in.stores = stores;
    handle(&in);
    assert_int_equal(n_mailbox, 1);
    assert_true(mailbox[0].what == 'e' && mailbox[0].uid == 7);
    assert_null(reply);
    mailbox[0].fn(mailbox[0].arg, 0);
    assert_int_equal(reply->stores[0], IMC__V1__LOGIC_STATUS__OK);
    is_too_old = tells_ended = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(empty_batch_is_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(put_is_answered_before_the_mailbox_is_read, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_revoked_by_then_is_taken_back, setup, teardown),
        cmocka_unit_test_setup_teardown(reply_waits_for_the_last_item, setup, teardown),
        cmocka_unit_test_setup_teardown(others_are_asked_to_give_way, setup, teardown),
        cmocka_unit_test_setup_teardown(the_oldest_is_asked_until_it_has_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(mismatch_is_tried_again, setup, teardown),
        cmocka_unit_test_setup_teardown(late_router_is_unavailable, setup, teardown),
        cmocka_unit_test_setup_teardown(unanswered_put_is_taken_back, setup, teardown),
        cmocka_unit_test_setup_teardown(put_that_cannot_be_taken_back_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(put_that_was_to_be_tried_again_is_taken_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(failed_fetch_takes_the_put_back, setup, teardown),
        cmocka_unit_test_setup_teardown(comet_that_went_keeps_its_put, setup, teardown),
        cmocka_unit_test_setup_teardown(ring_that_changed_midway_is_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(waiting_messages_share_the_reply, setup, teardown),
        cmocka_unit_test_setup_teardown(mailbox_items, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_too_old_to_be_stored_is_told, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

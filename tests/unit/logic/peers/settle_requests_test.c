/* Settling, with fakes in place of streams, mailbox and routers. */
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
    char owed[64];
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

static bool any; /* the first session that has it ends it for all */

static void settle(size_t n)
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

static void router_says(size_t i, enum router_result result, bool complete, size_t n_sessions)
{
    /* As a reply's arena: valid while references are held. */
    static Imc__V1__Session sessions[MOST + 2], *list[MOST + 2];
    static int dummy;

    for (size_t k = i; k < i + n_sessions; k++) {
        imc__v1__session__init(&sessions[k]);
        sessions[k].comet = (char *)(uintptr_t) "comet-1";
        sessions[k].handle = 16 + k - i;
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

static int setup(void **state)
{
    (void)state;
    memset(counters, 0, sizeof counters);
    static int routers;
    logic.routers = (struct routers *)(void *)&routers;
    n_stores = n_lookups = n_trims = 0;
    there_now.n = 1;
    key_wanted = NULL;
    any = false;
    memset(keys_there, 0, sizeof keys_there);
    reply_refs = 0;
    reply = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (reply != NULL)
        imc__v1__settle_reply__free_unpacked(reply, NULL);
    assert_int_equal(reply_refs, 0);
    return 0;
}

/* Owed to nobody, it leaves with the first confirmation. All sessions are poked. */
static void any_is_owed_to_nobody(void **state)
{
    (void)state;
    any = true;
    settle(1);
    stores[0].fn(stores[0].arg, 0);
    router_says(0, ROUTER_OK, true, 2);
    assert_int_equal(n_stores, 1);
    assert_string_equal(stores[0].owed, "");
    assert_int_equal(reply->results[0]->status, IMC__V1__SETTLE_RESULT__STATUS__STORED);
    assert_int_equal(reply->results[0]->n_sessions, 2);
}

static void stored_first_then_asked(void **state)
{
    (void)state;
    settle(1);
    assert_int_equal(n_stores, 1);
    assert_int_equal(n_lookups, 0);
    stores[0].fn(stores[0].arg, 0);
    assert_int_equal(n_lookups, 1);
    assert_int_equal(stores[0].by, MAILBOX_SETTLE);
    assert_string_equal(stores[0].owed, "");
    router_says(0, ROUTER_OK, true, 1);
    assert_null(reply); /* it is the session's now, but that must be in the mailbox first */
    assert_int_equal(n_stores, 2);
    assert_int_equal(stores[1].by, MAILBOX_OWE_IF_THERE);
    assert_true(stores[1].uid == stores[0].uid && stores[1].id == stores[0].id);
    assert_string_equal(stores[1].owed, "comet-1/10");
    stores[1].fn(stores[1].arg, 0);
    assert_true(reply->seq == 3);
    assert_int_equal(reply->results[0]->status, IMC__V1__SETTLE_RESULT__STATUS__STORED);
    assert_string_equal(reply->results[0]->sessions[0]->comet, "comet-1");
}

static void each_of_several_is_owed_it(void **state)
{
    (void)state;
    settle(1);
    stores[0].fn(stores[0].arg, 0);
    router_says(0, ROUTER_OK, true, 2);
    assert_int_equal(stores[1].by, MAILBOX_OWE);
    assert_string_equal(stores[1].owed, "comet-1/10 comet-1/11");
    stores[1].fn(stores[1].arg, 0);
    assert_int_equal(reply->results[0]->status, IMC__V1__SETTLE_RESULT__STATUS__STORED);
    assert_int_equal(reply->results[0]->n_sessions, 2);
}

/* Poked, each would fetch it; but one of them might find it gone. */
static void not_poked_before_it_is_owed(void **state)
{
    (void)state;
    settle(1);
    stores[0].fn(stores[0].arg, 0);
    router_says(0, ROUTER_OK, true, 2);
    stores[1].fn(stores[1].arg, -EAGAIN);
    assert_int_equal(reply->results[0]->status, IMC__V1__SETTLE_RESULT__STATUS__FAILED);
    assert_int_equal(reply->results[0]->n_sessions, 0);
    assert_int_equal(counters[LOGIC_SETTLED_FAILED], 1);
}

static void every_outcome(void **state)
{
    (void)state;
    settle(5);
    for (size_t i = 0; i < 5; i++)
        assert_true(stores[i].id == 1000 + i); /* the order of the batch */
    stores[4].fn(stores[4].arg, -EAGAIN);
    for (size_t i = 0; i < 4; i++)
        stores[i].fn(stores[i].arg, 0);
    router_says(4, ROUTER_AWAY, false, 0);
    router_says(3, ROUTER_MISMATCH, false, 1);
    router_says(2, ROUTER_OK, false, 0);
    router_says(0, ROUTER_OK, true, 0); /* the one that is not stored */
    assert_null(reply);
    router_says(1, ROUTER_OK, true, 0);
    assert_int_equal(reply->n_results, 5);
    assert_int_equal(reply->results[0]->status, IMC__V1__SETTLE_RESULT__STATUS__STORED);
    assert_int_equal(reply->results[0]->n_sessions, 0);
    assert_int_equal(reply->results[1]->status, IMC__V1__SETTLE_RESULT__STATUS__UNKNOWN);
    assert_int_equal(reply->results[2]->status, IMC__V1__SETTLE_RESULT__STATUS__UNKNOWN);
    assert_int_equal(reply->results[3]->status, IMC__V1__SETTLE_RESULT__STATUS__UNKNOWN);
    assert_int_equal(reply->results[4]->status, IMC__V1__SETTLE_RESULT__STATUS__FAILED);
    assert_int_equal(counters[LOGIC_SETTLED_STORED], 1);
    assert_int_equal(counters[LOGIC_SETTLED_UNKNOWN], 3);
    assert_int_equal(counters[LOGIC_SETTLED_FAILED], 1);
}

static void only_sessions_with_the_key_are_owed_and_told(void **state)
{
    (void)state;
    key_wanted = "b";
    keys_there[0] = "a";
    keys_there[2] = "b";
    settle(1);
    stores[0].fn(stores[0].arg, 0);
    router_says(0, ROUTER_OK, true, 3);
    assert_int_equal(n_stores, 2);
    assert_string_equal(stores[1].owed, "comet-1/12");
    stores[1].fn(stores[1].arg, 0);
    assert_int_equal(reply->results[0]->status, IMC__V1__SETTLE_RESULT__STATUS__STORED);
    assert_int_equal(reply->results[0]->n_sessions, 1);
    assert_true(reply->results[0]->sessions[0]->handle == 18);
}

static void with_only_other_devices_there_it_waits_untrimmed(void **state)
{
    (void)state;
    key_wanted = "b";
    keys_there[0] = "a";
    there_now.n = 21;
    settle(2);
    stores[0].fn(stores[0].arg, 0);
    stores[1].fn(stores[1].arg, 0);
    router_says(0, ROUTER_OK, true, 2);
    assert_int_equal(n_trims, 0);
    router_says(1, ROUTER_OK, true, 0); /* nobody at all */
    assert_int_equal(n_trims, 1);
    trims[0].fn(trims[0].arg, 0);
    assert_int_equal(n_stores, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(reply->results[i]->status, IMC__V1__SETTLE_RESULT__STATUS__STORED);
        assert_int_equal(reply->results[i]->n_sessions, 0);
    }
}

static void with_a_key_what_is_not_known_is_asked_again(void **state)
{
    (void)state;
    key_wanted = "b";
    keys_there[0] = "a";
    keys_there[1] = "b";
    settle(2);
    stores[0].fn(stores[0].arg, 0);
    stores[1].fn(stores[1].arg, -EAGAIN);
    router_says(0, ROUTER_OK, false, 1);
    router_says(1, ROUTER_OK, true, 2);
    assert_int_equal(reply->results[0]->status, IMC__V1__SETTLE_RESULT__STATUS__UNKNOWN);
    assert_int_equal(reply->results[0]->n_sessions, 0);
    assert_int_equal(reply->results[1]->status, IMC__V1__SETTLE_RESULT__STATUS__FAILED);
    assert_int_equal(reply->results[1]->n_sessions, 1); /* job gives it to that one */
    assert_string_equal(reply->results[1]->sessions[0]->key, "b");
}

static void what_is_behind_another_says_so(void **state)
{
    (void)state;
    of_one_user = true;
    refused_id = 1001;
    settle(4);
    of_one_user = false;
    refused_id = 0;
    assert_int_equal(n_stores, 3);
    assert_true(stores[0].id == 1000 && stores[0].behind == 999);
    assert_true(stores[1].id == 1002 && stores[1].behind == 1000); /* 1001 has ended */
    assert_true(stores[2].id == 1003 && stores[2].behind == 1002);
    stores[0].fn(stores[0].arg, 0);
    stores[1].fn(stores[1].arg, -EAGAIN);
    stores[2].fn(stores[2].arg, -ENOENT);
    router_says(1, ROUTER_AWAY, false, 0);
    router_says(0, ROUTER_OK, true, 1);
    assert_int_equal(n_stores, 4);
    assert_true(stores[3].behind == 0); /* it is there, whatever has become of the other */
    stores[3].fn(stores[3].arg, 0);
    assert_int_equal(reply->results[2]->status, IMC__V1__SETTLE_RESULT__STATUS__FAILED);
    assert_int_equal(reply->results[3]->status, IMC__V1__SETTLE_RESULT__STATUS__TOO_EARLY);
    assert_int_equal(counters[LOGIC_SETTLED_EARLY], 1);
}

/* They get it from job, if they are really there. */
static void who_is_there_is_told_of_what_is_not_stored(void **state)
{
    (void)state;
    settle(3);
    for (size_t i = 0; i < 3; i++)
        stores[i].fn(stores[i].arg, -EAGAIN);
    router_says(0, ROUTER_OK, true, 1);
    router_says(1, ROUTER_OK, false, 1);
    router_says(2, ROUTER_MISMATCH, true, 1);
    assert_int_equal(n_stores, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(reply->results[i]->status, IMC__V1__SETTLE_RESULT__STATUS__FAILED);
        assert_int_equal(reply->results[i]->n_sessions, i == 0 ? 1 : 0);
    }
    assert_string_equal(reply->results[0]->sessions[0]->comet, "comet-1");
}

/* mailbox.limit is for users who are away. */
static void trimmed_only_if_nobody_is_there(void **state)
{
    (void)state;
    there_now.n = 21;
    settle(4);
    for (size_t i = 0; i < 4; i++)
        stores[i].fn(stores[i].arg, 0);
    router_says(0, ROUTER_OK, true, 1);
    stores[4].fn(stores[4].arg, 0);
    router_says(1, ROUTER_OK, false, 0);
    router_says(2, ROUTER_AWAY, false, 0);
    assert_int_equal(n_trims, 0);
    router_says(3, ROUTER_OK, true, 0);
    assert_int_equal(n_trims, 1);
    assert_true(trims[0].uid == 3 && trims[0].id == 1003);
    assert_null(reply);
    trims[0].fn(trims[0].arg, -EAGAIN); /* job asks again, or it would stay beyond the limit */
    assert_int_equal(reply->results[3]->status, IMC__V1__SETTLE_RESULT__STATUS__FAILED);
}

/* What had been stored before by whomever waits for the same user. */
static void trimmed_up_to_the_newest_that_was_there(void **state)
{
    (void)state;
    there_now = (struct mailbox_there){.n = 21, .newest = 2000};
    settle(1);
    stores[0].fn(stores[0].arg, 0);
    router_says(0, ROUTER_OK, true, 0);
    assert_int_equal(n_trims, 1);
    assert_true(trims[0].id == 2000);
    trims[0].fn(trims[0].arg, 0);
    assert_int_equal(reply->results[0]->status, IMC__V1__SETTLE_RESULT__STATUS__STORED);
    there_now.newest = 0;
}

static void what_has_ended_is_settled_without_anybody(void **state)
{
    (void)state;
    refused_id = 1001;
    settle(2);
    refused_id = 0;
    assert_int_equal(n_stores, 1);
    there_now.n = 1;
    stores[0].fn(stores[0].arg, 0);
    router_says(0, ROUTER_OK, true, 0);
    assert_int_equal(reply->results[1]->status, IMC__V1__SETTLE_RESULT__STATUS__STORED);
    assert_int_equal(n_lookups, 1);
}

static void not_trimmed_up_to_the_limit(void **state)
{
    (void)state;
    there_now.n = 20;
    settle(1);
    stores[0].fn(stores[0].arg, 0);
    router_says(0, ROUTER_OK, true, 0);
    assert_int_equal(n_trims, 0);
    assert_int_equal(reply->results[0]->status, IMC__V1__SETTLE_RESULT__STATUS__STORED);
}

static void empty_batch_is_answered(void **state)
{
    (void)state;
    settle(0);
    assert_non_null(reply);
    assert_int_equal(reply->n_results, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_is_owed_to_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(stored_first_then_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(each_of_several_is_owed_it, setup, teardown),
        cmocka_unit_test_setup_teardown(not_poked_before_it_is_owed, setup, teardown),
        cmocka_unit_test_setup_teardown(every_outcome, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_behind_another_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(with_a_key_what_is_not_known_is_asked_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(with_only_other_devices_there_it_waits_untrimmed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(only_sessions_with_the_key_are_owed_and_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_is_there_is_told_of_what_is_not_stored, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(trimmed_only_if_nobody_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(trimmed_up_to_the_newest_that_was_there, setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_ended_is_settled_without_anybody, setup, teardown),
        cmocka_unit_test_setup_teardown(not_trimmed_up_to_the_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_batch_is_answered, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

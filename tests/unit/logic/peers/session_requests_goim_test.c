/* Whose the key of a goim client is: noted at the connect, renewed by registers. */
#include "common/protocol/goim_key.h"
#include "common/protocol/ops.h"
#include "tests/unit/logic/peers/session_requests_fixture.h"

#include <errno.h>

static int open_trusting(void **state)
{
    config.auth_trust_mid = true;
    n_keys = 0;
    return setup(state);
}

static void goim_connects(const char *auth)
{
    Imc__V1__Connect connect, *list[] = {&connect};
    Imc__V1__SessionBatch in = new_batch();

    imc__v1__connect__init(&connect);
    connect.handle = 100;
    connect.goim = true;
    connect.token = (ProtobufCBinaryData){strlen(auth), (uint8_t *)(uintptr_t)auth};
    in.n_connects = 1;
    in.connects = list;
    handle(&in);
}

static void mailbox_answers(int err)
{
    const struct mailbox_page page = {0};
    mailbox[0].page_fn(mailbox[0].arg, err, &page);
}

static void the_key_is_taken_while_the_mailbox_is_read(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        n_routers = n_mailbox = n_keys = 0;
        goim_connects("{\"mid\":42,\"key\":\"phone\"}");
        assert_int_equal(n_keys, 0); /* a session that is refused takes no key */
        router_says(0, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, RING);
        assert_int_equal(n_keys, 1);
        assert_int_equal(n_mailbox, 1);
        assert_string_equal(keys[0].key, "phone");
        assert_true(keys[0].uid == 42);
        if (first == 0)
            mailbox_answers(0);
        else
            keys[0].fn(keys[0].arg, 0);
        assert_null(reply);
        if (first == 0)
            keys[0].fn(keys[0].arg, 0);
        else
            mailbox_answers(0);
        assert_non_null(reply);
        assert_int_equal(reply->connects[0]->code, CLOSE_NONE);
        assert_string_equal(reply->connects[0]->key, "phone");
        assert_int_equal(reply->keys_refresh_ms, 4242);
        imc__v1__session_reply__free_unpacked(reply, NULL);
        reply = NULL;
    }
}

static void without_its_key_no_session_is_admitted(void **state)
{
    (void)state;
    goim_connects("{\"mid\":42,\"key\":\"phone\"}");
    router_says(0, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, RING);
    keys[0].fn(keys[0].arg, -EAGAIN);
    assert_null(reply);
    mailbox_answers(0);
    assert_int_equal(n_routers, 2);
    assert_int_equal(routers[1].what, 'd');
    router_says(1, ROUTER_OK, 0, RING);
    assert_int_equal(reply->connects[0]->code, CLOSE_UNAVAILABLE);
}

static void a_key_that_is_made_up_names_the_user_and_is_not_kept(void **state)
{
    int64_t uid = 0;

    (void)state;
    goim_connects("{\"mid\":42}");
    router_says(0, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, RING);
    mailbox_answers(0);
    assert_int_equal(n_keys, 0);
    assert_int_equal(reply->connects[0]->code, CLOSE_NONE);
    assert_true(goim_key_is_made(reply->connects[0]->key, &uid));
    assert_true(uid == 42 && reply->connects[0]->uid == 42);
}

static void next_reply(void)
{
    imc__v1__session_reply__free_unpacked(reply, NULL);
    reply = NULL;
    n_routers = n_mailbox = 0;
}

/* A client that was told its key may name it when it comes back. */
static void nobody_without_a_key_is_a_user_of_his_own(void **state)
{
    char auth[200];
    int64_t uid = 0;

    (void)state;
    goim_connects("{}");
    router_says(0, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, RING);
    mailbox_answers(0);
    assert_true(goim_key_is_made(reply->connects[0]->key, &uid));
    assert_true(uid < 0 && uid == reply->connects[0]->uid);
    (void)snprintf(auth, sizeof auth, "{\"key\":\"%s\"}", reply->connects[0]->key);
    next_reply();
    goim_connects(auth);
    router_says(0, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, RING);
    mailbox_answers(0);
    assert_true(uid == reply->connects[0]->uid);
    assert_int_equal(n_keys, 0);
}

static void a_key_that_was_made_up_for_another_is_refused(void **state)
{
    static const char *const auths[] = {
        "{\"mid\":42,\"key\":\"~7~0123456789abcdef0123456789abcdef\"}",
        "{\"key\":\"~-7~0123456789abcdef0123456789abcdef\"}"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        goim_connects(auths[i]);
        assert_int_equal(reply->connects[0]->code, CLOSE_MALFORMED);
        assert_string_equal(reply->connects[0]->reason, "auth: key was made up for another user");
        assert_int_equal(n_routers, 0);
        next_reply();
    }
    goim_connects("{\"mid\":7,\"key\":\"~7~0123456789abcdef0123456789abcdef\"}");
    router_says(0, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, RING);
    mailbox_answers(0);
    assert_int_equal(reply->connects[0]->code, CLOSE_NONE);
    assert_int_equal(n_keys, 0);
}

static void registers_renew_keys(void **state)
{
    Imc__V1__Register named, imgo, *list[] = {&named, &imgo};
    Imc__V1__SessionBatch in = new_batch();

    (void)state;
    imc__v1__register__init(&named);
    imc__v1__register__init(&imgo);
    named.uid = 42;
    named.key = (char *)(uintptr_t) "phone";
    in.n_registers = 2;
    in.registers = list;
    handle(&in);
    assert_int_equal(n_keys, 2); /* device_keys_keep() knows that "" is none */
    assert_string_equal(keys[0].key, "phone");
    assert_true(keys[0].uid == 42);
    assert_string_equal(keys[1].key, "");
    router_says(0, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, RING);
    router_says(1, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, RING);
    assert_int_equal(reply->keys_refresh_ms, 4242);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, open_trusting, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_key_is_taken_while_the_mailbox_is_read),
        TEST(without_its_key_no_session_is_admitted),
        TEST(a_key_that_is_made_up_names_the_user_and_is_not_kept),
        TEST(nobody_without_a_key_is_a_user_of_his_own),
        TEST(a_key_that_was_made_up_for_another_is_refused),
        TEST(registers_renew_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

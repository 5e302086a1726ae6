/* Further tokens of open sessions: whose they are, and until when they are good. */
#include "common/protocol/ops.h"
#include "tests/unit/logic/peers/session_requests_fixture.h"

#include <errno.h>

enum { UID = 42, NOW_S = 1000 };

static Imc__V1__Renew one;

/* A session of UID with KEY sends TOKEN. */
static void renew(const char *token, const char *key, bool goim)
{
    static Imc__V1__Renew *list[] = {&one};
    Imc__V1__SessionBatch in = new_batch();

    imc__v1__renew__init(&one);
    one.handle = 7;
    one.uid = UID;
    one.key = mem_unconst(key);
    one.token = (ProtobufCBinaryData){strlen(token), mem_unconst(token)};
    one.goim = goim;
    in.n_renews = 1;
    in.renews = list;
    handle(&in);
}

/* It is a JSON Web Token of UID for KEY, which expires in IN_MS. */
static void token_says(int64_t uid, const char *key, uint64_t in_ms)
{
    struct token_value value = {.uid = uid, .room = "", .rooms = "", .accepts = "", .key = key};

    value.ends_ms = in_ms != 0 ? logic_now_ms(&logic) + in_ms : 0;
    value.identity.jwt = true;
    value.identity.has_id = true;
    value.identity.token[0] = 3;
    value.identity.id[0] = 4;
    value.identity.issued_s = NOW_S;
    tokens.fn(tokens.arg, 0, 0, &value, "");
}

static void is_refused(uint32_t code, const char *words)
{
    assert_non_null(reply);
    assert_int_equal(reply->n_renews, 1);
    assert_int_equal(reply->renews[0]->code, code);
    if (strstr(reply->renews[0]->reason, words) == NULL)
        fail_msg("%s: not %s", reply->renews[0]->reason, words);
    assert_int_equal(reply->renews[0]->lifetime_ms, 0);
    assert_int_equal(reply->renews[0]->token, 0);
    assert_int_equal(n_routers, 0);
}

static void it_is_said_until_when_the_new_one_is_good(void **state)
{
    (void)state;
    revoked_asked = 0;
    renew("jwt", "", false);
    assert_null(reply);
    token_says(UID, "", 5000);
    assert_int_equal(revoked_asked, 1);
    assert_int_equal(reply->renews[0]->code, CLOSE_NONE);
    assert_in_range(reply->renews[0]->lifetime_ms, 4000, 5000);
    assert_int_equal(reply->renews[0]->token, 3);
    assert_int_equal(reply->renews[0]->token_id, 4);
    assert_int_equal(reply->renews[0]->issued_s, NOW_S);
    assert_int_equal(n_routers, 0); /* the router knows the session already */
    assert_int_equal(n_mailbox, 0);
    assert_int_equal(atomic_load(&counters[LOGIC_RENEWED]), 1);
}

static void one_that_does_not_expire(void **state)
{
    (void)state;
    renew("jwt", "", false);
    token_says(UID, "", 0);
    assert_int_equal(reply->renews[0]->code, CLOSE_NONE);
    assert_int_equal(reply->renews[0]->lifetime_ms, 0);
}

static void another_users_is_refused(void **state)
{
    (void)state;
    renew("jwt", "", false);
    token_says(UID + 1, "", 5000);
    is_refused(CLOSE_BAD_TOKEN, "another user");
    assert_int_equal(atomic_load(&counters[LOGIC_RENEW_REFUSED]), 1);
}

static void another_devices_is_refused(void **state)
{
    (void)state;
    renew("{\"token\":\"jwt\"}", "phone", true);
    token_says(UID, "pad", 5000);
    is_refused(CLOSE_BAD_TOKEN, "another key");
}

static void a_client_that_calls_itself_another_device_is_refused(void **state)
{
    (void)state;
    renew("{\"token\":\"jwt\",\"key\":\"pad\"}", "phone", true);
    token_says(UID, "", 5000);
    is_refused(CLOSE_BAD_TOKEN, "another key");
}

static void the_same_device_goes_on(void **state)
{
    (void)state;
    renew("{\"token\":\"jwt\",\"key\":\"phone\",\"hello\":true}", "phone", true);
    token_says(UID, "phone", 5000);
    assert_int_equal(reply->renews[0]->code, CLOSE_NONE);
    assert_true(reply->renews[0]->hello);
}

static void a_mid_has_to_fit(void **state)
{
    (void)state;
    renew("{\"token\":\"jwt\",\"mid\":43}", "phone", true);
    token_says(UID, "", 5000);
    is_refused(CLOSE_BAD_TOKEN, "mid");
}

static void what_is_revoked_is_refused(void **state)
{
    (void)state;
    revoked_code = CLOSE_BAD_TOKEN;
    renew("jwt", "", false);
    token_says(UID, "", 5000);
    revoked_code = CLOSE_NONE;
    is_refused(CLOSE_BAD_TOKEN, "revoked");
}

static void a_bad_one_is_refused(void **state)
{
    (void)state;
    renew("jwt", "", false);
    tokens.fn(tokens.arg, 0, -ENOENT, NULL, "token: expired");
    is_refused(CLOSE_BAD_TOKEN, "token: expired");
}

static void nobody_can_say(void **state)
{
    (void)state;
    renew("jwt", "", false);
    tokens.fn(tokens.arg, 0, -EBUSY, NULL, "too many");
    is_refused(CLOSE_UNAVAILABLE, "too many");
    assert_int_equal(atomic_load(&counters[LOGIC_RENEW_UNAVAILABLE]), 1);
}

static void what_is_no_auth_of_goim_is_refused(void **state)
{
    (void)state;
    renew("{\"token\":7}", "phone", true);
    is_refused(CLOSE_MALFORMED, "token");
}

static void a_mid_alone_is_believed_where_it_was_at_first(void **state)
{
    (void)state;
    config.auth_trust_mid = true;
    renew("{\"mid\":42}", "phone", true);
    config.auth_trust_mid = false;
    assert_int_equal(reply->renews[0]->code, CLOSE_NONE);
    assert_int_equal(reply->renews[0]->token, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(it_is_said_until_when_the_new_one_is_good),
        TEST(one_that_does_not_expire),
        TEST(another_users_is_refused),
        TEST(another_devices_is_refused),
        TEST(a_client_that_calls_itself_another_device_is_refused),
        TEST(the_same_device_goes_on),
        TEST(a_mid_has_to_fit),
        TEST(what_is_revoked_is_refused),
        TEST(a_bad_one_is_refused),
        TEST(nobody_can_say),
        TEST(what_is_no_auth_of_goim_is_refused),
        TEST(a_mid_alone_is_believed_where_it_was_at_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

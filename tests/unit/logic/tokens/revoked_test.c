/* What is revoked of a user, in a real Redis: who is let in, until when, and how much is kept. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* needs cmocka.h */
#include "common/protocol/ops.h"
#include "logic/tokens/revoked.h"
#include "tests/unit/lib/clock.h"

static struct logic_config config = {.revoke_per_uid = 5, .revoke_keep_opaque_ms = 3600000};

/* needs the above */
#include "tests/unit/lib/logic_redis.h"

static struct {
    int n, err;
    int64_t count;
    uint32_t code;
} got;

static void on_done(void *arg, int err, int64_t count)
{
    (void)arg;
    got.n++;
    got.err = err;
    got.count = count;
}

static void on_checked(void *arg, uint32_t code, const char *why)
{
    (void)arg;
    got.n++;
    got.code = code;
    assert_true((code == CLOSE_NONE) == (why[0] == '\0'));
}

static void answered(void)
{
    assert_int_equal(got.n, 0); /* never within the call */
    assert_true(until(got.n == 1, uv_run(&f.loop.uv, UV_RUN_NOWAIT)));
    got.n = 0;
}

static uint64_t in_s(int64_t seconds)
{
    return logic_now_ms(&logic) + (uint64_t)(seconds * 1000);
}

static int add(struct revoked revoked)
{
    revoked.uid = uid;
    if (revoked.until_ms == 0)
        revoked.until_ms = in_s(60);
    revoked_add(&logic, &revoked, on_done, NULL);
    answered();
    return got.err;
}

static struct token_identity jwt_of(const char *token, const char *id, int64_t issued_s)
{
    struct token_identity identity = {
        .jwt = true, .has_id = id != NULL, .issued_s = issued_s, .found_ms = logic_now_ms(&logic)};

    token_hash(token, strlen(token), identity.token);
    if (id != NULL)
        token_hash(id, strlen(id), identity.id);
    return identity;
}

static uint32_t check(const struct token_identity *identity)
{
    revoked_check(&logic, uid, identity, on_checked, NULL);
    answered();
    return got.code;
}

static void a_user_is_refused_whatever_his_token(void **state)
{
    struct token_identity jwt = jwt_of("a", NULL, 1), opaque = {.found_ms = logic_now_ms(&logic)};

    (void)state;
    assert_int_equal(check(&jwt), CLOSE_NONE);
    assert_int_equal(add((struct revoked){.kind = REVOKED_USER}), 0);
    assert_int_equal(check(&jwt), CLOSE_KICKED);
    assert_int_equal(check(&opaque), CLOSE_KICKED);
    assert_int_equal(check(NULL), CLOSE_KICKED);
    revoked_drop(&logic, &(struct revoked){.kind = REVOKED_USER, .uid = uid}, on_done, NULL);
    answered();
    assert_int_equal(got.count, 1);
    assert_int_equal(check(&jwt), CLOSE_NONE);
}

static void it_is_over_when_it_says(void **state)
{
    struct token_identity jwt = jwt_of("a", NULL, 1);

    (void)state;
    assert_int_equal(add((struct revoked){.kind = REVOKED_USER, .until_ms = in_s(1)}), 0);
    assert_int_equal(check(&jwt), CLOSE_KICKED);
    clock_move(999);
    assert_int_equal(check(&jwt), CLOSE_KICKED);
    clock_move(1);
    assert_int_equal(check(&jwt), CLOSE_NONE);
}

static void tokens_and_ids_are_told_apart(void **state)
{
    struct token_identity a = jwt_of("a", "x", 1), b = jwt_of("b", "y", 1),
                          c = jwt_of("x", NULL, 1);
    struct revoked token = {.kind = REVOKED_TOKEN}, id = {.kind = REVOKED_ID};

    (void)state;
    memcpy(token.hash, a.token, TOKEN_HASH);
    memcpy(id.hash, b.id, TOKEN_HASH);
    assert_int_equal(add(token), 0);
    assert_int_equal(check(&a), CLOSE_BAD_TOKEN);
    assert_int_equal(check(&b), CLOSE_NONE);
    assert_int_equal(add(id), 0);
    assert_int_equal(check(&b), CLOSE_BAD_TOKEN);
    assert_int_equal(check(&c), CLOSE_NONE);
    assert_int_equal(check(NULL), CLOSE_NONE);
}

static void old_tokens_are_refused_and_the_latest_word_holds(void **state)
{
    struct token_identity old = jwt_of("a", NULL, 99), new = jwt_of("b", NULL, 100),
                          none = jwt_of("c", NULL, INT64_MIN);

    (void)state;
    assert_int_equal(add((struct revoked){.kind = REVOKED_BEFORE, .before_s = 100}), 0);
    assert_int_equal(add((struct revoked){.kind = REVOKED_BEFORE, .before_s = 50}), 0);
    assert_int_equal(check(&old), CLOSE_BAD_TOKEN);
    assert_int_equal(check(&new), CLOSE_NONE);
    assert_int_equal(check(&none), CLOSE_BAD_TOKEN);
}

static void an_opaque_token_that_was_found_before_is_doubted(void **state)
{
    struct token_identity before = {.found_ms = logic_now_ms(&logic)}, after = before;

    (void)state;
    assert_int_equal(add((struct revoked){.kind = REVOKED_OPAQUE}), 0);
    after.found_ms = logic_now_ms(&logic) + 1100;
    assert_int_equal(check(&before), CLOSE_UNAVAILABLE);
    assert_int_equal(check(&after), CLOSE_NONE);
    assert_int_equal(check(NULL), CLOSE_NONE);
}

static void on_judged(void *arg, int err, uint32_t code, const char *why)
{
    on_checked(arg, code, why);
    got.err = err;
}

static uint32_t judge(const struct revoked_session *session)
{
    revoked_judge(&logic, uid, session, on_judged, NULL);
    answered();
    return got.code;
}

static struct revoked_session session_of(const struct token_identity *identity)
{
    return (struct revoked_session){
        .token = token_number(identity->token),
        .id = identity->has_id ? token_number(identity->id) : 0,
        .issued_s = identity->issued_s,
    };
}

/* Sessions that were let in before, and of which nobody was told. */
static void open_sessions_are_judged(void **state)
{
    struct token_identity jwt = jwt_of("a", "x", 99), other = jwt_of("b", "y", 100);
    struct revoked_session a = session_of(&jwt), b = session_of(&other), opaque = {0};
    struct revoked token = {.kind = REVOKED_TOKEN}, id = {.kind = REVOKED_ID};

    (void)state;
    assert_int_equal(judge(&a), CLOSE_NONE);
    assert_int_equal(judge(&opaque), CLOSE_NONE);
    memcpy(token.hash, jwt.token, TOKEN_HASH);
    assert_int_equal(add(token), 0);
    assert_int_equal(judge(&a), CLOSE_BAD_TOKEN);
    assert_int_equal(judge(&b), CLOSE_NONE);
    memcpy(id.hash, other.id, TOKEN_HASH);
    assert_int_equal(add(id), 0);
    assert_int_equal(judge(&b), CLOSE_BAD_TOKEN);
    b.id = 0;
    assert_int_equal(judge(&b), CLOSE_NONE);
    assert_int_equal(judge(&opaque), CLOSE_NONE);
    assert_int_equal(add((struct revoked){.kind = REVOKED_BEFORE, .before_s = 101}), 0);
    assert_int_equal(judge(&b), CLOSE_BAD_TOKEN);
    b.issued_s = 101;
    assert_int_equal(judge(&b), CLOSE_NONE);
    b.issued_s = 0; /* it does not say */
    assert_int_equal(judge(&b), CLOSE_BAD_TOKEN);
    assert_int_equal(judge(&opaque), CLOSE_UNAVAILABLE);
    assert_int_equal(add((struct revoked){.kind = REVOKED_USER}), 0);
    assert_int_equal(judge(&opaque), CLOSE_KICKED);
    assert_int_equal(judge(&a), CLOSE_KICKED);
}

static void it_is_known_for_so_long_that_opaque_tokens_were_revoked(void **state)
{
    struct revoked_session opaque = {0};

    (void)state;
    assert_int_equal(add((struct revoked){.kind = REVOKED_OPAQUE}), 0);
    clock_move(config.revoke_keep_opaque_ms - 10000);
    assert_int_equal(judge(&opaque), CLOSE_UNAVAILABLE);
    clock_move(10001);
    assert_int_equal(judge(&opaque), CLOSE_NONE);
}

static void so_much_is_kept_of_a_user_and_no_more(void **state)
{
    struct revoked token = {.kind = REVOKED_TOKEN};

    (void)state;
    for (int i = 0; i < config.revoke_per_uid; i++) {
        token.hash[0] = (uint8_t)i;
        assert_int_equal(add(token), 0);
    }
    assert_int_equal(add(token), 0); /* it is there */
    token.hash[0] = 99;
    assert_int_equal(add(token), -E2BIG);
    token.hash[0] = 0;
    revoked_drop(&logic, &(struct revoked){.kind = REVOKED_TOKEN, .uid = uid}, on_done, NULL);
    answered();
    assert_int_equal(got.count, 1);
    token.hash[0] = 99;
    assert_int_equal(add(token), 0);
}

static void nobody_is_let_in_if_redis_does_not_say(void **state)
{
    struct token_identity jwt = jwt_of("a", NULL, 1);

    (void)state;
    redis_server_stop(&server);
    assert_int_equal(check(&jwt), CLOSE_UNAVAILABLE);
    assert_int_equal(judge(&(struct revoked_session){0}), CLOSE_NONE);
    assert_int_equal(got.err, -EAGAIN); /* nobody knows */
    assert_int_equal(add((struct revoked){.kind = REVOKED_USER}), -EAGAIN);
    redis_server_start(&server, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_user_is_refused_whatever_his_token, next_uid),
        cmocka_unit_test_setup(it_is_over_when_it_says, next_uid),
        cmocka_unit_test_setup(tokens_and_ids_are_told_apart, next_uid),
        cmocka_unit_test_setup(old_tokens_are_refused_and_the_latest_word_holds, next_uid),
        cmocka_unit_test_setup(an_opaque_token_that_was_found_before_is_doubted, next_uid),
        cmocka_unit_test_setup(open_sessions_are_judged, next_uid),
        cmocka_unit_test_setup(it_is_known_for_so_long_that_opaque_tokens_were_revoked, next_uid),
        cmocka_unit_test_setup(so_much_is_kept_of_a_user_and_no_more, next_uid),
        cmocka_unit_test_setup(nobody_is_let_in_if_redis_does_not_say, next_uid),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

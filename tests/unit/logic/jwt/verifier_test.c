/* The verifier: answers never come within the call, what waits has a limit, keys are read again. */
#include "common/base/loop.h"
#include "common/base/metrics.h"
#include "common/base/time.h"
#include "logic/jwt/verifier.h"
#include "tests/unit/lib/jwt_sign.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

enum { MOST = 64 };

static struct loop loop;
static struct logic logic;
static struct logic_config config;
static _Atomic int64_t counters[LOGIC_METRIC_COUNT];
static struct jwts *jwts;
static char file[64], keys[96];
static const char secret[] = "0123456789abcdef0123456789abcdef",
                  other[] = "another secret of 32 bytes or so";

static struct {
    size_t n;
    int err[MOST];
    int64_t uid[MOST];
    char why[MOST][128];
} answers;

static void on_answer(void *arg, size_t index, int err, const struct jwt_claims *claims,
                      const char *why)
{
    (void)arg;
    answers.n++;
    answers.err[index] = err;
    answers.uid[index] = err == 0 ? claims->uid : 0;
    snprintf(answers.why[index], sizeof answers.why[0], "%s", err == 0 ? "" : why);
}

static void write_secret(const char *text)
{
    FILE *out = fopen(file, "w");

    fputs(text, out);
    fclose(out);
}

static const char *token_of(const char *by, long long exp)
{
    static char text[1024];
    char claims[128];

    snprintf(claims, sizeof claims, "{\"sub\":7,\"exp\":%lld}", exp);
    jwt_put_unsigned(text, "{\"alg\":\"HS256\"}", claims);
    jwt_sign_hmac(text, EVP_sha256(), by, strlen(by));
    return text;
}

static long long soon(void)
{
    return (long long)(time_unix_ms() / 1000) + 60;
}

static void ask(const char *text, size_t index)
{
    jwts_verify(jwts, &(struct jwt_ask){text, strlen(text), index, on_answer, NULL});
}

static void until(size_t n)
{
    while (answers.n < n)
        uv_run(&loop.uv, UV_RUN_ONCE);
}

static int64_t count(enum logic_metric metric)
{
    return atomic_load(&counters[metric]);
}

static int set_up(void **state)
{
    (void)state;
    memset(&answers, 0, sizeof answers);
    for (size_t i = 0; i < LOGIC_METRIC_COUNT; i++)
        atomic_store(&counters[i], 0);
    loop_init(&loop, "test", 0);
    write_secret(secret);
    snprintf(keys, sizeof keys, "hmac=%s", file);
    config = (struct logic_config){.jwt_keys = keys,
                                   .jwt_jwks = mem_unconst(""),
                                   .jwt_jwks_url = mem_unconst(""),
                                   .jwt_algorithms = mem_unconst("HS256,ES256"),
                                   .jwt_issuer = mem_unconst(""),
                                   .jwt_audience = mem_unconst(""),
                                   .jwt_claims = mem_unconst(""),
                                   .jwt_leeway_ms = 30000,
                                   .jwt_max_length = 4096,
                                   .jwt_threads = 1,
                                   .jwt_max_waiting = 20,
                                   .jwt_require_exp = true,
                                   .connect_timeout_ms = 3000};
    logic = (struct logic){.loop = &loop, .config = &config, .counters = counters};
    return jwts_open(&logic, &jwts);
}

static int tear_down(void **state)
{
    (void)state;
    jwts_close(jwts);
    while (uv_run(&loop.uv, UV_RUN_NOWAIT) != 0 && loop.tasks != NULL)
        continue;
    loop_close(&loop);
    unlink(file);
    return 0;
}

static void answers_come_after_the_call(void **state)
{
    (void)state;
    ask(token_of(secret, soon()), 0);
    ask(token_of(other, soon()), 1);
    ask(token_of(secret, 1000), 2);
    ask("eyJh.eyJh.x", 3);
    assert_int_equal(answers.n, 0);
    until(4);
    assert_int_equal(answers.err[0], 0);
    assert_int_equal(answers.uid[0], 7);
    assert_int_equal(answers.err[1], -ENOENT);
    assert_string_equal(answers.why[1], "token: its signature is not good");
    assert_int_equal(answers.err[2], -ENOENT);
    assert_string_equal(answers.why[2], "token: expired");
    assert_int_equal(answers.err[3], -ENOENT);
    assert_int_equal(count(LOGIC_JWT_GOOD), 1);
    assert_int_equal(count(LOGIC_JWT_SIGNATURE), 1);
    assert_int_equal(count(LOGIC_JWT_EXPIRED), 1);
    assert_int_equal(count(LOGIC_JWT_MALFORMED), 1);
}

static void too_long_and_not_allowed_are_refused(void **state)
{
    (void)state;
    char text[1024];

    config.jwt_max_length = (int64_t)strlen(token_of(secret, soon()));
    ask(token_of(secret, soon()), 0);
    config.jwt_max_length--;
    ask(token_of(secret, soon()), 1); /* the setting is looked at in the call */
    config.jwt_max_length = 4096;
    jwt_put_unsigned(text, "{\"alg\":\"HS384\"}", "{}");
    jwt_put_signature(text, text, 48);
    ask(text, 2);
    until(3);
    assert_int_equal(answers.err[0], 0);
    assert_int_equal(answers.err[1], -ENOENT);
    assert_string_equal(answers.why[1], "token: longer than jwt.max_length");
    assert_int_equal(answers.err[2], -ENOENT);
    assert_int_equal(count(LOGIC_JWT_KEY), 1);
}

/* A thread takes 16 at once; the loop does not run, so that all that come then wait. */
static void what_waits_has_a_limit(void **state)
{
    size_t n = 1 + (size_t)config.jwt_max_waiting;

    (void)state;
    for (size_t i = 0; i < n + 1; i++)
        ask(token_of(secret, soon()), i);
    until(n + 1);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(answers.err[i], 0);
    assert_int_equal(answers.err[n], -EBUSY);
    assert_int_equal(count(LOGIC_JWT_BUSY), 1);
    assert_int_equal(count(LOGIC_JWT_WAITING), 0);
}

static void what_waits_too_long_is_not_verified(void **state)
{
    (void)state;
    config.connect_timeout_ms = 0;
    ask(token_of(secret, soon()), 0);
    until(1);
    assert_int_equal(answers.err[0], -EBUSY);
}

static void keys_are_read_again_and_bad_ones_are_not_taken(void **state)
{
    char err[256];

    (void)state;
    ask(token_of(secret, soon()), 0); /* under way while the keys change */
    write_secret(other);
    assert_int_equal(jwts_reload(jwts, err, sizeof err), 0);
    ask(token_of(other, soon()), 1);
    ask(token_of(secret, soon()), 2);
    until(3);
    assert_int_equal(answers.err[0], 0);
    assert_int_equal(answers.err[1], 0);
    assert_int_equal(answers.err[2], -ENOENT);
    write_secret("short");
    assert_int_equal(jwts_reload(jwts, err, sizeof err), -EINVAL);
    assert_non_null(strstr(err, "jwt.keys: the secret has 5 bytes"));
    ask(token_of(other, soon()), 3);
    until(4);
    assert_int_equal(answers.err[3], 0);
}

static void a_list_may_have_spaces(void **state)
{
    char two[200];
    struct jwts *both = NULL;

    (void)state;
    snprintf(two, sizeof two, " hmac=%s , hmac:k=%s ", file, file);
    config.jwt_keys = two;
    config.jwt_algorithms = mem_unconst("HS256, ES256 ");
    assert_int_equal(jwts_open(&logic, &both), 0);
    assert_int_equal(count(LOGIC_JWT_KEYS), 2);
    jwts_close(both);
    config.jwt_keys = keys;
}

static void without_keys_there_is_no_verifier(void **state)
{
    struct jwts *none = jwts;

    (void)state;
    config.jwt_keys = mem_unconst("");
    assert_int_equal(jwts_open(&logic, &none), 0);
    assert_null(none);
    config.jwt_keys = mem_unconst("hmac=/nonexistent");
    assert_int_not_equal(jwts_open(&logic, &none), 0);
}

static void settings_are_checked(void **state)
{
    char err[256];

    (void)state;
    assert_int_equal(jwts_check(&config, err, sizeof err), 0);
    config.jwt_algorithms = mem_unconst("HS256,none");
    assert_int_equal(jwts_check(&config, err, sizeof err), -EINVAL);
    assert_non_null(strstr(err, "jwt.algorithms: none"));
    config.jwt_algorithms = mem_unconst("HS256");
    config.jwt_claims = mem_unconst("uid=");
    assert_int_equal(jwts_check(&config, err, sizeof err), -EINVAL);
    assert_non_null(strstr(err, "jwt.claims"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_come_after_the_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_long_and_not_allowed_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_waits_has_a_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_waits_too_long_is_not_verified, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_are_read_again_and_bad_ones_are_not_taken, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_list_may_have_spaces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_keys_there_is_no_verifier, set_up, tear_down),
        cmocka_unit_test_setup_teardown(settings_are_checked, set_up, tear_down),
    };
    snprintf(file, sizeof file, "/tmp/imc-verifier-test-%d", (int)getpid());
    return cmocka_run_group_tests(tests, NULL, NULL);
}

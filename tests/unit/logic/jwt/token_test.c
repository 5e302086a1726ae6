#include "logic/jwt/base64url.h"
#include "logic/jwt/token.h"
#include "tests/unit/lib/jwt_sign.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char text[JWT_LENGTH_MAX + 1024];
static const char *why;
static struct jwt_token token;

static int parse(const char *header, const char *payload)
{
    jwt_put_unsigned(text, header, payload);
    jwt_put_signature(text, "sig", 3);
    return jwt_token_parse(text, strlen(text), &token, &why);
}

static void refuses_header(const char *header)
{
    if (parse(header, "{}") != -EBADMSG)
        fail_msg("taken: %s", header);
}

static void a_token_is_taken_apart(void **state)
{
    (void)state;
    assert_int_equal(parse("{\"alg\":\"PS256\",\"kid\":\"k1\",\"typ\":\"at+jwt\",\"x5t\":\"y\"}",
                           "{\"sub\":\"7\"}"),
                     0);
    assert_int_equal(token.algorithm, JWT_PS256);
    assert_true(token.has_kid);
    assert_string_equal(token.kid, "k1");
    assert_int_equal(token.signature_len, 3);
    assert_memory_equal(token.signature, "sig", 3);
    assert_int_equal(text[token.signed_len], '.');
    json_t *claims = jwt_token_claims(&token, &why);
    assert_string_equal(json_string_value(json_object_get(claims, "sub")), "7");
    json_decref(claims);
}

static void other_tokens_are_none(void **state)
{
    (void)state;
    static const char *const others[] = {
        "",       "secret",     "a.b",        "a.b.c",      "..",
        "eyJh..", ".eyJh.eyJh", "eyJh.eyJh",  "eyJh.e.f.g", "eyJh.eyJh.sig=",
        "eyJh.e", "eyJh .e.f",  "eyJh.e\n.f", "eyJh.e+/.f", "1234.5678.90",
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (jwt_token_is_one(others[i], strlen(others[i])))
            fail_msg("%s", others[i]);
        assert_int_equal(jwt_token_parse(others[i], strlen(others[i]), &token, &why), -EBADMSG);
    }
    assert_true(jwt_token_is_one("eyJh.e.f", 8));
}

static void headers_that_bring_a_key_or_must_be_understood_are_refused(void **state)
{
    (void)state;
    refuses_header("{\"alg\":\"RS256\",\"jwk\":{\"kty\":\"RSA\"}}");
    refuses_header("{\"alg\":\"RS256\",\"jku\":\"https://evil.example/\"}");
    refuses_header("{\"alg\":\"RS256\",\"x5u\":\"https://evil.example/\"}");
    refuses_header("{\"alg\":\"RS256\",\"x5c\":[\"MII\"]}");
    refuses_header("{\"alg\":\"RS256\",\"crit\":[\"exp\"]}");
    refuses_header("{\"alg\":\"RS256\",\"b64\":false}");
    refuses_header("{\"alg\":\"RS256\",\"zip\":\"DEF\"}");
    refuses_header("{\"alg\":\"dir\",\"enc\":\"A256GCM\"}");
}

static void headers_that_say_too_little_or_twice_are_refused(void **state)
{
    (void)state;
    refuses_header("{}");
    refuses_header("[]");
    refuses_header("{\"alg\":null}");
    refuses_header("{\"alg\":[\"HS256\"]}");
    refuses_header("{\"alg\":\"hs256\"}");
    refuses_header("{\"alg\":\"HS256 \"}");
    refuses_header("{\"alg\":\"HS256\\u0000\"}");
    refuses_header("{\"alg\":\"ES256K\"}");
    refuses_header("{\"alg\":\"HS256\",\"alg\":\"none\"}");
    refuses_header("{\"alg\":\"none\",\"alg\":\"HS256\"}");
    refuses_header("{\"alg\":\"HS256\",\"kid\":1}");
    refuses_header("{\"alg\":\"HS256\"}}");
    refuses_header("{\"alg\":\"HS256\"");
}

static void what_is_large_is_refused(void **state)
{
    (void)state;
    char header[2048];
    int n = snprintf(header, sizeof header, "{\"alg\":\"HS256\",\"kid\":\"%0*d\"}", JWT_KID_MAX, 0);

    assert_true(n > 0);
    assert_int_equal(parse(header, "{}"), 0);
    snprintf(header, sizeof header, "{\"alg\":\"HS256\",\"kid\":\"%0*d\"}", JWT_KID_MAX + 1, 0);
    refuses_header(header);
    snprintf(header, sizeof header, "{\"alg\":\"HS256\",\"x\":\"%0*d\"}", JWT_HEADER_MAX - 22, 0);
    assert_int_equal(strlen(header), JWT_HEADER_MAX);
    assert_int_equal(parse(header, "{}"), 0);
    snprintf(header, sizeof header, "{\"alg\":\"HS256\",\"x\":\"%0*d\"}", JWT_HEADER_MAX - 21, 0);
    refuses_header(header);
}

static bool claims_are_taken(const char *payload)
{
    assert_int_equal(parse("{\"alg\":\"HS256\"}", payload), 0);
    json_t *claims = jwt_token_claims(&token, &why);
    bool taken = claims != NULL;
    json_decref(claims);
    return taken;
}

static void claims_are_one_object_of_reasonable_json(void **state)
{
    (void)state;
    char deep[JWT_DEPTH_MAX * 8];
    size_t at = 0;

    assert_true(claims_are_taken("{\"a\":{\"b\":\"]}[[[[[[[[[[[[[[[[[[[\\\"[[[\"}}"));
    assert_false(claims_are_taken("[1]"));
    assert_false(claims_are_taken("\"text\""));
    assert_false(claims_are_taken("{\"sub\":\"1\",\"sub\":\"2\"}"));
    assert_false(claims_are_taken("{\"exp\":99999999999999999999999}"));
    assert_false(claims_are_taken("{\"exp\":1e999}"));
    assert_false(claims_are_taken("{\"sub\":\"\xff\"}"));
    assert_false(claims_are_taken("{\"sub\":\"1\\u00002\"}"));
    at += (size_t)snprintf(deep + at, sizeof deep - at, "{\"a\":");
    for (int i = 1; i < JWT_DEPTH_MAX; i++)
        deep[at++] = '[';
    for (int i = 1; i < JWT_DEPTH_MAX; i++)
        deep[at++] = ']';
    snprintf(deep + at, sizeof deep - at, "}");
    assert_true(claims_are_taken(deep));
    deep[4] = '['; /* in place of the colon: deeper by one, and no JSON any more */
    assert_false(claims_are_taken(deep));
    assert_string_equal(why, "token: its JSON nests too deep");
}

static void base64url_is_strict(void **state)
{
    (void)state;
    uint8_t out[8];
    static const char *const bad[] = {"A",    "AB",   "AAB",   "AA==", "AA=",     "A A",
                                      "A+AA", "A/AA", "AAAAA", "AA\n", "\xc3\xa4"};

    assert_int_equal(base64url_decode("-_AB", 4, out), 0);
    assert_memory_equal(out, "\xfb\xf0\x01", 3);
    assert_int_equal(base64url_decode("AQ", 2, out), 0);
    assert_int_equal(base64url_decode("AAE", 3, out), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (base64url_decode(bad[i], strlen(bad[i]), out) != -EBADMSG)
            fail_msg("%s", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_taken_apart),
        cmocka_unit_test(other_tokens_are_none),
        cmocka_unit_test(headers_that_bring_a_key_or_must_be_understood_are_refused),
        cmocka_unit_test(headers_that_say_too_little_or_twice_are_refused),
        cmocka_unit_test(what_is_large_is_refused),
        cmocka_unit_test(claims_are_one_object_of_reasonable_json),
        cmocka_unit_test(base64url_is_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

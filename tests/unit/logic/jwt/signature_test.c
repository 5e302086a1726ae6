/* A token is taken apart, and its signature verified: examples of the RFCs, and every known attack.
 */
#include "logic/jwt/base64url.h"
#include "logic/jwt/jwks.h"
#include "logic/jwt/signature.h"
#include "logic/jwt/token.h"
#include "tests/unit/lib/jwt_sign.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CLAIMS                                                                                     \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl" \
    "fQ"

static EVP_PKEY *rsa, *ec, *ec_other, *ed;
static const char secret[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static char text[8192];
static struct jwt_why why;

static struct jwt_keys *keys_of_jwk(const char *jwk)
{
    char set[2048];
    size_t skipped;
    struct jwt_keys *keys = jwt_keys_new();

    snprintf(set, sizeof set, "{\"keys\":[%s]}", jwk);
    if (jwks_add(keys, set, strlen(set), &skipped, &why) != 0)
        fail_msg("%s", why.text);
    return keys;
}

static struct jwt_keys *keys_of_pem(enum jwt_family family, EVP_PKEY *pkey)
{
    char pem[4096];
    struct jwt_keys *keys = jwt_keys_new();
    size_t len = jwt_put_pem(pkey, pem, sizeof pem);

    if (jwt_keys_add_pem(keys, family, NULL, pem, len, &why) != 0)
        fail_msg("%s", why.text);
    return keys;
}

static struct jwt_keys *keys_of_secret(const char *of, size_t len)
{
    struct jwt_keys *keys = jwt_keys_new();

    assert_int_equal(jwt_keys_add_secret(keys, NULL, (const uint8_t *)of, len, &why), 0);
    return keys;
}

/* Does a key of KEYS that fits its algorithm verify TOKEN? Frees KEYS. */
static bool verifies(const char *token, struct jwt_keys *keys)
{
    struct jwt_token parsed;
    const struct jwt_key *key;
    const char *reason;
    bool known, fits = false;

    if (jwt_token_parse(token, strlen(token), &parsed, &reason) == 0 &&
        jwt_keys_fitting(keys, parsed.algorithm, parsed.has_kid ? parsed.kid : NULL, &key, 1,
                         &known) == 1) {
        const struct jwt_signed what = {parsed.algorithm, token, parsed.signed_len,
                                        parsed.signature, parsed.signature_len};
        fits = jwt_signature_fits(&what, key);
    }
    jwt_keys_unref(keys);
    return fits;
}

static const char *header_and_claims(const char *alg)
{
    char header[64];

    snprintf(header, sizeof header, "{\"typ\":\"JWT\",\"alg\":\"%s\"}", alg);
    jwt_put_unsigned(text, header, "{\"sub\":\"1\"}");
    return text;
}

/* --- what is good --- */

static void examples_of_the_rfcs(void **state)
{
    (void)state;
    uint8_t key[64];
    static const char k[] =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjA"
        "zZr1Z9CAow";
    assert_int_equal(base64url_size(strlen(k)), sizeof key);
    assert_int_equal(base64url_decode(k, strlen(k), key), 0);
    /* RFC 7515, A.1 to A.3 */
    assert_true(verifies("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." CLAIMS
                         ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
                         keys_of_secret((const char *)key, sizeof key)));
    assert_true(verifies(
        "eyJhbGciOiJSUzI1NiJ9." CLAIMS
        ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
        "O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPv"
        "kSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnv"
        "Wh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        keys_of_jwk("{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26"
                    "mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6"
                    "b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo"
                    "7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmo"
                    "udF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"}")));
    assert_true(verifies(
        "eyJhbGciOiJFUzI1NiJ9." CLAIMS
        ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        keys_of_jwk("{\"kty\":\"EC\",\"crv\":\"P-256\","
                    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}")));
    /* RFC 8037, A.4 */
    assert_true(verifies(
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
        ".hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        keys_of_jwk("{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
                    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}")));
}

static void every_algorithm_verifies_its_own(void **state)
{
    (void)state;
    header_and_claims("HS256");
    jwt_sign_hmac(text, EVP_sha256(), secret, 32);
    assert_true(verifies(text, keys_of_secret(secret, 32)));
    header_and_claims("HS384");
    jwt_sign_hmac(text, EVP_sha384(), secret, 48);
    assert_true(verifies(text, keys_of_secret(secret, 48)));
    header_and_claims("HS512");
    jwt_sign_hmac(text, EVP_sha512(), secret, 64);
    assert_true(verifies(text, keys_of_secret(secret, 64)));
    header_and_claims("RS256");
    jwt_sign_key(text, rsa, EVP_sha256(), 0);
    assert_true(verifies(text, keys_of_pem(JWT_RSA, rsa)));
    header_and_claims("PS256");
    jwt_sign_key(text, rsa, EVP_sha256(), 32);
    assert_true(verifies(text, keys_of_pem(JWT_RSA, rsa)));
    header_and_claims("ES256");
    jwt_sign_es256(text, ec);
    assert_true(verifies(text, keys_of_pem(JWT_EC, ec)));
    header_and_claims("EdDSA");
    jwt_sign_key(text, ed, NULL, 0);
    assert_true(verifies(text, keys_of_pem(JWT_ED25519, ed)));
}

/* --- attacks --- */

static void tokens_without_a_signature_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"none", "None", "NONE", "nOnE", ""};
    struct jwt_token token;
    const char *reason;

    for (size_t i = 0; i < 5; i++) {
        header_and_claims(names[i]);
        jwt_put_text(text, ".");
        assert_true(jwt_token_is_one(text, strlen(text)));
        assert_int_equal(jwt_token_parse(text, strlen(text), &token, &reason), -EBADMSG);
        jwt_put_text(text, "AAAA");
        assert_int_equal(jwt_token_parse(text, strlen(text), &token, &reason), -EBADMSG);
    }
    header_and_claims("HS256");
    jwt_put_text(text, ".");
    assert_false(verifies(text, keys_of_secret(secret, 32)));
}

static void a_public_key_is_no_hmac_secret(void **state)
{
    (void)state;
    char pem[4096];
    EVP_PKEY *const pkeys[] = {rsa, ec, ed};
    const enum jwt_family families[] = {JWT_RSA, JWT_EC, JWT_ED25519};

    for (size_t i = 0; i < 3; i++) {
        size_t len = jwt_put_pem(pkeys[i], pem, sizeof pem);
        header_and_claims("HS256");
        jwt_sign_hmac(text, EVP_sha256(), pem, len);
        assert_false(verifies(text, keys_of_pem(families[i], pkeys[i])));
    }
}

static void a_key_verifies_only_algorithms_of_its_family(void **state)
{
    (void)state;
    header_and_claims("ES256");
    jwt_sign_es256(text, ec);
    assert_false(verifies(text, keys_of_pem(JWT_RSA, rsa)));
    header_and_claims("RS256"); /* signed by ES256, under another name */
    jwt_sign_es256(text, ec);
    assert_false(verifies(text, keys_of_pem(JWT_EC, ec)));
    header_and_claims("PS256"); /* signed by RS256 */
    jwt_sign_key(text, rsa, EVP_sha256(), 0);
    assert_false(verifies(text, keys_of_pem(JWT_RSA, rsa)));
    header_and_claims("RS256"); /* signed by PS256 */
    jwt_sign_key(text, rsa, EVP_sha256(), 32);
    assert_false(verifies(text, keys_of_pem(JWT_RSA, rsa)));
    header_and_claims("PS256"); /* a salt that is not as long as the hash */
    jwt_sign_key(text, rsa, EVP_sha256(), 20);
    assert_false(verifies(text, keys_of_pem(JWT_RSA, rsa)));
    header_and_claims("RS256"); /* another hash */
    jwt_sign_key(text, rsa, EVP_sha1(), 0);
    assert_false(verifies(text, keys_of_pem(JWT_RSA, rsa)));
}

static void a_jwk_serves_only_the_algorithm_that_it_names(void **state)
{
    (void)state;
    static const char jwk[] = "{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"%s\","
                              "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                              "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}";
    static const char token[] =
        "eyJhbGciOiJFUzI1NiJ9." CLAIMS
        ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    char one[512];

    snprintf(one, sizeof one, jwk, "ES256"); /* NOLINT */
    assert_true(verifies(token, keys_of_jwk(one)));
    snprintf(one, sizeof one, jwk, "RS256"); /* NOLINT */
    assert_false(verifies(token, keys_of_jwk(one)));
}

static void psychic_and_misshapen_signatures_are_refused(void **state)
{
    (void)state;
    uint8_t zeros[64] = {0}, der[128], pair[64];
    const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0,    0,    0,    0,    0xff, 0xff, 0xff,
                               0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                               0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};

    header_and_claims("ES256");
    jwt_put_signature(text, zeros, sizeof zeros);
    assert_false(verifies(text, keys_of_pem(JWT_EC, ec)));
    memcpy(pair, order, 32); /* r = s = the order of the curve: 0 again */
    memcpy(pair + 32, order, 32);
    header_and_claims("ES256");
    jwt_put_signature(text, pair, sizeof pair);
    assert_false(verifies(text, keys_of_pem(JWT_EC, ec)));
    header_and_claims("ES256"); /* DER */
    size_t len = jwt_sign_evp(text, ec, EVP_sha256(), 0, der, sizeof der);
    jwt_put_signature(text, der, len);
    assert_false(verifies(text, keys_of_pem(JWT_EC, ec)));
    header_and_claims("ES256"); /* another key's */
    jwt_sign_es256(text, ec_other);
    assert_false(verifies(text, keys_of_pem(JWT_EC, ec)));
    header_and_claims("ES256"); /* one byte more */
    jwt_sign_es256(text, ec);
    jwt_put_text(text, "AA");
    assert_false(verifies(text, keys_of_pem(JWT_EC, ec)));
    header_and_claims("HS256"); /* one byte less */
    jwt_sign_hmac(text, EVP_sha256(), secret, 32);
    text[strlen(text) - 3] = '\0';
    assert_false(verifies(text, keys_of_secret(secret, 32)));
}

static void every_changed_byte_is_noticed(void **state)
{
    (void)state;
    header_and_claims("EdDSA");
    jwt_sign_key(text, ed, NULL, 0);
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        assert_false(verifies(text, keys_of_pem(JWT_ED25519, ed)));
        text[i] = was;
    }
    assert_true(verifies(text, keys_of_pem(JWT_ED25519, ed)));
}

static void a_secret_is_as_long_as_the_hash_of_its_algorithm(void **state)
{
    (void)state;
    header_and_claims("HS512");
    jwt_sign_hmac(text, EVP_sha512(), secret, 63);
    assert_false(verifies(text, keys_of_secret(secret, 63)));
    header_and_claims("HS384");
    jwt_sign_hmac(text, EVP_sha384(), secret, 47);
    assert_false(verifies(text, keys_of_secret(secret, 47)));
}

static int open_all(void **state)
{
    (void)state;
    rsa = EVP_RSA_gen(2048);
    ec = EVP_EC_gen("P-256");
    ec_other = EVP_EC_gen("P-256");
    ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return rsa == NULL || ec == NULL || ec_other == NULL || ed == NULL;
}

static int close_all(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(ec_other);
    EVP_PKEY_free(ed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_of_the_rfcs),
        cmocka_unit_test(every_algorithm_verifies_its_own),
        cmocka_unit_test(tokens_without_a_signature_are_refused),
        cmocka_unit_test(a_public_key_is_no_hmac_secret),
        cmocka_unit_test(a_key_verifies_only_algorithms_of_its_family),
        cmocka_unit_test(a_jwk_serves_only_the_algorithm_that_it_names),
        cmocka_unit_test(psychic_and_misshapen_signatures_are_refused),
        cmocka_unit_test(every_changed_byte_is_noticed),
        cmocka_unit_test(a_secret_is_as_long_as_the_hash_of_its_algorithm),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}

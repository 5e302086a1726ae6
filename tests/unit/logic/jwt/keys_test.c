/* Which keys are taken, from PEM, files and JWK Sets, and which one a token may have. */
#include "logic/jwt/jwks.h"
#include "logic/jwt/keys.h"
#include "tests/unit/lib/jwt_sign.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

static struct jwt_why why;
static char file[64], entry[128];

static void write_file(const void *data, size_t len)
{
    FILE *out = fopen(file, "w");

    fwrite(data, 1, len, out);
    fclose(out);
}

static int add_entry(struct jwt_keys *keys, const char *begin)
{
    snprintf(entry, sizeof entry, "%s%s", begin, file);
    return jwt_keys_add_entry(keys, entry, &why);
}

static int add_pem(enum jwt_family family, EVP_PKEY *pkey)
{
    char pem[8192];
    struct jwt_keys *keys = jwt_keys_new();
    size_t len = jwt_put_pem(pkey, pem, sizeof pem);
    int result = jwt_keys_add_pem(keys, family, NULL, pem, len, &why);

    jwt_keys_unref(keys);
    EVP_PKEY_free(pkey);
    return result;
}

static void a_pem_key_is_of_the_family_it_is_said_to_be(void **state)
{
    (void)state;
    assert_int_equal(add_pem(JWT_RSA, EVP_RSA_gen(2048)), 0);
    assert_int_equal(add_pem(JWT_EC, EVP_EC_gen("P-256")), 0);
    assert_int_equal(add_pem(JWT_ED25519, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")), 0);
    assert_int_equal(add_pem(JWT_EC, EVP_RSA_gen(2048)), -EINVAL);
    assert_int_equal(add_pem(JWT_RSA, EVP_EC_gen("P-256")), -EINVAL);
    assert_int_equal(add_pem(JWT_HMAC, EVP_EC_gen("P-256")), -EINVAL);
    assert_int_equal(add_pem(JWT_ED25519, EVP_PKEY_Q_keygen(NULL, NULL, "ED448")), -EINVAL);
    assert_int_equal(add_pem(JWT_ED25519, EVP_PKEY_Q_keygen(NULL, NULL, "X25519")), -EINVAL);
}

static void weak_keys_are_refused(void **state)
{
    (void)state;
    uint8_t secret[JWT_SECRET_MIN] = {1};
    struct jwt_keys *keys = jwt_keys_new();

    assert_int_equal(add_pem(JWT_RSA, EVP_RSA_gen(2047)), -EINVAL);
    assert_non_null(strstr(why.text, "2047 bits"));
    assert_int_equal(add_pem(JWT_EC, EVP_EC_gen("P-384")), -EINVAL);
    assert_int_equal(add_pem(JWT_EC, EVP_EC_gen("secp256k1")), -EINVAL);
    assert_int_equal(jwt_keys_add_secret(keys, NULL, secret, sizeof secret - 1, &why), -EINVAL);
    assert_int_equal(jwt_keys_add_secret(keys, NULL, secret, sizeof secret, &why), 0);
    jwt_keys_unref(keys);
}

static void entries_name_family_key_and_file(void **state)
{
    (void)state;
    static const char secret[] = "0123456789abcdef0123456789abcdef\n";
    struct jwt_keys *keys = jwt_keys_new();
    const struct jwt_key *out[2];
    bool known;

    write_file(secret, strlen(secret));
    assert_int_equal(add_entry(keys, "hmac="), 0);
    assert_int_equal(add_entry(keys, "hmac:k1="), 0);
    assert_int_equal(keys->keys[0].secret_len, strlen(secret) - 1);
    assert_null(keys->keys[0].kid);
    assert_string_equal(keys->keys[1].kid, "k1");
    assert_int_equal(jwt_keys_fitting(keys, JWT_HS256, NULL, out, 2, &known), 2);
    assert_int_equal(jwt_keys_fitting(keys, JWT_HS256, "k1", out, 2, &known), 1);
    assert_true(known && out[0] == &keys->keys[1]);
    assert_int_equal(jwt_keys_fitting(keys, JWT_HS256, "k2", out, 2, &known), 1);
    assert_true(!known && out[0] == &keys->keys[0]);
    assert_int_equal(jwt_keys_fitting(keys, JWT_RS256, "k1", out, 2, &known), 0);
    assert_int_equal(jwt_keys_fitting(keys, JWT_HS256, NULL, out, 1, &known), 1);
    assert_int_equal(add_entry(keys, "rsa="), -EBADMSG);
    assert_int_equal(add_entry(keys, "dsa="), -EINVAL);
    assert_int_equal(add_entry(keys, "hmac:="), -EINVAL);
    assert_int_equal(add_entry(keys, ""), -EINVAL);
    assert_int_equal(jwt_keys_add_entry(keys, "hmac=", &why), -EINVAL);
    assert_int_equal(jwt_keys_add_entry(keys, "hmac=/nonexistent", &why), -ENOENT);
    jwt_keys_unref(keys);
}

static void no_pem_file_becomes_a_secret_and_no_private_key_is_taken(void **state)
{
    (void)state;
    char pem[4096];
    struct jwt_keys *keys = jwt_keys_new();
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    BIO *bio = BIO_new(BIO_s_mem());

    size_t len = jwt_put_pem(pkey, pem, sizeof pem);
    write_file(pem, len);
    assert_int_equal(add_entry(keys, "ec="), 0);
    assert_int_equal(add_entry(keys, "hmac="), -EINVAL);
    PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);
    int n = BIO_read(bio, pem, sizeof pem);
    write_file(pem, (size_t)n);
    assert_int_equal(add_entry(keys, "ec="), -EINVAL);
    assert_non_null(strstr(why.text, "private"));
    assert_int_equal(add_entry(keys, "hmac="), -EINVAL);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    jwt_keys_unref(keys);
}

static void there_is_an_end_of_keys_and_bytes(void **state)
{
    (void)state;
    static char large[JWT_KEY_FILE_MAX + 1];
    uint8_t secret[JWT_SECRET_MIN] = {1};
    struct jwt_keys *keys = jwt_keys_new(), *more = jwt_keys_new(), *both = jwt_keys_new();

    memset(large, 'x', sizeof large);
    write_file(large, sizeof large);
    assert_int_equal(add_entry(keys, "hmac="), -EFBIG);
    write_file(large, sizeof large - 1);
    assert_int_equal(add_entry(more, "hmac="), 0);
    for (int i = 0; i < JWT_KEYS_MAX; i++)
        assert_int_equal(jwt_keys_add_secret(keys, NULL, secret, sizeof secret, &why), 0);
    assert_int_equal(jwt_keys_add_secret(keys, NULL, secret, sizeof secret, &why), -E2BIG);
    assert_false(jwt_keys_join(keys, more));
    assert_true(jwt_keys_join(both, more) && jwt_keys_join(both, more));
    assert_int_equal(both->n, 2);
    assert_memory_equal(both->keys[1].secret, large, more->keys[0].secret_len);
    jwt_keys_unref(both);
    jwt_keys_unref(keys);
    jwt_keys_unref(more);
}

#define EC_KEY                                                                                \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""

static int add_set(const char *list, size_t *n, size_t *skipped)
{
    char set[4096];
    struct jwt_keys *keys = jwt_keys_new();

    snprintf(set, sizeof set, "{\"keys\":[%s]}", list);
    int result = jwks_add(keys, set, strlen(set), skipped, &why);
    *n = keys->n;
    jwt_keys_unref(keys);
    return result;
}

static void of_a_jwk_set_what_is_for_others_is_skipped(void **state)
{
    (void)state;
    static const char *const others[] = {
        "{}",
        "7",
        "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-"
        "1qS0gZH75aKtMN3Yj0i\"}",
        "{\"use\":\"enc\"," EC_KEY "}",
        "{\"key_ops\":[\"encrypt\"]," EC_KEY "}",
        "{\"alg\":\"ES384\"," EC_KEY "}",
        "{\"alg\":1," EC_KEY "}",
        "{\"kid\":1," EC_KEY "}",
        "{\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"," EC_KEY "}",
        "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\"}",
        /* not on the curve */
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a4\"}",
        "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"11qYAYKxCrfVS_"
        "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qY\"}",
        "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"n\":\"AQAB\"}",
    };
    char list[1024];
    size_t n, skipped;

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (add_set(others[i], &n, &skipped) != -EBADMSG || n != 0)
            fail_msg("taken: %s", others[i]);
        snprintf(list, sizeof list, "%s,{" EC_KEY ",\"use\":\"sig\",\"kid\":\"k\"}", others[i]);
        assert_int_equal(add_set(list, &n, &skipped), 0);
        assert_true(n == 1 && skipped == 1);
    }
}

static void what_is_no_jwk_set_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[]}", "{\"keys\":[],\"keys\":[]}", "<html>"};
    struct jwt_keys *keys = jwt_keys_new();
    size_t skipped;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(jwks_add(keys, bad[i], strlen(bad[i]), &skipped, &why), -EBADMSG);
        assert_true(why.text[0] != '\0');
    }
    jwt_keys_unref(keys);
}

static int make_name(void **state)
{
    (void)state;
    snprintf(file, sizeof file, "/tmp/imc-keys-test-%d", (int)getpid());
    return 0;
}

static int remove_file(void **state)
{
    (void)state;
    unlink(file);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pem_key_is_of_the_family_it_is_said_to_be),
        cmocka_unit_test(weak_keys_are_refused),
        cmocka_unit_test(entries_name_family_key_and_file),
        cmocka_unit_test(no_pem_file_becomes_a_secret_and_no_private_key_is_taken),
        cmocka_unit_test(there_is_an_end_of_keys_and_bytes),
        cmocka_unit_test(of_a_jwk_set_what_is_for_others_is_skipped),
        cmocka_unit_test(what_is_no_jwk_set_is_refused),
    };
    return cmocka_run_group_tests(tests, make_name, remove_file);
}

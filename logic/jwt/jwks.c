#include "logic/jwt/jwks.h"
#include "common/base/mem.h"
#include "common/protocol/json_scan.h"
#include "logic/jwt/base64url.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <stdio.h>
#include <string.h>

enum { NUMBER_MAX = JWT_RSA_MAX / 8, COORDINATE = 32 };

static bool is_text(const json_t *jwk, const char *name, const char *text)
{
    const char *value = json_string_value(json_object_get(jwk, name));

    return value != NULL && strcmp(value, text) == 0;
}

/* Member NAME as bytes, at most MOST. Returns how many; 0: it has none such. */
static size_t read_bytes(const json_t *jwk, const char *name, uint8_t *out, size_t most)
{
    const json_t *value = json_object_get(jwk, name);
    size_t len = json_string_length(value), size = base64url_size(len);

    if (!json_is_string(value) || size > most)
        return 0;
    return base64url_decode(json_string_value(value), len, out) == 0 ? size : 0;
}

/* PARAMS is what the key of TYPE is made of. */
static EVP_PKEY *make(const char *type, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;

    if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) <= 0 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) <= 0)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    ERR_clear_error();
    return pkey;
}

static EVP_PKEY *make_rsa(const json_t *jwk)
{
    uint8_t n[NUMBER_MAX], e[8];
    size_t n_len = read_bytes(jwk, "n", n, sizeof n), e_len = read_bytes(jwk, "e", e, sizeof e);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *n_number = BN_bin2bn(n, (int)n_len, NULL), *e_number = BN_bin2bn(e, (int)e_len, NULL);
    EVP_PKEY *pkey = NULL;

    if (n_len > 0 && e_len > 0 && build != NULL && BN_is_odd(e_number) && !BN_is_one(e_number) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n_number) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e_number) == 1)
        pkey = make("RSA", build);
    BN_free(n_number);
    BN_free(e_number);
    OSSL_PARAM_BLD_free(build);
    return pkey;
}

/* EVP_PKEY_fromdata() refuses a point that is not on the curve. */
static EVP_PKEY *make_ec(const json_t *jwk)
{
    uint8_t point[1 + 2 * COORDINATE] = {4}; /* uncompressed */
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey = NULL;

    if (build != NULL && is_text(jwk, "crv", "P-256") &&
        read_bytes(jwk, "x", point + 1, COORDINATE) == COORDINATE &&
        read_bytes(jwk, "y", point + 1 + COORDINATE, COORDINATE) == COORDINATE &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) == 1)
        pkey = make("EC", build);
    OSSL_PARAM_BLD_free(build);
    return pkey;
}

static EVP_PKEY *make_ed25519(const json_t *jwk)
{
    uint8_t x[COORDINATE];

    if (!is_text(jwk, "crv", "Ed25519") || read_bytes(jwk, "x", x, sizeof x) != sizeof x)
        return NULL;
    return EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, x, sizeof x);
}

static const struct {
    const char *kty;
    enum jwt_family family;
    EVP_PKEY *(*make)(const json_t *jwk);
} kinds[] = {
    {"RSA", JWT_RSA, make_rsa}, {"EC", JWT_EC, make_ec}, {"OKP", JWT_ED25519, make_ed25519}};

/* Is it one for signatures, as far as it says so? A key with a private part is everybody's by now.
 */
static bool is_for_us(const json_t *jwk)
{
    const json_t *ops = json_object_get(jwk, "key_ops");
    bool verifies = ops == NULL;

    for (size_t i = 0; i < json_array_size(ops); i++) {
        const char *op = json_string_value(json_array_get(ops, i));
        verifies = verifies || (op != NULL && strcmp(op, "verify") == 0);
    }
    return verifies && json_object_get(jwk, "d") == NULL &&
           (json_object_get(jwk, "use") == NULL || is_text(jwk, "use", "sig"));
}

/* False: it is none for us. */
static bool add_key(struct jwt_keys *keys, const json_t *jwk, struct jwt_why *why)
{
    const json_t *kid = json_object_get(jwk, "kid"), *alg = json_object_get(jwk, "alg");
    struct jwt_key key = {.algorithm = -1};

    if (!is_for_us(jwk) ||
        (kid != NULL && (!json_is_string(kid) || json_string_length(kid) > JWT_KID_MAX)))
        return false;
    if (alg != NULL) {
        key.algorithm = jwt_algorithm_of(json_is_string(alg) ? json_string_value(alg) : "",
                                         json_is_string(alg) ? json_string_length(alg) : 0);
        if (key.algorithm < 0)
            return false;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!is_text(jwk, "kty", kinds[i].kty))
            continue;
        key.family = kinds[i].family;
        key.pkey = kinds[i].make(jwk);
    }
    ERR_clear_error();
    if (key.pkey == NULL)
        return false;
    if (kid != NULL)
        key.kid = mem_strdup(json_string_value(kid));
    return jwt_keys_add(keys, &key, why) == 0;
}

int jwks_add(struct jwt_keys *keys, const void *text, size_t len, size_t *skipped,
             struct jwt_why *why)
{
    json_error_t error;
    json_t *set = len <= JWKS_MAX ? json_load(text, len, JSON_REJECT_DUPLICATES, &error) : NULL;
    const json_t *list = json_object_get(set, "keys");
    size_t before = keys->n;

    why->text[0] = '\0';
    *skipped = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!add_key(keys, json_array_get(list, i), why))
            ++*skipped;
    }
    if (keys->n == before && why->text[0] == '\0')
        snprintf(why->text, sizeof why->text, "%s",
                 !json_is_array(list) ? "not a JWK Set: {\"keys\":[…]}"
                                      : "none of its keys can verify one of the algorithms here");
    json_decref(set);
    return keys->n > before ? 0 : -EBADMSG;
}

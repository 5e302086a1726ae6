/* A token: what is taken stays within its limits, nothing is read beyond its end, and no bytes that
 * a stranger chose pass for signed. Its claims and sets of keys are read, too. */
#include "logic/jwt/claims.h"
#include "logic/jwt/jwks.h"
#include "logic/jwt/token.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t secret[JWT_SECRET_MIN] = "fuzz";

static void check_claims_for(json_t *object, const char *issuer, const char *audience)
{
    static struct jwt_claims claims;
    struct jwt_rules rules = {.issuer = issuer, .audience = audience, .leeway_s = 30};
    struct jwt_why why;
    const char *reason;

    assert(jwt_rules_names(&rules, "uid=sub,room=room,rooms=rooms,key=key,accepts=accepts", &why) ==
           0);
    if (jwt_claims_read(object, &rules, 1800000000, &claims, &reason) != 0)
        return;
    assert(claims.expires_s > 1800000000);
    assert(strlen(claims.room) <= JWT_ROOM_MAX && strlen(claims.rooms) <= JWT_ROOMS_MAX);
    assert(strlen(claims.key) <= JWT_KEY_MAX && strlen(claims.accepts) <= JWT_ACCEPTS_MAX);
}

static void check_claims(json_t *object)
{
    check_claims_for(object, "", "");
    check_claims_for(object, "b", "a");
}

static void check_token(const char *text, size_t size)
{
    static struct jwt_token token;
    const struct jwt_key *key;
    const char *why;
    struct jwt_why err;
    bool known;

    bool is_one = jwt_token_is_one(text, size);
    if (jwt_token_parse(text, size, &token, &why) != 0)
        return;
    assert(is_one);
    assert(strlen(token.kid) <= JWT_KID_MAX && token.signature_len <= JWT_SIGNATURE_MAX);
    assert(token.signed_len < size && text[token.signed_len] == '.');
    struct jwt_keys *keys = jwt_keys_new();
    assert(jwt_keys_add_secret(keys, NULL, secret, sizeof secret, &err) == 0);
    if (jwt_keys_fitting(keys, token.algorithm, NULL, &key, 1, &known) == 1) {
        const struct jwt_signed what = {token.algorithm, text, token.signed_len, token.signature,
                                        token.signature_len};
        assert(!jwt_signature_fits(&what, key));
    }
    jwt_keys_unref(keys);
    json_t *claims = jwt_token_claims(&token, &why);
    if (claims != NULL)
        check_claims(claims);
    json_decref(claims);
}

static void check_jwks(const void *data, size_t size)
{
    struct jwt_keys *keys = jwt_keys_new();
    struct jwt_why why;
    size_t skipped;

    if (jwks_add(keys, data, size, &skipped, &why) == 0)
        assert(keys->n > 0 && keys->n <= JWT_KEYS_MAX);
    else
        assert(why.text[0] != '\0');
    jwt_keys_unref(keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_error_t error;
    json_t *object = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, &error);

    if (json_is_object(object))
        check_claims(object);
    json_decref(object);
    check_token((const char *)data, size);
    check_jwks(data, size);
    return 0;
}

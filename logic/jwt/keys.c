#include "logic/jwt/keys.h"
#include "common/base/file.h"
#include "common/base/mem.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

struct jwt_keys *jwt_keys_new(void)
{
    struct jwt_keys *keys = mem_zalloc(sizeof *keys);

    keys->refs = 1;
    return keys;
}

struct jwt_keys *jwt_keys_ref(struct jwt_keys *keys)
{
    keys->refs++;
    return keys;
}

static void key_free(struct jwt_key *key)
{
    EVP_PKEY_free(key->pkey);
    mem_wiped_free(key->secret, key->secret_len);
    free(key->kid);
}

void jwt_keys_unref(struct jwt_keys *keys)
{
    if (keys == NULL || --keys->refs > 0)
        return;
    for (size_t i = 0; i < keys->n; i++)
        key_free(&keys->keys[i]);
    free(keys);
}

/* --- what is fit --- */

static int check_rsa(const EVP_PKEY *pkey, struct jwt_why *why)
{
    int bits = EVP_PKEY_get_bits(pkey);

    if (bits >= JWT_RSA_MIN && bits <= JWT_RSA_MAX)
        return 0;
    snprintf(why->text, sizeof why->text, "the RSA key has %d bits; take one of %d to %d", bits,
             JWT_RSA_MIN, JWT_RSA_MAX);
    return -EINVAL;
}

static int check_ec(const EVP_PKEY *pkey, struct jwt_why *why)
{
    char group[32] = "";
    size_t len;

    EVP_PKEY_get_group_name(pkey, group, sizeof group, &len);
    if (strcmp(group, "prime256v1") == 0)
        return 0;
    snprintf(why->text, sizeof why->text,
             "the EC key is on the curve %s; take one on P-256 (prime256v1)",
             group[0] != '\0' ? group : "?");
    return -EINVAL;
}

static int check_pkey(enum jwt_family family, const EVP_PKEY *pkey, struct jwt_why *why)
{
    static const char *const types[JWT_FAMILIES] = {
        [JWT_RSA] = "RSA", [JWT_EC] = "EC", [JWT_ED25519] = "ED25519"};
    const char *type = EVP_PKEY_get0_type_name(pkey);

    if (family == JWT_HMAC || !EVP_PKEY_is_a(pkey, types[family])) {
        snprintf(why->text, sizeof why->text, "the key is not of the family %s, but %s",
                 jwt_family_name(family), type != NULL ? type : "?");
        return -EINVAL;
    }
    if (family == JWT_RSA)
        return check_rsa(pkey, why);
    return family == JWT_EC ? check_ec(pkey, why) : 0;
}

static int check_secret(size_t len, struct jwt_why *why)
{
    if (len >= JWT_SECRET_MIN)
        return 0;
    snprintf(why->text, sizeof why->text, "the secret has %zu bytes; take at least %d random ones",
             len, JWT_SECRET_MIN);
    return -EINVAL;
}

int jwt_keys_add(struct jwt_keys *keys, struct jwt_key *key, struct jwt_why *why)
{
    int failed;

    if (keys->n == JWT_KEYS_MAX) {
        snprintf(why->text, sizeof why->text, "more than %d keys", JWT_KEYS_MAX);
        failed = -E2BIG;
    } else if (key->family == JWT_HMAC) {
        failed = check_secret(key->secret_len, why);
    } else {
        failed = check_pkey(key->family, key->pkey, why);
    }
    if (failed != 0)
        key_free(key);
    else
        keys->keys[keys->n++] = *key;
    return failed;
}

/* --- where they come from --- */

static char *kid_copy(const char *kid)
{
    return kid != NULL ? mem_strdup(kid) : NULL;
}

int jwt_keys_add_secret(struct jwt_keys *keys, const char *kid, const uint8_t *secret, size_t len,
                        struct jwt_why *why)
{
    struct jwt_key key = {.family = JWT_HMAC, .algorithm = -1, .kid = kid_copy(kid)};

    key.secret = mem_alloc(len + 1);
    key.secret_len = len;
    memcpy(key.secret, secret, len);
    return jwt_keys_add(keys, &key, why);
}

int jwt_keys_add_pem(struct jwt_keys *keys, enum jwt_family family, const char *kid,
                     const void *pem, size_t len, struct jwt_why *why)
{
    struct jwt_key key = {.family = family, .algorithm = -1};
    BIO *bio = BIO_new_mem_buf(pem, (int)len);

    key.pkey = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    if (key.pkey == NULL) {
        snprintf(why->text, sizeof why->text, "no public key in PEM (-----BEGIN PUBLIC KEY-----)");
        return -EBADMSG;
    }
    key.kid = kid_copy(kid);
    return jwt_keys_add(keys, &key, why);
}

static bool holds(const char *text, size_t len, const char *part)
{
    return memmem(text, len, part, strlen(part)) != NULL;
}

/* A line feed at the end of a secret's file is an editor's. */
static int add_text(struct jwt_keys *keys, enum jwt_family family, const char *kid,
                    const char *text, size_t len, struct jwt_why *why)
{
    if (holds(text, len, "PRIVATE KEY-----")) {
        snprintf(why->text, sizeof why->text,
                 "a private key: here belongs the public one, which only verifies");
        return -EINVAL;
    }
    if (family != JWT_HMAC)
        return jwt_keys_add_pem(keys, family, kid, text, len, why);
    if (holds(text, len, "-----BEGIN ")) {
        snprintf(why->text, sizeof why->text,
                 "a PEM file is no HMAC secret: everybody may know a public key");
        return -EINVAL;
    }
    if (len > 0 && text[len - 1] == '\n')
        len--;
    if (len > 0 && text[len - 1] == '\r')
        len--;
    return jwt_keys_add_secret(keys, kid, (const uint8_t *)text, len, why);
}

int jwt_keys_add_entry(struct jwt_keys *keys, const char *entry, struct jwt_why *why)
{
    const char *equals = strchr(entry, '=');
    const char *colon = equals == NULL ? NULL : memchr(entry, ':', (size_t)(equals - entry));
    const char *end = colon != NULL ? colon : equals;
    int family = end == NULL ? -1 : jwt_family_of(entry, (size_t)(end - entry));
    char *kid = NULL;

    if (family < 0 || equals[1] == '\0' || (colon != NULL && colon + 1 == equals) ||
        (colon != NULL && equals - colon - 1 > JWT_KID_MAX)) {
        snprintf(why->text, sizeof why->text,
                 "not FAMILY=FILE or FAMILY:KID=FILE with a family of hmac, rsa, "
                 "ec, ed25519");
        return -EINVAL;
    }
    char *text;
    ssize_t len = file_read(equals + 1, JWT_KEY_FILE_MAX, &text);
    if (len < 0) {
        snprintf(why->text, sizeof why->text, "cannot read %.80s: %s", equals + 1,
                 len == -EFBIG ? "longer than 64 KiB" : uv_strerror((int)len));
        return (int)len;
    }
    if (colon != NULL)
        kid = mem_strndup(colon + 1, (size_t)(equals - colon - 1));
    int failed = add_text(keys, (enum jwt_family)family, kid, text, (size_t)len, why);
    mem_wiped_free(text, (size_t)len);
    free(kid);
    return failed;
}

bool jwt_keys_join(struct jwt_keys *keys, const struct jwt_keys *from)
{
    for (size_t i = 0; i < from->n; i++) {
        const struct jwt_key *key = &from->keys[i];
        if (keys->n == JWT_KEYS_MAX)
            return false;
        struct jwt_key *copy = &keys->keys[keys->n++];
        *copy = *key;
        copy->kid = kid_copy(key->kid);
        if (key->pkey != NULL)
            EVP_PKEY_up_ref(key->pkey);
        if (key->secret == NULL)
            continue;
        copy->secret = mem_alloc(key->secret_len + 1);
        memcpy(copy->secret, key->secret, key->secret_len);
    }
    return true;
}

/* --- which one --- */

static bool serves(const struct jwt_key *key, enum jwt_algorithm algorithm)
{
    return key->family == jwt_algorithm_family(algorithm) &&
           (key->algorithm < 0 || key->algorithm == (int)algorithm);
}

size_t jwt_keys_fitting(const struct jwt_keys *keys, enum jwt_algorithm algorithm, const char *kid,
                        const struct jwt_key **out, size_t most, bool *known)
{
    size_t n = 0;

    *known = kid == NULL;
    for (size_t i = 0; i < keys->n && kid != NULL; i++)
        *known = *known || (keys->keys[i].kid != NULL && strcmp(keys->keys[i].kid, kid) == 0);
    for (size_t i = 0; i < keys->n && n < most; i++) {
        const struct jwt_key *key = &keys->keys[i];
        bool named = kid == NULL ? true
                     : *known    ? key->kid != NULL && strcmp(key->kid, kid) == 0
                                 : key->kid == NULL;
        if (named && serves(key, algorithm))
            out[n++] = key;
    }
    return n;
}

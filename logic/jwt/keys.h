/* keys.h - the keys by which tokens are verified. A set is filled once, and then only read: by any
 * thread that has a reference. References belong to the main loop. */
#ifndef IMC_LOGIC_JWT_KEYS_H
#define IMC_LOGIC_JWT_KEYS_H

#include "logic/jwt/algorithm.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    JWT_KEYS_MAX = 64,        /* in one set */
    JWT_KID_MAX = 256,        /* bytes */
    JWT_KEY_FILE_MAX = 65536, /* bytes */
    JWT_SECRET_MIN = 32,      /* bytes: the hash of HS256 (RFC 7518, section 3.2) */
    JWT_RSA_MIN = 2048,       /* bits (section 3.3) */
    JWT_RSA_MAX = 8192,       /* bits: a longer one takes too long */
};

struct jwt_key {
    enum jwt_family family;
    int algorithm;   /* enum jwt_algorithm: the key serves that one only; -1: all of its family */
    char *kid;       /* NULL: it has none */
    EVP_PKEY *pkey;  /* of HMAC NULL */
    uint8_t *secret; /* of HMAC */
    size_t secret_len;
};

struct jwt_keys {
    int refs;
    size_t n;
    struct jwt_key keys[JWT_KEYS_MAX];
};

struct jwt_keys *jwt_keys_new(void);
struct jwt_keys *jwt_keys_ref(struct jwt_keys *keys);
void jwt_keys_unref(struct jwt_keys *keys); /* NULL is fine */

/* What these add is copied. 0, or -E… and WHY says what is wrong. */
int jwt_keys_add_secret(struct jwt_keys *keys, const char *kid, const uint8_t *secret, size_t len,
                        struct jwt_why *why);
/* A public key in PEM, which has to be of FAMILY. */
int jwt_keys_add_pem(struct jwt_keys *keys, enum jwt_family family, const char *kid,
                     const void *pem, size_t len, struct jwt_why *why);
/* Takes KEY if it is fit to verify with, and its PKEY in any case. */
int jwt_keys_add(struct jwt_keys *keys, struct jwt_key *key, struct jwt_why *why);
/* One entry of jwt.keys: FAMILY=FILE or FAMILY:KID=FILE. Reads the file, blocking. */
int jwt_keys_add_entry(struct jwt_keys *keys, const char *entry, struct jwt_why *why);
/* All keys of FROM, too. False: there are too many, and some were left out. */
bool jwt_keys_join(struct jwt_keys *keys, const struct jwt_keys *from);

/* The keys that a token signed by ALGORITHM may have been signed with, up to MOST, into OUT.
 * Returns how many. With KID: those of that name, or if there are none, those that have no name.
 * Without (NULL): all. *KNOWN: there is a key of that name; true without KID. */
size_t jwt_keys_fitting(const struct jwt_keys *keys, enum jwt_algorithm algorithm, const char *kid,
                        const struct jwt_key **out, size_t most, bool *known);

#endif

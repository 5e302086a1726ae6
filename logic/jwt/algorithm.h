/* algorithm.h - the algorithms by which tokens may be signed, and the kinds of keys for them (RFC
 * 7518, section 3; RFC 8037). Pure; any thread. */
#ifndef IMC_LOGIC_JWT_ALGORITHM_H
#define IMC_LOGIC_JWT_ALGORITHM_H

#include <stddef.h>

enum jwt_algorithm {
    JWT_HS256,
    JWT_HS384,
    JWT_HS512,
    JWT_RS256,
    JWT_PS256,
    JWT_ES256,
    JWT_EDDSA,
    JWT_ALGORITHMS,
};

/* A key is of one family, and serves the algorithms of that family only. So a public key is never
 * taken for a secret. */
enum jwt_family {
    JWT_HMAC,
    JWT_RSA,
    JWT_EC, /* on P-256 */
    JWT_ED25519,
    JWT_FAMILIES,
};

/* What is wrong with a key or a setting, for the operator. */
struct jwt_why {
    char text[160];
};

/* The names of RFC 7518 are told apart by case. -1: none of ours; "none" is not, either. */
int jwt_algorithm_of(const char *name, size_t len);
const char *jwt_algorithm_name(enum jwt_algorithm algorithm);
enum jwt_family jwt_algorithm_family(enum jwt_algorithm algorithm);
/* By the names of jwt.keys: hmac, rsa, ec, ed25519. -1: none of them. */
int jwt_family_of(const char *name, size_t len);
const char *jwt_family_name(enum jwt_family family);

#endif

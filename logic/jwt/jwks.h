/* jwks.h - reads a set of keys in JSON (JWK Set, RFC 7517, section 5). Any thread. */
#ifndef IMC_LOGIC_JWT_JWKS_H
#define IMC_LOGIC_JWT_JWKS_H

#include "logic/jwt/keys.h"

enum { JWKS_MAX = 256 * 1024 }; /* bytes */

/* Adds the keys of TEXT that can verify here. What is for others is skipped, as section 5 wants it:
 * encryption, other curves, secrets. *SKIPPED: how many. 0: at least one was added. -E…: WHY. */
int jwks_add(struct jwt_keys *keys, const void *text, size_t len, size_t *skipped,
             struct jwt_why *why);

#endif

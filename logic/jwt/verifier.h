/* verifier.h - verifies clients' tokens by the keys that are configured. Main loop only.
 *
 *   jwts_verify ─► taken apart ─► which keys? ─► waiting ─► a thread of libuv's pool: signature
 *                     │ not one       │ none: waits for a fetch of jwt.jwks_url, if one may be
 *                     │               │ under way (jwks_fetch.h)  │
 *                     └───────────────┴──► FN, at the end of ◄────┴─ claims, on the main loop
 *                                          this turn
 *
 * A signature takes up to 0.2 ms. So threads of the pool verify, at most jwt.threads of them, and
 * pushes go on meanwhile, however many forged tokens come. What waits has a limit (jwt.max_waiting)
 * and a time: beyond, the client is told to try again. */
#ifndef IMC_LOGIC_JWT_VERIFIER_H
#define IMC_LOGIC_JWT_VERIFIER_H

#include "logic/base/logic.h"
#include "logic/jwt/claims.h"

struct jwts;

/* Checks the settings, without files. 0, or -EINVAL and ERR. */
int jwts_check(const struct logic_config *config, char *err, size_t errlen);
/* Reads the keys. *OUT NULL: none are configured, and tokens are looked up in Redis. 0, or -E…
 * after logging. */
int jwts_open(struct logic *logic, struct jwts **out);
/* Reads the keys of files again, and fetches those of jwt.jwks_url. If a file cannot be read or is
 * not fit, all old ones stay: -E… and ERR. */
int jwts_reload(struct jwts *jwts, char *err, size_t errlen);
/* Call it after the last jwts_verify(). FN of what is under way may still run, when the loop
 * runs. NULL is fine. */
void jwts_close(struct jwts *jwts);

/* ERR is 0 and CLAIMS set; or WHY says for the client why not: -ENOENT, the token is not good;
 * -EBUSY, too many are being verified. Both are valid during the call. */
typedef void (*jwt_fn)(void *arg, size_t index, int err, const struct jwt_claims *claims,
                       const char *why);
struct jwt_ask {
    const char *text; /* is copied */
    size_t len;
    size_t index; /* for FN */
    jwt_fn fn;    /* runs once, never before jwts_verify() returns */
    void *arg;
};
void jwts_verify(struct jwts *jwts, const struct jwt_ask *ask);
/* Sets the gauges. */
void jwts_scrape(const struct jwts *jwts);

#endif

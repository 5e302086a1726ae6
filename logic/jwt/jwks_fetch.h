/* jwks_fetch.h - fetches the key set of jwt.jwks_url by HTTP. Main loop only.
 *
 *   start, jwt.jwks_refresh over, ─► address ─► GET ══ http_client ══► the issuer
 *   jwks_fetch_ask()                              │
 *                                                 ├─ a JWK Set ─► FN with its keys
 *                                                 └─ else ──────► FN without: the caller keeps what
 *                                                    it has; again after jwt.jwks_pause, then
 *                                                    twice, 4, 8, 16 times that
 *
 * Whoever asks, two fetches never begin within jwt.jwks_pause: so strangers with tokens of key
 * names that nobody has do not make logic flood the issuer. A fetch ends within jwt.jwks_timeout,
 * whatever the issuer does. */
#ifndef IMC_LOGIC_JWT_JWKS_FETCH_H
#define IMC_LOGIC_JWT_JWKS_FETCH_H

#include "logic/base/logic.h"
#include "logic/jwt/keys.h"

struct jwks_fetch;

/* Checks the settings. 0, or -EINVAL and ERR. */
int jwks_fetch_check(const struct logic_config *config, char *err, size_t errlen);
/* A fetch ended. KEYS is a new set, which FN takes over; NULL: there are none, the log says why. */
typedef void (*jwks_fetch_fn)(void *arg, struct jwt_keys *keys);
/* The first fetch begins at once. *OUT NULL: jwt.jwks_url is empty. 0, or -E… after logging. */
int jwks_fetch_open(struct logic *logic, jwks_fetch_fn fn, void *arg, struct jwks_fetch **out);
/* FN is not called any more. NULL is fine. */
void jwks_fetch_close(struct jwks_fetch *fetch);
/* Begins a fetch, if none is under way and it is not too soon. True: one is under way, so FN will
 * be called, never before this returns. */
bool jwks_fetch_ask(struct jwks_fetch *fetch);
/* Did the last one bring keys? False before the first has ended. */
bool jwks_fetch_is_good(const struct jwks_fetch *fetch);
/* Sets the gauge. */
void jwks_fetch_scrape(const struct jwks_fetch *fetch);

#endif

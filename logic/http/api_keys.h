/* api_keys.h - who may call the HTTP API: api.keys, compared in constant time. Main loop only, but
 * for the check (pure). */
#ifndef IMC_LOGIC_HTTP_API_KEYS_H
#define IMC_LOGIC_HTTP_API_KEYS_H

#include <stdbool.h>
#include <stddef.h>

struct api_keys;
struct local_callers;
struct http_request;

/* LIST as in the setting. Never NULL. */
struct api_keys *api_keys_open(const char *list);
void api_keys_close(struct api_keys *keys);
bool api_keys_empty(const struct api_keys *keys);
/* Takes the same time for every key of PRESENTED's length, right or wrong. */
bool api_keys_match(const struct api_keys *keys, const char *presented);
/* The key in the value of an Authorization header ("Bearer KEY", any case), NULL if it is another
 * scheme. */
const char *api_bearer(const char *authorization);
/* NULL: REQUEST may be carried out: it brings a key, or there are none and LOCAL lets it in. Else
 * why not. */
const char *api_auth_refusal(const struct api_keys *keys, const struct local_callers *local,
                             const struct http_request *request);

#endif

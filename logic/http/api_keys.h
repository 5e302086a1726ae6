/* api_keys.h - who may call the HTTP API while api.keys has some: compared in constant time. Main
 * loop only, but for the check (pure). */
#ifndef IMC_LOGIC_HTTP_API_KEYS_H
#define IMC_LOGIC_HTTP_API_KEYS_H

struct api_keys;
struct http_request;

/* LIST as in the setting. NULL: there is no key in it (then local_callers.h says who may call). */
struct api_keys *api_keys_open(const char *list);
/* NULL is fine. */
void api_keys_close(struct api_keys *keys);
/* NULL: REQUEST brings a key and may be carried out. Else why not. */
const char *api_keys_refusal(const struct api_keys *keys, const struct http_request *request);

#endif

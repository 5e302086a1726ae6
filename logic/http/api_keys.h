/* api_keys.h - checks the API key of a request, in constant time, if api.keys has any. Main loop
 * only. */
#ifndef IMC_LOGIC_HTTP_API_KEYS_H
#define IMC_LOGIC_HTTP_API_KEYS_H

struct api_keys;
struct http_request;

/* LIST is the setting api.keys. NULL: it has no key, and local_callers.h decides who may call. */
struct api_keys *api_keys_open(const char *list);
/* NULL is fine. */
void api_keys_close(struct api_keys *keys);
/* Why REQUEST is refused; NULL: its key is right. */
const char *api_keys_refusal(const struct api_keys *keys, const struct http_request *request);

#endif

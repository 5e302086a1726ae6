/* client.h - GETs and POSTs to one address, one at a time, over a connection that is kept. Owner
 * loop only.
 *
 * A kept connection that ends without a byte of an answer is replaced once; everything else that
 * goes wrong is told. Answers longer than HTTP_CLIENT_MAX are refused. */
#ifndef IMC_COMMON_HTTP_CLIENT_H
#define IMC_COMMON_HTTP_CLIENT_H

#include "common/base/loop.h"

enum { HTTP_CLIENT_MAX = 16384 };

struct http_client;

/* STATUS: the answer's, or -E… (-ETIMEDOUT, -ECONNREFUSED, -EMSGSIZE: too long, -EBADMSG: not
 * HTTP); BODY is valid during the call. May ask again or close. */
typedef void (*http_client_fn)(int status, const char *body, size_t len, void *arg);

/* ADDRESS is copied; connects with the first question. */
struct http_client *http_client_open(struct loop *loop, const struct sockaddr *address,
                                     http_client_fn fn, void *arg);
/* Not while one is unanswered. PATH with its query, already percent-encoded. FN is called exactly
 * once, never before this returns. */
void http_client_get(struct http_client *ask, const char *path, uint64_t timeout_ms);
/* The same, with POST and no body. It may be sent twice. */
void http_client_post(struct http_client *ask, const char *path, uint64_t timeout_ms);
bool http_client_busy(const struct http_client *ask);
/* FN is not called any more. NULL is fine. */
void http_client_close(struct http_client *ask);

#endif

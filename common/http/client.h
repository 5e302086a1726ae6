/* client.h - sends GETs and POSTs to one address, one at a time, and keeps the connection in
 * between. Owner loop only.
 *
 * A server may close a kept connection just as a request goes out. If no byte of an answer came,
 * the request is sent once more on a new connection. Any other failure is passed to the callback.
 * Answers longer than HTTP_CLIENT_MAX are refused. */
#ifndef IMC_COMMON_HTTP_CLIENT_H
#define IMC_COMMON_HTTP_CLIENT_H

#include "common/base/loop.h"

enum { HTTP_CLIENT_MAX = 16384 };

struct http_client;

/* STATUS is the answer's, or -E…: -ETIMEDOUT, -ECONNREFUSED, -EMSGSIZE (the answer is too long),
 * -EBADMSG (it is not HTTP). BODY is valid during the call. The callback may send the next request
 * or close the client. */
typedef void (*http_client_fn)(int status, const char *body, size_t len, void *arg);

/* ADDRESS is copied. The client connects when the first request is sent. */
struct http_client *http_client_open(struct loop *loop, const struct sockaddr *address,
                                     http_client_fn fn, void *arg);
/* Not while another request is unanswered. PATH includes the query and is already percent-encoded.
 * FN is called exactly once, and never before this function returns. */
void http_client_get(struct http_client *ask, const char *path, uint64_t timeout_ms);
/* The same, as a POST without a body. The server may get it twice, if a kept connection ended. */
void http_client_post(struct http_client *ask, const char *path, uint64_t timeout_ms);
bool http_client_busy(const struct http_client *ask);
/* FN is not called any more. NULL is fine. */
void http_client_close(struct http_client *ask);

#endif

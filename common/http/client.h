/* client.h - sends requests to one address, one at a time, and keeps the connection in between.
 * Owner loop only.
 *
 * A server may close a kept connection just as a request goes out. If no byte of an answer came,
 * the request is sent once more on a new connection. Any other failure is passed to the callback.
 * Answers longer than HTTP_CLIENT_MAX, or what http_client_limit() says, are refused. Redirects are
 * answers like others: nobody follows them. What was sent and what came is overwritten before it is
 * freed. */
#ifndef IMC_COMMON_HTTP_CLIENT_H
#define IMC_COMMON_HTTP_CLIENT_H

#include "common/base/loop.h"

enum { HTTP_CLIENT_MAX = 16384 };

struct http_client;
struct tls_client;

/* STATUS is the answer's, or -E…: -ETIMEDOUT, -ECONNREFUSED, -EMSGSIZE (the answer is too long),
 * -EBADMSG (it is not HTTP), -EPROTO (TLS failed; the log says why). BODY is valid during the call.
 * The callback may send the next request or close the client. */
typedef void (*http_client_fn)(int status, const char *body, size_t len, void *arg);

/* ADDRESS is copied. The client connects when the first request is sent. */
struct http_client *http_client_open(struct loop *loop, const struct sockaddr *address,
                                     http_client_fn fn, void *arg);
/* With each request go LINES, headers that end in CR LF each. They are not copied. NULL: nothing
 * more. */
void http_client_set_header(struct http_client *ask, const char *lines);
/* What requests say in Host, in place of the address: "name:port". It is copied. */
void http_client_set_host(struct http_client *ask, const char *host);
/* Speaks TLS, by TLS, which stays the caller's. The server's certificate has to be for NAME, a
 * host's name or IP address, which is copied. Before the first request. */
void http_client_set_tls(struct http_client *ask, struct tls_client *tls, const char *name);
/* Answers may have up to MAX bytes from now on. */
void http_client_limit(struct http_client *ask, size_t max);
/* The same, but of a longer answer the first MAX bytes are passed on, and the rest is read and
 * dropped: for who needs no more than the status. */
void http_client_cut(struct http_client *ask, size_t max);
/* Within the callback: a header of the answer, the first one of that name, which is in lower case.
 * NULL: there is none, or no answer. */
const char *http_client_answer_header(const struct http_client *ask, const char *name);
/* Not while another request is unanswered. PATH includes the query and is already percent-encoded.
 * FN is called exactly once, and never before this function returns. */
void http_client_get(struct http_client *ask, const char *path, uint64_t timeout_ms);
/* The same, as a POST without a body. The server may get it twice, if a kept connection ended. */
void http_client_post(struct http_client *ask, const char *path, uint64_t timeout_ms);
struct http_client_body {
    const char *type; /* Content-Type */
    const void *data;
    size_t len;
};
/* The same with a body, which is copied. */
void http_client_post_body(struct http_client *ask, const char *path,
                           const struct http_client_body *body, uint64_t timeout_ms);
/* The same with any method: "DELETE". BODY NULL: there is none. */
void http_client_send(struct http_client *ask, const char *method, const char *path,
                      const struct http_client_body *body, uint64_t timeout_ms);
/* After -EPROTO: what TLS says, in words. */
const char *http_client_why(const struct http_client *ask);
bool http_client_busy(const struct http_client *ask);
/* FN is not called any more. NULL is fine. */
void http_client_close(struct http_client *ask);

#endif

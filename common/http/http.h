/* http.h - a small HTTP/1.1 server on a loop, over libuv and the library llhttp.
 *
 * For logic's API and every daemon's admin pages: few connections, many requests. Keep-alive and
 * pipelining; the head may be refused before a byte of the body is kept; the body, also a chunked
 * one, is read whole (up to max_body) before the handler runs; an answer may be given later. Wishes
 * to upgrade (WebSocket, h2c) are ignored. Owner loop only. */
#ifndef IMC_COMMON_HTTP_HTTP_H
#define IMC_COMMON_HTTP_HTTP_H

#include "common/base/loop.h"
#include "common/base/msg.h"
#include <stdbool.h>
#include <stddef.h>

struct http_server;
struct http_request;

enum http_method {
    HTTP_GET,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_HEAD,
    HTTP_OPTIONS,
    HTTP_OTHER
};

struct http_options {
    const char *address; /* host:port */
    int64_t
        max_conns; /* 0: HTTP_MAX_CONNS. Beyond, one that has no request gives way, or they wait */
    int64_t max_body;
    int64_t max_held;  /* requests with their bodies, and what is read ahead, of all connections
                          together; 0 = any */
    int64_t max_heads; /* heads under way, likewise; 0: HTTP_MAX_HEADS. Beyond, the one that takes
                          longest is refused */
    int64_t header_timeout_ms, body_timeout_ms; /* slow clients are cut off */
    int64_t idle_timeout_ms;                    /* keep-alive without a request */
    /* Optional: the head of a request is there, nothing of its body has been kept. May refuse it
     * with http_respond(), within this call; then handle() does not get it, and its body is thrown
     * away, or the connection ends after the answer. */
    void (*head)(struct http_request *request, void *arg);
    /* Called for every complete request, any path and method; must lead to exactly one
     * http_respond(). */
    void (*handle)(struct http_request *request, void *arg);
    /* Optional: a request was refused before handle() (STATUS 400, 408, 413, 431, 503 …): fill the
     * answer's body and type in the API's own form. NULL: plain text. */
    void (*refuse)(int status, const char *why, struct http_request *request, char *body,
                   size_t bodylen, const char **content_type);
    void *arg;
};

/* -EADDRINUSE and the like. */
int http_server_open(struct loop *loop, const struct http_options *options,
                     struct http_server **out);
int http_server_port(const struct http_server *server);
struct http_stats {
    size_t connections;
    uint64_t full;          /* times that a connection had to wait because there were max_conns */
    uint64_t gave_way;      /* connections without a whole request closed for others */
    uint64_t accept_errors; /* for want of descriptors or memory */
};
void http_server_stats(const struct http_server *server, struct http_stats *out);
/* Stops listening; requests under way may still be answered until http_server_close(). */
void http_server_drain(struct http_server *server);
/* Requests without an answer yet. */
size_t http_server_pending(const struct http_server *server);
/* Bytes that count against max_held. */
int64_t http_server_held(const struct http_server *server);
/* Requests under way stay valid, their answers go nowhere. Memory goes with the loop's close
 * callbacks. NULL is fine. */
void http_server_close(struct http_server *server);

/* All borrowed, valid until http_respond(). No text has control bytes in it, so that C strings lose
 * nothing. */
enum http_method http_method(const struct http_request *request);
const char *http_path(const struct http_request *request); /* without query; has no escapes */
const uint8_t *http_body(const struct http_request *request, size_t *len);
/* NULL if absent; the first if there are several. Names in lower case: "content-type",
 * "authorization", "x-api-key". */
const char *http_header(const struct http_request *request, const char *name);
/* Query parameter, percent-decoded. Index 0, 1, … for repeated ones; NULL if there are fewer. */
const char *http_query(const struct http_request *request, const char *name, size_t index);
/* Same from a body of application/x-www-form-urlencoded. */
const char *http_form(struct http_request *request, const char *name, size_t index);
/* Is there such a body, with control bytes in it, escaped or not, or with too many parameters? Then
 * it has none. */
bool http_form_is_bad(struct http_request *request);
/* arg of http_options: for refuse(), which has no other way to it. */
void *http_arg(const struct http_request *request);
/* Peer's address without port: "127.0.0.1". */
const char *http_peer(const struct http_request *request);

/* Answers and ends the request; it is invalid afterwards. Safe if the client has gone. BODY is
 * copied. EXTRA: NULL or "Name: value\r\n…" lines. Not on another thread. */
void http_respond(struct http_request *request, int status, const char *content_type,
                  const void *body, size_t len, const char *extra);

#endif

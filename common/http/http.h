/* http.h - a small HTTP/1.1 server on a loop, over libuv and the library llhttp.
 *
 * It serves logic's API and every daemon's admin pages: few connections, many requests. It knows
 * keep-alive and pipelining. A handler may refuse a request by its head, before any of the body is
 * kept. Otherwise the whole body is read, up to max_body, before the handler runs; chunked bodies
 * too. The answer may be given later. A wish to upgrade (WebSocket, h2c) is ignored. Owner loop
 * only. */
#ifndef IMC_COMMON_HTTP_HTTP_H
#define IMC_COMMON_HTTP_HTTP_H

#include "common/base/loop.h"
#include "common/base/msg.h"
#include <stdbool.h>
#include <stddef.h>

struct http_server;
struct tls_server;
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
    /* NULL: plain HTTP. Otherwise handshakes have header_timeout_ms, with the first head. Whoever
     * speaks plain HTTP gets 400, in plain HTTP. */
    struct tls_server *tls;
    /* 0: HTTP_MAX_CONNS. Beyond that, a connection without a request is closed for a new one, or
     * new ones wait. */
    int64_t max_conns;
    int64_t max_body;
    int64_t max_held; /* bytes of requests, their bodies and what was read ahead, of all
                       * connections together; 0: no limit */
    /* Bytes of incomplete heads, of all connections together; 0: HTTP_MAX_HEADS. Beyond that, the
     * head that has been incomplete for the longest is refused. */
    int64_t max_heads;
    /* Bytes of answers that clients have not read, likewise; 0: HTTP_MAX_ANSWERS. When there are
     * more, connections that read slowly are closed. */
    int64_t max_answers;
    int64_t header_timeout_ms, body_timeout_ms; /* slow clients are cut off */
    int64_t idle_timeout_ms;                    /* keep-alive without a request */
    /* Optional: the head of a request has come, and nothing of its body is kept yet. The callback
     * may refuse the request by http_respond(), within this call. Then handle() does not get the
     * request. Its body is skipped, or the connection ends after the answer. */
    void (*head)(struct http_request *request, void *arg);
    /* Optional, with head(): a request for which head() was called is over. It was answered, or its
     * client has gone. Called exactly once, unless the server was closed meanwhile. */
    void (*end)(struct http_request *request, void *arg);
    /* Optional: REQUEST was answered with STATUS, US microseconds after all of it had come; 0 if
     * the head was enough to refuse it. */
    void (*answered)(const struct http_request *request, int status, int64_t us, void *arg);
    /* Optional: may PATH, which has percent-escapes, have some? Without this no path may. It says
     * so only of paths that it splits at their slashes first, and decodes then (path.h). */
    bool (*escapes)(const char *path, void *arg);
    /* A request is complete. It may have any path and method. The handler has to call
     * http_respond() exactly once for it, now or later. */
    void (*handle)(struct http_request *request, void *arg);
    /* Optional: the server refuses a request before handle() (STATUS 400, 408, 413, 431, 503 …).
     * The callback writes the answer's BODY and type in the API's own form. NULL: the answer is
     * plain text. */
    void (*refuse)(int status, const char *why, struct http_request *request, char *body,
                   size_t bodylen, const char **content_type);
    /* Optional: http_server_has_room() again. */
    void (*room)(void *arg);
    void *arg;
};

/* 0 or -E…: -EADDRINUSE and the like. OPTIONS is copied; its texts are needed only during the
 * call. */
int http_server_open(struct loop *loop, const struct http_options *options,
                     struct http_server **out);
int http_server_port(const struct http_server *server);
struct http_stats {
    size_t connections;
    uint64_t full;          /* times that a connection had to wait, because max_conns were open */
    uint64_t gave_way;      /* connections without a complete request that were closed for others */
    uint64_t accept_errors; /* accept() failed: no descriptors or no memory */
    uint64_t unread;        /* connections closed because they read their answers too slowly */
};
void http_server_stats(const struct http_server *server, struct http_stats *out);
/* Stops listening. Requests under way may still be answered, until http_server_close(). */
void http_server_drain(struct http_server *server);
/* How many requests have no answer yet. */
size_t http_server_pending(const struct http_server *server);
/* Bytes that count against max_held. */
int64_t http_server_held(const struct http_server *server);
/* Bytes that count against max_answers. */
int64_t http_server_answers(const struct http_server *server);
/* Unread answers are fewer than max_answers. Who makes long ones had better wait for that. */
bool http_server_has_room(const struct http_server *server);
/* Closes all connections. Requests under way stay valid until they are answered; the answers are
 * dropped. The loop's close callbacks free the memory. NULL is fine. */
void http_server_close(struct http_server *server);

/* What these functions return belongs to the request, and is valid until http_respond(). No text
 * has control bytes, so a C string loses nothing. */
enum http_method http_method(const struct http_request *request);
/* Without the query. It has percent-escapes only if escapes() said so, and they are as they came.
 */
const char *http_path(const struct http_request *request);
const uint8_t *http_body(const struct http_request *request, size_t *len);
/* A header's value, the first one if it comes several times; NULL if it is absent. NAME is in lower
 * case: "content-type", "authorization", "x-api-key". */
const char *http_header(const struct http_request *request, const char *name);
/* The same for line number INDEX, from 0, of a header that may come several times. NULL: there are
 * fewer. */
const char *http_header_line(const struct http_request *request, const char *name, size_t index);
/* Does REQUEST come from a web page? Browsers send these headers, programs do not. */
static inline bool http_is_from_a_page(const struct http_request *request)
{
    return http_header(request, "origin") != NULL || http_header(request, "sec-fetch-site") != NULL;
}
/* Has a header a name with PART in it? PART is in lower case. */
bool http_has_header_like(const struct http_request *request, const char *part);
/* A query parameter, percent-decoded. INDEX 0, 1, … for a parameter that comes several times; NULL
 * if there are fewer. */
const char *http_query(const struct http_request *request, const char *name, size_t index);
/* The next value of NAME from place *PLACE on, which begins as 0; NULL: there are no more. All
 * values cost one walk over the parameters. By http_query() each of them would cost one. */
const char *http_query_next(const struct http_request *request, const char *name, size_t *place);
/* The value of query parameter number INDEX, and its *NAME; NULL: there are fewer. */
const char *http_query_at(const struct http_request *request, size_t index, const char **name);
/* As http_query(), of a body of type application/x-www-form-urlencoded. */
const char *http_form(struct http_request *request, const char *name, size_t index);
/* Is there such a body, but with control bytes (escaped or not) or too many parameters? Then
 * http_form() finds no parameter. */
bool http_form_is_bad(struct http_request *request);
/* The arg of http_options. For refuse(), which does not get it as a parameter. */
void *http_arg(const struct http_request *request);
/* A pointer of the user's that goes with REQUEST, from head() until end(); NULL at first. */
void http_set_context(struct http_request *request, void *context);
void *http_context(const struct http_request *request);
/* What names REQUEST in its answer and in the log: the client's X-Request-Id if it has at most
 * HTTP_REQUEST_ID_MAX letters, digits and `-_.:/+=`, otherwise a random number. Every answer has
 * it in that header. */
enum { HTTP_REQUEST_ID_MAX = 128 };
const char *http_request_id(struct http_request *request);
/* Does REQUEST's client send no more, or is it gone? It may still read the answer, but whoever lets
 * it wait for long had better answer now. */
bool http_has_ended(const struct http_request *request);
/* The client's address without port: "127.0.0.1". */
const char *http_peer(const struct http_request *request);

/* Answers and ends the request; it is invalid afterwards. Safe if the client has gone. BODY is
 * copied. EXTRA: NULL or "Name: value\r\n…" lines. Not on another thread. */
void http_respond(struct http_request *request, int status, const char *content_type,
                  const void *body, size_t len, const char *extra);

#endif

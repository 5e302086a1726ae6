/* http_client.h - N keep-alive HTTP/1.1 connections to one server, one request each at a time.
 *
 * Owner's thread; nothing blocks but http_lanes_poll(). */
#ifndef IMC_BENCH_LOAD_HTTP_LANES_H
#define IMC_BENCH_LOAD_HTTP_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_lanes;

/* The request of connection LANE is answered. STATUS 0: the connection broke, nobody knows. The
 * next request of that lane may be sent from here. */
typedef void http_lanes_answer(void *arg, size_t lane, int status, const char *body, size_t len);

struct http_lanes_options {
    const char *address; /* host:port */
    const char *key;     /* sent as X-API-Key; or NULL */
    size_t lanes;        /* connections */
    http_lanes_answer *answer;
    void *arg;
};

/* Connects the first lane at once, the others when they are used. 0, or -E… with ERR filled. */
int http_lanes_open(const struct http_lanes_options *options, struct http_lanes **out, char *err,
                    size_t errlen);
bool http_lanes_idle(const struct http_lanes *client, size_t lane);
/* POST TARGET (path and query) with BODY. Only on an idle lane I. 0, or -E… when the lane cannot
 * connect (it tries again with the next call). */
int http_lanes_post(struct http_lanes *client, size_t i, const char *target, const char *body,
                    size_t len);
/* Waits until something is answered, at most TIMEOUT_NS. */
void http_lanes_poll(struct http_lanes *client, int64_t timeout_ns);
/* NULL is fine. Requests under way are forgotten. */
void http_lanes_close(struct http_lanes *client);

#endif

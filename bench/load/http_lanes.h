/* http_lanes.h - N keep-alive HTTP/1.1 connections to one server, one request each at a time.
 *
 * Owner's thread; only http_lanes_poll() blocks. */
#ifndef IMC_BENCH_LOAD_HTTP_LANES_H
#define IMC_BENCH_LOAD_HTTP_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_lanes;

/* The request of connection LANE is answered. STATUS 0: the connection broke, and the outcome is
 * unknown. The callback may send the lane's next request. */
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
/* POSTs BODY to TARGET (path and query). Lane I must be idle. 0, or -E… if the lane cannot connect;
 * it tries again with the next call. */
int http_lanes_post(struct http_lanes *client, size_t i, const char *target, const char *body,
                    size_t len);
/* Waits for an answer, at most TIMEOUT_NS. */
void http_lanes_poll(struct http_lanes *client, int64_t timeout_ns);
/* Forgets requests under way. CLIENT may be NULL. */
void http_lanes_close(struct http_lanes *client);

#endif

/* conns.h - one worker's client connections on one epoll: connect(), the real auth, and what the
 * server sends. One process; only conns_poll() blocks. */
#ifndef IMC_BENCH_LOAD_CONNS_H
#define IMC_BENCH_LOAD_CONNS_H

#include "bench/check/judge.h"
#include "bench/run/config.h"
#include "bench/run/shared_page.h"
#include "bench/run/transport.h"

#include <netinet/in.h>

struct conns;
struct tls_client;

struct conns_options {
    const struct transport *transport;
    const struct people *people;
    const struct sockaddr_in *targets; /* the servers that connections are spread over */
    size_t n_targets;
    const char *host;         /* for the WebSocket handshake */
    size_t worker, n_workers; /* which of them this is: gives the source addresses */
    enum members members;
    struct tls_client *tls; /* connections speak TLS; NULL: they do not */
    bool resume;            /* all but the first resume its TLS session */
    size_t first, n;        /* this worker has the connections FIRST … FIRST + N - 1 */
};

/* 0, or -E…. */
int conns_new(const struct conns_options *options, struct judge *judge, struct worker_stats *stats,
              struct conns **out);
/* Connects connection I of this worker, unless it is open. ANYWHERE: check/judge.h. 0, or -E… of
 * connect(). */
int conns_connect(struct conns *conns, size_t i, bool anywhere);
/* Closes connection I by a reset, unless it is closed. */
void conns_close(struct conns *conns, size_t i);
/* The server TARGET has died: who was there, or goes there, goes to the others. Such an end is no
 * fault: the connection is a failed one. SIZE_MAX: none has. */
void conns_target_gone(struct conns *conns, size_t target);
bool conns_is_online(const struct conns *conns, size_t i);
/* The next connection that failed before it was online; SIZE_MAX: there is none. */
size_t conns_next_failed(struct conns *conns);
void conns_heartbeat(struct conns *conns, size_t i);
void conns_poll(struct conns *conns, int timeout_ms);

#endif

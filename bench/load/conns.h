/* conns.h - one worker's client connections: from connect() over the real auth to what the server
 * sends, on one epoll. One process; nothing blocks but conns_poll(). */
#ifndef IMC_BENCH_LOAD_CONNS_H
#define IMC_BENCH_LOAD_CONNS_H

#include "bench/check/judge.h"
#include "bench/run/shared_page.h"
#include "bench/run/transport.h"

#include <netinet/in.h>

struct conns;

struct conns_options {
    const struct transport *transport;
    const struct people *people;
    const struct sockaddr_in *targets; /* connections are dealt out to them */
    size_t n_targets;
    const char *host;         /* for the WebSocket handshake */
    size_t worker, n_workers; /* which of them this is: gives the source addresses */
    size_t first, n;          /* this worker's share of the connections */
};

/* 0, or -E…. */
int conns_new(const struct conns_options *options, struct judge *judge, struct worker_stats *stats,
              struct conns **out);
void conns_free(struct conns *conns);
/* Connection I of this worker; nothing if it is open. ANYWHERE: see check/judge.h. 0, or -E… of
 * connect(). */
int conns_connect(struct conns *conns, size_t i, bool anywhere);
/* By a reset; nothing if it is closed. */
void conns_close(struct conns *conns, size_t i);
bool conns_is_closed(const struct conns *conns, size_t i);
bool conns_is_online(const struct conns *conns, size_t i);
/* Connections that failed before they were online, one after the other; SIZE_MAX: no more. */
size_t conns_next_failed(struct conns *conns);
void conns_heartbeat(struct conns *conns, size_t i);
void conns_poll(struct conns *conns, int timeout_ms);

#endif

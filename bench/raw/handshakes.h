/* handshakes.h - how many TLS handshakes a server makes per second of its own CPU. The client does
 * nothing else: it connects, shakes hands, takes the ticket, and cuts.
 *
 * Forks children and waits for them. Not to be called while other threads run. */
#ifndef IMC_BENCH_RAW_HANDSHAKES_H
#define IMC_BENCH_RAW_HANDSHAKES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct handshakes_options {
    const char *host, *port; /* an IP address */
    int version;             /* TLS1_3_VERSION … */
    bool resume;             /* all but each client's first resume a session */
    pid_t server;            /* whose CPU is measured */
    double seconds;
    unsigned clients; /* processes, each with one connection at a time */
};

struct handshakes_result {
    uint64_t full, resumed, failed;
    double wall_s, cpu_s; /* of the server */
};

/* 0, or -E… if the server's CPU cannot be read, or a child not be forked. */
int handshakes_measure(const struct handshakes_options *options, struct handshakes_result *result);

#endif

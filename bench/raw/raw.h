/* raw.h - the raw limit that results are compared with: how many send() calls one process makes per
 * CPU-second, to N sockets in turn, while another process drains them.
 *
 * Forks two children and waits for them. Not to be called while other threads run. */
#ifndef IMC_BENCH_RAW_RAW_H
#define IMC_BENCH_RAW_RAW_H

#include <stddef.h>
#include <stdint.h>

struct raw_options {
    size_t sockets;        /* fewer if the limit of open files demands it */
    size_t bytes;          /* of each send() */
    double seconds;        /* of sending */
    unsigned rounds_ahead; /* the sender waits when the reader is this far behind */
};

struct raw_result {
    size_t sockets;
    uint64_t writes, full; /* full: a socket did not take it all; that is no write */
    double wall_s, cpu_s;  /* of the sender */
};

/* 0, or -E… with ERR filled. */
int raw_measure(const struct raw_options *options, struct raw_result *result, char *err,
                size_t errlen);
double raw_per_cpu_s(const struct raw_result *result);

#endif

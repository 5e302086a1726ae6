/* usage.h - CPU time and memory of the daemons, of Redis and the bus, and of the benchmark's own
 * processes, read from /proc and the processes' clocks. Controller only. */
#ifndef IMC_BENCH_REPORT_USAGE_H
#define IMC_BENCH_REPORT_USAGE_H

#include "bench/load/crew.h"
#include "bench/report/machine_memory.h"

enum usage_kind {
    USAGE_COMET,
    USAGE_LOGIC,
    USAGE_ROUTER,
    USAGE_JOB,
    USAGE_REDIS,
    USAGE_BUS,
    USAGE_CLIENTS, /* the workers */
    USAGE_DRIVER,
    USAGE_KINDS,
};

struct usage {
    double cpu_s[USAGE_KINDS];
    uint64_t rss[USAGE_KINDS];
    double machine_cpu_s; /* of the whole machine, with the kernel's interrupts */
    struct machine machine;
};

/* "comet" … */
const char *usage_name(enum usage_kind kind);
/* The kind of a process by its name, "comet-1"; USAGE_KINDS: none. */
enum usage_kind usage_kind_of(const char *name);
/* Reads the sums per kind. A process that has gone counts as nothing. */
void usage_read(const struct config *config, const struct crew *crew, struct usage *out);
/* The CPU time of the server's side: all but the benchmark's own processes. */
double usage_server_cpu(const struct usage *usage);
/* The CPU time of our daemons and Redis. Kafka is not in it, because it takes some percent of a
 * core even when idle. */
double usage_daemons_cpu(const struct usage *usage);
/* The CPU time that others used. It tells how far the figures can be trusted. */
double usage_others_cpu(const struct usage *usage);
void usage_since(struct usage *usage, const struct usage *earlier);

#endif

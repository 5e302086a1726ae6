/* config.h - the command line of a run, completed by the scenario. It is set before the processes
 * are forked, and read-only then. */
#ifndef IMC_BENCH_RUN_CONFIG_H
#define IMC_BENCH_RUN_CONFIG_H

#include "bench/run/people.h"
#include "bench/run/transport.h"

#include <netinet/in.h>
#include <stdbool.h>

enum { TARGETS_MAX = 128, PIDS_MAX = 512, ADMINS_MAX = 128, TRANSPORTS_MAX = 6 };

struct config_pid {
    char name[32]; /* comet-1 */
    int pid;
};

/* Which of the comets a room's members connect to: any, one, all in turn. */
enum members { MEMBERS_ANYWHERE, MEMBERS_TOGETHER, MEMBERS_SPREAD };

struct config {
    const char *scenario;
    const struct transport *transports[TRANSPORTS_MAX];
    size_t n_transports;
    const char *targets[TRANSPORTS_MAX]; /* host:port,host:port as given, by transport */
    const char *http;
    const char *key;    /* of the HTTP API, or NULL */
    const char *admins; /* comets' admin listeners, or NULL */
    const char *redis;  /* tokens go straight there, not through the API; or NULL */
    const char *cacert; /* connections speak TLS, and believe who is signed by this; or NULL */
    bool resume;        /* TLS sessions */
    const char *plain;  /* body of messages without a stamp, or NULL */
    struct config_pid pids[PIDS_MAX];
    size_t n_pids;

    /* SCENARIO_UNSET until the command line or the scenario sets it. */
    uint64_t connections, rooms, group, lanes, rate, churn_rate, waiting, backlog;
    uint64_t connect_rate, workers, in_flight, http_lanes, size, uid_base, heartbeat_s;
    uint64_t members;       /* enum members */
    uint64_t nice;          /* of the workers */
    uint64_t memory_before; /* MiB that were unused before the cluster started; 0: not known */
    uint64_t unpushed;      /* people.h; the scenario sets it */
    double seconds, warmup_s, drain_s, raw_s;
    bool quiet;
    const char *json, *plot;
};

#endif

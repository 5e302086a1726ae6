/* daemon.h - what the four daemons share: command line, configuration, log, signals, admin
 * listener, lifecycle.
 *
 *   daemon_main: parse arguments ─► load config ─► start() ─► main loop
 *                          stop() ◄── daemon_drained() … drain() ◄──┘ SIGTERM
 *
 * --check --dump-config --version --help --health (asks the admin listener's /readyz), --doc-config
 * and --doc-metrics (Markdown for docs/). Admin listener: /metrics /healthz /readyz /config
 * /version /member. Main loop's thread unless said. */
#ifndef IMC_COMMON_DAEMON_DAEMON_H
#define IMC_COMMON_DAEMON_DAEMON_H

#include "common/base/loop.h"
#include "common/base/memory_budget.h"
#include "common/base/metrics.h"
#include "common/config/config.h"
#include "common/membership/membership.h"
#include "common/redis/redis.h"
#include "common/rpc/rpc.h"

struct daemon;

/* First member of every daemon's configuration struct; rows in daemon_config_rows. */
struct daemon_config {
    char *log_level;
    char *admin_listen;
    char *rpc_listen;    /* where gRPC listens; empty for a daemon without a server (job) */
    char *rpc_advertise; /* host:port or host others reach it by; empty: rpc.listen; if that is
                            0.0.0.0: the host's name if it leads here, or an interface's address */
    int64_t rpc_connections, rpc_held;
    char *redis_servers, *redis_user, *redis_password;
    char *redis_sentinels, *redis_master, *redis_sentinel_password;
    int64_t redis_database, redis_timeout_ms;
    char *lease_id; /* empty: HOSTNAME-PORT */
    char *lease_region, *lease_zone;
    int64_t lease_weight, lease_renew_ms, lease_ttl_ms;
    int64_t clock_max_offset_ms; /* from Redis's: further off is not ready */
    char *members_static;        /* admin addresses of all daemons; empty: leases in Redis */
    int64_t memory_limit;        /* bytes, 0: memory_budget_default() */
    int64_t drain_ms;            /* daemon.drain: longest time between SIGTERM and exit */
};

/* A command of one daemon's own: "--name ARGUMENT". It runs with the configuration loaded, instead
 * of the daemon; may block. The exit code. */
struct daemon_verb {
    const char *name, *argument, *help;
    int (*run)(struct daemon *daemon, const char *argument);
};

/* What a cluster is used for. A daemon that lacks something may still serve some of it. */
enum daemon_use {
    USE_PUSH = 1 << 0,    /* a push is accepted, and reaches who is online, and rooms */
    USE_CONNECT = 1 << 1, /* a session comes in */
    USE_STORE = 1 << 2,   /* what waits for users is kept, and fetched; tokens are made */
    USE_ALL = USE_PUSH | USE_CONNECT | USE_STORE,
};

/* A row per readiness condition: what the daemon needs it for, 0: nothing, it is only shown. A
 * condition without a row is needed for everything. docs/operations.md has the list. */
struct daemon_need {
    const char *condition;
    unsigned uses;
};

struct daemon_spec {
    const char *name;    /* "comet": also the prefix of the environment */
    const char *summary; /* one line for --help */
    enum member_kind kind;
    const char *admin_default, *rpc_default; /* "127.0.0.1:8093"; rpc_default "" = no RPC server */
    const struct config_row *rows;           /* the daemon's own */
    size_t config_size;
    const struct daemon_need *needs; /* ends with condition NULL; NULL: everything is for all */
    const struct metric_row *metrics;
    size_t n_metrics;
    /* Checks across settings; 0, or -EINVAL with ERR filled. May be NULL. */
    int (*check)(const void *config, char *err, size_t errlen);
    /* Opens listeners and threads. 0 or -E… after logging what failed and what to do. */
    int (*start)(struct daemon *daemon);
    /* SIGTERM or SIGINT: stop accepting, finish, then call daemon_drained(). A second signal or
     * daemon.drain exits. */
    void (*drain)(struct daemon *daemon);
    /* After the main loop ended. */
    void (*stop)(struct daemon *daemon);
    /* Every 100 ms while memory is short (base/memory_budget.h), and once when it is enough again.
     * MEMORY_SHORT: refuse what is new; MEMORY_CRITICAL: let go of something each time. May be
     * NULL. */
    void (*memory)(struct daemon *daemon, enum memory_level level);
    const char *memory_refused; /* what that refuses, for log and readiness: "new connections" */
    /* Refresh gauges before a scrape. May be NULL. */
    void (*scrape)(struct daemon *daemon);
    const struct daemon_verb *verb; /* may be NULL */
};

struct daemon {
    const struct daemon_spec *spec;
    void *config; /* starts with struct daemon_config */
    struct loop loop;
    struct metrics *metrics;
    int64_t *counters; /* the main loop's block */
    struct rpc *rpc;
    void *state; /* the daemon's own */
    struct daemon_internal *internal;
};

/* How many descriptors each listener may take, of all that the host allows this process. */
struct daemon_descriptors {
    int64_t limit, admin, rpc;
    int64_t http, clients; /* logic's API; comet's clients */
};
const struct daemon_descriptors *daemon_descriptors(const struct daemon *daemon);

/* main() of a daemon is one call of this. The exit code. */
int daemon_main(const struct daemon_spec *spec, int argc, char **argv);
/* /readyz is 200 when every condition named so far holds that is needed for something, and
 * /readyz?for=push (connect, store) when those do that are needed for that, see daemon_need. Any
 * thread. NAME is kept. */
void daemon_ready(struct daemon *daemon, const char *name, bool holds, const char *why_not);
/* The drain is done: gives the lease back if that has not happened yet, then ends the main loop. */
void daemon_drained(struct daemon *daemon);
/* Ends the main loop with exit code 1, so that a supervisor starts the daemon anew: for what it
 * cannot mend itself. The caller has logged why. */
void daemon_fail(struct daemon *daemon);
/* For stop(): a library's threads do not end. The process ends without the libraries' own ends. */
void daemon_abandon(struct daemon *daemon);
/* Gives the lease back now, so that the others send nothing more here. Idempotent; for drain(). */
void daemon_leave(struct daemon *daemon);
/* Logs "cannot listen on ADDRESS (SECTION): ERR; stop what holds it or set SECTION.KEY / IMC_…". */
void daemon_listen_failed(struct daemon *daemon, const char *address, const char *section,
                          const char *key, int err);
/* The port that rpc.listen got, for "…:0"; before daemon_advertised() and daemon_join(). */
void daemon_set_rpc_port(struct daemon *daemon, int port);
/* Opens Redis and membership from the common configuration, with conditions "redis" (every
 * shard answers), "redis_write" (and takes writes), "clock" and "lease".
 * WATCH, EVENTS as in membership/membership.h; SELF's empty rpc, id, region … are filled from the
 * configuration. 0 or -E… after logging. Both are closed by daemon_main() after stop(), not by the
 * daemon; once per daemon. */
int daemon_join(struct daemon *daemon, struct member *self, unsigned watch,
                const struct membership_events *events, void *arg, struct redis **redis,
                struct membership **membership);
/* What the common configuration says of Redis. */
void daemon_redis_options(const struct daemon_config *config, struct redis_options *options);
/* rpc.advertise worked out, see above; "" without an RPC server. Valid until the next call. */
const char *daemon_advertised(struct daemon *daemon);

#endif

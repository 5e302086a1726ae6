/* daemon.h - what the four daemons share: command line, configuration, log, signals, admin listener
 * and lifecycle. Main loop's thread, unless a comment says otherwise.
 *
 *   daemon_main: parse arguments ─► load config ─► start() ─► main loop
 *                          stop() ◄── daemon_drained() … drain() ◄──┘ SIGTERM
 *
 * Command line: --check, --dump-config, --version, --help, --health (asks /readyz of a running
 * daemon), --new-key (makes a key), --doc-config and --doc-metrics (write Markdown for docs/).
 * Admin listener: /metrics, /healthz, /readyz, /config, /version, /member. */
#ifndef IMC_COMMON_DAEMON_DAEMON_H
#define IMC_COMMON_DAEMON_DAEMON_H

#include "common/base/list.h"
#include "common/base/loop.h"
#include "common/base/memory_budget.h"
#include "common/base/metrics.h"
#include "common/config/config.h"
#include "common/daemon/series.h"
#include "common/membership/membership.h"
#include "common/redis/redis.h"
#include "common/rpc/rpc.h"
#include "common/tls/tls.h"

struct daemon;
struct exposition;
struct arena;
struct Imc__V1__ReportBatch;

/* The first member of every daemon's configuration struct. daemon_config_rows has the rows. */
struct daemon_config {
    char *log_level, *log_format;
    char *admin_listen;
    char *admin_keys_file; /* keys that the admin listener takes; empty: it asks for none */
    bool admin_insecure;   /* ... although other machines can reach it */
    char *admin_hosts;     /* names of the admin pages, see common/auth/host_header.h */
    bool admin_tls;
    char *rpc_listen;    /* where gRPC listens; empty for a daemon without a server (job) */
    char *rpc_advertise; /* host:port or host by which others reach the daemon; empty: rpc.listen.
                          * If that is 0.0.0.0: the machine's name if it leads here, else an
                          * interface's address */
    int64_t rpc_connections, rpc_held;
    char *rpc_tls, *rpc_tls_name, *rpc_key_file;
    bool rpc_insecure;
    char *redis_servers, *redis_user, *redis_password;
    char *redis_sentinels, *redis_master, *redis_sentinel_password;
    int64_t redis_database, redis_timeout_ms;
    bool redis_tls;
    char *redis_ca, *redis_certificate, *redis_key, *redis_tls_name;
    char *lease_id; /* empty: HOSTNAME-PORT */
    char *lease_region, *lease_zone;
    int64_t lease_weight, lease_renew_ms, lease_ttl_ms;
    int64_t clock_max_offset_ms; /* if the clock is further from Redis's, the daemon is not ready */
    char *members_static;        /* admin addresses of all daemons; empty: leases in Redis */
    char *members_key_file;      /* the key that they are shown */
    bool members_tls;            /* they are asked over TLS */
    int64_t memory_limit;        /* bytes; 0: memory_budget_default() */
    int64_t drain_ms;            /* daemon.drain: the longest time from SIGTERM to exit */
    char *tls_certificate, *tls_key; /* lists of files, see tls/tls.h */
    char *tls_ca, *tls_min_version, *tls_ticket_keys;
};

/* A command that only one daemon has: "--name ARGUMENT". run() is called in place of the daemon,
 * after the configuration was loaded. It may block, and returns the exit code. */
enum { DAEMON_OWN_MAX = 8 };

struct daemon_own_command {
    const char *name;
    const char *argument; /* what it is called in --help; NULL: it takes none */
    const char *help;
    int (*run)(struct daemon *daemon, const char *argument);
};

/* What an operator may ask for by POST PATH at the admin listener. run() writes the answer, plain
 * text, to OUT, and returns the status. Main loop. */
struct daemon_action {
    const char *path; /* "/drain" */
    int (*run)(struct daemon *daemon, FILE *out);
};

/* What a cluster is used for. A daemon that lacks something may still serve some uses. */
enum daemon_use {
    USE_PUSH = 1 << 0,    /* pushes are accepted, and reach rooms and users who are online */
    USE_CONNECT = 1 << 1, /* new sessions are accepted */
    USE_STORE = 1 << 2,   /* messages for users who are away are stored and fetched; tokens are
                           * made */
    USE_ALL = USE_PUSH | USE_CONNECT | USE_STORE,
};

/* A row per readiness condition: the uses for which the daemon needs it. 0: none, it is only shown.
 * A condition without a row is needed for all uses. docs/operations.md has the list. */
struct daemon_need {
    const char *condition;
    unsigned uses;
};

struct daemon_spec {
    const char *name;    /* "comet"; also in the names of environment variables */
    const char *summary; /* one line for --help */
    enum member_kind kind;
    const char *admin_default, *rpc_default; /* "127.0.0.1:8093"; rpc_default "": no gRPC server */
    const struct config_row *rows;           /* for the daemon; this folder does not touch it */
    size_t config_size;
    const struct daemon_need *needs; /* ends with condition NULL; NULL: every condition is needed
                                      * for all uses */
    const struct metric_row *metrics;
    size_t n_metrics;
    const struct series_row *series; /* which metrics make the daemon's series; NULL: none */
    const size_t *delivery; /* its histograms of deliveries, which make a series, up to SERIES_END;
                             * NULL: none */
    /* Checks settings that depend on each other. 0, or -EINVAL with ERR. May be NULL. */
    int (*check)(const void *config, char *err, size_t errlen);
    /* The same of files that are read anew by a daemon_reload of their own: at the start and by
     * --check, but not when the settings are reloaded, which such a file shall not hold up. May be
     * NULL. */
    int (*check_files)(const void *config, char *err, size_t errlen);
    /* Opens listeners and threads. 0, or -E… after it has logged what failed and what to do. */
    int (*start)(struct daemon *daemon);
    /* SIGTERM or SIGINT came: stop accepting, finish what is under way, then call daemon_drained().
     * A second signal, or the end of daemon.drain, ends the process without that. */
    void (*drain)(struct daemon *daemon);
    /* The main loop has ended: close everything that start() opened. */
    void (*stop)(struct daemon *daemon);
    /* Called every 100 ms while memory is short (base/memory_budget.h), and once when there is
     * enough again. MEMORY_SHORT: refuse new work. MEMORY_CRITICAL: free something at each call.
     * May be NULL. */
    void (*memory)(struct daemon *daemon, enum memory_level level);
    const char *memory_refused; /* what memory() refuses, for log and readiness: "new
                                 * connections" */
    /* Sets gauges before a scrape. May be NULL. */
    void (*scrape)(struct daemon *daemon);
    /* Adds to a report for consoles (report.h) what only this daemon tells. May be NULL. */
    void (*report)(struct daemon *daemon, struct Imc__V1__ReportBatch *batch, struct arena *arena);
    /* Writes metrics whose series are known at run time only. document_live() writes their rows,
     * for docs/metrics.md. Both may be NULL. */
    void (*render)(struct daemon *daemon, struct exposition *to);
    void (*document_live)(FILE *out);
    const struct daemon_own_command *own_commands; /* at most DAEMON_OWN_MAX, ends with name NULL;
                                                    * may be NULL */
    const struct daemon_action *actions;           /* ends with path NULL; may be NULL */
};

struct daemon {
    const struct daemon_spec *spec;
    void *config; /* begins with a struct daemon_config */
    struct loop loop;
    struct metrics *metrics;
    _Atomic int64_t *counters;    /* the main loop's block */
    struct metrics *loop_metrics; /* base/loop_metrics.h: each loop of the daemon has a block */
    struct rpc *rpc;
    struct tls *tls; /* the settings [tls]; there from before start() until after stop() */
    void *state;     /* the daemon's own */
    struct daemon_internal *internal;
};

/* How many of this process's descriptors each listener may take. LIMIT is what the host allows in
 * all. */
struct daemon_descriptors {
    int64_t limit, admin, rpc;
    int64_t http, clients; /* logic's API; comet's clients */
};
const struct daemon_descriptors *daemon_descriptors(const struct daemon *daemon);

/* The whole main() of a daemon. Returns the exit code. */
int daemon_main(const struct daemon_spec *spec, int argc, char **argv);
/* Sets the readiness condition NAME. If it does not hold, WHY_NOT says why. /readyz answers 200
 * when all conditions hold that any use needs. /readyz?for=push (connect, store) asks only for
 * those that this use needs, see daemon_need. NAME is not copied. Any thread. */
void daemon_ready(struct daemon *daemon, const char *name, bool holds, const char *why_not);
/* Writes into WHY the conditions that do not hold and that USES need, as one line: "redis: …; …".
 * Empty: all hold. Any thread. */
void daemon_lacks(struct daemon *daemon, unsigned uses, char *why, size_t len);
/* A request of this daemon's took US microseconds: for the series "latency_us". Main loop. */
void daemon_took(struct daemon *daemon, uint64_t us);
/* Another number after each reload of the settings; never 0. Main loop. */
uint64_t daemon_settings_version(const struct daemon *daemon);
/* Hands FN what this daemon would report to a logic (report.h): samples after slot AFTER, and with
 * SETTINGS those too. Main loop, after daemon_join(). */
void daemon_report(struct daemon *daemon, uint64_t after, bool settings,
                   void (*fn)(struct Imc__V1__ReportBatch *batch, void *arg), void *arg);
/* The drain is done. Gives the lease back, if daemon_leave() has not done so, then ends the main
 * loop. */
void daemon_drained(struct daemon *daemon);
/* Ends the main loop with exit code 1, so that a supervisor starts the daemon again. For a fault
 * that the daemon cannot mend itself. The caller has logged why. */
void daemon_fail(struct daemon *daemon);
/* What SIGHUP makes the daemon read anew, on the main loop. */
struct daemon_reload {
    LIST_ENTRY(daemon_reload) link;
    const char *what; /* in log and metrics: "tls". Not copied */
    /* 0; or -E…, ERR says why, and what was there before stays in use. */
    int (*run)(struct daemon *daemon, void *arg, char *err, size_t errlen);
    void *arg;
    int64_t done, failed; /* this folder's */
};
/* From now on RELOAD, the caller's, runs with each SIGHUP. Call it in start(). It is used until
 * stop(). */
void daemon_on_reload(struct daemon *daemon, struct daemon_reload *reload);
/* For stop(), when a library's threads do not end: the process ends by _exit(). */
void daemon_abandon(struct daemon *daemon);
/* For drain(): gives the lease back now, so that the others send nothing more here. May be called
 * again. */
void daemon_leave(struct daemon *daemon);
/* Logs "cannot listen on ADDRESS (SECTION): ERR; stop what holds it or set SECTION.KEY / IMC_…". */
void daemon_listen_failed(struct daemon *daemon, const char *address, const char *section,
                          const char *key, int err);
/* Says which port rpc.listen got (for "…:0"). Call it before daemon_advertised() and
 * daemon_join(). */
void daemon_set_rpc_port(struct daemon *daemon, int port);
/* Opens Redis and membership by the common configuration. Their conditions are "redis" (every shard
 * answers), "redis_write" (every shard takes writes), "clock" and "lease". WATCH and EVENTS are as
 * in membership/membership.h. What is empty in SELF (rpc, id, region …) is filled from the
 * configuration. 0, or -E… after logging. Call it once. daemon_main() closes both after stop(). */
int daemon_join(struct daemon *daemon, struct member *self, unsigned watch,
                const struct membership_events *events, void *arg, struct redis **redis,
                struct membership **membership);
/* Fills OPTIONS with what the common configuration says about Redis. With redis.tls it opens *TLS,
 * which the caller closes after Redis; else *TLS becomes NULL. 0, or -E… after logging. */
int daemon_redis_options(const struct daemon_config *config, struct redis_options *options,
                         struct tls **tls);
/* The address by which others reach the gRPC server, see rpc_advertise; "" without one. Valid until
 * the next call. */
const char *daemon_advertised(struct daemon *daemon);

#endif

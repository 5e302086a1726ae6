/* internal.h - what the files of this folder share. Main loop's thread, unless a comment says
 * otherwise. */
#ifndef IMC_COMMON_DAEMON_INTERNAL_H
#define IMC_COMMON_DAEMON_INTERNAL_H

#include "common/auth/keys.h"
#include "common/base/exposition.h"
#include "common/base/memory_budget.h"
#include "common/daemon/daemon.h"
#include "common/http/http.h"
#include <pthread.h>

#define DAEMON_CONDITIONS 32
#define DAEMON_WHY_MAX    256
#define DAEMON_TABLES     3 /* common, the daemon's own, NULL */

enum { DAEMON_REFUSAL_MAX = 1024 }; /* bytes of what is wrong with a configuration */

struct daemon_condition {
    const char *name;
    bool holds;
    char why[DAEMON_WHY_MAX];
};

struct reports;
struct self_probe;

struct daemon_internal {
    const struct config_row *tables[DAEMON_TABLES];
    const char *path;          /* of the configuration file, or NULL */
    struct config_row *common; /* daemon_config_rows with this daemon's defaults */
    struct http_server *admin;
    uv_signal_t terminate, interrupt, hang_up;
    LIST_HEAD(, daemon_reload) reloads;
    struct daemon_reload reload_settings, reload_tls, reload_rpc, reload_access;
    struct tls_server *rpc_server; /* NULL: no gRPC server, or without TLS */
    struct tls_client *rpc_client;
    uv_timer_t deadline; /* when the drain has to be over, later when the lease has to be given
                          * back */
    uv_timer_t watch;    /* housekeeping.c */
    struct memory_budget memory;
    uint64_t trim_due_ms;
    int64_t started_ms;       /* time_mono_ms() */
    uint64_t started_unix_us; /* the same moment; told as it was, whatever the clock does later */
    bool draining, leaving, left, drained, overdue, abandon;
    int rpc_port; /* the port that is bound; 0: there is no gRPC server */
    struct daemon_descriptors files;
    struct self_probe *probe;
    char advertised[160];
    char reachable[128]; /* host by which others reach us; "": not found out yet */
    struct redis *redis;
    struct tls *redis_tls; /* NULL: Redis is spoken to without */
    struct daemon_reload reload_redis;
    struct membership *membership;
    struct reports *reports;         /* report.h; NULL: no membership yet */
    unsigned watched;                /* kinds of members that the daemon itself watches */
    struct keys *admin_keys;         /* NULL: the admin listener asks for none */
    char *member_key;                /* what members.static shows the others; NULL: nothing */
    int64_t admin_refused;           /* requests */
    struct membership_events events; /* the daemon's own */
    void *events_arg;
    uint64_t clock_told_ms; /* loop time at which the log said that the clock is wrong; 0: it is
                             * not */
    pthread_mutex_t lock;   /* guards what follows */
    struct daemon_condition conditions[DAEMON_CONDITIONS];
    size_t n_conditions;
};

extern const struct config_row daemon_config_rows[];

enum daemon_command {
    DAEMON_RUN,
    DAEMON_CHECK,
    DAEMON_DUMP,
    DAEMON_VERSION,
    DAEMON_HELP,
    DAEMON_HEALTH,
    DAEMON_NEW_KEY,
    DAEMON_DOC_CONFIG,
    DAEMON_DOC_METRICS,
    DAEMON_OWN_COMMAND, /* and those behind it: number N of the daemon's own is N more */
};

struct daemon_arguments {
    enum daemon_command command;
    const char *path;     /* of the configuration file, or NULL */
    const char *argument; /* ARGUMENT of a struct daemon_own_command; NAME of --new-key */
    const char *scopes;   /* of --new-key */
};

/* Parses the command line. 0, or -EINVAL after a line on stderr. */
int daemon_parse(const struct daemon_spec *spec, int argc, char **argv,
                 struct daemon_arguments *arguments);
void daemon_print_help(const struct daemon_spec *spec);
/* Fills internal->tables. */
void daemon_tables(struct daemon *daemon);
/* Loads and checks daemon->config. 0, or -EINVAL after a line on stderr. PATH is not copied. */
int daemon_load(struct daemon *daemon, const char *path);
/* Puts log.level and log.format into force. */
void daemon_set_log(const struct daemon_config *config);
/* The same into CONFIG, zeroed, of spec->config_size bytes. 0, or -EINVAL with ERR. The caller
 * frees what CONFIG holds. Names in the settings are looked up, which may block. */
int daemon_read_settings(const struct daemon *daemon, const char *path, void *config, char *err,
                         size_t errlen);
/* --check: writes to stdout which settings a running daemon, of the same admin.listen, has
 * otherwise, and whether a reload would change them. Blocks. */
void daemon_check_running(struct daemon *daemon);
/* Asks PATH of a running daemon. The length of the whole answer, which is in BUF with a NUL behind
 * it; or -E…. -EDESTADDRREQ: admin.listen is empty. Blocks for some seconds at most. */
ssize_t daemon_ask(const struct daemon_config *config, const char *path, char *buf, size_t size);
/* Asks /readyz of a running daemon. Returns the exit code. Blocks. */
int daemon_health(const struct daemon_config *config);

/* Checks the settings of TLS with Redis. 0, or -EINVAL with ERR. */
int daemon_redis_check(const struct daemon_config *config, char *err, size_t errlen);
/* Logs a warning for each certificate that ends soon, of [tls] and of [redis]. */
void daemon_check_certificates(const struct daemon_config *config);
/* Opens Redis. 0, or -E… after logging. */
int daemon_redis_open(struct daemon *daemon);
/* Writes the metrics of Redis; daemon_redis_rows describes them. */
enum { DAEMON_REDIS_ROWS = 2 };
extern const struct metric_row daemon_redis_rows[DAEMON_REDIS_ROWS];
void daemon_redis_render(struct daemon *daemon, struct exposition *to);

/* reload.c: opens what is read from files, and reads it anew at each SIGHUP. 0, or -E… after
 * logging. */
int daemon_reload_open(struct daemon *daemon);
/* Writes a line: which setting, from what to what, and whether a reload does it. DONE: it has. */
void daemon_print_change(const struct config_change *change, bool done, FILE *out);
/* Does what SIGHUP does, and writes a line to OUT for each setting that differs and each part that
 * was read. False: some part kept what it had, and its line says why. */
bool daemon_reload_now(struct daemon *daemon, FILE *out);
/* Writes a line to OUT for each setting that is another one in the file or the environment than in
 * this process. False: they are not accepted, and the line says why. */
bool daemon_reload_pending(struct daemon *daemon, FILE *out);
void daemon_reload_close(struct daemon *daemon);
/* Fills OUT with the settings [tls] of CONFIG, borrowed. */
void daemon_tls_settings(const struct daemon_config *config, struct tls_settings *out);
enum { DAEMON_RELOAD_ROWS = 1 };
extern const struct metric_row daemon_reload_rows[DAEMON_RELOAD_ROWS];
void daemon_reload_render(struct daemon *daemon, struct exposition *to);

/* Both set the condition "clock". daemon_clock_take() is a redis_clock_fn. */
void daemon_clock_unknown(struct daemon *daemon);
void daemon_clock_take(struct redis *redis, int64_t offset_us, void *arg);

/* Logs a warning for each listener of CONFIG that asks nobody who he is and is not only on
 * loopback. Looks names up, which may block: only at start. */
void daemon_warn_open(const struct daemon_config *config);

/* rpc_security.c. */
enum rpc_tls daemon_rpc_tls(const struct daemon_config *config);
/* Has rpc.listen a way to know who calls? */
bool daemon_rpc_is_guarded(const struct daemon_config *config);
/* Checks the settings that secure gRPC. Looks names up, which may block. 0, or -EINVAL with ERR. */
int daemon_rpc_check(const struct daemon_config *config, char *err, size_t errlen);
/* Secures daemon->rpc, now and at each SIGHUP. 0, or -E… after logging. */
int daemon_rpc_secure(struct daemon *daemon);

/* Starts housekeeping.c, after the daemon has started. */
void daemon_housekeeping_open(struct daemon *daemon);

/* Raises the limit of open files, and divides it among the listeners. */
void daemon_descriptors_raise(struct daemon *daemon);
void daemon_descriptors_share(int64_t limit, int64_t rpc_connections,
                              struct daemon_descriptors *out);

/* Sets the condition "rpc" from now on. */
void self_probe_open(struct daemon *daemon);
void self_probe_close(struct daemon *daemon);

/* Opens the admin listener. 0, or -E… after logging. */
int daemon_admin_open(struct daemon *daemon);
void daemon_admin_close(struct daemon *daemon);
/* admin_access.c: who may see the admin pages. */
/* Reads the files of CONFIG, and opens nothing: for --check. 0, or -EINVAL with ERR. */
int daemon_access_check(const struct daemon_config *config, char *err, size_t errlen);
/* Reads admin.keys_file and members.key_file. 0, or -E… after logging. */
int daemon_access_open(struct daemon *daemon);
void daemon_access_close(struct daemon *daemon);
/* May REQUEST have what needs SCOPE? Otherwise answers it. ROUTE is the page's path, NULL: there is
 * none. What changes something, and what is refused, goes into the audit log. */
bool daemon_access_admit(struct daemon *daemon, struct http_request *request, const char *route,
                         enum key_scope scope);
/* May whoever sent REQUEST see what only an operator needs to know, on a page that is open to all?
 * True for loopback, where there are no keys, and with a key. */
bool daemon_access_is_known(const struct daemon *daemon, const struct http_request *request);

/* actions.c: what every daemon may be asked for; ends with path NULL. */
extern const struct daemon_action daemon_actions[];
/* The action at PATH, this daemon's own or every daemon's. NULL: there is none. */
const struct daemon_action *daemon_action_at(const struct daemon *daemon, const char *path);
/* Does what REQUEST asks for, unless it is no POST or comes from a web page, and answers it. */
void daemon_act(struct daemon *daemon, struct http_request *request,
                const struct daemon_action *action);
/* Does every condition hold that one of USES needs? Writes a line per condition to OUT. */
bool daemon_render_ready(struct daemon *daemon, unsigned uses, FILE *out);
/* The same as metrics; daemon_ready_rows describes them. */
enum { DAEMON_READY_ROWS = 2 };
extern const struct metric_row daemon_ready_rows[DAEMON_READY_ROWS];
void daemon_ready_metrics(struct daemon *daemon, struct exposition *to);
/* Writes the metrics that every daemon has. */
void daemon_render_process(struct daemon *daemon, struct exposition *to);
/* Writes the names of the conditions that do not hold and that some use needs: "redis, bus". */
void daemon_name_unready(struct daemon *daemon, char *names, size_t len);
void daemon_document_process(FILE *out);

/* Closes what daemon_join() opened. */
void daemon_part(struct daemon *daemon);

/* advertise.c: writes HOSTNAME-PORT, with MARK in place of '-'. */
void daemon_own_name(struct daemon *daemon, char mark, char *buf, size_t len);

#endif

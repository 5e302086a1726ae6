#include "common/base/exposition.h"
#include "common/base/log.h"
#include "common/base/loop_metrics.h"
#include "common/base/time.h"
#include "common/daemon/daemon.h"
#include "common/daemon/internal.h"
#include "common/protocol/unpack.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double resident_bytes(struct daemon *daemon)
{
    (void)daemon;
    return (double)memory_budget_resident();
}

static double memory_budget(struct daemon *daemon)
{
    return (double)daemon->internal->memory.budget;
}

static double memory_level(struct daemon *daemon)
{
    return daemon->internal->memory.level;
}

static double memory_shortages(struct daemon *daemon)
{
    return (double)daemon->internal->memory.shortages;
}

static double cpu_seconds(struct daemon *daemon)
{
    struct rusage usage;
    (void)daemon;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Since Linux 6.2 the size of /proc/self/fd is the number of descriptors. Before, we have to count
 * them. */
static double open_fds(struct daemon *daemon)
{
    struct stat st;
    double n = 0;
    (void)daemon;
    if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
        return (double)st.st_size;
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return 0;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread uses this DIR */
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n - 3; /* ".", "..", the directory itself */
}

/* Numbers of /proc/self/stat, counted as proc(5) does; from the third on, which is the first behind
 * the program's name. */
enum { STAT_THREADS = 20, STAT_VIRTUAL = 23 };

static double read_stat(int field)
{
    char text[1024], *at, *rest;
    FILE *file = fopen("/proc/self/stat", "re");
    if (file == NULL)
        return 0;
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[len] = '\0';
    at = strrchr(text, ')'); /* ends field 2 */
    for (int i = 2; at != NULL && i < field; i++)
        at = strchr(at + 1, ' ');
    return at != NULL ? strtod(at, &rest) : 0;
}

static double threads(struct daemon *daemon)
{
    (void)daemon;
    return read_stat(STAT_THREADS);
}

static double virtual_bytes(struct daemon *daemon)
{
    (void)daemon;
    return read_stat(STAT_VIRTUAL);
}

/* -1: there is no limit, as Prometheus's client libraries have it. */
static double virtual_max_bytes(struct daemon *daemon)
{
    struct rlimit limit;
    (void)daemon;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return -1;
    return (double)limit.rlim_cur;
}

static double max_fds(struct daemon *daemon)
{
    struct rlimit limit;
    (void)daemon;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (double)limit.rlim_cur : 0;
}

static double uptime_seconds(struct daemon *daemon)
{
    return (double)(time_mono_ms() - daemon->internal->started_ms) / 1e3;
}

static double start_time(struct daemon *daemon)
{
    return (double)daemon->internal->started_unix_us / 1e6;
}

static double log_lines_lost(struct daemon *daemon)
{
    (void)daemon;
    return (double)log_lost();
}

static double clock_offset(struct daemon *daemon)
{
    const struct redis *redis = daemon->internal->redis;
    return redis != NULL ? (double)redis_clock_offset_us(redis) / 1e6 : 0;
}

/* --- membership --- */

static struct membership_stats members_of(struct daemon *daemon)
{
    struct membership_stats stats = {0};
    if (daemon->internal->membership != NULL)
        membership_stats(daemon->internal->membership, &stats);
    return stats;
}

#define MEMBERS(field)                                   \
    static double members_##field(struct daemon *daemon) \
    {                                                    \
        return (double)members_of(daemon).field;         \
    }
MEMBERS(lives)
MEMBERS(asked)
MEMBERS(unanswered)
MEMBERS(malformed)
MEMBERS(unresolved)
MEMBERS(lapsed)
MEMBERS(doubles)
MEMBERS(disbelieved)
MEMBERS(addresses)
MEMBERS(silent)
#undef MEMBERS

/* --- gRPC --- */

static struct rpc_stats rpc_of(struct daemon *daemon)
{
    struct rpc_stats stats = {0};
    if (daemon->rpc != NULL)
        rpc_stats(daemon->rpc, &stats);
    return stats;
}

#define RPC(field)                                   \
    static double rpc_##field(struct daemon *daemon) \
    {                                                \
        return (double)rpc_of(daemon).field;         \
    }
RPC(connections)
RPC(accepted)
RPC(waited)
RPC(accept_errors)
RPC(cut)
RPC(refused)
RPC(paused)
RPC(held)
RPC(calls)
RPC(calls_refused)
#undef RPC

static struct http_stats admin_of(struct daemon *daemon)
{
    struct http_stats stats = {0};
    if (daemon->internal->admin != NULL)
        http_server_stats(daemon->internal->admin, &stats);
    return stats;
}

#define ADMIN(field)                                   \
    static double admin_##field(struct daemon *daemon) \
    {                                                  \
        return (double)admin_of(daemon).field;         \
    }
ADMIN(full)
ADMIN(gave_way)
#undef ADMIN

static double admin_refused(struct daemon *daemon)
{
    return (double)daemon->internal->admin_refused;
}

static double unpack_refusals(struct daemon *daemon)
{
    (void)daemon;
    return (double)unpack_refused();
}

static double strangers_refused(struct daemon *daemon)
{
    (void)daemon;
    return (double)rpc_strangers_refused();
}

static double names_refused(struct daemon *daemon)
{
    (void)daemon;
    return (double)rpc_addressees_refused();
}

static double names_missed(struct daemon *daemon)
{
    (void)daemon;
    return (double)rpc_addressees_missed();
}

#define ROW(name_, type_, read_, help_)                               \
    {                                                                 \
        {.name = (name_), .type = (type_), .help = (help_)}, (read_), \
    }
/* The first ones are called as in Prometheus's client libraries. */
static const struct {
    struct metric_row row;
    double (*read)(struct daemon *daemon);
} process_rows[] = {
    ROW("process_cpu_seconds_total", METRIC_COUNTER, cpu_seconds, "CPU time, user and system."),
    ROW("process_resident_memory_bytes", METRIC_GAUGE, resident_bytes,
        "Resident memory. imc_memory_limit_bytes is what it may become."),
    ROW("process_virtual_memory_bytes", METRIC_GAUGE, virtual_bytes,
        "Address space; most of it is not memory in use."),
    ROW("process_virtual_memory_max_bytes", METRIC_GAUGE, virtual_max_bytes,
        "Limit of the address space; -1: there is none."),
    ROW("process_threads", METRIC_GAUGE, threads, "Threads."),
    ROW("process_open_fds", METRIC_GAUGE, open_fds,
        "Open file descriptors. Near process_max_fds: raise LimitNOFILE of the service."),
    ROW("process_max_fds", METRIC_GAUGE, max_fds, "Limit of open file descriptors."),
    ROW("process_start_time_seconds", METRIC_GAUGE, start_time,
        "Start of the process, Unix time. It changes when the daemon was restarted."),
    ROW("imc_uptime_seconds", METRIC_GAUGE, uptime_seconds, "Time since the daemon started."),
    ROW("imc_memory_limit_bytes", METRIC_GAUGE, memory_budget,
        "Memory that this daemon may use: memory.limit, or what was found to be fit."),
    ROW("imc_memory_level", METRIC_GAUGE, memory_level,
        "0: enough; 1: short, what is new is refused; 2: nearly used up, a comet lets go. Not 0: "
        "add daemons, or raise memory.limit if the machine has more."),
    ROW("imc_memory_shortages_total", METRIC_COUNTER, memory_shortages,
        "Times that memory became short."),
    ROW("imc_log_lost_total", METRIC_COUNTER, log_lines_lost,
        "Log lines that were dropped because nobody read standard error. It grows: whatever takes "
        "the log is too slow."),
    ROW("imc_clock_offset_seconds", METRIC_GAUGE, clock_offset,
        "How far this machine's clock is ahead of Redis's (negative: behind). Not near 0: set both "
        "by NTP."),
    ROW("imc_member_lives_total", METRIC_COUNTER, members_lives,
        "Times that this daemon became a member; more than 1: others may have taken it for dead. "
        "It grows: look at imc_loop_lag_seconds and at the way to Redis."),
    ROW("imc_members_asked_total", METRIC_COUNTER, members_asked,
        "Questions to addresses of members.static."),
    ROW("imc_members_unanswered_total", METRIC_COUNTER, members_unanswered,
        "Of these, those that brought no answer."),
    ROW("imc_members_malformed_total", METRIC_COUNTER, members_malformed,
        "Of these, those answered by something else than a daemon's record."),
    ROW("imc_members_unresolved_total", METRIC_COUNTER, members_unresolved,
        "Lookups of names in members.static that failed."),
    ROW("imc_members_lapsed_total", METRIC_COUNTER, members_lapsed,
        "Daemons taken for dead because they did not answer for lease.ttl."),
    ROW("imc_members_doubles_total", METRIC_COUNTER, members_doubles,
        "Answers of a second process with the id of a living daemon."),
    ROW("imc_members_disbelieved_total", METRIC_COUNTER, members_disbelieved,
        "Words that somebody is dead or leaves (POST /member) that were not believed: from an "
        "address that is not in members.static, or not possible."),
    ROW("imc_members_addresses", METRIC_GAUGE, members_addresses,
        "Addresses that members.static stands for."),
    ROW("imc_members_silent", METRIC_GAUGE, members_silent,
        "Of these, those that do not answer now. Not 0: members.static names what is not there, or "
        "a daemon is down."),
    ROW("imc_admin_full_total", METRIC_COUNTER, admin_full,
        "Times that a connection to admin.listen had to wait because there were as many as may be. "
        "It grows: something does not close what it opens."),
    ROW("imc_admin_gave_way_total", METRIC_COUNTER, admin_gave_way,
        "Connections to admin.listen without a whole request that were closed for others."),
    ROW("imc_admin_refused_total", METRIC_COUNTER, admin_refused,
        "Requests to admin.listen refused for want of a key, of a scope or, without keys, of a "
        "host of admin.hosts; the audit log has them."),
    ROW("imc_rpc_connections", METRIC_GAUGE, rpc_connections, "Connections to rpc.listen."),
    ROW("imc_rpc_accepted_total", METRIC_COUNTER, rpc_accepted,
        "Connections to rpc.listen accepted."),
    ROW("imc_rpc_full_total", METRIC_COUNTER, rpc_waited,
        "Times that a connection to rpc.listen had to wait because there were rpc.connections. It "
        "grows: raise that."),
    ROW("imc_rpc_accept_errors_total", METRIC_COUNTER, rpc_accept_errors,
        "Connections to rpc.listen that could not be accepted, for want of descriptors or memory."),
    ROW("imc_rpc_cut_total", METRIC_COUNTER, rpc_cut,
        "Connections to rpc.listen cut: too many streams or calls, messages that did not become "
        "whole, or idle when others waited."),
    ROW("imc_rpc_refused_streams_total", METRIC_COUNTER, rpc_refused,
        "Streams refused because their connection had too many, or opened them too often."),
    ROW("imc_rpc_strangers_refused_total", METRIC_COUNTER, strangers_refused,
        "Streams and calls refused because they did not show the key, see rpc.key_file. It grows: "
        "a daemon has another key, or a stranger reaches rpc.listen."),
    ROW("imc_rpc_names_refused_total", METRIC_COUNTER, names_refused,
        "Streams refused because they wanted another daemon: two with one rpc.advertise, or an "
        "address that was another's."),
    ROW("imc_rpc_names_missed_total", METRIC_COUNTER, names_missed,
        "Streams to others that were refused because another daemon than wanted has the address."),
    ROW("imc_rpc_refused_messages_total", METRIC_COUNTER, unpack_refusals,
        "Messages of peers, and of the bus, refused before they were unpacked: more items, or "
        "memory, than any honest one takes."),
    ROW("imc_rpc_paused_total", METRIC_COUNTER, rpc_paused,
        "Times that a stream was not read on because too much of it was unanswered, or rpc.held of "
        "all."),
    ROW("imc_rpc_held_bytes", METRIC_GAUGE, rpc_held,
        "Memory of unanswered batches and of answers that wait to be sent, see rpc.held."),
    ROW("imc_rpc_calls_total", METRIC_COUNTER, rpc_calls,
        "Unary calls that came to rpc.listen: goim's programs make them."),
    ROW("imc_rpc_calls_refused_total", METRIC_COUNTER, rpc_calls_refused,
        "Unary calls that were refused: wrong, not served here, or too much under way."),
};
#undef ROW
#define PROCESS_ROWS (sizeof(process_rows) / sizeof(process_rows[0]))

static const struct metric_row build = {
    .name = "imc_build_info",
    .labels = "daemon=\"…\",version=\"…\"",
    .type = METRIC_GAUGE,
    .help = "Always 1; what runs here. Two versions at a time: an upgrade is under way, or was "
            "forgotten.",
};

static void render_build(const struct daemon *daemon, struct exposition *to)
{
    char labels[128];
    snprintf(labels, sizeof(labels), "daemon=\"%s\",version=\"%s\"", daemon->spec->name,
             IMC_VERSION);
    exposition_int(to, &build, labels, 1);
}

void daemon_render_process(struct daemon *daemon, struct exposition *to)
{
    for (size_t i = 0; i < PROCESS_ROWS; i++) {
        const struct metric_row *row = &process_rows[i].row;
        exposition_real(to, row, NULL, process_rows[i].read(daemon));
    }
    daemon_ready_metrics(daemon, to);
    metrics_render(daemon->loop_metrics, to);
    daemon_redis_render(daemon, to);
    daemon_reload_render(daemon, to);
    tls_render((const struct tls *const[]){daemon->tls, daemon->internal->redis_tls}, 2, to);
    render_build(daemon, to);
}

static size_t append(struct metric_row *rows, size_t n, const struct metric_row *more, size_t count)
{
    memcpy(rows + n, more, count * sizeof(*more));
    return n + count;
}

void daemon_document_process(FILE *out)
{
    struct metric_row rows[PROCESS_ROWS + DAEMON_READY_ROWS + LOOP_METRIC_ROWS + DAEMON_REDIS_ROWS +
                           DAEMON_RELOAD_ROWS + TLS_METRIC_ROWS + 1];
    size_t n = 0;
    while (n < PROCESS_ROWS) {
        rows[n] = process_rows[n].row;
        n++;
    }
    n = append(rows, n, daemon_ready_rows, DAEMON_READY_ROWS);
    n = append(rows, n, loop_metric_rows, LOOP_METRIC_ROWS);
    n = append(rows, n, daemon_redis_rows, DAEMON_REDIS_ROWS);
    n = append(rows, n, daemon_reload_rows, DAEMON_RELOAD_ROWS);
    n = append(rows, n, tls_metric_rows, TLS_METRIC_ROWS);
    n = append(rows, n, &build, 1);
    fputc('\n', out);
    metrics_document(rows, n, "every daemon", out);
}

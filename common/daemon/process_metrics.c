#include "common/base/log.h"
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
    return (double)time_unix_us() / 1e6 - uptime_seconds(daemon);
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

/* The first ones are called as in Prometheus's client libraries. */
static const struct {
    struct metric_row row;
    double (*read)(struct daemon *daemon);
} process_rows[] = {
    {{"process_resident_memory_bytes", NULL, METRIC_GAUGE, "Resident memory."}, resident_bytes},
    {{"process_cpu_seconds_total", NULL, METRIC_COUNTER, "CPU time, user and system."},
     cpu_seconds},
    {{"process_open_fds", NULL, METRIC_GAUGE, "Open file descriptors."}, open_fds},
    {{"process_max_fds", NULL, METRIC_GAUGE, "Limit of open file descriptors."}, max_fds},
    {{"process_start_time_seconds", NULL, METRIC_GAUGE, "Start of the process, Unix time."},
     start_time},
    {{"imc_uptime_seconds", NULL, METRIC_GAUGE, "Time since the daemon started."}, uptime_seconds},
    {{"imc_memory_limit_bytes", NULL, METRIC_GAUGE,
      "Memory that this daemon may use: memory.limit, or what was found to be fit."},
     memory_budget},
    {{"imc_memory_level", NULL, METRIC_GAUGE,
      "0: enough; 1: short, what is new is refused; 2: nearly used up, a comet lets go."},
     memory_level},
    {{"imc_memory_shortages_total", NULL, METRIC_COUNTER, "Times that memory became short."},
     memory_shortages},
    {{"imc_log_lost_total", NULL, METRIC_COUNTER,
      "Log lines that were dropped because nobody read standard error."},
     log_lines_lost},
    {{"imc_clock_offset_seconds", NULL, METRIC_GAUGE,
      "How far this machine's clock is ahead of Redis's (negative: behind)."},
     clock_offset},
    {{"imc_member_lives_total", NULL, METRIC_COUNTER,
      "Times that this daemon became a member; more than 1: others may have taken it for dead."},
     members_lives},
    {{"imc_members_asked_total", NULL, METRIC_COUNTER, "Questions to addresses of members.static."},
     members_asked},
    {{"imc_members_unanswered_total", NULL, METRIC_COUNTER,
      "Of these, those that brought no answer."},
     members_unanswered},
    {{"imc_members_malformed_total", NULL, METRIC_COUNTER,
      "Of these, those answered by something else than a daemon's record."},
     members_malformed},
    {{"imc_members_unresolved_total", NULL, METRIC_COUNTER,
      "Lookups of names in members.static that failed."},
     members_unresolved},
    {{"imc_members_lapsed_total", NULL, METRIC_COUNTER,
      "Daemons taken for dead because they did not answer for lease.ttl."},
     members_lapsed},
    {{"imc_members_doubles_total", NULL, METRIC_COUNTER,
      "Answers of a second process with the id of a living daemon."},
     members_doubles},
    {{"imc_members_disbelieved_total", NULL, METRIC_COUNTER,
      "Words that somebody is dead or leaves (POST /member) that were not believed: from an "
      "address "
      "that is not in members.static, or not possible."},
     members_disbelieved},
    {{"imc_members_addresses", NULL, METRIC_GAUGE, "Addresses that members.static stands for."},
     members_addresses},
    {{"imc_members_silent", NULL, METRIC_GAUGE, "Of these, those that do not answer now."},
     members_silent},
    {{"imc_admin_full_total", NULL, METRIC_COUNTER,
      "Times that a connection to admin.listen had to wait because there were as many as may be."},
     admin_full},
    {{"imc_admin_gave_way_total", NULL, METRIC_COUNTER,
      "Connections to admin.listen without a whole request that were closed for others."},
     admin_gave_way},
    {{"imc_admin_refused_total", NULL, METRIC_COUNTER,
      "Requests to admin.listen refused for want of a key, of a scope or, without keys, of a host "
      "of "
      "admin.hosts; the audit log has them."},
     admin_refused},
    {{"imc_rpc_connections", NULL, METRIC_GAUGE, "Connections to rpc.listen."}, rpc_connections},
    {{"imc_rpc_accepted_total", NULL, METRIC_COUNTER, "Connections to rpc.listen accepted."},
     rpc_accepted},
    {{"imc_rpc_full_total", NULL, METRIC_COUNTER,
      "Times that a connection to rpc.listen had to wait because there were rpc.connections."},
     rpc_waited},
    {{"imc_rpc_accept_errors_total", NULL, METRIC_COUNTER,
      "Connections to rpc.listen that could not be accepted, for want of descriptors or memory."},
     rpc_accept_errors},
    {{"imc_rpc_cut_total", NULL, METRIC_COUNTER,
      "Connections to rpc.listen cut: too many streams or calls, messages that did not become "
      "whole, or "
      "idle when others waited."},
     rpc_cut},
    {{"imc_rpc_refused_streams_total", NULL, METRIC_COUNTER,
      "Streams refused because their connection had too many, or opened them too often."},
     rpc_refused},
    {{"imc_rpc_strangers_refused_total", NULL, METRIC_COUNTER,
      "Streams and calls refused because they did not show the key, see rpc.key_file."},
     strangers_refused},
    {{"imc_rpc_names_refused_total", NULL, METRIC_COUNTER,
      "Streams refused because they wanted another daemon: two with one rpc.advertise, or an "
      "address that was another's."},
     names_refused},
    {{"imc_rpc_names_missed_total", NULL, METRIC_COUNTER,
      "Streams to others that were refused because another daemon than wanted has the address."},
     names_missed},
    {{"imc_rpc_refused_messages_total", NULL, METRIC_COUNTER,
      "Messages of peers, and of the bus, refused before they were unpacked: more items, or "
      "memory, "
      "than any honest one takes."},
     unpack_refusals},
    {{"imc_rpc_paused_total", NULL, METRIC_COUNTER,
      "Times that a stream was not read on because too much of it was unanswered, or rpc.held of "
      "all."},
     rpc_paused},
    {{"imc_rpc_held_bytes", NULL, METRIC_GAUGE,
      "Memory of unanswered batches and of answers that wait to be sent, see rpc.held."},
     rpc_held},
    {{"imc_rpc_calls_total", NULL, METRIC_COUNTER,
      "Unary calls that came to rpc.listen: goim's programs make them."},
     rpc_calls},
    {{"imc_rpc_calls_refused_total", NULL, METRIC_COUNTER,
      "Unary calls that were refused: wrong, not served here, or too much under way."},
     rpc_calls_refused},
};
#define PROCESS_ROWS (sizeof(process_rows) / sizeof(process_rows[0]))

void daemon_render_process(struct daemon *daemon, FILE *out)
{
    for (size_t i = 0; i < PROCESS_ROWS; i++) {
        const struct metric_row *row = &process_rows[i].row;
        fprintf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.3f\n", row->name, row->help, row->name,
                row->type == METRIC_COUNTER ? "counter" : "gauge", row->name,
                process_rows[i].read(daemon));
    }
    daemon_redis_render(daemon, out);
    daemon_reload_render(daemon, out);
    tls_render(daemon->tls, out);
    fprintf(out,
            "# HELP imc_build_info Always 1; what runs here.\n# TYPE imc_build_info gauge\n"
            "imc_build_info{daemon=\"%s\",version=\"%s\"} 1\n",
            daemon->spec->name, IMC_VERSION);
}

static size_t append(struct metric_row *rows, size_t n, const struct metric_row *more, size_t count)
{
    memcpy(rows + n, more, count * sizeof(*more));
    return n + count;
}

void daemon_document_process(FILE *out)
{
    static const struct metric_row build = {"imc_build_info", "daemon=\"…\",version=\"…\"",
                                            METRIC_GAUGE, "Always 1; what runs here."};
    struct metric_row
        rows[PROCESS_ROWS + DAEMON_REDIS_ROWS + DAEMON_RELOAD_ROWS + TLS_METRIC_ROWS + 1];
    size_t n = 0;
    while (n < PROCESS_ROWS) {
        rows[n] = process_rows[n].row;
        n++;
    }
    n = append(rows, n, daemon_redis_rows, DAEMON_REDIS_ROWS);
    n = append(rows, n, daemon_reload_rows, DAEMON_RELOAD_ROWS);
    n = append(rows, n, tls_metric_rows, TLS_METRIC_ROWS);
    n = append(rows, n, &build, 1);
    fputc('\n', out);
    metrics_document(rows, n, "every daemon", out);
}

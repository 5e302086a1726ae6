#include "bench/scenarios/results.h"

#include <stdio.h>
#include <string.h>

static void number(struct run *run, const char *key, const char *label, double value,
                   const char *unit)
{
    report_number(run->report, key, label, value, unit);
}

void results_cpu(struct run *run, const struct mark *between, double work, const char *per)
{
    double seconds = (double)between->at_ns / 1e9;
    char key[64], label[64];

    for (int kind = 0; kind < USAGE_KINDS; kind++) {
        double cpu = between->usage.cpu_s[kind];
        if (between->usage.rss[kind] == 0)
            continue;
        snprintf(key, sizeof key, "cpu_%s_cores", usage_name(kind));
        snprintf(label, sizeof label, "CPU %s", usage_name(kind));
        number(run, key, label, cpu / seconds, "cores");
        if (work <= 0 || kind >= USAGE_CLIENTS)
            continue;
        snprintf(key, sizeof key, "cpu_%s_us_per_%s", usage_name(kind), per);
        snprintf(label, sizeof label, "CPU %s per %s", usage_name(kind), per);
        number(run, key, label, cpu * 1e6 / work, "µs");
    }
    if (run->config->n_pids > 0)
        number(run, "cpu_others_cores", "CPU of everything else on the machine",
               usage_others_cpu(&between->usage) / seconds, "cores");
}

void results_memory(struct run *run, const struct mark *at)
{
    char key[64], label[64];

    for (int kind = 0; kind < USAGE_KINDS; kind++) {
        if (at->usage.rss[kind] == 0)
            continue;
        snprintf(key, sizeof key, "rss_%s_mib", usage_name(kind));
        snprintf(label, sizeof label, "RSS %s", usage_name(kind));
        number(run, key, label, (double)at->usage.rss[kind] / 1048576, "MiB");
    }
}

void results_machine(struct run *run, const struct machine *base, size_t from)
{
    size_t n;
    const struct sample *samples = timeline_samples(run->timeline, &n);
    double taken = 0, buffers = 0;

    for (size_t i = from; i < n; i++) {
        double more = (double)base->unused - samples[i].unused;
        taken = more > taken ? more : taken;
        buffers = samples[i].tcp_buffers > buffers ? samples[i].tcp_buffers : buffers;
    }
    number(run, "machine_taken_mib", "memory of the machine that this took, at most",
           taken / 1048576, "MiB");
    number(run, "tcp_buffers_mib", "  of it in sockets' queues, at most", buffers / 1048576, "MiB");
}

/* --- pushing --- */

/* From the first push to the last delivery. */
static double delivery_seconds(const struct run *run, const struct mark *between)
{
    const struct shared *shared = run->crew.shared;
    uint64_t last = 0, start = shared_get(&shared->driver.start_ns);

    for (size_t i = 0; i < run->crew.n_workers; i++) {
        uint64_t at = shared_get(&shared->workers[i].last_delivery_ns);
        last = at > last ? at : last;
    }
    return last > start ? (double)(last - start) / 1e9 : (double)between->at_ns / 1e9;
}

void results_pushes(struct run *run, const struct mark *between)
{
    const struct driver_stats *driver = &between->driver;
    const struct driver_stats *total = &run->crew.shared->driver;
    double seconds = (double)(total->end_ns - total->start_ns) / 1e9;

    number(run, "push_accepted", "pushes accepted", (double)driver->accepted, "");
    number(run, "push_per_s", "pushes accepted per second", (double)driver->accepted / seconds,
           "/s");
    if (driver->refused + driver->unknown > 0) {
        number(run, "push_refused", "pushes refused", (double)driver->refused, "");
        number(run, "push_unanswered", "pushes without answer", (double)driver->unknown, "");
        report_text(run->report, "push_refusal", "the first refusal", total->refusal);
        run->faults++;
    }
    report_latency(run->report, "answer", "push answered after", &driver->answer);
}

static void report_writes(struct run *run, const struct mark *between)
{
    const struct scrape *comets = &between->comets;
    double cpu = between->usage.cpu_s[USAGE_COMET], raw = 0;

    if (run->config->admins == NULL || comets->writes <= 0)
        return;
    number(run, "deliveries_per_write", "deliveries per write",
           (double)between->deliveries / comets->writes, "");
    number(run, "bytes_per_write", "bytes per write", comets->write_bytes / comets->writes, "B");
    if (cpu <= 0)
        return;
    number(run, "writes_per_comet_cpu_s", "writes per comet CPU-second", comets->writes / cpu, "");
    if (run->raw_before.writes > 0)
        raw = raw_per_cpu_s(&run->raw_before);
    if (run->raw_after.writes > 0)
        raw = (raw + raw_per_cpu_s(&run->raw_after)) / (raw > 0 ? 2 : 1);
    if (raw <= 0)
        return;
    number(run, "raw_before_per_cpu_s", "raw send() per CPU-second, before",
           raw_per_cpu_s(&run->raw_before), "");
    number(run, "raw_after_per_cpu_s", "raw send() per CPU-second, after, as large",
           raw_per_cpu_s(&run->raw_after), "");
    number(run, "raw_ratio", "writes against raw", comets->writes / cpu / raw, "");
}

/* Reports latencies of all pushes, and by kind if there were several. */
static void report_latencies(struct run *run, const struct mark *between)
{
    static const struct {
        const char *key, *label;
    } rows[STREAM_KINDS] = {
        [STREAM_UID] = {"latency_uid", "  to a user"},
        [STREAM_ROOM] = {"latency_room", "  to a room"},
        [STREAM_ALL] = {"latency_all", "  to all"},
    };
    struct hist sum = {0};

    for (int kind = 0; kind < STREAM_KINDS; kind++)
        hist_add(&sum, &between->latency[kind]);
    report_latency(run->report, "latency", "latency", &sum);
    for (int kind = 0; kind < STREAM_KINDS; kind++)
        if (between->latency[kind].count < sum.count)
            report_latency(run->report, rows[kind].key, rows[kind].label, &between->latency[kind]);
}

void results_push(struct run *run, const struct mark *between)
{
    double seconds = delivery_seconds(run, between);
    double cpu = between->usage.cpu_s[USAGE_COMET];

    results_pushes(run, between);
    number(run, "deliveries", "deliveries", (double)between->deliveries, "");
    number(run, "deliveries_per_s", "deliveries per second", (double)between->deliveries / seconds,
           "/s");
    if (cpu > 0)
        number(run, "deliveries_per_comet_cpu_s", "deliveries per comet CPU-second",
               (double)between->deliveries / cpu, "");
    report_latencies(run, between);
    report_writes(run, between);
    results_cpu(run, between, (double)between->driver.accepted, "push");
    results_memory(run, between);
}

/* --- connecting --- */

void results_connect(struct run *run, const struct mark *between)
{
    number(run, "connects", "connections admitted", (double)between->connects, "");
    number(run, "connects_per_s", "connections admitted per second",
           (double)between->connects * 1e9 / (double)between->at_ns, "/s");
    report_latency(run->report, "connect", "connect() to auth reply", &between->connect);
    number(run, "cpu_us_per_connect", "CPU of all daemons and Redis per connection",
           between->connects > 0
               ? usage_daemons_cpu(&between->usage) * 1e6 / (double)between->connects
               : 0,
           "µs");
    results_cpu(run, between, (double)between->connects, "connect");
}

/* --- truth --- */

/* Reports the trouble of the first worker that had any. */
static void report_trouble(struct run *run)
{
    for (size_t i = 0; i < run->crew.n_workers; i++) {
        const char *trouble = run->crew.shared->workers[i].trouble;
        if (trouble[0] != '\0') {
            report_text(run->report, "trouble", "the first of these", trouble);
            return;
        }
    }
}

int results_verify(struct run *run)
{
    static const struct {
        const char *key, *label;
        size_t field;
        bool stamped; /* needs stamps to be seen */
    } rows[] = {
#define ROW(name, label, stamped) {#name, label, offsetof(struct worker_stats, name), stamped}
        ROW(lost, "lost", false),
        ROW(twice, "duplicated", false),
        ROW(late, "out of order", true),
        ROW(stray, "delivered to the wrong one", true),
        ROW(malformed, "malformed", false),
        ROW(dropped, "connections dropped by the server", false),
        ROW(connect_failures, "connection attempts failed", false),
#undef ROW
    };
    uint64_t lost;
    int failed = run_verify(run, &lost);

    if (failed != 0)
        return failed;
    if (run->unfinished)
        report_text(run->report, "unfinished", "still being delivered when the time was over",
                    "yes");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t n = crew_sum(&run->crew, rows[i].field);
        if (rows[i].stamped && run->config->plain != NULL)
            continue;
        number(run, rows[i].key, rows[i].label, (double)n, "");
        run->faults += n > 0;
    }
    report_trouble(run);
    return 0;
}

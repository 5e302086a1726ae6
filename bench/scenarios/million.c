/* million - imgo's published test: everybody in one room, the same short message at a steady rate.
 *
 *   connect ─► hold ─► push: warm up, then the steady part that rates are taken from ─► drain
 *                                                                  verify ─► all leave ─┘
 *
 * Each part is a table of the report. */
#include "bench/scenarios/results.h"
#include "bench/scenarios/scenario.h"

#include "bench/base/clock.h"
#include "common/protocol/frame.h"

#include <stdio.h>

enum { SETTLE_S = 5, LEAVE_MOST_S = 120, LANES = 16, MIB = 1048576 };

static void defaults(struct config *config)
{
    scenario_default(&config->connections, 1000000);
    scenario_default(&config->rooms, 1);
    scenario_default(&config->rate, 40);
    /* Equal messages need no order, so no push waits for the answer to the one before. */
    scenario_default(&config->lanes, LANES);
    if (config->plain == NULL)
        config->plain = "{\"test\":1}";
}

static void number(struct run *run, const char *key, const char *label, double value,
                   const char *unit)
{
    report_number(run->report, key, label, value, unit);
}

/* --- connecting and holding --- */

static int climb(struct run *run, const struct mark *begin)
{
    struct mark connected;
    int failed = run_connect(run, run->config->connections, run->config->connect_rate);

    if (failed != 0)
        return failed;
    mark_take(run, &connected);
    mark_since(&connected, begin);
    report_table(run->report, "connect", "connecting");
    number(run, "online", "online", (double)CREW_SUM(&run->crew, online), "");
    number(run, "connect_s", "after", (double)connected.at_ns / 1e9, "s");
    results_connect(run, &connected);
    return 0;
}

static double per_session(const struct run *run, uint64_t now, uint64_t before)
{
    return ((double)now - (double)before) / (double)run->config->connections;
}

static double rss_in_all(const struct usage *usage)
{
    double sum = 0;

    for (int kind = 0; kind < USAGE_KINDS; kind++)
        sum += (double)usage->rss[kind];
    return sum;
}

/* The memory that is used and that no process's RSS shows: the kernel's, for both ends of each
 * connection. */
static double kernel_taken(const struct usage *now, const struct usage *before)
{
    double gone = (double)before->machine.unused - (double)now->machine.unused;

    return gone - (rss_in_all(now) - rss_in_all(before));
}

static void report_held(struct run *run, const struct usage *before, const struct usage *now)
{
    static const enum usage_kind kinds[] = {USAGE_COMET, USAGE_LOGIC, USAGE_ROUTER, USAGE_REDIS,
                                            USAGE_CLIENTS};
    char key[64], label[64];

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const char *name = usage_name(kinds[i]);
        if (now->rss[kinds[i]] == 0)
            continue;
        snprintf(key, sizeof key, "%s_rss_per_session", name);
        snprintf(label, sizeof label, "RSS %s per session", name);
        number(run, key, label, per_session(run, now->rss[kinds[i]], before->rss[kinds[i]]), "B");
    }
    number(run, "kernel_per_pair", "kernel's memory per connection, both ends",
           kernel_taken(now, before) / (double)run->config->connections, "B");
    number(run, "slab_per_pair", "  of it in slabs",
           per_session(run, now->machine.slab, before->machine.slab), "B");
    number(run, "tcp_sockets", "TCP sockets of the machine", (double)now->machine.tcp_sockets, "");
}

static int hold(struct run *run, const struct mark *begin)
{
    struct mark from, to, held;
    int failed = run_wait(run, "hold", SETTLE_S);

    mark_take_quick(run, &from);
    if (failed == 0)
        failed = run_wait(run, "hold", SETTLE_S);
    mark_take_quick(run, &to);
    if (failed != 0)
        return failed;
    held = to;
    mark_since(&to, &from);
    report_table(run->report, "hold", "connected, heartbeats only");
    report_held(run, &begin->usage, &held.usage);
    results_cpu(run, &to, 0, "");
    results_memory(run, &held);
    return 0;
}

/* --- pushing --- */

/* Reports the time from the first push to the last one, without the warm-up: as much comes out as
 * goes in. */
static void report_steady(struct run *run, const struct mark *steady)
{
    double seconds = (double)steady->at_ns / 1e9;
    double per_s = (double)steady->deliveries / seconds;

    number(run, "steady_s", "steady part", seconds, "s");
    number(run, "steady_push_per_s", "  pushes accepted per second",
           (double)steady->driver.accepted / seconds, "/s");
    number(run, "steady_deliveries_per_s", "  deliveries per second", per_s, "/s");
    number(run, "steady_mb_per_s", "  frames' bytes per second",
           per_s * (double)(FRAME_HEADER + run->config->size) / 1e6, "MB/s");
    for (int kind = 0; kind < USAGE_KINDS; kind++) {
        char key[64], label[64];
        if (steady->usage.rss[kind] == 0)
            continue;
        snprintf(key, sizeof key, "steady_cpu_%s_cores", usage_name(kind));
        snprintf(label, sizeof label, "  CPU %s", usage_name(kind));
        number(run, key, label, steady->usage.cpu_s[kind] / seconds, "cores");
    }
}

static void report_walks(struct run *run, const struct mark *whole)
{
    double seconds = (double)whole->at_ns / 1e9;

    if (whole->comets.writes <= 0)
        return;
    number(run, "writes_per_s", "writes per second", whole->comets.writes / seconds, "/s");
    number(run, "comet_us_per_write", "CPU comet per write",
           whole->usage.cpu_s[USAGE_COMET] * 1e6 / whole->comets.writes, "µs");
    number(run, "clients_us_per_write", "CPU clients per write",
           whole->usage.cpu_s[USAGE_CLIENTS] * 1e6 / whole->comets.writes, "µs");
    number(run, "walks", "walks over the room, of each comet's loops", whole->comets.walks, "");
    number(run, "spilled_kicked", "spilled or kicked as too slow",
           whole->comets.spilled + whole->comets.kicked, "");
}

/* The machine's memory before the cluster started, as far as it is known. */
static struct machine memory_base(const struct run *run, const struct mark *begin)
{
    struct machine base = begin->usage.machine;

    if (run->config->memory_before > 0)
        base.unused = (int64_t)run->config->memory_before * MIB;
    return base;
}

static int push_steadily(struct run *run, const struct push_plan *plan, struct mark *steady)
{
    struct mark from;
    int failed;

    run_push_begin(run, plan);
    failed = run_wait(run, "warm up", run->config->warmup_s);
    mark_take_quick(run, &from);
    if (failed == 0)
        failed = run_wait(run, "push", run->config->seconds);
    mark_take_quick(run, steady);
    mark_since(steady, &from);
    if (failed == 0)
        failed = run_push_end(run, plan);
    return failed == 0 ? run_drain(run) : failed;
}

static int push(struct run *run, const struct mark *begin)
{
    const struct push_plan plan = {
        .share = {[STREAM_ROOM] = 1},
        .rate = run->config->rate,
        .seconds = run->config->warmup_s + run->config->seconds,
    };
    struct machine base = memory_base(run, begin);
    struct mark before, steady, whole;
    size_t from;
    int failed = run_raw(run, FRAME_HEADER + run->config->size, &run->raw_before);

    if (failed != 0)
        return failed;
    timeline_samples(run->timeline, &from);
    mark_take(run, &before);
    failed = push_steadily(run, &plan, &steady);
    if (failed != 0)
        return failed;
    mark_take(run, &whole);
    mark_since(&whole, &before);
    report_table(run->report, "push", "pushing, to the last delivery");
    report_steady(run, &steady);
    results_push(run, &whole);
    report_walks(run, &whole);
    results_machine(run, &base, from);
    return results_verify(run);
}

/* --- leaving --- */

static int leave(struct run *run, const struct mark *begin)
{
    struct mark left;
    uint64_t since = clock_ns();
    int failed = run_connect(run, 0, 0);

    do {
        if (failed == 0)
            failed = run_wait(run, "leave", 1);
        mark_take(run, &left);
    } while (failed == 0 && run->config->admins != NULL && left.comets.sessions > 0 &&
             (clock_ns() - since) / 1000000000 < LEAVE_MOST_S);
    if (failed != 0)
        return failed;
    report_table(run->report, "leave", "all have left");
    number(run, "leave_s", "after", (double)(left.at_ns - since) / 1e9, "s");
    number(run, "sessions_left", "sessions that comets still hold", left.comets.sessions, "");
    number(run, "comet_rss_left_per_session", "RSS comet per session that was",
           per_session(run, left.usage.rss[USAGE_COMET], begin->usage.rss[USAGE_COMET]), "B");
    number(run, "kernel_left_per_pair", "kernel's memory per connection that was",
           kernel_taken(&left.usage, &begin->usage) / (double)run->config->connections, "B");
    run->faults += left.comets.sessions > 0;
    return 0;
}

static int run_million(struct run *run)
{
    struct mark begin;
    int failed;

    mark_take(run, &begin);
    failed = climb(run, &begin);
    if (failed == 0)
        failed = hold(run, &begin);
    if (failed == 0)
        failed = push(run, &begin);
    return failed == 0 ? leave(run, &begin) : failed;
}

const struct scenario scenario_million = {
    "million", "N sessions (1,000,000) in one room, {\"test\":1} at --rate (40) a second", false,
    defaults, run_million};

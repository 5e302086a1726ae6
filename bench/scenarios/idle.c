/* idle - N sessions connect through the real auth path and do nothing: what does one cost? */
#include "bench/scenarios/results.h"
#include "bench/scenarios/scenario.h"

#include <stdio.h>

enum { SETTLE_S = 3, LEFT_S = 6 };

static void defaults(struct config *config)
{
    scenario_default(&config->connections, 15000);
}

static void report_size(struct run *run, const char *key, const char *label, uint64_t now,
                        uint64_t before)
{
    report_number(run->report, key, label,
                  ((double)now - (double)before) / (double)run->config->connections, "B");
}

static void report_sizes(struct run *run, const struct mark *begin, const struct mark *held,
                         const struct mark *left)
{
    const uint64_t *rss = begin->usage.rss;

    report_size(run, "comet_rss_per_connection", "comet RSS per idle connection",
                held->usage.rss[USAGE_COMET], rss[USAGE_COMET]);
    report_size(run, "comet_rss_left_per_connection", "  what is left of it after they left",
                left->usage.rss[USAGE_COMET], rss[USAGE_COMET]);
    report_size(run, "router_rss_per_session", "router RSS per session",
                held->usage.rss[USAGE_ROUTER], rss[USAGE_ROUTER]);
    report_size(run, "logic_rss_per_session", "logic RSS per session", held->usage.rss[USAGE_LOGIC],
                rss[USAGE_LOGIC]);
}

static int run_idle(struct run *run)
{
    struct mark begin, connected, held, left, idle;
    int failed;

    mark_take(run, &begin);
    failed = run_connect(run, run->config->connections, run->config->connect_rate);
    mark_take(run, &connected);
    if (failed == 0)
        failed = run_wait(run, "idle", SETTLE_S);
    mark_take(run, &held);
    if (failed == 0)
        failed = results_verify(run);
    if (failed == 0)
        failed = run_connect(run, 0, 0);
    if (failed == 0)
        failed = run_wait(run, "leave", LEFT_S);
    mark_take(run, &left);
    if (failed != 0)
        return failed;
    report_sizes(run, &begin, &held, &left);
    idle = held;
    mark_since(&idle, &connected);
    report_number(run->report, "cpu_idle_comet_cores", "CPU comet, all connected and idle",
                  idle.usage.cpu_s[USAGE_COMET] * 1e9 / (double)idle.at_ns, "cores");
    mark_since(&connected, &begin);
    results_connect(run, &connected);
    results_memory(run, &held);
    return 0;
}

const struct scenario scenario_idle = {
    "idle", "N sessions connect and do nothing: memory per connection, and after they left", false,
    defaults, run_idle};

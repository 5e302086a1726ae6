/* offline - messages wait for users who are away; then all connect at once. */
#include "bench/base/clock.h"
#include "bench/scenarios/results.h"
#include "bench/scenarios/scenario.h"

enum { SETTLE_MOST_S = 60 };

static void defaults(struct config *config)
{
    scenario_default(&config->connections, 10000);
    scenario_default(&config->group, 100);
    scenario_default(&config->rate, 0);
}

/* Seconds from the last auth reply to the last message. */
static double tail_s(const struct run *run)
{
    const struct worker_stats *workers = run->crew.shared->workers;
    uint64_t delivered = 0, connected = 0;

    for (size_t i = 0; i < run->crew.n_workers; i++) {
        if (workers[i].last_delivery_ns > delivered)
            delivered = workers[i].last_delivery_ns;
        if (workers[i].last_connect_ns > connected)
            connected = workers[i].last_connect_ns;
    }
    return delivered > connected ? (double)(delivered - connected) / 1e9 : 0;
}

static int fill(struct run *run)
{
    const struct config *config = run->config;
    const struct push_plan plan = {
        .share = {[STREAM_UID] = 1},
        .rounds = config->waiting,
        .rate = config->rate,
        .seconds = SETTLE_MOST_S,
        .unbounded = true,
    };
    int failed = run_push(run, &plan);

    return failed == 0 ? run_settle(run, "store", SETTLE_MOST_S) : failed;
}

static void report(struct run *run, const struct mark *filled, const struct mark *came)
{
    report_number(run->report, "waiting_per_user", "messages that wait for each user",
                  (double)run->config->waiting, "");
    results_pushes(run, filled);
    report_number(run->report, "stored_per_s", "messages stored per second",
                  (double)filled->driver.expected * 1e9 / (double)filled->at_ns, "/s");
    report_number(run->report, "cpu_us_per_stored",
                  "CPU of daemons, Redis and bus per stored message",
                  filled->driver.expected > 0
                      ? usage_server_cpu(&filled->usage) * 1e6 / (double)filled->driver.expected
                      : 0,
                  "µs");
    report_number(run->report, "deliveries", "delivered after connecting", (double)came->deliveries,
                  "");
    report_number(run->report, "tail_s", "last auth reply to last message", tail_s(run), "s");
    results_connect(run, came);
    results_memory(run, came);
}

static int run_offline(struct run *run)
{
    struct mark begin, filled, came;
    int failed;

    mark_take(run, &begin);
    failed = fill(run);
    mark_take(run, &filled);
    if (failed == 0)
        failed = run_connect(run, run->config->connections, run->config->connect_rate);
    if (failed == 0)
        failed = run_drain(run);
    mark_take(run, &came);
    if (failed != 0)
        return failed;
    mark_since(&came, &filled);
    mark_since(&filled, &begin);
    report(run, &filled, &came);
    return results_verify(run);
}

const struct scenario scenario_offline = {
    "offline", "--waiting messages wait for each of N users, who then connect at once", false,
    defaults, run_offline};

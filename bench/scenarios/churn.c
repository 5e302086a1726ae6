/* churn - one half of the connections stays, the other half leaves and comes again all the time,
 * during pushes. What those that stay get is verified in full, what the others get only for
 * order. */
#include "bench/scenarios/results.h"
#include "bench/scenarios/scenario.h"

enum { WEIGHT_UID = 80, WEIGHT_ROOM = 20 };

static void defaults(struct config *config)
{
    scenario_default(&config->connections, 10000);
    scenario_default(&config->rooms, 100);
    scenario_default(&config->rate, 200);
    scenario_default(&config->churn_rate, 500);
}

/* It cannot be known what reaches connections that come and go. So this waits until nothing comes
 * any more. */
static int push_and_drain(struct run *run)
{
    const struct push_plan plan = {
        .share = {[STREAM_UID] = WEIGHT_UID, [STREAM_ROOM] = WEIGHT_ROOM},
        .rate = run->config->rate,
        .seconds = run->config->seconds,
    };
    int failed = run_push(run, &plan);

    run_churn(run, 0.5, 0);
    return failed == 0 ? run_settle(run, "drain", run->config->drain_s) : failed;
}

static int run_churn_scenario(struct run *run)
{
    const struct config *config = run->config;
    struct mark before, after;
    int failed = run_connect(run, config->connections, config->connect_rate);

    if (failed == 0)
        failed = run_settle(run, "settle", 10);
    mark_take(run, &before);
    run_churn(run, 0.5, config->churn_rate);
    if (failed == 0)
        failed = push_and_drain(run);
    mark_take(run, &after);
    if (failed != 0)
        return failed;
    mark_since(&after, &before);
    report_number(run->report, "churn_per_s", "connections that left and came per second",
                  (double)after.connects * 1e9 / (double)after.at_ns, "/s");
    results_push(run, &after);
    return results_verify(run);
}

const struct scenario scenario_churn = {
    "churn", "half of N sessions leave and come again, --churn-rate a second, while pushing", false,
    defaults, run_churn_scenario};

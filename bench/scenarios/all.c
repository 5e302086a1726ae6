/* all - pushes to everybody. */
#include "bench/scenarios/scenario.h"

enum { LANES_WHEN_SATURATED = 4, SLOW_RATE = 100 };

static void defaults(struct config *config)
{
    scenario_default(&config->connections, 10000);
    scenario_default(&config->rate, 8);
    scenario_default(&config->backlog, 500 * config->connections);
    scenario_default(&config->lanes,
                     config->rate == 0 || config->rate > SLOW_RATE ? LANES_WHEN_SATURATED : 1);
}

static int run_all(struct run *run)
{
    const struct push_plan plan = {
        .share = {[STREAM_ALL] = 1},
        .rate = run->config->rate,
        .seconds = run->config->seconds,
    };

    return scenario_push(run, &plan);
}

const struct scenario scenario_all = {"all", "pushes to everybody, --rate a second", true, defaults,
                                      run_all};

/* mixed - what a day may look like: mostly pushes to users, some to rooms, few to all. */
#include "bench/scenarios/scenario.h"

enum { WEIGHT_UID = 900, WEIGHT_ROOM = 99, WEIGHT_ALL = 1 };

static void defaults(struct config *config)
{
    scenario_default(&config->connections, 10000);
    scenario_default(&config->rooms, 100);
    scenario_default(&config->rate, 1000);
}

static int run_mixed(struct run *run)
{
    const struct push_plan plan = {
        .share =
            {[STREAM_UID] = WEIGHT_UID, [STREAM_ROOM] = WEIGHT_ROOM, [STREAM_ALL] = WEIGHT_ALL},
        .rate = run->config->rate > 0 ? run->config->rate : 1000,
        .seconds = run->config->seconds,
    };

    return scenario_push(run, &plan);
}

const struct scenario scenario_mixed = {"mixed", "pushes to users, rooms and all, 900 : 99 : 1",
                                        false, defaults, run_mixed};

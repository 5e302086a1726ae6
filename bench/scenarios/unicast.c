/* unicast - pushes to one uid after the other, with everybody online. With --group G each request
 * pushes to G uids. */
#include "bench/scenarios/results.h"
#include "bench/scenarios/scenario.h"

static void defaults(struct config *config)
{
    scenario_default(&config->connections, 10000);
    scenario_default(&config->rate, 200);
    scenario_default(&config->group, 1);
    /* Messages that Kafka has taken and nobody has got only wait. A business that watches what
     * arrives keeps them few. */
    scenario_default(&config->backlog, 2 * config->http_lanes * config->group);
}

static int run_unicast(struct run *run)
{
    const struct push_plan plan = {
        .share = {[STREAM_UID] = 1},
        .rate = run->config->rate,
        .seconds = run->config->seconds,
    };

    return scenario_push(run, &plan);
}

const struct scenario scenario_unicast = {
    "unicast", "pushes to one uid each, or to --group uids each (/1/pushs), all online", false,
    defaults, run_unicast};

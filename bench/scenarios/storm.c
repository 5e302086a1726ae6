/* storm - everybody connects at once: token, router registration, mailbox check, auth reply. */
#include "bench/scenarios/results.h"
#include "bench/scenarios/scenario.h"

static void defaults(struct config *config)
{
    scenario_default(&config->connections, 15000);
}

static int run_storm(struct run *run)
{
    struct mark before, after;
    int failed;

    mark_take(run, &before);
    failed = run_connect(run, run->config->connections, run->config->connect_rate);
    mark_take(run, &after);
    if (failed != 0)
        return failed;
    mark_since(&after, &before);
    results_connect(run, &after);
    return results_verify(run);
}

const struct scenario scenario_storm = {
    "storm", "N sessions connect as fast as they are admitted, or at --connect-rate", false,
    defaults, run_storm};

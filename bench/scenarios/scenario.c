#include "bench/scenarios/scenario.h"

#include "bench/scenarios/results.h"
#include "common/protocol/frame.h"

#include <string.h>

/* Larger writes are limited by copying, and rounds of them by the memory of the sockets. */
enum { RAW_MOST = 64 * 1024 };

static const struct scenario *const scenarios[] = {
    &scenario_idle,        &scenario_storm, &scenario_room,    &scenario_rooms,
    &scenario_rooms_small, &scenario_all,   &scenario_unicast, &scenario_offline,
    &scenario_churn,       &scenario_mixed, &scenario_million, &scenario_comeback,
};

const struct scenario *scenario_at(size_t i)
{
    return i < sizeof scenarios / sizeof scenarios[0] ? scenarios[i] : NULL;
}

const struct scenario *scenario_find(const char *name)
{
    const struct scenario *scenario;

    for (size_t i = 0; (scenario = scenario_at(i)) != NULL; i++)
        if (strcmp(scenario->name, name) == 0)
            return scenario;
    return NULL;
}

/* Measures the raw limit with writes as large as the comets' were on average. Nothing is compared
 * if those were too large. */
static int measure_raw_after(struct run *run, const struct mark *between)
{
    double bytes = FRAME_HEADER + (double)run->config->size;

    if (between->comets.writes > 0)
        bytes = between->comets.write_bytes / between->comets.writes;
    if (bytes > RAW_MOST) {
        run->raw_before = (struct raw_result){0};
        return 0;
    }
    return run_raw(run, (size_t)bytes, &run->raw_after);
}

/* Pushes for a while before measuring: caches fill, and Java compiles Kafka's code. */
static int warm_up(struct run *run, const struct push_plan *plan)
{
    struct push_plan warm = *plan;
    int failed;

    if (run->config->warmup_s <= 0)
        return 0;
    warm.seconds = run->config->warmup_s;
    failed = run_push(run, &warm);
    return failed == 0 ? run_drain(run) : failed;
}

int scenario_push(struct run *run, const struct push_plan *plan)
{
    const struct config *config = run->config;
    struct mark before, after;
    int failed = run_connect(run, config->connections, config->connect_rate);

    if (failed == 0)
        failed = run_settle(run, "settle", 10);
    if (failed == 0)
        failed = run_raw(run, FRAME_HEADER + config->size, &run->raw_before);
    if (failed == 0)
        failed = warm_up(run, plan);
    mark_take(run, &before);
    if (failed == 0)
        failed = run_push(run, plan);
    if (failed == 0)
        failed = run_drain(run);
    mark_take(run, &after);
    if (failed != 0)
        return failed;
    mark_since(&after, &before);
    failed = measure_raw_after(run, &after);
    if (failed != 0)
        return failed;
    results_push(run, &after);
    return results_verify(run);
}

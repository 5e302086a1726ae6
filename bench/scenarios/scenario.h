/* scenario.h - one row per scenario: what it needs and how it runs. Controller only. */
#ifndef IMC_BENCH_SCENARIOS_SCENARIO_H
#define IMC_BENCH_SCENARIOS_SCENARIO_H

#include "bench/scenarios/steps.h"

struct scenario {
    const char *name, *help;
    bool walks; /* one push makes many writes: compared with raw send() */
    /* Fills what the command line left open (SCENARIO_UNSET). */
    void (*defaults)(struct config *config);
    /* Runs the scenario; before, tokens are made and nobody is connected. 0, or -E… with run->err
     * filled. */
    int (*run)(struct run *run);
};

#define SCENARIO_UNSET UINT64_MAX

static inline void scenario_default(uint64_t *field, uint64_t value)
{
    if (*field == SCENARIO_UNSET)
        *field = value;
}

extern const struct scenario scenario_idle, scenario_storm, scenario_room, scenario_rooms,
    scenario_rooms_small, scenario_all, scenario_unicast, scenario_offline, scenario_churn,
    scenario_mixed, scenario_million, scenario_comeback;

/* By name; NULL: there is none. By number; NULL after the last one. */
const struct scenario *scenario_find(const char *name);
const struct scenario *scenario_at(size_t i);

/* Does what most scenarios do: connect all, push, drain, verify, report. */
int scenario_push(struct run *run, const struct push_plan *plan);

#endif

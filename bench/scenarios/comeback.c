/* comeback - one of several comets is killed, and all its clients come back to the others at once,
 * during pushes to the users of those others. How long do these pushes take meanwhile?
 *
 *   connect ─► pushes begin ─► before ─ kill -9 ─► storm: until all are back ─► after */
#include "bench/scenarios/results.h"
#include "bench/scenarios/scenario.h"

#include "bench/base/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { BACK_MOST_S = 90, AT_ONCE = 100000 };

static size_t comets_of(const struct config *config)
{
    size_t n = 1;

    for (const char *at = config->targets[0]; at != NULL && *at != '\0'; at++)
        n += *at == ',';
    return n;
}

/* As many workers as comets: each worker has one comet (load/conns.c). The users of the last one
 * get no pushes. */
static void defaults(struct config *config)
{
    size_t comets = comets_of(config);

    scenario_default(&config->connections, 18000);
    scenario_default(&config->rate, 200);
    config->workers = comets;
    config->in_flight = AT_ONCE;
    config->unpushed = config->connections - config->connections * (comets - 1) / comets;
}

static int pid_of_last(const struct config *config, char *name, size_t len)
{
    snprintf(name, len, "comet-%zu", comets_of(config));
    for (size_t i = 0; i < config->n_pids; i++) {
        if (strcmp(config->pids[i].name, name) == 0)
            return config->pids[i].pid;
    }
    return 0;
}

static int refuse(struct run *run, const char *why)
{
    snprintf(run->err, sizeof run->err, "%s", why);
    return -EINVAL;
}

static double report_pushes(struct run *run, const char *when, const struct mark *from,
                            const struct mark *to)
{
    struct hist hist = to->latency[STREAM_UID];
    char key[64], label[96];

    hist_since(&hist, &from->latency[STREAM_UID]);
    double p99 = (double)hist_quantile(&hist, 0.99) / 1e6;
    snprintf(key, sizeof key, "%s_p50_ms", when);
    snprintf(label, sizeof label, "pushes, %s: p50", when);
    report_number(run->report, key, label, (double)hist_quantile(&hist, 0.5) / 1e6, "ms");
    snprintf(key, sizeof key, "%s_p99_ms", when);
    snprintf(label, sizeof label, "pushes, %s: p99", when);
    report_number(run->report, key, label, p99, "ms");
    return p99;
}

/* Kills the last comet, and waits until all its clients are back. */
static int storm(struct run *run, int pid, double *seconds)
{
    struct crew *crew = &run->crew;
    size_t n = run->config->connections, last = crew->n_workers - 1;
    uint64_t begin, left = run->config->unpushed, online;
    bool gone = false;
    int failed = 0;

    run_target_gone(run, last, crew->n_targets - 1);
    failed = run_wait(run, "before", 0.2); /* the worker has seen the order */
    begin = clock_ns();
    if (failed == 0 && kill(pid, SIGKILL) != 0)
        return refuse(run, "the last comet cannot be killed");
    while (failed == 0) {
        failed = run_wait(run, "storm", 0.02);
        online = CREW_SUM(crew, online);
        gone = gone || online <= n - left / 2;
        *seconds = (double)(clock_ns() - begin) / 1e9;
        if (gone && online == n)
            return 0;
        if (*seconds > BACK_MOST_S)
            return refuse(run, "not all clients came back");
    }
    return failed;
}

static int measure(struct run *run, int pid)
{
    const struct push_plan plan = {
        .share = {[STREAM_UID] = 1},
        .rate = run->config->rate,
        .seconds = 2 * run->config->seconds + BACK_MOST_S + 10,
    };
    struct mark before, storm_begin, storm_end, after;
    double back_s = 0;
    uint64_t failures;

    run_push_begin(run, &plan);
    int failed = run_wait(run, "warm", run->config->warmup_s);
    mark_take_quick(run, &before);
    if (failed == 0)
        failed = run_wait(run, "before", run->config->seconds);
    mark_take_quick(run, &storm_begin);
    failures = CREW_SUM(&run->crew, connect_failures);
    if (failed == 0)
        failed = storm(run, pid, &back_s);
    mark_take_quick(run, &storm_end);
    failures = CREW_SUM(&run->crew, connect_failures) - failures;
    if (failed == 0)
        failed = run_wait(run, "after", run->config->seconds);
    mark_take_quick(run, &after);
    run_push_stop(run);
    if (failed == 0)
        failed = run_push_end(run, &plan);
    if (failed == 0)
        failed = run_drain(run);
    if (failed != 0)
        return failed;
    double calm = report_pushes(run, "before", &before, &storm_begin);
    double busy = report_pushes(run, "storm", &storm_begin, &storm_end);
    report_pushes(run, "after", &storm_end, &after);
    report_number(run->report, "p99_ratio", "  p99 in the storm by that before",
                  calm > 0 ? busy / calm : 0, "");
    report_number(run->report, "back_s", "all clients of the dead comet are back after", back_s,
                  "s");
    report_number(run->report, "connect_failures", "  tries that were refused", (double)failures,
                  "");
    return 0;
}

static int run_comeback(struct run *run)
{
    const struct config *config = run->config;
    char name[32];
    int pid = pid_of_last(config, name, sizeof name);

    if (run->crew.n_targets < 2 || config->n_transports > 1)
        return refuse(run, "comeback: several comets and one wire form are wanted");
    if (run->crew.n_workers != run->crew.n_targets || config->group != 1)
        return refuse(run, "comeback: the workers are as many as the comets, --group is 1");
    if (pid == 0)
        return refuse(run, "comeback: --run-dir or --pid has to name the last comet");
    int failed = run_connect(run, config->connections, config->connect_rate);
    if (failed == 0)
        failed = run_settle(run, "settle", 10);
    if (failed == 0)
        failed = measure(run, pid);
    return failed == 0 ? results_verify(run) : failed;
}

const struct scenario scenario_comeback = {
    "comeback",
    "the last of several comets is killed, its clients come back at once, during pushes", false,
    defaults, run_comeback};

#include "bench/scenarios/steps.h"

#include "bench/base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { TICK_NS = 20000000, CONNECT_QUIET_S = 20, DRAIN_QUIET_PART = 6, ANSWER_S = 30 };

/* What idle daemons use in half a second, renewing their leases: in all, and each. */
static const double IDLE_CPU_S = 0.03, IDLE_CPU_S_EACH = 0.001;

static int check_crew(struct run *run)
{
    const struct crew *crew = &run->crew;
    int status;

    if (shared_get(&crew->shared->failed) == 2) {
        snprintf(run->err, sizeof run->err, "%s", crew->shared->failure);
        return -EIO;
    }
    for (size_t i = 0; i < crew->n_workers; i++)
        if (waitpid(crew->workers[i], &status, WNOHANG) != 0) {
            snprintf(run->err, sizeof run->err, "worker %zu ended", i);
            return -ECHILD;
        }
    if (waitpid(crew->driver, &status, WNOHANG) == 0)
        return 0;
    snprintf(run->err, sizeof run->err, "the push driver ended");
    return -ECHILD;
}

static int tick(struct run *run, const char *phase)
{
    clock_sleep_ns(TICK_NS);
    timeline_tick(run->timeline, phase);
    return check_crew(run);
}

static double since(uint64_t ns)
{
    return (double)(clock_ns() - ns) / 1e9;
}

int run_wait(struct run *run, const char *phase, double seconds)
{
    uint64_t begin = clock_ns();
    int failed = 0;

    while (failed == 0 && since(begin) < seconds)
        failed = tick(run, phase);
    return failed;
}

int run_settle(struct run *run, const char *phase, double most_s)
{
    uint64_t begin = clock_ns();
    struct usage last, now;
    int failed;

    usage_read(run->config, &run->crew, &last);
    do {
        failed = run_wait(run, phase, 0.5);
        usage_read(run->config, &run->crew, &now);
        double busy = usage_daemons_cpu(&now) - usage_daemons_cpu(&last);
        if (busy < IDLE_CPU_S + IDLE_CPU_S_EACH * (double)run->config->n_pids)
            break;
        last = now;
    } while (failed == 0 && since(begin) < most_s);
    return failed;
}

int run_make_tokens(struct run *run)
{
    struct crew *crew = &run->crew;
    int failed = 0;

    for (size_t i = 0; i < crew->n_workers; i++)
        shared_set(&crew->shared->worker_orders[i].make_tokens,
                   crew_first(crew, i + 1) - crew_first(crew, i));
    while (failed == 0 && CREW_SUM(crew, tokens) < crew->people.count)
        failed = tick(run, "tokens");
    return failed;
}

/* No progress for too long. */
static int stuck(struct run *run, size_t wanted)
{
    snprintf(
        run->err, sizeof run->err,
        "%llu of %zu connections are online, %llu attempts failed, and there is no progress (%s)",
        (unsigned long long)CREW_SUM(&run->crew, online), wanted,
        (unsigned long long)CREW_SUM(&run->crew, connect_failures),
        run->crew.shared->workers[0].trouble);
    return -ETIMEDOUT;
}

int run_connect(struct run *run, size_t n, uint64_t rate)
{
    struct crew *crew = &run->crew;
    uint64_t online = UINT64_MAX, progress_ns = clock_ns();
    int failed = 0;

    for (size_t i = 0; i < crew->n_workers; i++) {
        shared_set(&crew->shared->worker_orders[i].connect_rate, crew_part(crew, i, rate));
        shared_set(&crew->shared->worker_orders[i].wanted, crew_part(crew, i, n));
    }
    while (failed == 0) {
        uint64_t now = CREW_SUM(crew, online);
        if (now == n)
            return 0;
        if (now != online)
            progress_ns = clock_ns();
        online = now;
        if (since(progress_ns) > CONNECT_QUIET_S)
            return stuck(run, n);
        failed = tick(run, "connect");
    }
    return failed;
}

void run_push_begin(struct run *run, const struct push_plan *plan)
{
    struct driver_orders *orders = &run->crew.shared->driver_orders;

    memcpy(orders->share, plan->share, sizeof orders->share);
    orders->rate = plan->rate;
    orders->rounds = plan->rounds;
    orders->duration_ms = (uint64_t)(plan->seconds * 1000);
    orders->backlog = plan->unbounded ? 0 : run->config->backlog;
    shared_set(&orders->plan, orders->plan + 1);
    run->push_ns = clock_ns();
}

int run_push_end(struct run *run, const struct push_plan *plan)
{
    struct driver_orders *orders = &run->crew.shared->driver_orders;
    const struct driver_stats *stats = &run->crew.shared->driver;
    uint64_t number = orders->plan;
    int failed = 0;

    while (failed == 0 && shared_get(&stats->done) < number) {
        failed = tick(run, "push");
        if (since(run->push_ns) > plan->seconds + ANSWER_S && orders->stop < number)
            shared_set(&orders->stop, number);
        if (failed == 0 && since(run->push_ns) > plan->seconds + 2 * ANSWER_S) {
            snprintf(run->err, sizeof run->err, "pushes are not answered");
            failed = -ETIMEDOUT;
        }
    }
    return failed;
}

void run_push_stop(struct run *run)
{
    struct driver_orders *orders = &run->crew.shared->driver_orders;

    shared_set(&orders->stop, orders->plan);
}

int run_push(struct run *run, const struct push_plan *plan)
{
    run_push_begin(run, plan);
    return run_push_end(run, plan);
}

int run_drain(struct run *run)
{
    struct crew *crew = &run->crew;
    uint64_t begin = clock_ns(), progress_ns = begin, last = 0;
    int failed = 0;

    while (failed == 0 && since(begin) < run->config->drain_s) {
        uint64_t fresh = CREW_SUM(crew, fresh);
        if (fresh >= shared_get(&crew->shared->driver.expected))
            return 0;
        if (fresh != last)
            progress_ns = clock_ns();
        last = fresh;
        if (since(progress_ns) > run->config->drain_s / DRAIN_QUIET_PART)
            return 0;
        failed = tick(run, "drain");
    }
    run->unfinished = true;
    return failed;
}

int run_verify(struct run *run, uint64_t *lost)
{
    struct crew *crew = &run->crew;
    uint64_t number = crew->shared->worker_orders[0].verify + 1;
    int failed = 0;

    for (size_t i = 0; i < crew->n_workers; i++)
        shared_set(&crew->shared->worker_orders[i].verify, number);
    for (size_t i = 0; failed == 0 && i < crew->n_workers; i++)
        while (failed == 0 && shared_get(&crew->shared->workers[i].verified) != number)
            failed = tick(run, "verify");
    *lost = CREW_SUM(crew, lost);
    return failed;
}

void run_churn(struct run *run, double first, uint64_t rate)
{
    struct crew *crew = &run->crew;

    for (size_t i = 0; i < crew->n_workers; i++) {
        struct worker_orders *orders = &crew->shared->worker_orders[i];
        double n = (double)(crew_first(crew, i + 1) - crew_first(crew, i));
        shared_set(&orders->churn_first, (uint64_t)(n * first));
        shared_set(&orders->churn_rate, crew_part(crew, i, rate));
    }
}

void run_target_gone(struct run *run, size_t worker, size_t target)
{
    struct worker_orders *orders = &run->crew.shared->worker_orders[worker];

    shared_set(&orders->churn_first, 0);
    shared_set(&orders->gone, target + 1);
}

int run_raw(struct run *run, size_t bytes, struct raw_result *out)
{
    const struct raw_options options = {
        .sockets = run->crew.people.count,
        .bytes = bytes,
        .seconds = run->config->raw_s,
        .rounds_ahead = 3,
    };

    if (run->config->raw_s <= 0)
        return 0;
    return raw_measure(&options, out, run->err, sizeof run->err);
}

void mark_take_quick(struct run *run, struct mark *mark)
{
    const struct crew *crew = &run->crew;

    *mark = (struct mark){.at_ns = clock_ns()};
    usage_read(run->config, crew, &mark->usage);
    mark->deliveries = CREW_SUM(crew, deliveries);
    mark->fresh = CREW_SUM(crew, fresh);
    mark->connects = CREW_SUM(crew, connects);
    mark->driver = crew->shared->driver;
    timeline_latency(crew, mark->latency);
    for (size_t i = 0; i < crew->n_workers; i++)
        hist_add(&mark->connect, &crew->shared->workers[i].connect);
}

void mark_take(struct run *run, struct mark *mark)
{
    char err[256];

    mark_take_quick(run, mark);
    /* If a comet has died, the rest is still reported. */
    if (run->config->admins != NULL &&
        scrape_comets(run->config->admins, &mark->comets, err, sizeof err) != 0)
        fprintf(stderr, "imc-bench: %s\n", err);
}

void mark_since(struct mark *mark, const struct mark *earlier)
{
    mark->at_ns -= earlier->at_ns;
    usage_since(&mark->usage, &earlier->usage);
    mark->deliveries -= earlier->deliveries;
    mark->fresh -= earlier->fresh;
    mark->connects -= earlier->connects;
    mark->driver.meant -= earlier->driver.meant;
    mark->driver.sent -= earlier->driver.sent;
    mark->driver.accepted -= earlier->driver.accepted;
    mark->driver.refused -= earlier->driver.refused;
    mark->driver.unknown -= earlier->driver.unknown;
    mark->driver.expected -= earlier->driver.expected;
    hist_since(&mark->driver.answer, &earlier->driver.answer);
    for (int kind = 0; kind < STREAM_KINDS; kind++)
        hist_since(&mark->latency[kind], &earlier->latency[kind]);
    hist_since(&mark->connect, &earlier->connect);
    mark->comets.writes -= earlier->comets.writes;
    mark->comets.write_bytes -= earlier->comets.write_bytes;
    mark->comets.walks -= earlier->comets.walks;
    mark->comets.deliveries -= earlier->comets.deliveries;
    mark->comets.spilled -= earlier->comets.spilled;
    mark->comets.kicked -= earlier->comets.kicked;
}

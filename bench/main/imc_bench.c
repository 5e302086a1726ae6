/* imc-bench - a load generator for a running cluster.
 *
 *                    ┌─► workers: connections ◄──── pushes ──────── comets
 *   controller ─fork─┤      judge every message                        ▲
 *                    └─► driver ──── /1/push over HTTP ──► logic ──► … ┘
 *
 * The controller runs one scenario, step by step (scenarios/steps.h), watches CPU and memory of the
 * daemons, and reports. There is one run per transport. */
#include "bench/main/options.h"
#include "bench/report/plot.h"
#include "bench/scenarios/scenario.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { EXIT_FAULTS = 1, EXIT_USAGE = 2, EXIT_BROKEN = 3, TITLE_MAX = 256, QUIET_MOST_S = 30 };

static void describe(const struct run *run, const struct scenario *scenario, char *out, size_t size)
{
    const struct config *config = run->config;

    snprintf(out, size, "%s, %s: %llu connections, %llu rooms, message %llu B, rate %llu/s, %.0f s",
             scenario->name, run->crew.transport->title, (unsigned long long)config->connections,
             (unsigned long long)config->rooms, (unsigned long long)config->size,
             (unsigned long long)config->rate, config->seconds);
}

static int make_plot(const struct run *run, const char *title)
{
    const struct config *config = run->config;
    const struct sample *samples;
    char path[512];
    size_t n, stem;
    FILE *out;

    if (config->plot == NULL)
        return 0;
    stem = strlen(config->plot);
    if (stem > 4 && strcmp(config->plot + stem - 4, ".svg") == 0)
        stem -= 4;
    snprintf(path, sizeof path, "%s", config->plot);
    if (config->n_transports > 1) /* a picture for each: x.svg becomes x-tcp.svg */
        snprintf(path, sizeof path, "%.*s-%s.svg", (int)stem, config->plot,
                 run->crew.transport->name);
    out = fopen(path, "w");
    if (out == NULL) {
        fprintf(stderr, "imc-bench: --plot %s cannot be written\n", path);
        return -EIO;
    }
    samples = timeline_samples(run->timeline, &n);
    plot_write(samples, n, title, out);
    return fclose(out) == 0 ? 0 : -EIO;
}

static void prepare(struct run *run, size_t transport)
{
    const struct config *config = run->config;
    struct people *people = &run->crew.people;

    run->crew.config = config;
    run->crew.transport = config->transports[transport];
    run->crew.addresses = config->targets[transport];
    *people = (struct people){
        .uid_base = config->uid_base,
        .count = config->connections,
        .rooms = config->rooms,
        .group = config->group,
        .unpushed = config->unpushed,
        .plain = config->plain,
        .lanes = {[STREAM_UID] = 1, [STREAM_ROOM] = config->lanes, [STREAM_ALL] = config->lanes},
    };
    if (getrandom(&people->run, sizeof people->run, 0) != sizeof people->run)
        people->run = (uint32_t)config->uid_base;
}

/* 0, or -E…, which is told on stderr. Adds to *FAULTS what went wrong with messages. */
static int run_one(const struct config *config, const struct scenario *scenario, size_t transport,
                   struct report *report, int *faults)
{
    struct run run = {.config = config, .report = report};
    char title[TITLE_MAX];
    int failed;

    prepare(&run, transport);
    describe(&run, scenario, title, sizeof title);
    report_table(report, run.crew.transport->name, title);
    failed = crew_start(&run.crew, run.err, sizeof run.err);
    if (failed == 0) {
        run.timeline = timeline_new(config, &run.crew);
        failed = run_settle(&run, "quiet", QUIET_MOST_S);
    }
    if (failed == 0)
        failed = run_make_tokens(&run);
    if (failed == 0)
        failed = scenario->run(&run);
    if (run.timeline != NULL) {
        timeline_pause(run.timeline);
        if (failed == 0)
            failed = make_plot(&run, title);
    }
    if (failed != 0)
        fprintf(stderr, "imc-bench: %s: %s\n", scenario->name, run.err);
    timeline_free(run.timeline);
    if (run.crew.shared != NULL)
        crew_stop(&run.crew);
    *faults += run.faults;
    return failed;
}

int main(int argc, char **argv)
{
    struct config config;
    struct report *report;
    int faults = 0, failed = options_parse(argc, argv, &config);

    if (failed != 0)
        return failed > 0 ? 0 : EXIT_USAGE;
    report = report_new();
    for (size_t i = 0; failed == 0 && i < config.n_transports; i++) {
        failed = run_one(&config, scenario_find(config.scenario), i, report, &faults);
        report_print(report, stdout);
    }
    if (config.json != NULL && report_write_json(report, config.json) != 0) {
        fprintf(stderr, "imc-bench: --json %s cannot be written\n", config.json);
        failed = -EIO;
    }
    report_free(report);
    return failed != 0 ? EXIT_BROKEN : faults > 0 ? EXIT_FAULTS : 0;
}

#include "bench/report/usage.h"

#include "bench/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[USAGE_KINDS] = {"comet", "logic", "router",  "job",
                                               "redis", "bus",   "clients", "driver"};

const char *usage_name(enum usage_kind kind)
{
    return names[kind];
}

enum usage_kind usage_kind_of(const char *name)
{
    size_t len = strcspn(name, "-");

    if (strncmp(name, "kafka", 5) == 0 || strncmp(name, "devbus", 6) == 0)
        return USAGE_BUS;
    for (int kind = 0; kind < USAGE_BUS; kind++)
        if (strlen(names[kind]) == len && strncmp(names[kind], name, len) == 0)
            return kind;
    return USAGE_KINDS;
}

/* Reads the numbers in the first line of a file, skipping words before them. Missing numbers stay
 * 0. */
static void read_numbers(const char *path, unsigned long *out, size_t n)
{
    char line[512] = "", *at = line;
    FILE *file = fopen(path, "r");

    if (file == NULL)
        return;
    if (fgets(line, sizeof line, file) == NULL)
        line[0] = '\0';
    fclose(file);
    at += strcspn(at, "0123456789");
    for (size_t i = 0; i < n && *at != '\0'; i++)
        out[i] = strtoul(at, &at, 10);
}

/* /proc/PID/statm: size, resident …, in pages. */
static uint64_t read_rss(int pid)
{
    char path[64];
    unsigned long pages[2] = {0};

    snprintf(path, sizeof path, "/proc/%d/statm", pid);
    read_numbers(path, pages, 2);
    return (uint64_t)pages[1] * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void add(struct usage *usage, enum usage_kind kind, int pid)
{
    clockid_t clock;

    if (kind == USAGE_KINDS || pid <= 0)
        return;
    if (clock_getcpuclockid(pid, &clock) == 0)
        usage->cpu_s[kind] += (double)clock_read(clock) / 1e9;
    usage->rss[kind] += read_rss(pid);
}

/* The first line of /proc/stat: user nice system idle iowait irq softirq steal, in ticks. */
static double read_machine(void)
{
    unsigned long t[8] = {0};

    read_numbers("/proc/stat", t, 8);
    return (double)(t[0] + t[1] + t[2] + t[5] + t[6] + t[7]) / (double)sysconf(_SC_CLK_TCK);
}

void usage_read(const struct config *config, const struct crew *crew, struct usage *out)
{
    *out = (struct usage){0};
    for (size_t i = 0; i < config->n_pids; i++)
        add(out, usage_kind_of(config->pids[i].name), config->pids[i].pid);
    for (size_t i = 0; i < crew->n_workers; i++)
        add(out, USAGE_CLIENTS, crew->workers[i]);
    add(out, USAGE_DRIVER, crew->driver);
    out->machine_cpu_s = read_machine();
    machine_read(&out->machine);
}

double usage_daemons_cpu(const struct usage *usage)
{
    return usage_server_cpu(usage) - usage->cpu_s[USAGE_BUS];
}

double usage_others_cpu(const struct usage *usage)
{
    double ours =
        usage_server_cpu(usage) + usage->cpu_s[USAGE_CLIENTS] + usage->cpu_s[USAGE_DRIVER];

    return usage->machine_cpu_s > ours ? usage->machine_cpu_s - ours : 0;
}

double usage_server_cpu(const struct usage *usage)
{
    double sum = 0;

    for (int kind = 0; kind < USAGE_CLIENTS; kind++)
        sum += usage->cpu_s[kind];
    return sum;
}

void usage_since(struct usage *usage, const struct usage *earlier)
{
    for (int kind = 0; kind < USAGE_KINDS; kind++)
        usage->cpu_s[kind] -= earlier->cpu_s[kind];
    usage->machine_cpu_s -= earlier->machine_cpu_s;
}

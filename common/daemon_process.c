#include "common/daemon.h"
#include "common/daemon_internal.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double resident_bytes(struct daemon *daemon)
{
    char line[128] = "", *second = line;
    FILE *file = fopen("/proc/self/statm", "re");
    (void)daemon;
    if (file == NULL)
        return 0;
    if (fgets(line, sizeof(line), file) != NULL) /* "total resident …", in pages */
        second = line + strcspn(line, " ");
    fclose(file);
    return (double)strtoull(second, NULL, 10) * (double)sysconf(_SC_PAGESIZE);
}

static double cpu_seconds(struct daemon *daemon)
{
    struct rusage usage;
    (void)daemon;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Linux 6.2 and later tell the number as the directory's size; before that it must be counted. */
static double open_fds(struct daemon *daemon)
{
    struct stat st;
    double n = 0;
    (void)daemon;
    if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
        return (double)st.st_size;
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return 0;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else has this DIR */
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n - 3; /* ".", "..", the directory itself */
}

static double max_fds(struct daemon *daemon)
{
    struct rlimit limit;
    (void)daemon;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (double)limit.rlim_cur : 0;
}

static double uptime_seconds(struct daemon *daemon)
{
    uint64_t now_ms = uv_hrtime() / 1000000;
    return (double)(now_ms - daemon->internal->started_ms) / 1e3;
}

static double start_time(struct daemon *daemon)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9 - uptime_seconds(daemon);
}

/* The names that Prometheus's own libraries use. */
static const struct {
    struct metric_row row;
    double (*read)(struct daemon *daemon);
} process_rows[] = {
    {{"process_resident_memory_bytes", NULL, METRIC_GAUGE, "Resident memory."}, resident_bytes},
    {{"process_cpu_seconds_total", NULL, METRIC_COUNTER, "CPU time, user and system."},
     cpu_seconds},
    {{"process_open_fds", NULL, METRIC_GAUGE, "Open file descriptors."}, open_fds},
    {{"process_max_fds", NULL, METRIC_GAUGE, "Limit of open file descriptors."}, max_fds},
    {{"process_start_time_seconds", NULL, METRIC_GAUGE, "Start of the process, Unix time."},
     start_time},
    {{"imc_uptime_seconds", NULL, METRIC_GAUGE, "Time since the daemon started."}, uptime_seconds},
};
#define PROCESS_ROWS (sizeof(process_rows) / sizeof(process_rows[0]))

void daemon_render_process(struct daemon *daemon, FILE *out)
{
    for (size_t i = 0; i < PROCESS_ROWS; i++) {
        const struct metric_row *row = &process_rows[i].row;
        fprintf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.3f\n", row->name, row->help, row->name,
                row->type == METRIC_COUNTER ? "counter" : "gauge", row->name,
                process_rows[i].read(daemon));
    }
    fprintf(out,
            "# HELP imc_build_info Always 1; what runs here.\n# TYPE imc_build_info gauge\n"
            "imc_build_info{daemon=\"%s\",version=\"%s\"} 1\n",
            daemon->spec->name, IMC_VERSION);
}

void daemon_document_process(FILE *out)
{
    struct metric_row rows[PROCESS_ROWS + 1];
    for (size_t i = 0; i < PROCESS_ROWS; i++)
        rows[i] = process_rows[i].row;
    rows[PROCESS_ROWS] = (struct metric_row){"imc_build_info", "daemon=\"…\",version=\"…\"",
                                             METRIC_GAUGE, "Always 1; what runs here."};
    fputc('\n', out);
    metrics_document(rows, PROCESS_ROWS + 1, "every daemon", out);
}

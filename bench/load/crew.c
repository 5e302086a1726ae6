#include "bench/load/crew.h"

#include "bench/base/net.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SPARE_FILES = 64 };

size_t crew_first(const struct crew *crew, size_t worker)
{
    return crew->people.count * worker / crew->n_workers;
}

uint64_t crew_part(const struct crew *crew, size_t worker, uint64_t total)
{
    return total * (worker + 1) / crew->n_workers - total * worker / crew->n_workers;
}

uint64_t crew_sum(const struct crew *crew, size_t field)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < crew->n_workers; i++)
        sum +=
            shared_get((const _Atomic uint64_t *)((const char *)&crew->shared->workers[i] + field));
    return sum;
}

/* "host:port,host:port" */
static int read_targets(struct crew *crew, char *err, size_t errlen)
{
    char one[sizeof crew->host];
    const char *list = crew->addresses;

    for (crew->n_targets = 0; *list != '\0';) {
        size_t len = strcspn(list, ",");
        if (len >= sizeof one || crew->n_targets == TARGETS_MAX) {
            snprintf(err, errlen, "at most %d addresses, none longer than %zu", TARGETS_MAX,
                     sizeof one - 1);
            return -EINVAL;
        }
        memcpy(one, list, len);
        one[len] = '\0';
        if (crew->n_targets == 0)
            memcpy(crew->host, one, len + 1);
        if (net_address(one, &crew->targets[crew->n_targets++], err, errlen) != 0)
            return -EINVAL;
        list += len + (list[len] == ',');
    }
    return 0;
}

static int count_workers(struct crew *crew, char *err, size_t errlen)
{
    size_t files = net_file_limit() - SPARE_FILES;
    size_t least = (crew->people.count + files - 1) / files;

    crew->n_workers = crew->config->workers > least ? crew->config->workers : least;
    if (crew->n_workers > crew->people.count)
        crew->n_workers = crew->people.count;
    if (crew->n_workers == 0)
        crew->n_workers = 1;
    if (crew->n_workers <= WORKERS_MAX)
        return 0;
    snprintf(err, errlen,
             "%zu connections need %zu worker processes, %d are allowed: raise ulimit -n",
             crew->people.count, crew->n_workers, WORKERS_MAX);
    return -EINVAL;
}

/* Lowers our priority: of the session where Linux groups processes by session, and of the process
 * otherwise. Everybody may do that. If it fails, the priority stays as it was. */
static void be_nice(uint64_t by)
{
    FILE *group = fopen("/proc/self/autogroup", "w");

    if (group != NULL) {
        fprintf(group, "%llu", (unsigned long long)by);
        fclose(group);
    }
    setpriority(PRIO_PROCESS, 0, (int)by);
}

static pid_t fork_child(uint64_t nice_by)
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* A session of its own for each process. Linux shares a busy machine by session (autogroup),
     * and each daemon has one: fifty processes in one session would get as much CPU as one
     * daemon. */
    setsid();
    if (nice_by > 0)
        be_nice(nice_by);
    return 0;
}

int crew_start(struct crew *crew, char *err, size_t errlen)
{
    size_t streams[STREAM_KINDS];
    char why[128];

    if (read_targets(crew, err, errlen) != 0 || count_workers(crew, err, errlen) != 0)
        return -EINVAL;
    for (int kind = 0; kind < STREAM_KINDS; kind++)
        streams[kind] = people_streams(&crew->people, kind);
    crew->shared = shared_open(streams, crew->people.plain != NULL);
    for (unsigned i = 0; i < crew->n_workers; i++) {
        crew->shared->worker_orders[i].churn_first = UINT64_MAX;
        crew->workers[i] = fork_child(crew->config->nice);
        if (crew->workers[i] == 0)
            worker_run(crew, i);
    }
    crew->driver = fork_child(0);
    if (crew->driver == 0)
        driver_run(crew);
    for (size_t i = 0; i < crew->n_workers; i++)
        if (crew->workers[i] < 0)
            crew->driver = -1;
    if (crew->driver > 0)
        return 0;
    snprintf(err, errlen, "fork: %s", strerror_r(errno, why, sizeof why));
    crew_stop(crew);
    return -EAGAIN;
}

static void end_child(pid_t *pid)
{
    if (*pid > 0) {
        kill(*pid, SIGKILL);
        waitpid(*pid, NULL, 0);
    }
    *pid = 0;
}

void crew_stop(struct crew *crew)
{
    for (size_t i = 0; i < crew->n_workers; i++)
        end_child(&crew->workers[i]);
    end_child(&crew->driver);
    shared_close(crew->shared);
    crew->shared = NULL;
}

/* crew.h - the processes of one run: workers that hold connections, one driver that pushes.
 *
 * The controller forks them, gives orders through run/shared_page.h, and ends them. If the
 * controller dies, they end, too. */
#ifndef IMC_BENCH_LOAD_CREW_H
#define IMC_BENCH_LOAD_CREW_H

#include "bench/run/config.h"
#include "bench/run/people.h"
#include "bench/run/shared_page.h"

#include <sys/types.h>

struct crew {
    const struct config *config;
    const struct transport *transport;
    struct people people;
    struct sockaddr_in targets[TARGETS_MAX];
    size_t n_targets;
    const char *addresses; /* of the comets: host:port,host:port */
    char host[128];        /* the host of the first one */
    struct shared *shared;
    size_t n_workers;
    pid_t workers[WORKERS_MAX], driver;
};

/* Forks the processes. 0, or -E… with ERR filled. */
int crew_start(struct crew *crew, char *err, size_t errlen);
/* Ends the processes and frees what they shared. */
void crew_stop(struct crew *crew);
/* The first connection of WORKER. For WORKER = n_workers: the number of all connections. */
size_t crew_first(const struct crew *crew, size_t worker);
/* The part of WORKER of TOTAL connections, or of a rate. */
uint64_t crew_part(const struct crew *crew, size_t worker, uint64_t total);
/* The sum of one field over all workers: crew_sum(crew, offsetof(struct worker_stats, online)). */
uint64_t crew_sum(const struct crew *crew, size_t field);
#define CREW_SUM(crew, field) crew_sum(crew, offsetof(struct worker_stats, field))

/* Never return. */
_Noreturn void worker_run(const struct crew *crew, unsigned index);
_Noreturn void driver_run(const struct crew *crew);

#endif

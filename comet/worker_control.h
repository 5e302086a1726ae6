/* worker_control.h - what the main loop does with a worker: opens its parts, posts to it, closes
 * it. */
#ifndef IMC_COMET_WORKER_CONTROL_H
#define IMC_COMET_WORKER_CONTROL_H

#include "comet/base/worker.h"

/* Main thread, before the loop runs. 0 or -E…; ERR may then say more. */
int worker_open(struct worker *worker, struct comet *comet, int index, char *err, size_t errlen);
/* Main thread, after the loop has ended. */
void worker_close(struct worker *worker);
/* Any thread; the worker takes a reference of its own. */
void worker_post_view(struct worker *worker, struct cluster_view *view);
void worker_post_accept(struct worker *worker);
/* Tells sessions in rooms, or all sessions, to connect again, because they may have missed a
 * message: on all workers, with a line in the log. MISSED says what (comet/job/broadcast_gaps.h:
 * bits). */
void workers_recall(struct comet *comet, unsigned missed, const char *why);
/* Tells how short memory is. At MEMORY_CRITICAL the worker closes some connections each time. */
void worker_post_memory(struct worker *worker, enum memory_level level);
enum worker_drain {
    DRAIN_NO_MORE,     /* accepts again; whoever was not told to go yet stays */
    DRAIN_UNTIL_EMPTY, /* accepts no more, sends everybody away at drain.rate */
    /* The same, but for good and within daemon.drain. Then it waits for logic's answers, and posts
     * an item with worker->drained_run, which frees it, to the daemon's loop. */
    DRAIN_TO_END,
};
void worker_post_drain(struct worker *worker, enum worker_drain how);

#endif

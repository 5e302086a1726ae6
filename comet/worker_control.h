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
/* Stops accepting, kicks everybody, and waits for logic's answers. Then posts an item with DRAINED
 * to the daemon's loop; DRAINED frees it. */
void worker_post_drain(struct worker *worker,
                       void (*drained)(struct loop *loop, struct inbox_item *item));

#endif

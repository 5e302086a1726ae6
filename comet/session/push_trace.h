/* push_trace.h - tells what happens to a traced push at a session. Owner loop only. A push without
 * a mark costs one look at push.trace.
 *
 * A message from the mailbox, or one that has to be acknowledged, is known only by its id when it
 * ends. So the marks of such messages are remembered, at most PUSH_TRACES_MOST for a loop. */
#ifndef IMC_COMET_SESSION_PUSH_TRACE_H
#define IMC_COMET_SESSION_PUSH_TRACE_H

#include "comet/net/conn.h"
#include "comet/wire/push.h"

enum { PUSH_TRACES_MOST = 1024 };

struct push_traces;

/* --- PUSH has a mark --- */
/* Job has brought it for CONN. */
void push_trace_sent(struct conn *conn, const struct push *push);
/* Job has brought it for a session that is not there. */
void push_trace_gone(struct worker *worker, int64_t uid, uint64_t handle, const struct push *push);
/* What job has brought has ended so. */
void push_trace_told(struct conn *conn, const struct push *push, enum ticket_result result);
/* It came out of the mailbox for CONN. */
void push_trace_fetched(struct conn *conn, const struct push *push);
/* It was sent, and CONN has to acknowledge it. WRITTEN: the kernel has it. */
void push_trace_numbered(struct conn *conn, const struct push *push, bool written);

/* --- for worker->traces, if it is not NULL; message ID need not be a traced one --- */
/* It came out of the mailbox, and has ended so for CONN. */
void push_trace_ended(struct conn *conn, uint64_t id, enum ticket_result result);
/* CONN has acknowledged it. */
void push_trace_acknowledged(struct conn *conn, uint64_t id);

void push_traces_close(struct push_traces *traces); /* NULL is fine */

#endif

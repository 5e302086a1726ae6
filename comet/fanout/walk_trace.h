/* walk_trace.h - counts to how many sessions the traced messages of a walk were sent, and how many
 * of them the kernel has. Owner loop only. A walk without a traced message has none.
 *
 * What is sent at once is told together, at the end of the walk. What was queued is told as it is
 * written. So a struct walk_trace may live longer than its walk. */
#ifndef IMC_COMET_FANOUT_WALK_TRACE_H
#define IMC_COMET_FANOUT_WALK_TRACE_H

#include "comet/wire/push.h"
#include <stddef.h>

struct worker;
struct walk_trace;

/* Is one of the N pushes traced? Then *OUT is for it, else NULL. Of a walk at most 64 are traced.
 */
struct walk_trace *walk_trace_new(struct worker *worker, const struct push *pushes, size_t n);
/* The bit of PUSH, one of those; 0: it is not traced. */
uint64_t walk_trace_bit(const struct walk_trace *trace, const struct push *push);
/* The bits of all. */
uint64_t walk_trace_all(const struct walk_trace *trace);
/* A ticket for a write of the pushes with these BITS. It does not keep the queue's entry from being
 * treated like one without a ticket. */
struct ticket walk_trace_ticket(struct walk_trace *trace, uint64_t bits);
/* The write took the ticket, or (TAKEN false) it did not. */
void walk_trace_sent(struct walk_trace *trace, uint64_t bits, bool taken);
/* The walk is over. */
void walk_trace_end(struct walk_trace *trace);

#endif

/* results.h - the rows that scenarios share. Controller only. */
#ifndef IMC_BENCH_SCENARIOS_RESULTS_H
#define IMC_BENCH_SCENARIOS_RESULTS_H

#include "bench/scenarios/steps.h"

/* Cores (or µs per unit of work) and memory by daemon. WORK 0: only cores. */
void results_cpu(struct run *run, const struct mark *between, double work, const char *per);
void results_memory(struct run *run, const struct mark *at);
/* What the machine gave since BASE, at the worst moment of samples FROM … of the timeline: memory
 * in all, and what sockets' queues held. */
void results_machine(struct run *run, const struct machine *base, size_t from);
/* What became of the pushes: accepted, refused, how long that took. */
void results_pushes(struct run *run, const struct mark *between);
/* Everything about a step of pushing: rates, latency, the comets' writes against the raw limit. */
void results_push(struct run *run, const struct mark *between);
/* Connecting: rate, latency, CPU per connection by daemon. */
void results_connect(struct run *run, const struct mark *between);
/* What was lost, came twice, out of order, to the wrong one: each is a fault. */
int results_verify(struct run *run);

#endif

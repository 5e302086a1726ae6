/* results.h - the rows that scenarios share. Controller only. */
#ifndef IMC_BENCH_SCENARIOS_RESULTS_H
#define IMC_BENCH_SCENARIOS_RESULTS_H

#include "bench/scenarios/steps.h"

/* CPU by daemon: in cores and, unless WORK is 0, in µs per unit of work. Memory by daemon. */
void results_cpu(struct run *run, const struct mark *between, double work, const char *per);
void results_memory(struct run *run, const struct mark *at);
/* How much memory the machine gave since BASE, at the worst moment from sample FROM on: in all, and
 * for the queues of sockets. */
void results_machine(struct run *run, const struct machine *base, size_t from);
/* What became of the pushes: accepted, refused, and how long that took. */
void results_pushes(struct run *run, const struct mark *between);
/* All about a step of pushing: rates, latency, and the comets' writes compared with the raw
 * limit. */
void results_push(struct run *run, const struct mark *between);
/* Connecting: rate, latency, CPU per connection by daemon. */
void results_connect(struct run *run, const struct mark *between);
/* Messages that were lost, came twice, out of order or to the wrong connection. Returns their
 * number: each is a fault. */
int results_verify(struct run *run);

#endif

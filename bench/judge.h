/* judge.h - looks at every message a worker's connections get: is it for this one, is it the next
 * one, how old is it. Counts into the worker's stats. One process. */
#ifndef IMC_BENCH_JUDGE_H
#define IMC_BENCH_JUDGE_H

#include "bench/people.h"
#include "bench/shared.h"

struct judge;

/* For connections FIRST … FIRST + N - 1. */
struct judge *judge_new(const struct people *people, size_t first, size_t n,
                        struct worker_stats *stats);
void judge_free(struct judge *judge);
/* Connection FIRST + I is new: its streams start at 0, or anywhere. */
void judge_expect(struct judge *judge, size_t i, bool anywhere);
/* BODY is what connection FIRST + I got at NOW. */
void judge_message(struct judge *judge, size_t i, const uint8_t *body, size_t len, uint64_t now_ns);
/* Accepted messages that connection FIRST + I has not got. */
uint64_t judge_lost(const struct judge *judge, size_t i, const struct shared *shared);

#endif

/* judge.h - looks at every message a worker's connections get: is it for this one, is it the next
 * one, how old is it. Counts into the worker's stats. One process. */
#ifndef IMC_BENCH_CHECK_JUDGE_H
#define IMC_BENCH_CHECK_JUDGE_H

#include "bench/run/people.h"
#include "bench/run/shared_page.h"
#include "bench/run/transport.h"

struct judge;

struct judge_options {
    const struct people *people;
    const struct transport *transport;
    const struct shared *shared;
    size_t first, n; /* connections FIRST … FIRST + N - 1 */
};

struct judge *judge_new(const struct judge_options *options, struct worker_stats *stats);
void judge_free(struct judge *judge);
/* Connection FIRST + I is new: its streams start at 0, or anywhere. */
void judge_expect(struct judge *judge, size_t i, bool anywhere);
/* DATA is what connection FIRST + I got and begins with a message. Takes a run of expected ones if
 * it knows them by their bytes alone. Bytes taken; the rest is to be taken apart. */
size_t judge_run(struct judge *judge, size_t i, const uint8_t *data, size_t len);
/* BODY is what connection FIRST + I got at NOW. */
void judge_message(struct judge *judge, size_t i, const uint8_t *body, size_t len, uint64_t now_ns);
/* After some reads, at the latest before waiting for more: what was put off. */
void judge_flush(struct judge *judge);
/* Accepted messages that connection FIRST + I has not got. */
uint64_t judge_lost(const struct judge *judge, size_t i);
/* What it got beyond, where that was not counted when it came. */
uint64_t judge_extra(const struct judge *judge, size_t i);

#endif

/* judge.h - judges every message that a worker's connections get: is it for this connection, is it
 * the next one, how old is it? Counts into the worker's stats. One process. */
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
/* Connection FIRST + I is new. Its streams start at 0, or at any number with ANYWHERE. */
void judge_expect(struct judge *judge, size_t i, bool anywhere);
/* DATA is what connection FIRST + I got, and begins with a message. Takes a run of expected
 * messages, if their bytes alone identify them. Returns the bytes taken; the caller parses the
 * rest. */
size_t judge_run(struct judge *judge, size_t i, const uint8_t *data, size_t len);
/* Judges BODY, which connection FIRST + I got at NOW. */
void judge_message(struct judge *judge, size_t i, const uint8_t *body, size_t len, uint64_t now_ns);
/* Does what was put off. To be called after some reads, at the latest before waiting for more. */
void judge_flush(struct judge *judge);
/* The number of accepted messages that connection FIRST + I has not got. */
uint64_t judge_lost(const struct judge *judge, size_t i);
/* The number of messages it got too many, if they were not counted when they came. */
uint64_t judge_extra(const struct judge *judge, size_t i);
/* For tests: a worker keeps its judge until it is killed. */
void judge_free(struct judge *judge);

#endif

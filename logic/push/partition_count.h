/* partition_count.h - how many partitions messages are spread over: one number for all logics,
 * agreed in Redis, and who may produce by it while it changes (imc-logic --set-partitions,
 * repartition.c).
 *
 *   hash imc:bus:TOPIC   n, v       the number and its version, which rises with each change
 *                        hold       until when (Redis's time) nobody produces; since: from when
 *                        l:ID       "p MS": logic ID may produce, "h MS": it holds, and nothing of
 *                                   it is on its way
 *
 * A logic asks each second, more often when something is afoot. It may produce if
 *   - Redis has said so in the last PERMIT_MS, and has written down that it did, or
 *   - Kafka has exactly as many partitions as are agreed, and has said so in the last FRESH_MS: a
 *     change begins with more partitions, so none is under way.
 * So pushes go on while Redis is away, and yet none can use a number that is over: before anything
 * is produced by the new number, every logic that Redis has heard of holds, and those that it has
 * not heard of have seen Kafka's new number and stopped. Main loop only. */
#ifndef IMC_LOGIC_PUSH_PARTITION_COUNT_H
#define IMC_LOGIC_PUSH_PARTITION_COUNT_H

#include "logic/base/logic.h"

enum {
    PARTITION_COUNT_ASK_MS = 1000,
    PARTITION_COUNT_ASK_SOON_MS = 200,
    PARTITION_COUNT_PERMIT_MS = 3000,
    PARTITION_COUNT_FRESH_MS = 10000,
    PARTITION_COUNT_HOLD_MS = 5000,             /* a hold that is not renewed ends */
    PARTITION_COUNT_FORGET_MS = 10 * 60 * 1000, /* a logic that was not heard of so long is gone */
    PARTITION_COUNT_KEY_MAX = 300,
};

struct partition_count;
struct partition_count_events {
    /* Whether nothing is on its way to Kafka. */
    bool (*idle)(void *arg);
    /* It may be that producing is allowed now. */
    void (*opened)(void *arg);
};

/* Begins to ask as soon as logic->redis is there. Sets the ready condition "partitions". */
struct partition_count *
partition_count_open(struct logic *logic, const struct partition_count_events *events, void *arg);
/* What Kafka said at SEEN_MS, on the loop's clock. */
void partition_count_saw(struct partition_count *agree, int partitions, uint64_t seen_ms);
/* The number to produce by, or 0 and *WHY (may be NULL) nothing may be produced now. */
int partition_count_now(const struct partition_count *agree, const char **why);
/* Tells Redis that this logic is gone. NULL is fine. */
void partition_count_close(struct partition_count *agree);
/* The hash's name. */
void partition_count_key(const char *topic, char *buf, size_t size);

#endif

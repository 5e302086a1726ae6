/* partition_count.h - the number of partitions that messages are spread over. All logics agree on
 * it in Redis. While it changes (imc-logic --set-partitions, repartition.c), it says which logic
 * may produce. Main loop only.
 *
 *   hash imc:bus:TOPIC   n, v       the number and its version, which rises with each change
 *                        hold       until when (Redis's time) nobody produces; since: from when
 *                        l:ID       "p MS": logic ID may produce, "h MS": it holds, and nothing of
 *                                   it is on its way
 *
 * A logic asks Redis each second, and more often during a change. It may produce if one of these
 * holds:
 *   - Redis has permitted it in the last PERMIT_MS, and has recorded the permit ("p"), or
 *   - Kafka has exactly as many partitions as are agreed, and has said so in the last FRESH_MS: a
 *     change begins with more partitions, so none is under way.
 * So pushes go on while Redis is away, and yet none uses an old number. Before anything is produced
 * by the new number, all logics have stopped: those that Redis knows have said so ("h"), and any
 * other has seen Kafka's new number. */
#ifndef IMC_LOGIC_PUSH_PARTITION_COUNT_H
#define IMC_LOGIC_PUSH_PARTITION_COUNT_H

#include "logic/base/logic.h"

enum {
    PARTITION_COUNT_ASK_MS = 1000,
    PARTITION_COUNT_ASK_SOON_MS = 200,
    PARTITION_COUNT_PERMIT_MS = 3000,
    PARTITION_COUNT_FRESH_MS = 10000,
    PARTITION_COUNT_HOLD_MS = 5000,             /* `hold` ends so long after it was set, unless it
                                                 * is renewed */
    PARTITION_COUNT_FORGET_MS = 10 * 60 * 1000, /* a logic that has not asked for so long is gone */
    PARTITION_COUNT_KEY_MAX = 300,
};

struct partition_count;
struct partition_count_events {
    /* Is no message under way to Kafka? */
    bool (*idle)(void *arg);
    /* Producing may be allowed now. */
    void (*opened)(void *arg);
};

/* Begins to ask when logic->redis is set. Sets the ready condition "partitions". */
struct partition_count *
partition_count_open(struct logic *logic, const struct partition_count_events *events, void *arg);
/* Kafka said at SEEN_MS, by the loop's clock, that the topic has PARTITIONS. */
void partition_count_saw(struct partition_count *agree, int partitions, uint64_t seen_ms);
/* Until when we may produce, by the loop's clock, and by how many partitions; UNTIL_MS 0: not now.
 * *PERMIT changes with what Redis and Kafka say. */
struct partition_permit {
    uint64_t until_ms;
    int n;
};
const struct partition_permit *partition_count_permit(const struct partition_count *agree);
/* The number of partitions to produce by; 0: nothing may be produced now. */
static inline int partition_permit_now(const struct partition_permit *permit, uint64_t now_ms)
{
    return now_ms < permit->until_ms ? permit->n : 0;
}
/* Why nothing may be produced now; NULL: it may. */
const char *partition_count_refusal(const struct partition_count *agree);
/* Tells Redis that this logic is gone. NULL is fine. */
void partition_count_close(struct partition_count *agree);
/* Writes the name of the hash. */
void partition_count_key(const char *topic, char *buf, size_t size);

#endif

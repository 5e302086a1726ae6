/* topics.h - whether a topic is there, made if it is missing, and what it is like.
 *
 *   look (metadata) ─► there ─► limit (describe its configuration) ─► answered(true)
 *     ▲  │ missing ─► create ─┘ (looked at again)                        │ again_ms
 *     └──┴─ every second ◄── anything else: answered(false, why)         └─► look
 *
 * Looks before it creates, so that a user without the right to create can use a topic that is
 * there. librdkafka knows no way to look that does not block, so that is done on a thread of
 * libuv's pool. Its mock cluster (imc-devbus) cannot create or describe: there it is enough that it
 * answers. Owner loop only. */
#ifndef IMC_COMMON_KAFKA_TOPICS_H
#define IMC_COMMON_KAFKA_TOPICS_H

#include "common/base/loop.h"
#include <librdkafka/rdkafka.h>
#include <stdbool.h>

struct kafka_topic {
    const char *name; /* borrowed for the life of the bus_topics */
    int partitions, replication;
    const char *rights; /* what this program needs on the topic, for errors: "Describe and Read" */
    int again_ms;       /* look again so often, to see it change; 0: only when asked */
    bool limit;         /* ask for max.message.bytes, too */
};
struct kafka_topics;
struct kafka_look;

/* OK: the topic is there. Not OK: WHY for the log and /readyz; it is asked each second until it is.
 * When looked at again, only if it stays so for TOPICS_LATE_MS. */
typedef void (*kafka_topics_fn)(bool ok, const char *why, void *arg);
enum { TOPICS_LATE_MS = 5000 };

/* RK stays the caller's and must outlive this and kafka_look_wait(). -E… */
int kafka_topics_open(struct loop *loop, rd_kafka_t *rk, const struct kafka_topic *topic,
                      kafka_topics_fn answered, void *arg, struct kafka_topics **topics);
/* Ask now and until there is an answer: after RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, to learn when
 * they are back. */
void kafka_topics_ask(struct kafka_topics *topics);
/* As seen last; 0: not known. */
int kafka_topics_partitions(const struct kafka_topics *topics);
/* When the last look began that found the topic, on the loop's clock; 0: none has. */
uint64_t kafka_topics_seen_ms(const struct kafka_topics *topics);
/* max.message.bytes; 0: not known, because the user may not describe the topic's configuration. */
int64_t kafka_topics_max_bytes(const struct kafka_topics *topics);
/* No answered() after this returns. A look that is under way goes on: before RK is destroyed,
 * kafka_look_wait() takes what this returns (NULL is fine for both). */
struct kafka_look *kafka_topics_close(struct kafka_topics *topics);
/* Any thread, blocks for LOOK_MS at most. Consumes LOOK. */
enum { LOOK_MS = 2000 };
void kafka_look_wait(struct kafka_look *look);

#endif

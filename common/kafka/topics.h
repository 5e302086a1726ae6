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

struct bus_topic {
    const char *name; /* borrowed for the life of the bus_topics */
    int partitions, replication;
    const char *rights; /* what this program needs on the topic, for errors: "Describe and Read" */
    int again_ms;       /* look again so often, to see it change; 0: only when asked */
    bool limit;         /* ask for max.message.bytes, too */
};
struct bus_topics;
struct bus_look;

/* OK: the topic is there. Not OK: WHY for the log and /readyz; it is asked each second until it is.
 * When looked at again, only if it stays so for TOPICS_LATE_MS. */
typedef void (*bus_topics_fn)(bool ok, const char *why, void *arg);
enum { TOPICS_LATE_MS = 5000 };

/* RK stays the caller's and must outlive this and bus_look_wait(). -E… */
int bus_topics_open(struct loop *loop, rd_kafka_t *rk, const struct bus_topic *topic,
                    bus_topics_fn answered, void *arg, struct bus_topics **topics);
/* Ask now and until there is an answer: after RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, to learn when
 * they are back. */
void bus_topics_ask(struct bus_topics *topics);
/* As seen last; 0: not known. */
int bus_topics_partitions(const struct bus_topics *topics);
/* When the last look began that found the topic, on the loop's clock; 0: none has. */
uint64_t bus_topics_seen_ms(const struct bus_topics *topics);
/* max.message.bytes; 0: not known, because the user may not describe the topic's configuration. */
int64_t bus_topics_max_bytes(const struct bus_topics *topics);
/* No answered() after this returns. A look that is under way goes on: before RK is destroyed,
 * bus_look_wait() takes what this returns (NULL is fine for both). */
struct bus_look *bus_topics_close(struct bus_topics *topics);
/* Any thread, blocks for LOOK_MS at most. Consumes LOOK. */
enum { LOOK_MS = 2000 };
void bus_look_wait(struct bus_look *look);

#endif

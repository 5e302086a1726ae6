/* topics.h - watches whether a topic exists and what it is like, and creates it if it is missing.
 *
 *   look (metadata) ─► there ─► limit (describe its configuration) ─► answered(true)
 *     ▲  │ missing ─► create ─┘ (looked at again)                        │ again_ms
 *     └──┴─ every second ◄── anything else: answered(false, why)         └─► look
 *
 * It looks before it creates. So a user without the right to create can use a topic that exists.
 * librdkafka's only way to look blocks, so it runs on a thread of libuv's pool. librdkafka's mock
 * cluster (imc-devbus) can neither create nor describe topics. With it, any answer to the look is
 * enough. Owner loop only. */
#ifndef IMC_COMMON_KAFKA_TOPICS_H
#define IMC_COMMON_KAFKA_TOPICS_H

#include "common/base/loop.h"
#include <librdkafka/rdkafka.h>
#include <stdbool.h>

struct kafka_topic {
    const char *name;            /* has to outlive the kafka_topics */
    int partitions, replication; /* to create it with; PARTITIONS 0: it is never created */
    const char *settings; /* of its own if it is created: "name=value,name=value"; NULL: none */
    const char *rights; /* what this program needs on the topic, for errors: "Describe and Read" */
    int again_ms;       /* how often to look again, to notice changes; 0: only when asked */
    bool limit;         /* ask for max.message.bytes as well */
};
struct kafka_topics;
struct kafka_look;

/* OK: the topic exists. Not OK: it does not; WHY is for the log and /readyz. Looks go on every
 * second until it exists. A topic that existed is reported missing only after TOPICS_LATE_MS. */
typedef void (*kafka_topics_fn)(bool ok, const char *why, void *arg);
enum { TOPICS_LATE_MS = 5000 };

/* The caller owns RK, which has to outlive *TOPICS and kafka_look_wait(). 0 or -E…. */
int kafka_topics_open(struct loop *loop, rd_kafka_t *rk, const struct kafka_topic *topic,
                      kafka_topics_fn answered, void *arg, struct kafka_topics **topics);
/* Looks now, and again until there is an answer. For after RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, to
 * learn when brokers are back. */
void kafka_topics_ask(struct kafka_topics *topics);
/* The number of partitions at the last look; 0: not known. */
int kafka_topics_partitions(const struct kafka_topics *topics);
/* When the last look that found the topic began, by the loop's clock; 0: none has found it. */
uint64_t kafka_topics_seen_ms(const struct kafka_topics *topics);
/* max.message.bytes; 0: not known, because the user may not describe the topic's configuration. */
int64_t kafka_topics_max_bytes(const struct kafka_topics *topics);
/* answered() is not called after this returns. A look that is under way goes on, and is returned,
 * or NULL. Pass it to kafka_look_wait() before RK is destroyed. NULL is fine. */
struct kafka_look *kafka_topics_close(struct kafka_topics *topics);
/* Blocks until LOOK is done, for LOOK_MS at most. Frees LOOK. NULL is fine. Any thread. */
enum { LOOK_MS = 2000 };
void kafka_look_wait(struct kafka_look *look);

#endif

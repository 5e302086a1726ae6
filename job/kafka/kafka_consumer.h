/* kafka_consumer.h - job's membership of the consumer group: partitions come and go, messages are
 * read while there is room for them, offsets of what is resolved are stored. Main loop only;
 * librdkafka's threads only wake it. */
#ifndef IMC_JOB_KAFKA_KAFKA_CONSUMER_H
#define IMC_JOB_KAFKA_KAFKA_CONSUMER_H

#include "common/redis/redis.h"
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job;
struct kafka_consumer;

/* "bus": in the group with brokers that answer; "partitions": those that are ours are read; or WHY
 * not. */
typedef void (*kafka_ready_fn)(const char *what, bool ready, const char *why, void *arg);
/* Nothing is read any more (it was logged). Not SHORT: librdkafka's consumer has failed for good.
 * SHORT: the brokers want a longer session than job->session_ms; it has to be opened anew with
 * that. */
typedef void (*kafka_failed_fn)(bool is_short, void *arg);

/* Creates the topic if need be and joins the group. 0, or -E… after logging what is wrong and what
 * to do. The job must hold its lease: brokers give the partitions of an earlier member of the same
 * name (lease.id) to the later one, who is meant to be the same job after a restart. */
int kafka_consumer_open(struct job *job, struct redis *redis, kafka_ready_fn ready,
                        kafka_failed_fn failed, void *arg, struct kafka_consumer **consumer);
struct kafka_group {
    const char *name;
    int64_t session_ms, queued_kib; /* per partition */
    bool tells_end;                 /* RD_KAFKA_RESP_ERR__PARTITION_EOF is told */
};
/* Makes CONF that of a member of GROUP, which commits itself, and takes over what this job had
 * before a restart at once. 0, or -EINVAL with ERR. */
int kafka_consumer_settings(const struct job *job, const struct kafka_group *group,
                            rd_kafka_conf_t *conf, char *err, size_t errlen);
/* job->comets_known became true. */
void kafka_consumer_wake(struct kafka_consumer *consumer);
/* Stops reading, waits up to WAIT_MS for what is unresolved, stores and commits, leaves the group;
 * then DONE. */
void kafka_consumer_drain(struct kafka_consumer *consumer, int64_t wait_ms, void (*done)(void *arg),
                          void *arg);
/* At once. NULL is fine. Before the process ends: kafka_shutdowns_wait(). */
void kafka_consumer_close(struct kafka_consumer *consumer);
/* Partitions assigned, and those of them that nobody reads. */
size_t kafka_consumer_partitions(const struct kafka_consumer *consumer);
size_t kafka_consumer_unread(const struct kafka_consumer *consumer);
/* Partitions of the topic that no job has: group_share.h. */
size_t kafka_consumer_unowned(const struct kafka_consumer *consumer);

#endif

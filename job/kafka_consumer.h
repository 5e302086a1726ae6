/* kafka_consumer.h - job's membership of the consumer group: partitions come and go, messages are
 * read while there is room for them, offsets of what is resolved are stored. Owner loop only;
 * librdkafka's threads only wake it. */
#ifndef IMC_JOB_KAFKA_CONSUMER_H
#define IMC_JOB_KAFKA_CONSUMER_H

#include "common/redis/redis.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job;
struct bus_consumer;

/* "bus": in the group with brokers that answer; "partitions": those that are ours are read; or WHY
 * not. */
typedef void (*bus_ready_fn)(const char *what, bool ready, const char *why, void *arg);
/* Nothing is read any more (it was logged). Not SHORT: librdkafka's consumer has failed for good.
 * SHORT: the brokers want a longer session than job->session_ms; it has to be opened anew with
 * that. */
typedef void (*bus_failed_fn)(bool is_short, void *arg);

/* Creates the topic if need be and joins the group. 0, or -E… after logging what is wrong and what
 * to do. The job must hold its lease: brokers give the partitions of an earlier member of the same
 * name (lease.id) to the later one, who is meant to be the same job after a restart. */
int bus_consumer_open(struct job *job, struct redis *redis, bus_ready_fn ready,
                      bus_failed_fn failed, void *arg, struct bus_consumer **consumer);
/* job->comets_known became true. */
void bus_consumer_wake(struct bus_consumer *consumer);
/* Stops reading, waits up to WAIT_MS for what is unresolved, stores and commits, leaves the group;
 * then DONE. */
void bus_consumer_drain(struct bus_consumer *consumer, int64_t wait_ms, void (*done)(void *arg),
                        void *arg);
/* At once. NULL is fine. Before the process ends: bus_ends_wait(). */
void bus_consumer_close(struct bus_consumer *consumer);
/* Partitions assigned, and messages there behind what is resolved. */
size_t bus_consumer_partitions(const struct bus_consumer *consumer);
size_t bus_consumer_unread(const struct bus_consumer *consumer);
int64_t bus_consumer_lag(const struct bus_consumer *consumer);

#endif

/* bus.h - what logic (producer) and job (consumer) share about Kafka: settings, log, topics, waking
 * a loop.
 *
 *   librdkafka's threads ──► rd_kafka_queue ──eventfd──► bus_queue on a loop ──► drain():
 * rd_kafka_queue_poll(…, 0)
 *
 * No call here blocks. Configuration: any thread. bus_queue and bus_topics: owner loop only. */
#ifndef IMC_COMMON_BUS_H
#define IMC_COMMON_BUS_H

#include "common/loop.h"
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

/* A configuration with the brokers, CLIENT_ID and librdkafka's log led to log.h. The caller owns it
 * until rd_kafka_new(). NULL: ERR says why. */
rd_kafka_conf_t *bus_conf_new(const char *brokers, const char *client_id, char *err, size_t errlen);
/* One property. 0 or -EINVAL with ERR filled: the name, the value and what is wrong. */
int bus_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, char *err,
                 size_t errlen);
int bus_conf_set_int(rd_kafka_conf_t *conf, const char *name, int64_t value, char *err,
                     size_t errlen);
/* The operator's own properties, "name=value,name=value" (setting bus.options; NULL or "" = none).
 * A part without '=' belongs to the value before it, so that values may contain commas:
 * "debug=broker,topic". 0 or -EINVAL. */
int bus_conf_options(rd_kafka_conf_t *conf, const char *options, char *err, size_t errlen);
/* Only checks OPTIONS, for --check. */
int bus_options_check(const char *options, char *err, size_t errlen);

/* Calls a function on a loop when a librdkafka queue has something. */
struct bus_queue;
/* Takes what it wants from the queue (rd_kafka_queue_poll(queue, 0),
 * rd_kafka_consume_batch_queue(…, 0, …)) until that is empty. True: it stopped before that, and is
 * called again in the next turn. A drain that stops early and returns false (backpressure) must
 * call bus_queue_wake() when it has room again: an event only comes when the queue was empty. */
typedef bool (*bus_drain_fn)(rd_kafka_queue_t *queue, void *arg);
/* QUEUE stays the caller's and must outlive this; drain is called once at first for what waits
 * already. -E… */
int bus_queue_open(struct loop *loop, rd_kafka_queue_t *queue, bus_drain_fn drain, void *arg,
                   struct bus_queue **bus);
/* drain() will be called at the end of the turn. */
void bus_queue_wake(struct bus_queue *bus);
/* No drain() after this returns; frees at the end of the turn. NULL is fine. */
void bus_queue_close(struct bus_queue *bus);

/* Creates a topic if it does not exist, and with it asks whether the brokers answer. Repeats every
 * second until they do. librdkafka's mock cluster (imc-devbus) cannot be asked to: there it is
 * enough that it has once told its name. */
struct bus_topic {
    const char *name; /* borrowed for the life of the bus_topics */
    int partitions, replication;
};
struct bus_topics;
/* OK: the topic is there; then the asking stops until bus_topics_ask(). Not OK: WHY for the log and
 * /readyz; it goes on. */
typedef void (*bus_topics_fn)(bool ok, const char *why, void *arg);
/* RK stays the caller's and must outlive this. -E… */
int bus_topics_open(struct loop *loop, rd_kafka_t *rk, const struct bus_topic *topic,
                    bus_topics_fn answered, void *arg, struct bus_topics **topics);
/* Ask again until there is an answer: after RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, to learn when they
 * are back. */
void bus_topics_ask(struct bus_topics *topics);
/* No answered() after this returns. NULL is fine. */
void bus_topics_close(struct bus_topics *topics);

#endif

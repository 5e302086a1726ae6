/* kafka.h - what logic (producer) and job (consumer) share about Kafka: settings, log, waking a
 * loop, words for refusals.
 *
 *   librdkafka's threads ──► rd_kafka_queue ──eventfd──► kafka_queue on a loop ──► drain():
 *                                                                 rd_kafka_queue_poll(…, 0)
 *
 * No call here blocks. Configuration: any thread. kafka_queue: owner loop only. */
#ifndef IMC_COMMON_KAFKA_KAFKA_H
#define IMC_COMMON_KAFKA_KAFKA_H

#include "common/base/loop.h"
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

/* A configuration with the brokers, CLIENT_ID and librdkafka's log led to base/log.h. The caller
 * owns it until rd_kafka_new(). NULL: ERR says why. */
rd_kafka_conf_t *kafka_conf_new(const char *brokers, const char *client_id, char *err,
                                size_t errlen);
/* One property. 0 or -EINVAL with ERR filled: the name, the value and what is wrong. */
int kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, char *err,
                   size_t errlen);
int kafka_conf_set_int(rd_kafka_conf_t *conf, const char *name, int64_t value, char *err,
                       size_t errlen);
/* The operator's own properties, "name=value,name=value" (setting bus.options; NULL or "" = none).
 * A part without '=' belongs to the value before it, so that values may contain commas:
 * "debug=broker,topic". 0 or -EINVAL. */
int kafka_conf_options(rd_kafka_conf_t *conf, const char *options, char *err, size_t errlen);
/* Only checks OPTIONS, for --check. */
int kafka_options_check(const char *options, char *err, size_t errlen);

/* Calls a function on a loop when a librdkafka queue has something. */
struct kafka_queue;
/* Takes what it wants from the queue (rd_kafka_queue_poll(queue, 0),
 * rd_kafka_consume_batch_queue(…, 0, …)) until that is empty. True: it stopped before that, and is
 * called again in the next turn. A drain that stops early and returns false (backpressure) must
 * call kafka_queue_wake() when it has room again: an event only comes when the queue was empty. */
typedef bool (*kafka_drain_fn)(rd_kafka_queue_t *queue, void *arg);
/* QUEUE stays the caller's and must outlive this; drain is called once at first for what waits
 * already. -E… */
int kafka_queue_open(struct loop *loop, rd_kafka_queue_t *queue, kafka_drain_fn drain, void *arg,
                     struct kafka_queue **bus);
/* drain() will be called at the end of the turn. */
void kafka_queue_wake(struct kafka_queue *bus);
/* No drain() after this returns; frees at the end of the turn. NULL is fine. */
void kafka_queue_close(struct kafka_queue *bus);

/* What logic writes to see whether it can, and job skips: imc.v1.PushMsg with the type 16, which is
 * no push. */
#define KAFKA_PROBE "\x08\x10"
enum { KAFKA_PROBE_LEN = 2 };

/* What a refusal means and what to grant, in BUF: "Kafka refuses … (NAME): grant …"; RIGHTS: what
 * the program needs on TOPIC ("Describe and Write"). False: CODE is no refusal, BUF is untouched.
 */
bool kafka_refusal(rd_kafka_resp_err_t code, const char *topic, const char *rights, char *buf,
                   size_t size);

#endif

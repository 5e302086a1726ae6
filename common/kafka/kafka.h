/* kafka.h - what logic (a producer) and job (a consumer) share about Kafka: settings, logging,
 * waking a loop, and the text for a refusal.
 *
 *   librdkafka's threads ──► rd_kafka_queue ──eventfd──► kafka_queue on a loop ──► drain():
 *                                                                 rd_kafka_queue_poll(…, 0)
 *
 * No function blocks. Functions of kafka_queue: owner loop only. All others: any thread. */
#ifndef IMC_COMMON_KAFKA_KAFKA_H
#define IMC_COMMON_KAFKA_KAFKA_H

#include "common/base/loop.h"
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

/* A configuration with BROKERS and CLIENT_ID. librdkafka logs through base/log.h. The caller owns
 * it until rd_kafka_new(). NULL: ERR says why. */
rd_kafka_conf_t *kafka_conf_new(const char *brokers, const char *client_id, char *err,
                                size_t errlen);
/* Sets one property. 0, or -EINVAL with ERR saying what is wrong, with name and value. */
int kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, char *err,
                   size_t errlen);
int kafka_conf_set_int(rd_kafka_conf_t *conf, const char *name, int64_t value, char *err,
                       size_t errlen);
/* Sets the operator's own properties, "name=value,name=value" (setting bus.options; NULL or "":
 * none). A part without '=' belongs to the value before it, so that a value may contain commas:
 * "debug=broker,topic". 0, or -EINVAL with ERR. */
int kafka_conf_options(rd_kafka_conf_t *conf, const char *options, char *err, size_t errlen);
/* Only checks OPTIONS, for --check. 0, or -EINVAL with ERR. */
int kafka_options_check(const char *options, char *err, size_t errlen);

/* Calls a function on a loop when a librdkafka queue has something. */
struct kafka_queue;
/* Takes items from QUEUE (rd_kafka_queue_poll(queue, 0), rd_kafka_consume_batch_queue(…, 0, …))
 * until it is empty. True: it stopped before that, and wants to be called again in the next turn.
 * If it stops early and returns false (backpressure), its owner has to call kafka_queue_wake() when
 * there is room again. librdkafka wakes us only when the queue was empty. */
typedef bool (*kafka_drain_fn)(rd_kafka_queue_t *queue, void *arg);
/* Calls DRAIN when QUEUE has something, and once at first. The caller owns QUEUE, which has to
 * outlive *BUS. 0 or -E…. */
int kafka_queue_open(struct loop *loop, rd_kafka_queue_t *queue, kafka_drain_fn drain, void *arg,
                     struct kafka_queue **bus);
/* Has drain() called at the end of the turn. */
void kafka_queue_wake(struct kafka_queue *bus);
/* drain() is not called after this returns. Frees BUS at the end of the turn. NULL is fine. */
void kafka_queue_close(struct kafka_queue *bus);

/* The message that logic writes to find out whether it can write. It is an imc.v1.PushMsg of type
 * 16, which is not a push: job skips it. */
#define KAFKA_PROBE "\x08\x10"
enum { KAFKA_PROBE_LEN = 2 };

/* Writes to BUF what a refusal means and which right to grant: "Kafka refuses … (NAME): grant …".
 * RIGHTS are those that the program needs on TOPIC ("Describe and Write"). False: CODE is not a
 * refusal, and BUF is untouched. */
bool kafka_refusal(rd_kafka_resp_err_t code, const char *topic, const char *rights, char *buf,
                   size_t size);

/* Writes why no broker answers: because of TLS or the password, if a client of this process said so
 * lately. Any thread. */
void kafka_why_silent(char *buf, size_t size);

#endif

/* shutdown.h - the end of librdkafka's instances, which nobody waits for without limit.
 *
 *   kafka_shutdown ─► a thread: kafka_look_wait, purge, rd_kafka_destroy ─► over
 *                  └── KAFKA_SHUTDOWN_MS passed: taken for over; the log has it
 *
 * rd_kafka_destroy() joins all threads of the instance. They may be looking up a name at servers
 * that do not answer, or wait for a reference that librdkafka itself has lost (2.0: a partition
 * that vanished with its topic), for ever. Any thread. */
#ifndef IMC_COMMON_KAFKA_SHUTDOWN_H
#define IMC_COMMON_KAFKA_SHUTDOWN_H

#include "common/kafka/topics.h"
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

enum { KAFKA_SHUTDOWN_MS = 5000 };

struct kafka_shutdown;

/* Takes RK and LOOK (NULL: none). The caller has closed all that is RK's, queues and topics, and
 * has closed a consumer that is to leave its group: here it just goes. What a producer has not
 * delivered is dropped. The caller owns the answer and gives it to kafka_shutdown_forget(). */
struct kafka_shutdown *kafka_shutdown(rd_kafka_t *rk, struct kafka_look *look);
/* RK is destroyed, or it would take too long: it sends nothing any more. */
bool kafka_shutdown_is_over(const struct kafka_shutdown *end);
/* It goes on by itself. NULL is fine. */
void kafka_shutdown_forget(struct kafka_shutdown *end);
/* Before the process ends: waits for all of them, each for KAFKA_SHUTDOWN_MS at most. How many are
 * left, with threads that still run. */
size_t kafka_shutdowns_wait(void);

#endif

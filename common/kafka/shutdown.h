/* shutdown.h - destroys instances of librdkafka without blocking the caller for ever.
 *
 *   kafka_shutdown ─► a thread: kafka_look_wait, purge, rd_kafka_destroy ─► over
 *                  └── KAFKA_SHUTDOWN_MS passed: taken for over; the log has it
 *
 * rd_kafka_destroy() joins all threads of the instance. That may take for ever. A thread may be
 * looking up a name at servers that do not answer. Or it waits for a reference that librdkafka 2.0
 * loses when a partition vanishes with its topic. Any thread. */
#ifndef IMC_COMMON_KAFKA_SHUTDOWN_H
#define IMC_COMMON_KAFKA_SHUTDOWN_H

#include "common/kafka/topics.h"
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

enum { KAFKA_SHUTDOWN_MS = 5000 };

struct kafka_shutdown;

/* Takes ownership of RK and LOOK (NULL: none), and destroys RK on a thread. Before, the caller has
 * to close RK's queues and topics. A consumer that is to leave its group has to be closed before as
 * well. What a producer has not delivered is dropped. The caller owns the result and passes it to
 * kafka_shutdown_forget(). */
struct kafka_shutdown *kafka_shutdown(rd_kafka_t *rk, struct kafka_look *look);
/* RK is destroyed, or takes longer than KAFKA_SHUTDOWN_MS. In either case it sends nothing any
 * more. */
bool kafka_shutdown_is_over(const struct kafka_shutdown *end);
/* Drops the caller's interest; the shutdown goes on. NULL is fine. */
void kafka_shutdown_forget(struct kafka_shutdown *end);
/* Forgets *END and makes it NULL once it is over. True: it is NULL, now or before. */
bool kafka_shutdown_reap(struct kafka_shutdown **end);
/* Call it before the process ends. Blocks until all shutdowns are over, for KAFKA_SHUTDOWN_MS each
 * at most. Returns how many are not done: their threads still run. */
size_t kafka_shutdowns_wait(void);

#endif

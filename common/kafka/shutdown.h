/* shutdown.h - the end of librdkafka's instances, which nobody waits for without limit.
 *
 *   bus_end ─► a thread: bus_look_wait, purge, rd_kafka_destroy ─► over
 *                └── BUS_END_MS passed: taken for over; the log has it
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

enum { BUS_END_MS = 5000 };

struct bus_end;

/* Takes RK and LOOK (NULL: none). The caller has closed all that is RK's, queues and topics, and
 * has closed a consumer that is to leave its group: here it just goes. What a producer has not
 * delivered is dropped. The caller owns the answer and gives it to bus_end_forget(). */
struct bus_end *bus_end(rd_kafka_t *rk, struct bus_look *look);
/* RK is destroyed, or it would take too long: it sends nothing any more. */
bool bus_end_is_over(const struct bus_end *end);
/* It goes on by itself. NULL is fine. */
void bus_end_forget(struct bus_end *end);
/* Before the process ends: waits for all of them, each for BUS_END_MS at most. How many are left,
 * with threads that still run. */
size_t bus_ends_wait(void);

#endif

/* dispatch.h - from a message of the bus to what comets or logic are asked. Main loop only. */
#ifndef IMC_JOB_DELIVERY_DISPATCH_H
#define IMC_JOB_DELIVERY_DISPATCH_H

#include "job/base/user_order.h"
#include <stddef.h>
#include <stdint.h>

struct partition;

/* The message at OFFSET, an imc.v1.PushMsg; PAYLOAD is not needed afterwards. What is no valid
 * envelope is counted, logged and skipped. */
void dispatch_message(struct partition *partition, int64_t offset, const void *payload, size_t len);

/* The same message, read again: if it is parked, it goes on now, unless its shard is passed over.
 * The bus was read from FROM on. If a message is parked between FROM and OFFSET, the bus does not
 * have it any more: it is lost, which is counted and logged. */
void dispatch_again(struct partition *partition, int64_t from, int64_t offset, const void *payload,
                    size_t len);

/* What user_order.h asks; ARG is the struct job. */
extern const struct user_order_ops dispatch_order_ops;

#endif

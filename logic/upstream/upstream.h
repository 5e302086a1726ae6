/* upstream.h - produces what clients send to the business to the topic upstream.topic. Main loop
 * only.
 *
 * Messages with the same uid go to the same partition, in the order of the calls; what is told of
 * them: common/kafka/ordered_producer.h. Comets send what fails again, with the same number.
 *
 * The topic is the business's: it is not created. The ready condition "upstream" says whether it
 * takes messages; nothing else waits for it. */
#ifndef IMC_LOGIC_UPSTREAM_UPSTREAM_H
#define IMC_LOGIC_UPSTREAM_UPSTREAM_H

#include "common/kafka/ordered_producer.h"
#include "logic/base/logic.h"
#include "logic/upstream/cloud_event.h"

/* Fills logic->upstream, or leaves it NULL if upstream.topic is empty. The caller closes it with
 * ordered_producer_close(). 0, or -EINVAL and the like after logging. */
int upstream_open(struct logic *logic);
/* Sends EVENT, of which nothing is kept, if there is a logic->upstream. As
 * ordered_producer_send(). */
int upstream_send(struct logic *logic, const struct upstream_event *event,
                  struct ordered_ticket *ticket);

#endif

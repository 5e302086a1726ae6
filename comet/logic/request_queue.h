/* request_queue.h - moves requests between queues; each keeps its order. Any thread that owns the
 * queues. */
#ifndef IMC_COMET_LOGIC_REQUEST_QUEUE_H
#define IMC_COMET_LOGIC_REQUEST_QUEUE_H

#include "comet/logic/logic_request.h"

/* Moves requests whose deadline has passed at NOW (loop time) from QUEUE to EXPIRED, but no Connect
 * that was sent: whether logic let it in is not known. Returns how many. */
int request_queue_expire(struct logic_request_queue *queue, struct logic_request_queue *expired,
                         uint64_t now);
/* Moves all REQUESTS into QUEUE, before those that are in it: they were sent later. */
void request_queue_put_back(struct logic_request_queue *queue,
                            struct logic_request_queue *requests);
/* Moves the Connects of REQUESTS to CONNECTS. Returns how many. */
int request_queue_split(struct logic_request_queue *requests, struct logic_request_queue *connects);

#endif

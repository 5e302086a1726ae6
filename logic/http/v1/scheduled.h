/* scheduled.h - pushes for later. Main loop only. */
#ifndef IMC_LOGIC_HTTP_V1_SCHEDULED_H
#define IMC_LOGIC_HTTP_V1_SCHEDULED_H

#include "logic/http/v1/push.h"
#include "logic/later/later.h"

/* Is PUSH, of schema_push, for later? ERRORS: it is for too late. */
bool v1_scheduled_is_later(const struct v1_call *call, const struct schema_value *push,
                           struct schema_errors *errors);
/* REFUSAL is NULL if the message waits for its time AT as ID. */
typedef void (*v1_scheduled_fn)(void *arg, const struct api_refusal *refusal, const char *id,
                                int64_t at);
/* Schedules PUSH, which v1_push_new() has found right. KEY is its idempotency key; NULL: none. FN
 * runs once, never before this returns. */
void v1_scheduled_add(const struct v1_call *call, const struct schema_value *push, const char *key,
                      v1_scheduled_fn fn, void *arg);
/* Of later_open(). */
void v1_scheduled_deliver(struct logic *logic, const struct later_item *item);

#endif

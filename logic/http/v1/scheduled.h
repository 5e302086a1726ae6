/* scheduled.h - pushes for later. Main loop only. */
#ifndef IMC_LOGIC_HTTP_V1_SCHEDULED_H
#define IMC_LOGIC_HTTP_V1_SCHEDULED_H

#include "logic/http/v1/push.h"
#include "logic/later/later.h"

/* Is PUSH, of schema_push, for later? ERRORS: it is for too late. */
bool v1_scheduled_is_later(const struct v1_call *call, const struct schema_value *push,
                           struct schema_errors *errors);
/* Valid during the call of FN. */
struct v1_scheduled {
    const struct api_refusal *refusal; /* NULL: none */
    const char *id;                    /* it waits as ID for its time AT; NULL: the push was made */
    int64_t at;
    const char *kept; /* what its first call kept: KEPT_LEN bytes */
    size_t kept_len;
};
typedef void (*v1_scheduled_fn)(void *arg, const struct v1_scheduled *outcome);
/* Schedules PUSH, which v1_push_new() has made of VALUE, and frees it. KEY is its idempotency key;
 * NULL: none. FN runs once, never before this returns. The request has the text of VALUE until
 * then. */
void v1_scheduled_add(const struct v1_call *call, const struct schema_value *value,
                      struct push_call *push, const char *key, v1_scheduled_fn fn, void *arg);
/* Of later_open(). */
void v1_scheduled_deliver(struct logic *logic, const struct later_item *item);

#endif

/* push.h - a push of /v1: from its JSON, and to its answer. Main loop only. */
#ifndef IMC_LOGIC_HTTP_V1_PUSH_H
#define IMC_LOGIC_HTTP_V1_PUSH_H

#include "logic/http/idempotency.h"
#include "logic/http/push_call.h"
#include "logic/http/v1/call.h"

/* Makes the push that VALUE, of schema_push, describes. KEY is its idempotency key if it has no
 * `id`; NULL: none. What VALUE leads to has to stay until the push is answered. NULL: ERRORS says
 * what is wrong. The caller sets ANSWER and ARG, and runs it by push_call_run() with *ID. */
struct push_call *v1_push_new(const struct v1_call *call, const struct schema_value *value,
                              const char *key, const char **id, struct schema_errors *errors);
/* Writes the members of how PUSH ended, without braces. Returns the status. */
int v1_push_print(FILE *out, const struct push_call *push, const struct push_outcome *outcome);

/* push_call's keep. */
char *v1_push_keep(struct push_call *push, const struct push_outcome *outcome);

#endif

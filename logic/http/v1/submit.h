/* submit.h - a push of /v1 that has come, alone or in a batch: it goes now, or later. Main loop
 * only. */
#ifndef IMC_LOGIC_HTTP_V1_SUBMIT_H
#define IMC_LOGIC_HTTP_V1_SUBMIT_H

#include "logic/http/v1/scheduled.h"

/* As v1_push_new(). *LATER: the push is for v1_scheduled_add(). */
struct push_call *v1_submit_check(const struct v1_call *call, const struct schema_value *value,
                                  const char *key, const char **id, bool *later,
                                  struct schema_errors *errors);
/* Writes the members of the answer to a push for later. */
void v1_submit_print_later(FILE *out, const struct v1_scheduled *outcome);

#endif

/* failure.h - what is wrong if the business does not answer: STATUS is -E… of http_client_fn, or
 * the status of an answer that is none. Pure; any thread. */
#ifndef IMC_LOGIC_HOOK_FAILURE_H
#define IMC_LOGIC_HOOK_FAILURE_H

#include "logic/base/metrics.h"

#include <stdbool.h>
#include <stddef.h>

/* No connection, no answer in time, or 502, 503, 504. */
bool failure_is_worth_another_try(int status);
/* For the log. */
void failure_why(int status, char *why, size_t len);
/* The counter. */
enum logic_metric failure_reason(int status);

#endif

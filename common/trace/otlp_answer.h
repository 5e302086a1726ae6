/* otlp_answer.h - what a collector answers to spans (OTLP 1.x, "OTLP/HTTP Response"). Pure; any
 * thread. */
#ifndef IMC_COMMON_TRACE_OTLP_ANSWER_H
#define IMC_COMMON_TRACE_OTLP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

enum { OTLP_WHY_MAX = 200 };

/* How many of N spans a collector refuses that answered 2xx with LEN bytes at BODY
 * (partialSuccess): 0 to N. WHY is its reason, without control characters and quotes, or "". */
size_t otlp_answer_refused(const char *body, size_t len, size_t n, char why[OTLP_WHY_MAX]);
/* May the same spans be taken later? STATUS is that of http_client_fn. */
bool otlp_answer_is_for_now(int status);

#endif

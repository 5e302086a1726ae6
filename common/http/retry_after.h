/* retry_after.h - reads Retry-After (RFC 9110, section 10.2.3). Pure; any thread. */
#ifndef IMC_COMMON_HTTP_RETRY_AFTER_H
#define IMC_COMMON_HTTP_RETRY_AFTER_H

#include <stdint.h>

/* For how many seconds the server of VALUE wants to be left alone, at most MOST_S, at the Unix time
 * NOW_S: "120", or a date as RFC 9110 prefers it. 0: VALUE is NULL, past, or neither. */
int64_t retry_after_s(const char *value, int64_t now_s, int64_t most_s);

#endif

/* cloud_attributes.h - texts of attributes that all our CloudEvents have. Pure; any thread. */
#ifndef IMC_COMMON_EVENTS_CLOUD_ATTRIBUTES_H
#define IMC_COMMON_EVENTS_CLOUD_ATTRIBUTES_H

#include <stdint.h>

enum {
    CLOUD_NAME_MOST = 63,   /* bytes of a comet's name that are used: struct member's limit */
    CLOUD_SOURCE_MAX = 256, /* a name's bytes are three each at most here */
    CLOUD_TIME_MAX = 64,
};

/* /imc/comet/NAME, escaped as in a URI. A name that is too long is cut. */
void cloud_source(const char *comet, char out[CLOUD_SOURCE_MAX]);
/* RFC 3339, in UTC, of Unix time. */
void cloud_time(uint64_t unix_ms, char out[CLOUD_TIME_MAX]);

#endif

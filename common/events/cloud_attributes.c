#include "common/events/cloud_attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* May C stand for itself in a path (RFC 3986, unreserved)? */
static bool is_unreserved(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           (c != '\0' && strchr("-._~", c) != NULL);
}

void cloud_source(const char *comet, char out[CLOUD_SOURCE_MAX])
{
    static const char path[] = "/imc/comet/";
    size_t at = sizeof path - 1, len = strnlen(comet, CLOUD_NAME_MOST);

    memcpy(out, path, at);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)comet[i];
        at += (size_t)snprintf(out + at, CLOUD_SOURCE_MAX - at, is_unreserved(c) ? "%c" : "%%%02X",
                               c);
    }
    out[at] = '\0';
}

void cloud_time(uint64_t unix_ms, char out[CLOUD_TIME_MAX])
{
    time_t second = (time_t)(unix_ms / 1000);
    struct tm tm = {0};

    (void)gmtime_r(&second, &tm);
    size_t at = strftime(out, CLOUD_TIME_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out + at, CLOUD_TIME_MAX - at, ".%03uZ", (unsigned)(unix_ms % 1000));
}

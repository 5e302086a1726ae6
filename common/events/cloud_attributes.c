#include "common/events/cloud_attributes.h"
#include "common/base/text.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void cloud_source(const char *comet, char out[CLOUD_SOURCE_MAX])
{
    static const char path[] = "/imc/comet/";
    size_t at = sizeof path - 1;

    memcpy(out, path, at);
    text_to_uri(comet, strnlen(comet, CLOUD_NAME_MOST), out + at, CLOUD_SOURCE_MAX - at);
}

void cloud_time(uint64_t unix_ms, char out[CLOUD_TIME_MAX])
{
    time_t second = (time_t)(unix_ms / 1000);
    struct tm tm = {0};

    (void)gmtime_r(&second, &tm);
    size_t at = strftime(out, CLOUD_TIME_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out + at, CLOUD_TIME_MAX - at, ".%03uZ", (unsigned)(unix_ms % 1000));
}

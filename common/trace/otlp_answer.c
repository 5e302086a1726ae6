#include "common/trace/otlp_answer.h"
#include "common/base/text.h"
#include "common/protocol/json_scan.h"

#include <stdio.h>
#include <stdlib.h>

/* 64 bits are text in JSON as protobuf has it, and may be a number. */
static int64_t read_count(const json_t *value)
{
    const char *text = json_string_value(value);

    return text != NULL ? strtoll(text, NULL, 10) : json_integer_value(value);
}

static void copy_why(const char *text, char why[OTLP_WHY_MAX])
{
    (void)snprintf(why, OTLP_WHY_MAX, "%s", text != NULL ? text : "");
    for (char *at = why; *at != '\0'; at++) {
        if (*at == '"' || text_has_control(at, 1))
            *at = ' ';
    }
}

size_t otlp_answer_refused(const char *body, size_t len, size_t n, char why[OTLP_WHY_MAX])
{
    json_error_t error;
    json_t *answer = json_load(body, len, 0, &error);
    const json_t *partial = json_object_get(answer, "partialSuccess");
    int64_t refused = read_count(json_object_get(partial, "rejectedSpans"));

    copy_why(json_string_value(json_object_get(partial, "errorMessage")), why);
    json_decref(answer);
    if (refused <= 0)
        return 0;
    return (size_t)refused < n ? (size_t)refused : n;
}

bool otlp_answer_is_for_now(int status)
{
    switch (status) {
    case 429:
    case 502:
    case 503:
    case 504:
        return true;
    default:
        return status < 0;
    }
}

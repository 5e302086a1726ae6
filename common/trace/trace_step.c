#include "common/trace/trace_step.h"
#include "common/protocol/json_scan.h"
#include "common/protocol/session_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MOST = 128 };

static const char *const names[] = {
#define X(id, name, doc) name,
    TRACE_STEPS_TABLE(X)
#undef X
};

const char *trace_step_name(enum trace_what what)
{
    return names[what];
}

bool trace_step_of(const char *name, enum trace_what *out)
{
    for (int i = 0; i < TRACE_WHATS; i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (enum trace_what)i;
            return true;
        }
    }
    return false;
}

/* Takes over what was written behind STEP->more, LEN bytes, if all of it fitted. */
static void take(struct trace_step *step, int len)
{
    if (len > 0 && (size_t)len < sizeof step->more - step->len)
        step->len += (size_t)len;
    step->more[step->len] = '\0';
}

void trace_step_number(struct trace_step *step, const char *name, int64_t value)
{
    take(step, snprintf(step->more + step->len, sizeof step->more - step->len, ",\"%s\":%" PRId64,
                        name, value));
}

void trace_step_id(struct trace_step *step, const char *name, uint64_t value)
{
    take(step, snprintf(step->more + step->len, sizeof step->more - step->len,
                        ",\"%s\":\"%" PRIu64 "\"", name, value));
}

void trace_step_text(struct trace_step *step, const char *name, const char *text)
{
    uint8_t json[6 * TEXT_MOST + 2];
    size_t len =
        json_write_string((const uint8_t *)text, strnlen(text, TEXT_MOST), json, sizeof json);

    take(step, snprintf(step->more + step->len, sizeof step->more - step->len, ",\"%s\":%.*s", name,
                        (int)len, (const char *)json));
}

void trace_step_session(struct trace_step *step, const char *comet, uint64_t handle)
{
    char session[SESSION_TEXT_MAX];

    session_text_write(handle, comet, session);
    trace_step_text(step, "session", session);
}

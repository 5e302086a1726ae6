/* story.c - see trace_read.h. */
#include "common/base/mem.h"
#include "common/protocol/json_scan.h"
#include "logic/trace/trace_read.h"

#include <stdlib.h>
#include <string.h>

bool story_add(struct story *story, const char *text, size_t len)
{
    json_error_t why;
    json_t *members = json_load(text, len, 0, &why);
    const char *name = json_string_value(json_object_get(members, "step"));
    const json_t *at = json_object_get(members, "at");
    struct story_step step = {.members = members};

    if (name == NULL || !json_is_integer(at) || !trace_step_of(name, &step.what)) {
        json_decref(members);
        return false;
    }
    step.at_us = json_integer_value(at);
    step.session = json_string_value(json_object_get(members, "session"));
    story->steps = mem_realloc(story->steps, (story->n + 2) * sizeof *story->steps);
    story->steps[story->n++] = step;
    return true;
}

/* Clocks of two machines may differ by more than the time between two steps. Then the steps stand
 * in the order in which they have to be. */
static int compare(const void *a, const void *b)
{
    const struct story_step *x = a, *y = b;

    if (x->at_us != y->at_us)
        return x->at_us < y->at_us ? -1 : 1;
    return (int)x->what - (int)y->what;
}

static bool has(const struct story *story, enum trace_what what)
{
    for (size_t i = 0; i < story->n; i++) {
        if (story->steps[i].what == what)
            return true;
    }
    return false;
}

/* When the message ends in a mailbox, Unix milliseconds; 0: it is for none. */
static int64_t ends_of(const struct story *story)
{
    for (size_t i = 0; i < story->n; i++) {
        const json_t *ends = json_object_get(story->steps[i].members, "ends");
        if (story->steps[i].what == TRACE_ACCEPTED && ends != NULL)
            return json_integer_value(ends);
    }
    return 0;
}

/* Redis removes what has expired, and tells nobody. */
static bool has_expired(const struct story *story, uint64_t now_ms)
{
    int64_t ends = ends_of(story);

    return ends != 0 && (uint64_t)ends <= now_ms && has(story, TRACE_STORED) &&
           !has(story, TRACE_TAKEN) && !has(story, TRACE_TRIMMED) && !has(story, TRACE_REPLACED) &&
           !has(story, TRACE_EXPIRED);
}

static const char *state_of(const struct story *story)
{
    static const enum trace_what furthest[] = {
        TRACE_ACKNOWLEDGED, TRACE_WRITTEN, TRACE_TRIMMED, TRACE_REPLACED,
        TRACE_EXPIRED,      TRACE_STORED,  TRACE_FAILED,
    };

    for (size_t i = 0; i < sizeof furthest / sizeof furthest[0]; i++) {
        if (has(story, furthest[i]))
            return trace_step_name(furthest[i]);
    }
    return trace_step_name(story->steps[story->n - 1].what);
}

void story_conclude(struct story *story, uint64_t now_ms)
{
    if (story->n == 0)
        return;
    qsort(story->steps, story->n, sizeof *story->steps, compare);
    if (has_expired(story, now_ms)) /* story_add() has left room */
        story->steps[story->n++] =
            (struct story_step){.at_us = ends_of(story) * 1000, .what = TRACE_EXPIRED};
    story->state = state_of(story);
}

void story_free(struct story *story)
{
    for (size_t i = 0; i < story->n; i++)
        json_decref(story->steps[i].members);
    free(story->steps);
    *story = (struct story){0};
}

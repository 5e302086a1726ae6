/* trace_read.h - reads what is known of a traced message, or of a traced push, from Redis. Main
 * loop only. */
#ifndef IMC_LOGIC_TRACE_TRACE_READ_H
#define IMC_LOGIC_TRACE_TRACE_READ_H

#include "common/trace/trace_step.h"
#include "logic/base/logic.h"

#include <jansson.h>

struct story_step {
    int64_t at_us; /* Unix time */
    enum trace_what what;
    json_t *members;     /* an object; NULL: it was concluded, nobody told it */
    const char *session; /* in MEMBERS; NULL: of none */
};

/* The steps of a message, in the order of time. */
struct story {
    size_t n; /* 0: nothing is known */
    struct story_step *steps;
    const char *state; /* how far it has come, below */
};

/* Both: ERR is 0, or -EAGAIN if Redis does not answer. What they get is valid during the call. */
typedef void (*story_fn)(void *arg, int err, const struct story *story);
void trace_read_message(struct logic *logic, uint64_t id, story_fn fn, void *arg);

struct push_story {
    bool known;
    uint64_t ends_ms; /* Unix time after which none of its messages waits in a mailbox; 0: none may
                       */
    uint64_t counts[TRACE_WHATS];
};
typedef void (*push_story_fn)(void *arg, int err, const struct push_story *story);
void trace_read_push(struct logic *logic, uint64_t id, push_story_fn fn, void *arg);

/* --- story.c, pure --- */

/* Adds a step that was read. False: TEXT is none. */
bool story_add(struct story *story, const char *text, size_t len);
/* All were added: sorts them, concludes that the message has expired if it has, and sets the state:
 * "acknowledged" or "written" if one session got so far, or else "trimmed", "replaced", "expired",
 * "stored", "failed", or else the last step. */
void story_conclude(struct story *story, uint64_t now_ms);
void story_free(struct story *story);

#endif

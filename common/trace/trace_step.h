/* trace_step.h - what may happen to a message on its way. Pure; any thread.
 *
 *   accepted ─► produced ─► read ─► dispatched ─► sent ─► written ─► acknowledged
 *        │         │          └───────┬──► stored ─► sent …
 *        └─► failed                   │      └─► trimmed, replaced, expired
 *                                     └─ gone, dropped, declined, put_off */
#ifndef IMC_COMMON_TRACE_TRACE_STEP_H
#define IMC_COMMON_TRACE_TRACE_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(ID, name, who). The names stand in Redis and in the answers of the HTTP API. */
#define TRACE_STEPS_TABLE(X)                                                                \
    X(ACCEPTED, "accepted", "logic has given it an id")                                     \
    X(PRODUCED, "produced", "logic: Kafka has it")                                          \
    X(FAILED, "failed", "logic: Kafka did not take it, and the caller was told so")         \
    X(READ, "read", "job has read it from Kafka")                                           \
    X(DISPATCHED, "dispatched", "job gives it to a comet")                                  \
    X(SENT, "sent", "comet gives it to a session")                                          \
    X(WRITTEN, "written", "the kernel of comet's machine has all of it")                    \
    X(ACKNOWLEDGED, "acknowledged", "the device has acknowledged it")                       \
    X(DECLINED, "declined", "comet: the session does not take its operation")               \
    X(GONE, "gone", "comet: the session is not there any more")                             \
    X(DROPPED, "dropped", "comet: the session ended before it was written or acknowledged") \
    X(PUT_OFF, "put_off", "job, logic: it could not be stored yet, and is tried again")     \
    X(STORED, "stored", "logic: it waits in the mailbox")                                   \
    X(TAKEN, "taken", "logic: it has left the mailbox, because a session had it")           \
    X(TRIMMED, "trimmed", "logic: it has left the mailbox, because that has a limit")       \
    X(REPLACED, "replaced", "logic: a newer message has its collapse key, and its place")   \
    X(EXPIRED, "expired", "its time was over before anybody had it")

enum trace_what {
#define X(id, name, doc) TRACE_##id,
    TRACE_STEPS_TABLE(X)
#undef X
        TRACE_WHATS
};

enum { TRACE_MORE_MAX = 320 };

struct trace_step {
    uint64_t id; /* of the message */
    enum trace_what what;
    uint32_t sessions; /* of a room's or everybody's message: so many at once; 0: it is one */
    uint64_t at_us;    /* Unix time by this machine's clock; 0: now */
    uint64_t ends_ms;  /* ACCEPTED: Unix time after which no mailbox delivers it; else 0 */
    size_t len;
    char more[TRACE_MORE_MAX]; /* JSON members, each after a comma; may be cut between them */
};

const char *trace_step_name(enum trace_what what);
/* False: NAME is no step's. */
bool trace_step_of(const char *name, enum trace_what *out);
/* They add a member to STEP->more. What does not fit is left out. */
void trace_step_number(struct trace_step *step, const char *name, int64_t value);
/* A number of 64 bits, as text: JavaScript's numbers lose digits. */
void trace_step_id(struct trace_step *step, const char *name, uint64_t value);
/* TEXT may have any bytes; after the first 128 it is cut. */
void trace_step_text(struct trace_step *step, const char *name, const char *text);
/* The session, named as in /v1/sessions. */
void trace_step_session(struct trace_step *step, const char *comet, uint64_t handle);

#endif

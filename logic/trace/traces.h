/* traces.h - which messages are traced: those that were pushed so, and those to users of a list.
 * Gives them their marks. Main loop only.
 *
 *   push ─► traces_begin ─┬─ not asked for, user not listed ─► NULL
 *                         ├─ beyond trace.rate, counted ─► NULL
 *                         └─ a mark for its envelope: accepted ─► Kafka ─► traces_end: produced */
#ifndef IMC_LOGIC_TRACE_TRACES_H
#define IMC_LOGIC_TRACE_TRACES_H

#include "common/trace/trace_mark.h"
#include "logic/base/logic.h"

struct trace_context;
struct traces;
struct traced;

enum { TRACES_USERS_MOST = 10000 };

/* A push that is to be traced. The caller's; all zero at first. */
struct push_trace {
    uint64_t id;  /* of the push: that of its first message; 0: none was made yet */
    bool limited; /* beyond trace.rate: it is not traced */
};

/* Checks the file of users. 0, or -EINVAL and ERR. */
int traces_check(const struct logic_config *config, char *err, size_t errlen);
/* 0, or -EINVAL after logging. */
int traces_open(struct logic *logic, struct traces **out);
void traces_close(struct traces *traces); /* NULL is fine */
/* Reads the file of users anew. 0; or -EINVAL and ERR, and the users stay as they are. */
int traces_reload(struct traces *traces, char *err, size_t errlen);

/* A message that gets its id. */
struct traced_message {
    uint64_t id;
    int32_t op;
    size_t len;
    uint64_t expires_ms;
    bool has_uid, all;
    int64_t uid;
    const char *room;                    /* unless HAS_UID or ALL */
    struct push_trace *push;             /* NULL: nobody asked for it */
    const struct trace_context *context; /* of the caller, whose trace it joins; NULL: none */
};
/* NULL: it is not traced. Else it is told as accepted, and the caller puts the mark into its
 * envelope and calls traces_end(). */
struct traced *traces_begin(struct logic *logic, const struct traced_message *message);
/* TRACE_MARK_LEN bytes, valid until traces_end(). */
uint8_t *traced_mark(struct traced *traced);
/* Kafka has the message (ERR 0), or has not, and WHY. Frees TRACED. */
struct traced_end {
    int err;
    const char *why;
    int32_t partition;
    int64_t offset; /* -1: not known */
};
void traces_end(struct logic *logic, struct traced *traced, const struct traced_end *end);

#endif

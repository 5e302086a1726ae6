/* push.h - what makes an accepted message durable: hint, id, envelope, bus. Main loop only.
 *
 * Order per uid is the order of these calls: a uid's next message is not produced before the
 * former, whatever the router lookups do (push.c says how). Ids are given at production and rise
 * per uid with it.
 *
 * The body is not copied before its turn comes, and the turns are short: a call for many users goes
 * to the bus in slices, as that has room, between which the loop serves others. */
#ifndef IMC_LOGIC_PUSH_PUSH_H
#define IMC_LOGIC_PUSH_PUSH_H

#include "logic/base/logic.h"

struct push_message {
    int32_t op;
    uint64_t expires_ms; /* 0 = no own limit */
    const void *body;    /* borrowed until the answer */
    size_t len;
};

/* What the envelope and the key of a message cost besides its body, without hints. */
enum { PUSH_ENVELOPE_MOST = 512 };

struct push_result {
    size_t n, n_failed;
    const bool *failed; /* per uid of the call */
    const char *why;    /* of a failure */
    bool refused;       /* nothing of it was produced: some are away, and WHY not for those */
};
/* Once, when every delivery report is in; never before the call returns. */
typedef void (*push_fn)(void *arg, const struct push_result *result);

struct push_lanes *push_lanes_open(struct logic *logic);
/* After every message has had its answer. NULL is fine. */
void push_lanes_close(struct push_lanes *lanes);
/* Messages without an answer. */
size_t push_pending(const struct push_lanes *lanes);

/* UIDS is copied. N may be 0. While jobs have too much to store (job_backlog.h), nothing is
 * produced before it is known where everybody is: if somebody is away, all is refused. */
void push_uids(struct logic *logic, const struct push_message *message, const int64_t *uids,
               size_t n, push_fn fn, void *arg);
/* ROOM is borrowed until the answer. */
void push_room(struct logic *logic, const struct push_message *message, const char *room,
               push_fn fn, void *arg);
/* SPEED: messages per second, 0 = as fast as it goes. */
void push_all(struct logic *logic, const struct push_message *message, int32_t speed, push_fn fn,
              void *arg);

#endif

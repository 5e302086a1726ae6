/* push.h - makes an accepted message durable: looks up its hint, gives it an id, packs its envelope
 * and produces it to Kafka. Main loop only.
 *
 * The messages of a uid are produced in the order of these calls, in whatever order routers answer
 * (push_lanes.c says how). An id is made when its message is produced. So ids of a uid rise.
 *
 * A call for many users is produced in slices, as Kafka takes them. Between slices the loop serves
 * others. The body is copied only when a message is produced. */
#ifndef IMC_LOGIC_PUSH_PUSH_H
#define IMC_LOGIC_PUSH_PUSH_H

#include "logic/base/logic.h"
#include "logic/push/push_message.h"

/* The most bytes that envelope and key take besides the body, without hints. */
enum { PUSH_ENVELOPE_MOST = 512 };

struct push_result {
    size_t n, n_failed;
    const bool *failed;  /* for each uid of the call */
    const uint64_t *ids; /* of the messages, likewise; 0: this one was not produced */
    const char *why;     /* the reason of a failure */
    bool refused;        /* nothing was produced: some users are away, and WHY says why not for
                          * those */
};
/* Called once, when every delivery report has come; never before the call returns. */
typedef void (*push_fn)(void *arg, const struct push_result *result);

struct push_lanes *push_lanes_open(struct logic *logic);
/* Call it after every message was answered. NULL is fine. */
void push_lanes_close(struct push_lanes *lanes);
/* How many messages have no answer yet. */
size_t push_pending(const struct push_lanes *lanes);

/* Pushes to N uids. UIDS is copied. N may be 0. While jobs have too much to store (job_backlog.h),
 * nothing is produced before all users were looked up. If one of them is away then, the whole call
 * is refused. */
void push_uids(struct logic *logic, const struct push_message *message, const int64_t *uids,
               size_t n, push_fn fn, void *arg);
struct push_users {
    size_t n;
    const int64_t *uids;
    const struct push_keys *keys; /* of each user */
};
/* The same for some devices of each user: to sessions with one of his keys. A user who has no such
 * session is away. What USERS leads to has to stay valid until FN. */
void push_keys(struct logic *logic, const struct push_message *message,
               const struct push_users *users, push_fn fn, void *arg);
/* Pushes to a room. ROOM has to stay valid until FN. */
void push_room(struct logic *logic, const struct push_message *message, const char *room,
               push_fn fn, void *arg);
/* Pushes to everybody. SPEED: messages per second; 0: as fast as possible. */
void push_all(struct logic *logic, const struct push_message *message, int32_t speed, push_fn fn,
              void *arg);

#endif

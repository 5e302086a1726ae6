/* user_order.h - the order of one user's messages while some of them are unanswered. Owner loop
 * only.
 *
 * The order rule of docs/job.md. The entries of every uid with unresolved messages are kept in
 * order:
 *
 *     │ SETTLING … │ SENT and WAITING, in the order they came … │
 *
 *   user_order_add() ─► WAITING ──send(): all before it are SENT to the very same sessions─► SENT
 *                       │ ▲ ▲                                                                │
 *                       │ │ └──────────── user_order_settle(): nobody took it ◄──────────────┤
 *                       │ └────────── user_order_divert(): it cannot be stored ◄───────┐     │
 *                       │                                                              │     │
 *                       └──settle(): nowhere to go, and all before it are stored─► SETTLING  │
 *                                                                                     │      │
 *                                       any state: user_order_remove() ─► resolved ◄──┴──────┘
 *
 * So SETTLING entries come first. Nothing is sent past a message that is being settled, and nothing
 * is settled past one that was sent. But a run of messages that have nowhere to go is settled
 * together, in order. What comes meanwhile is the next run, which begins when all of the former is
 * stored. So a failure in the middle leaves nothing newer in the mailbox than what is tried again.
 * The sessions must be the very same, not only the comets: of two sessions on one comet the first
 * may be gone and the second not.
 *
 * If the mailbox takes nothing, and the user is there now, the oldest entry is diverted to the
 * user's sessions. The rest of its run is still being settled then. As soon as their answers have
 * come, they are diverted after it, in order: none can be stored behind one that is not.
 *
 * A message that has to be stored, or has to wait until one before it is stored, needs room for
 * that. If there is none when it comes, user_order_add() does not take it: it is *parked*. Its
 * owner forgets it and reads it again later; here we know only how many of a uid are parked.
 * Whatever comes for that uid meanwhile is parked behind them. So parked messages are newer than
 * all entries, and the order stays if they come back by user_order_return() in the order they came.
 */
#ifndef IMC_JOB_BASE_USER_ORDER_H
#define IMC_JOB_BASE_USER_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct user_order;
struct ordered_user;

enum user_order_state { ORDER_NONE, ORDER_WAITING, ORDER_SENT, ORDER_SETTLING };

/* Embedded in a message; zeroed before user_order_add(). */
struct user_order_entry {
    struct user_order_entry *prev, *next; /* by order */
    struct ordered_user *user;
    uint64_t order;
    uint8_t state; /* enum user_order_state */
    bool nowhere;  /* WAITING to be settled */
    bool stalled;  /* its owner knows that it waits for the mailbox */
    bool stored;   /* SETTLING, and in the mailbox */
};

/* Called from within the functions below; must not call them. */
struct user_order_ops {
    /* A fingerprint of the sessions ENTRY would be sent to now (alike exactly for the same
     * sessions), 0 = nowhere. */
    uint64_t (*aim)(const struct user_order_entry *entry, void *arg);
    /* Goes to what aim() has just seen. */
    void (*send)(struct user_order_entry *entry, void *arg);
    void (*settle)(struct user_order_entry *entry, void *arg);
    /* May the new ENTRY wait for the mailbox? */
    bool (*room)(struct user_order_entry *entry, void *arg);
    /* ENTRY waits for the mailbox from now on, for itself or for one before it. Once for each. */
    void (*stall)(struct user_order_entry *entry, void *arg);
};

struct user_order *user_order_open(const struct user_order_ops *ops, void *arg);
/* Every entry must have been removed (asserted). */
void user_order_close(struct user_order *order);
/* ENTRY is the newest message of UID; it is sent or settled at once if it may. False: not taken, it
 * is parked. */
bool user_order_add(struct user_order *order, struct user_order_entry *entry, int64_t uid);
/* The oldest parked message of UID is back, as ENTRY. There is room for it. */
void user_order_return(struct user_order *order, struct user_order_entry *entry, int64_t uid);
/* A parked message of UID is forgotten. */
void user_order_unpark(struct user_order *order, int64_t uid);
/* A SENT entry was taken by nobody: it is settled as soon as those before it allow it. */
void user_order_settle(struct user_order *order, struct user_order_entry *entry);
/* ENTRY is WAITING again: to be sent where aim() says now, or, if NOWHERE, to be settled once those
 * before it allow it. It must be the first SETTLING entry that is not known to be in the mailbox.
 */
void user_order_divert(struct user_order *order, struct user_order_entry *entry, bool nowhere);
/* A SETTLING entry is in the mailbox, once for each. */
void user_order_stored(struct user_order *order, struct user_order_entry *entry);
/* ENTRY is resolved, or forgotten; those behind it go on. */
void user_order_remove(struct user_order *order, struct user_order_entry *entry);
/* The message of the same user before ENTRY, NULL if it is the oldest. */
static inline struct user_order_entry *user_order_before(const struct user_order_entry *entry)
{
    return entry->prev;
}
/* Users with unresolved messages that are not parked. */
size_t user_order_users(const struct user_order *order);

#endif

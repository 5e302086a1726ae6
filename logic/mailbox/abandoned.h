/* abandoned.h - mailboxes of users who are away, that hold more than mailbox.limit because messages
 * in them are owed to sessions. Main loop only.
 *
 * Those sessions may be gone for good: their comet died, or they left without confirming. Nobody
 * would find that out before the user's next session connects (gone_receivers.h), and until then
 * the mailbox would grow to mailbox.limit_spilled.
 *
 *   mailbox_trim ─ kept ─► abandoned_take ─ two lease.ttl ─► router_lookup ─┬─ somebody: nothing
 *                                ▲                                          │
 *                                └────────────── not known ─────────────────┤
 *                                     mailbox_trim ◄─ mailbox_forget ◄──────┘ nobody
 *
 * Only after two lease.ttl, because a comet that was taken for dead may come back. No caller waits
 * for any of this. */
#ifndef IMC_LOGIC_MAILBOX_ABANDONED_H
#define IMC_LOGIC_MAILBOX_ABANDONED_H

#include "logic/base/logic.h"

/* How many mailboxes may wait. Those beyond have to wait for their next message. */
enum { ABANDONED_MAX = 20000 };

struct abandoned *abandoned_open(struct logic *logic);
/* The caller then sets logic->abandoned to NULL, for look-ups that are answered later. NULL is
 * fine. */
void abandoned_close(struct abandoned *abandoned);
/* Routers have said that UID is away. Message UPTO and older ones are more than mailbox.limit, and
 * some messages are owed. */
void abandoned_take(struct logic *logic, int64_t uid, uint64_t upto);

#endif

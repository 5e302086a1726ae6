/* gone_receivers.h - a session that connects gets what is owed to others of its user as well: one
 * of them may have been its former self. When it has confirmed that, those of them that are no more
 * are owed it no longer. Main loop only.
 *
 *   mailbox_confirm ─ left ─► gone_receivers_take ─► router_lookup ─┬─ not there: mailbox_waive
 *                                           ▲                     └─ there, or not known
 *                                           └── a second look, after two lease.ttl ◄┘
 *
 * Only a complete answer of the router says that a session is no more. The second look is for those
 * whose comet has just died, and for routers that are still being told. What is there then stays:
 * the next session that connects gets it again. Nobody waits for the end, and whatever is lost of
 * this costs no more than a repetition. */
#ifndef IMC_LOGIC_MAILBOX_GONE_RECEIVERS_H
#define IMC_LOGIC_MAILBOX_GONE_RECEIVERS_H

#include "logic/mailbox/mailbox.h"

/* Of those that wait for their second look; further ones get none. */
enum { GONE_RECEIVERS_MAX = 20000 };

struct gone_receivers *gone_receivers_open(struct logic *logic);
/* NULL is fine. Those that have asked and are answered later find logic->heirs NULL. */
void gone_receivers_close(struct gone_receivers *gone_receivers);
void gone_receivers_take(struct logic *logic, const struct mailbox_debts *left);

#endif

/* gone_receivers.h - cancels what is owed to sessions that no longer exist. Main loop only.
 *
 * A session that connects also gets messages that are owed to other sessions of its user: one of
 * them may be this device's previous connection. When it has confirmed such messages, we ask the
 * router which of those other sessions still exist. To those that do not, the messages are owed no
 * longer.
 *
 *   mailbox_confirm ─ left ─► gone_receivers_take ─► router_lookup ─┬─ not there: mailbox_waive
 *                                           ▲                       └─ there, or not known
 *                                           └──── a second look, after two lease.ttl ◄┘
 *
 * Only a complete router can say that a session does not exist. There is a second look for two
 * cases: the comet of the session has just died, or comets are still registering with the router.
 * If the session still seems to exist then, the messages stay owed to it, and the next session that
 * connects gets them again. No caller waits for any of this. If it fails, some device gets a
 * message twice. */
#ifndef IMC_LOGIC_MAILBOX_GONE_RECEIVERS_H
#define IMC_LOGIC_MAILBOX_GONE_RECEIVERS_H

#include "logic/mailbox/mailbox.h"

/* How many may wait for their second look. Beyond that there is none. */
enum { GONE_RECEIVERS_MAX = 20000 };

struct gone_receivers *gone_receivers_open(struct logic *logic);
/* The caller then sets logic->gone_receivers to NULL, for look-ups that are answered later. NULL is
 * fine. */
void gone_receivers_close(struct gone_receivers *gone_receivers);
void gone_receivers_take(struct logic *logic, const struct mailbox_debts *left);

#endif

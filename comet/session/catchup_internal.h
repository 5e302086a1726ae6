/* catchup_internal.h - what catchup.c and catchup_spill.c share. Owner loop only.
 *
 *   catchup.c         reading the mailbox, and what comes
 *   catchup_spill.c   the mailbox as the place for what a slow socket does not take */
#ifndef IMC_COMET_SESSION_CATCHUP_INTERNAL_H
#define IMC_COMET_SESSION_CATCHUP_INTERNAL_H

#include "comet/net/conn.h"
#include "comet/session/catchup.h"

enum { POKE_WAIT_MS = 5000 };

/* Builds for finding bugs check the invariants after every event. */
#if defined(__SANITIZE_ADDRESS__) || !defined(__OPTIMIZE__)
static inline void catchup_checked(const struct conn *conn)
{
    if (conn->catchup != NULL)
        catchup_check(conn->catchup);
}
#else
#define catchup_checked(conn) ((void)(conn))
#endif

/* catchup.c: */
/* The catch-up of CONN, or a new one in MODE. */
struct catchup *catchup_of(struct conn *conn, enum catchup_mode mode);
/* Decides what a session in CATCHUP_FETCHING does next. Called whenever something that it waits for
 * has come. */
void catchup_step(struct conn *conn);
/* Something came for the session, so it waits for a poke no longer. */
void catchup_stop_awaiting(struct conn *conn);

/* catchup_spill.c: */
/* Hands a message back to job. */
void catchup_hand_back(struct conn *conn, uint64_t id, const struct ticket *ticket);
/* Stores a message, or hands it back. The ticket is taken. */
void catchup_store(struct conn *conn, const struct push *push, struct ticket ticket);
/* The queue is full: what is held goes to the mailbox, and so does what comes, until it has
 * drained. */
void catchup_spill(struct conn *conn);

#endif

/* catchup.h - brings a session up to date. Messages that the session does not have yet are held, or
 * stored in its user's mailbox and fetched from there; then they are written, in order. Owner loop
 * only.
 *
 *   catchup_connecting ─► CONNECTING ── catchup_admitted ──► GAP
 *                                                             │ the gap is over: catchup_on_timer;
 *                                                             │ none: catchup_opened
 *                 the mailbox was read to its end,            ▼
 *   up to date ◄─ nothing is awaited: catchup_step ──────── FETCHING ◄──────────┐
 *     │   │                                                   ▲  │              │
 *     │   └── catchup_poke, catchup_refetch, catchup_missed ──┘  │              │ catchup_drained
 *     │                          the queue is full: deliver;     │              │
 *     │                          catchup_stalled                 ▼              │
 *     └── catchup_stalled, catchup_full ───────────────────► SPILLING ──────────┘
 *
 *   The queue of an acknowledged session is also full while its window is (acks.h). What it cannot
 *   take goes back to job, not to the mailbox.
 *
 *   catchup_end: from any of them. "Up to date" is conn->catchup == NULL: a push is written at
 * once.
 *
 *   what comes        | CONNECTING, GAP       | FETCHING                      | SPILLING
 *   ------------------+-----------------------+-------------------------------+------------
 *   catchup_push      | held (too many: to    | held, or stored if too many;  | stored
 *                     | job, or stored)       | then what may be is written   |
 *   catchup_poke      | wanted                | wanted, and fetched           | wanted
 *   catchup_refetch   | all is wanted         | all is wanted, and fetched    | all is wanted
 *   fetch_done: yes   | –                     | its page is merged, written   | void
 *   fetch_done: no    | –                     | another try in FETCH_RETRY_MS | void
 *   store_done: yes   | wanted                | wanted, and fetched           | wanted
 *   store_done: no    | back to job, whose poke is awaited: nothing newer is written before
 *   catchup_on_timer  | the gap is over       | another try; no poke came     | –
 *
 * missing.h knows which messages are missing, and which of them may be written next. */
#ifndef IMC_COMET_SESSION_CATCHUP_H
#define IMC_COMET_SESSION_CATCHUP_H

#include "comet/session/missing.h"
#include "comet/wire/push.h"
#include "common/containers/wheel.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct acks_mailbox;
struct conn;
struct mailbox_page;

enum catchup_mode {
    CATCHUP_CONNECTING, /* logic has not answered yet */
    CATCHUP_GAP,        /* waits imgo.sdk_gap after the auth reply */
    CATCHUP_FETCHING,   /* reads the mailbox, or is about to */
    CATCHUP_SPILLING, /* the socket is slow: everything goes to the mailbox until it has drained */
};

extern const struct acks_mailbox catchup_mailbox; /* for acks_begin() */

struct catchup {
    struct conn *conn;
    struct wheel_timer timer; /* ends the gap, retries a Fetch, or ends the wait for a poke */
    enum catchup_mode mode;
    bool fetch_void;  /* the session spilled since its Fetch: the answer is of no use */
    bool awaits_poke; /* the timer is set for this */
    struct missing missing;
};

/* CONN asks logic to be admitted. */
void catchup_connecting(struct conn *conn);
/* Logic has admitted CONN; PAGE is the beginning of its mailbox. Nothing is written yet. */
void catchup_admitted(struct conn *conn, const struct mailbox_page *page);
/* The auth reply was written. */
void catchup_opened(struct conn *conn);
/* A push for a session that is not up to date. The ticket is taken. */
void catchup_push(struct conn *conn, const struct push *push, struct ticket ticket);
/* A push for a session that is up to date, but whose queue is full. The ticket is taken. */
void catchup_full(struct conn *conn, const struct push *push, struct ticket ticket);
/* Messages IDS wait in the mailbox for CONN. */
void catchup_poke(struct conn *conn, const uint64_t *ids, size_t n);
/* Others took this session for dead for a while. Fetches what waits for its user, except messages
 * owed only to other sessions. */
void catchup_refetch(struct conn *conn);
/* A push or poke with ID came. If routers may have taken the user for away, the session reads what
 * was settled then before it writes ID. */
void catchup_missed(struct conn *conn, uint64_t id);
/* conn_events: the oldest queued entry with a ticket has waited too long; the queue became
 * empty. */
void catchup_stalled(struct conn *conn);
void catchup_drained(struct conn *conn); /* also: an acknowledged session has room again */
void catchup_on_timer(struct wheel *wheel, struct wheel_timer *timer);
/* The connection ends, or the session is up to date. Drops what is held. conn->catchup may be
 * NULL. */
void catchup_end(struct conn *conn);
/* Asserts that mode, timer and missing messages agree. True between events, not within one. */
void catchup_check(const struct catchup *catchup);

#endif

/* session.h - what makes a connection a session: admission by logic, messages in order, what the
 * socket did not take. Owner loop only. What is in net/ calls the functions under "from the
 * frontend"; job/job_batches.c and logic/logic_requests.c call the others.
 *
 * A session is up to date (conn->catchup == NULL: a push is written at once) or catching up:
 *
 *   up to date ──session_stalled(): the socket did not take a message in spill_after──►  SPILLING
 *       ▲  ▲                                                                                │ pushes go to the mailbox
 *       │  └──────── mailbox read to the end, nothing being stored ──── FETCHING ◄──────────┘ session_drained()
 *       │                                                                 ▲
 *       │   ◄── sdk_gap over, waiting messages and held pushes written    │ session_poke(): messages were put into the mailbox
 *   CONNECTING/GAP (pushes are held)                                      │
 *       └─────────────────────────────────────────────────────────────────┘
 */
#ifndef IMC_COMET_SESSION_SESSION_H
#define IMC_COMET_SESSION_SESSION_H

#include "comet/wire/push.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct worker;

/* --- from client_ops.c and the connections (conn_events) --- */
/* An auth frame came in CONN_AUTH: asks logic to admit it. TOKEN is copied. The connection becomes
 * CONN_CONNECTING. */
void session_connect(struct conn *conn, const uint8_t *token, size_t len, int32_t seq);
/* The output queue became empty. */
void session_drained(struct conn *conn);
/* The oldest queued entry with a ticket has waited fanout.spill_after. */
void session_stalled(struct conn *conn);
/* The connection ended, in whatever state; its queue's tickets have been dropped, its room left. */
void session_closed(struct conn *conn);

/* --- from job/job_batches.c --- */
/* A uid push for this session. The ticket is always taken. */
void session_push(struct conn *conn, const struct push *push, struct ticket ticket);
/* Messages IDS wait in the mailbox for this session. The ticket is told at once: the mailbox keeps
 * them. */
void session_poke(struct conn *conn, const uint64_t *ids, size_t n);

/* --- from logic/logic_requests.c --- */
/* logic_give_way_fn: the session of UID that has been silent for longest gives way. */
void session_evict_silent(struct worker *worker, int64_t uid, const uint64_t *handles,
                          size_t n_handles);

/* --- from the worker's session wheel --- */
struct wheel;
struct wheel_timer;
void session_on_timer(struct wheel *wheel, struct wheel_timer *timer);

/* --- from reregister.c --- */
/* Others took this session for dead for a while: what waits for its user is fetched, but for what
 * is owed only to other sessions. */
void session_refetch(struct conn *conn);

#endif

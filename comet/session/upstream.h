/* upstream.h - what clients send to the business: handed to a logic, which produces it to Kafka or
 * posts it, and answered when Kafka has it, or the business. Owner loop only.
 *
 *   upstream_take ─► frames ── one group at a time ──► logic_requests ══► logic, the business
 *       │ upstream.window reached: conn_hold()              │ taken: the first so many are answered
 *       ▼                                                   ▼
 *    waits until answers come                    the rest goes first in the next group
 *
 * A session has at most one group under way. So its frames arrive in order, whatever logic gets
 * them, and whatever becomes of that logic: what was not answered goes to another one, with the
 * same numbers. Nothing of a session is dropped while it is there. If none of its frames is taken
 * for upstream.timeout, the client is told (code 12), and sends them again over a new session.
 *
 * While no logic takes such frames (upstream.topic and upstream.url are empty),
 * they are counted and answered. */
#ifndef IMC_COMET_SESSION_UPSTREAM_H
#define IMC_COMET_SESSION_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client_request;
struct conn;
struct upstream;
struct worker;

struct upstream *upstream_open(struct worker *worker);
/* Ends its link to logics. To be called when every connection is closed. NULL is fine. */
void upstream_close(struct upstream *upstream);
/* worker->view has changed. */
void upstream_update(struct upstream *upstream);
/* logic_upstream_fn: whether logics take such frames. */
void upstream_told(struct worker *worker, bool on);
/* A client sent REQUEST, in CONN_OPEN. It is answered with operation REPLY_OP, now or when the
 * business has it, and with what the business replies, if it does. The connection may be held, or
 * kicked. */
void upstream_take(struct conn *conn, const struct client_request *request, int32_t reply_op);
/* The connection ends. What waits is still sent, for upstream.timeout at most. */
void upstream_conn_closed(struct conn *conn);
/* The number of groups that are under way. */
size_t upstream_pending(const struct upstream *upstream);

#endif

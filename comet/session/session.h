/* session.h - what makes a connection a session: logic admits it, and messages to its user come to
 * it in order. Owner loop only. A message to a session that is up to date is written at once;
 * catchup.h takes care of the other sessions. */
#ifndef IMC_COMET_SESSION_SESSION_H
#define IMC_COMET_SESSION_SESSION_H

#include "comet/logic/logic_requests.h"
#include "comet/wire/push.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct worker;

/* --- from client_ops.c and the connections (conn_events) --- */
/* An auth came in CONN_AUTH: asks logic to admit the session. TOKEN is copied. The connection
 * becomes CONN_CONNECTING. */
void session_connect(struct conn *conn, const uint8_t *token, size_t len, int32_t seq);
/* The connection ended, in any state. The tickets of its queue were dropped before, and it has left
 * its room. */
void session_closed(struct conn *conn);

/* --- from comet/job/job_batches.c --- */
/* A push to the user of this session. The ticket is always taken. */
void session_push(struct conn *conn, const struct push *push, struct ticket ticket);
/* Messages IDS wait in the mailbox for this session. */
void session_poke(struct conn *conn, const uint64_t *ids, size_t n);

/* --- from comet/logic/logic_requests.c --- */
/* logic_give_way_fn */
void session_give_way(struct worker *worker, int64_t uid, const uint64_t *handles, size_t n_handles,
                      enum give_way_why why);

#endif

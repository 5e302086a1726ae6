/* session.h - what makes a connection a session: logic admits it, and messages to its user come to
 * it in order. Owner loop only. One that is up to date has them written at once; the others are
 * catchup.h's. */
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
/* The connection ended, in whatever state; its queue's tickets have been dropped, its room left. */
void session_closed(struct conn *conn);

/* --- from comet/job/job_batches.c --- */
/* A uid push for this session. The ticket is always taken. */
void session_push(struct conn *conn, const struct push *push, struct ticket ticket);
/* Messages IDS wait in the mailbox for this session. The ticket is told at once: the mailbox keeps
 * them. */
void session_poke(struct conn *conn, const uint64_t *ids, size_t n);

/* --- from comet/logic/logic_requests.c --- */
/* logic_give_way_fn: the session of UID that has been silent for longest gives way. */
void session_evict_silent(struct worker *worker, int64_t uid, const uint64_t *handles,
                          size_t n_handles);

#endif

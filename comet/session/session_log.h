/* session_log.h - tells logic what becomes of the sessions that are in the log of sessions
 * (docs/events.md): that they have ended, and that they are open in a new epoch. Owner loop only.
 *
 *   logged, in the map: since when
 *      │ session_log_closed             │ session_log_update: our lease had lapsed
 *      │ HELD while its rooms are told   │
 *      ▼                                ▼
 *   DUE ──on_flush──► ASKED ──OK──► ended: freed; open: in the map again
 *    ▲                  │
 *    └─ on_tick ── RESTING ◄── no answer, or Kafka did not take it
 *
 * What has to be told is kept until a logic says that Kafka has it. If this process ends before,
 * its lease lapses, and the reader of the log ends its sessions.
 *
 * Memory: some 25 bytes for a session that is logged, some 200 for one of which something has to be
 * told. */
#ifndef IMC_COMET_SESSION_SESSION_LOG_H
#define IMC_COMET_SESSION_SESSION_LOG_H

#include <stddef.h>
#include <stdint.h>

struct conn;
struct logic_answer;
struct session_log;
struct worker;

struct session_log *session_log_open(struct worker *worker);
/* What was not told is forgotten. Call it after the links to logic were closed. */
void session_log_close(struct session_log *log);
/* worker->view has changed. */
void session_log_update(struct session_log *log);
/* Logic let CONN in, by an ANSWER that says that the session is logged. Sets conn->logged. */
void session_log_admitted(struct session_log *log, struct conn *conn,
                          const struct logic_answer *answer);
/* CONN ends, which is logged. It still has its handle. */
void session_log_closed(struct session_log *log, struct conn *conn);
/* The session HANDLE of UID is logged, or may be, by an ANSWER, but there is no connection: it left
 * before, or logic refused it then. */
void session_log_unopened(struct session_log *log, uint64_t handle,
                          const struct logic_answer *answer);
/* Nobody knows whether the session HANDLE is logged, nor whose it is: a logic that was asked for it
 * said nothing, and then it was refused. */
void session_log_undo(struct session_log *log, uint64_t handle);
/* The epoch under which the log has CONN as open; 0: not under the present one yet, or not at all.
 */
uint64_t session_log_epoch(const struct session_log *log, const struct conn *conn);
/* Sessions of which something has to be told. */
size_t session_log_pending(const struct session_log *log);

#endif

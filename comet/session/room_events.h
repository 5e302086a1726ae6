/* room_events.h - tells logic which rooms sessions enter and leave while they are open, for the log
 * of sessions (docs/events.md). Only if a logic wants to know. Owner loop only.
 *
 *   room_events_moved ─► UNSAID ──flush──► ASKED ──OK──► gone
 *        │ the opposite       ▲              │
 *        ▼ is UNSAID          └─ on_tick ◄───┘ no answer, or Kafka did not take it
 *      both gone
 *
 * One change of a session is asked at a time, so the log has them in order. At most one change per
 * room is UNSAID, so a session has no more of them than twice the rooms that it may be in.
 *
 * The main room that a session is let in with is not told: `connected` names it. What is UNSAID
 * when a session ends is not told either: its end says it.
 *
 * Memory: nothing for a session of which nothing is UNSAID or ASKED. */
#ifndef IMC_COMET_SESSION_ROOM_EVENTS_H
#define IMC_COMET_SESSION_ROOM_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct room_events;
struct worker;

struct room_events *room_events_open(struct worker *worker);
/* What was not told is forgotten. Call it after the links to logic were closed. */
void room_events_close(struct room_events *events);
/* A logic wants to know, from now on. */
void room_events_want(struct worker *worker);
/* The log has CONN as open in a new epoch, with its main room. The other rooms are told anew. */
void room_events_anew(struct worker *worker, struct conn *conn);
/* The session HANDLE ends. True: a change of it is ASKED, and THEN, which may be NULL, is called
 * when it is answered. */
bool room_events_end(struct worker *worker, uint64_t handle, void (*then)(void *arg), void *arg);

#endif

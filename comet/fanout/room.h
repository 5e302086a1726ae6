/* room.h - the rooms of a loop: their members, and what waits to be sent to them. Owner loop only.
 *
 * Pushes to a room gather in its backlog. A walk (fanout.h) takes a batch of them, encodes it once
 * per wire form, and goes over the members in slices. What arrives meanwhile goes into the next
 * batch. */
#ifndef IMC_COMET_FANOUT_ROOM_H
#define IMC_COMET_FANOUT_ROOM_H

#include "comet/wire/push.h"
#include "common/protocol/name.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct worker;
struct conn;
struct room;

/* Once per loop. */
void rooms_open(struct worker *worker);
/* To be called when every connection is closed. Drops what waits. worker->rooms may be NULL. */
void rooms_close(struct worker *worker);

enum room_result {
    ROOM_OK,
    ROOM_SESSION_FULL, /* the session is in rooms.per_session rooms */
    ROOM_NODE_FULL,    /* this loop has rooms.max rooms */
};

/* CONN leaves its main room, if any, and enters room NAME as its main one. */
enum room_result room_join(struct worker *worker, struct conn *conn, const char *name, size_t len);
/* CONN enters room NAME, beside those it is in. */
enum room_result room_join_beside(struct worker *worker, struct conn *conn, const char *name,
                                  size_t len);
/* What room_claims_known() has to confirm before CONN may be told that it is in its rooms. */
uint64_t rooms_claimed(const struct conn *conn);
/* CONN leaves its main room; room NAME, whichever it is; every room. */
void room_leave(struct conn *conn);
void room_leave_named(struct conn *conn, const char *name, size_t len);
void rooms_leave(struct conn *conn);
/* Pushes to everybody in the room on this loop. The ticket is done with TICKET_WRITTEN when a walk
 * takes the push, or at once if nobody is in the room. Job's window limits how much waits for a
 * walk; so backpressure reaches the bus. */
void room_push(struct worker *worker, const char *name, size_t len, const struct push *push,
               struct ticket ticket);
/* Pushes to every open session of this loop. SPEED: the most deliveries per second in this process;
 * 0: as fast as possible. */
void room_push_all(struct worker *worker, const struct push *push, int32_t speed,
                   struct ticket ticket);
/* The name of ROOM (not NUL-terminated) and its length; "" and 0 if ROOM is NULL. */
const char *room_name(const struct room *room, size_t *len);
/* Goes over the rooms with members: begin with *POS 0; NULL at the end. No room may come or go
 * meanwhile. */
struct room *rooms_next(const struct worker *worker, size_t *pos);
/* --- how many sessions are in a room on all comets: session/room_reports.h asks and tells --- */

struct room_change {
    size_t len;
    char name[ROOM_NAME_MAX + 1];
    uint32_t members; /* on this loop */
};

/* CHANGED is called when a room's number of members has changed, or was marked, and none was before
 * it. */
void rooms_watch(struct worker *worker, void (*changed)(struct worker *worker));
/* MOVED is called whenever a session has entered a room, or has left one; not when it only changes
 * which of its rooms is the main one. It must not do either itself. */
void rooms_watch_members(struct worker *worker,
                         void (*moved)(struct conn *conn, const struct room *room, bool entered));
/* Takes one of the rooms whose number of members is not what was taken last, or which was marked.
 * False: there is none. */
bool room_take_change(struct worker *worker, struct room_change *change);
/* Marks room NAME as changed, even if nobody is in it, and all rooms. */
void room_mark(struct worker *worker, const char *name, size_t len);
void rooms_mark_all(struct worker *worker);

/* What is known of a room on all comets. */
struct room_total {
    uint64_t sessions;
    uint64_t known_ms; /* loop time; 0: never */
    bool asked;        /* an answer is on its way */
};
struct room_total *room_total(struct room *room);
/* The number of members on this loop. */
uint32_t room_members(const struct room *room);
/* Member I of them, in no order: any that comes or goes may move others. */
struct conn *room_member(const struct room *room, uint32_t i);
bool room_has(const struct room *room, const struct conn *conn);
/* NULL: this loop has no such room. */
struct room *room_find(const struct worker *worker, const char *name, size_t len);

#endif

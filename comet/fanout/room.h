/* room.h - who is in which room of this loop, and what waits to be sent there. Owner loop only.
 *
 * Pushes to a room pile up in its backlog; a walk (fanout.h) takes them all, encodes them once per
 * wire form and goes over the members in slices. What arrives meanwhile is the next walk's batch.
 */
#ifndef IMC_COMET_FANOUT_ROOM_H
#define IMC_COMET_FANOUT_ROOM_H

#include "comet/wire/push.h"
#include <stddef.h>

struct worker;
struct conn;
struct room;

enum { ROOM_NAME_MAX = 128 };

/* Once per loop. */
void rooms_open(struct worker *worker);
/* When every connection is closed. What waits is dropped. NULL rooms are fine. */
void rooms_close(struct worker *worker);
/* CONN enters room NAME (1-128 bytes), leaving the one it is in. */
void room_join(struct worker *worker, struct conn *conn, const char *name, size_t len);
void room_leave(struct conn *conn);
/* To everybody in the room on this loop. The ticket is told TICKET_WRITTEN when the push has become
 * part of a walk; what waits for that is bounded by the window of job, which is how backpressure
 * reaches the bus. Nobody there: told at once. */
void room_push(struct worker *worker, const char *name, size_t len, const struct push *push,
               struct ticket ticket);
/* To every open session of this loop. SPEED: at most that many deliveries per second here, 0 = as
 * fast as it goes. */
void room_push_all(struct worker *worker, const struct push *push, int32_t speed,
                   struct ticket ticket);
/* Its name (not NUL-terminated) and length; "" and 0 for NULL. */
const char *room_name(const struct room *room, size_t *len);
size_t room_count(const struct worker *worker);
/* Members on this loop; 0 if there is no such room. */
size_t room_members(const struct worker *worker, const char *name, size_t len);

#endif

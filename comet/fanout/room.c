#include "comet/fanout/room.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/fanout/fanout.h"
#include "comet/net/conn.h"
#include "common/base/mem.h"
#include "common/containers/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct room {
    struct audience audience; /* first */
    uint8_t name_len;
    char name[];
};

/* All rooms of a loop. */
struct rooms {
    struct fanout fanout; /* first */
    struct strmap *by_name;
};

static struct fanout *fanout_of(const struct worker *worker)
{
    return &worker->rooms->fanout;
}

void rooms_open(struct worker *worker)
{
    struct rooms *rooms = mem_zalloc(sizeof *rooms);

    loop_assert_owner(&worker->loop);
    worker->rooms = rooms;
    rooms->by_name = strmap_new();
    fanout_open(&rooms->fanout, worker);
}

static void rooms_closed(struct fanout *fanout)
{
    free(container_of(fanout, struct rooms, fanout));
}

void rooms_close(struct worker *worker)
{
    struct rooms *rooms = worker->rooms;

    loop_assert_owner(&worker->loop);
    if (rooms == NULL)
        return;
    fanout_close(&rooms->fanout, rooms_closed);
    assert(strmap_count(rooms->by_name) == 0);
    strmap_free(rooms->by_name);
    worker->rooms = NULL;
}

static struct room *room_find(const struct worker *worker, const char *name, size_t len)
{
    return strmap_get(worker->rooms->by_name, name, len);
}

/* Frees the room if nobody is in it and no walk or queue refers to it. Otherwise this is called
 * again: when the last member leaves, or as the audience's idle(). */
static void room_release(struct fanout *fanout, struct audience *audience)
{
    const struct rooms *rooms = container_of(fanout, struct rooms, fanout);
    struct room *room = container_of(audience, struct room, audience);
    if (audience->n > 0 || audience->queued || audience->walking || audience->backlog.n > 0)
        return;
    strmap_del(rooms->by_name, room->name, room->name_len);
    metric_add(fanout->worker->counters, COMET_ROOMS, -1);
    audience_clear(audience);
    free(room);
}

static struct room *room_new(struct worker *worker, const char *name, size_t len)
{
    assert(len >= 1 && len <= ROOM_NAME_MAX);
    struct room *room = mem_zalloc(sizeof *room + len);
    room->audience.idle = room_release;
    room->name_len = (uint8_t)len;
    memcpy(room->name, name, len);
    strmap_set(worker->rooms->by_name, room->name, len, room);
    metric_add(worker->counters, COMET_ROOMS, 1);
    return room;
}

void room_join(struct worker *worker, struct conn *conn, const char *name, size_t len)
{
    loop_assert_owner(&worker->loop);
    assert(conn->state == CONN_OPEN || conn->state == CONN_CONNECTING);
    struct room *room = room_find(worker, name, len);
    if (room != NULL && conn->room == room)
        return;
    if (conn->room != NULL)
        room_leave(conn);
    if (room == NULL)
        room = room_new(worker, name, len);
    audience_add(&room->audience, conn);
    conn->room = room;
}

void room_leave(struct conn *conn)
{
    loop_assert_owner(&conn->worker->loop);
    struct room *room = conn->room;
    if (room == NULL)
        return;
    conn->room = NULL;
    audience_remove(&room->audience, conn);
    room_release(fanout_of(conn->worker), &room->audience);
}

void room_push(struct worker *worker, const char *name, size_t len, const struct push *push,
               struct ticket ticket)
{
    loop_assert_owner(&worker->loop);
    struct room *room = room_find(worker, name, len);
    if (room == NULL || room->audience.n == 0)
        ticket_done(&ticket, NULL, TICKET_WRITTEN);
    else
        audience_push(fanout_of(worker), &room->audience, push, ticket);
}

void room_push_all(struct worker *worker, const struct push *push, int32_t speed,
                   struct ticket ticket)
{
    loop_assert_owner(&worker->loop);
    if (speed > 0)
        fanout_push_limited(fanout_of(worker), push, speed, ticket);
    else
        audience_push(fanout_of(worker), &fanout_of(worker)->everybody, push, ticket);
}

const char *room_name(const struct room *room, size_t *len)
{
    *len = room == NULL ? 0 : room->name_len;
    return room == NULL ? "" : room->name;
}

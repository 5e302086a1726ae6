#include "comet/fanout/room.h"
#include "comet/fanout/fanout.h"
#include "comet/fanout/room_internal.h"
#include "comet/net/conn_internal.h"
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

struct rooms {
    struct strmap *by_name;
};

void rooms_open(struct frontend *frontend)
{
    frontend->rooms = mem_zalloc(sizeof *frontend->rooms);
    frontend->rooms->by_name = strmap_new();
}

void rooms_close(struct frontend *frontend)
{
    assert(strmap_count(frontend->rooms->by_name) == 0);
    strmap_free(frontend->rooms->by_name);
    free(frontend->rooms);
    frontend->rooms = NULL;
}

static struct room *room_find(const struct worker *worker, const char *name, size_t len)
{
    return strmap_get(worker->frontend->rooms->by_name, name, len);
}

/* Frees it when nobody is in it; a walk or a queue that still refers to it comes back here as the
 * audience's idle(). */
static void room_release(struct frontend *frontend, struct audience *audience)
{
    struct room *room = container_of(audience, struct room, audience);
    if (audience->n > 0 || audience->queued || audience->walking || audience->backlog.n > 0)
        return;
    strmap_del(frontend->rooms->by_name, room->name, room->name_len);
    metric_add(frontend->worker->counters, COMET_ROOMS, -1);
    audience_clear(audience);
    free(room);
}

static struct room *room_new(struct frontend *frontend, const char *name, size_t len)
{
    assert(len >= 1 && len <= ROOM_NAME_MAX);
    struct room *room = mem_zalloc(sizeof *room + len);
    room->audience.idle = room_release;
    room->name_len = (uint8_t)len;
    memcpy(room->name, name, len);
    strmap_set(frontend->rooms->by_name, room->name, len, room);
    metric_add(frontend->worker->counters, COMET_ROOMS, 1);
    return room;
}

void room_join(struct worker *worker, struct conn *conn, const char *name, size_t len)
{
    assert(conn->state == CONN_OPEN || conn->state == CONN_CONNECTING);
    struct room *room = room_find(worker, name, len);
    if (room != NULL && conn->room == room)
        return;
    if (conn->room != NULL)
        room_leave(conn);
    if (room == NULL)
        room = room_new(worker->frontend, name, len);
    audience_add(&room->audience, conn);
    conn->room = room;
}

void room_leave(struct conn *conn)
{
    struct room *room = conn->room;
    if (room == NULL)
        return;
    conn->room = NULL;
    audience_remove(&room->audience, conn);
    room_release(conn_frontend(conn), &room->audience);
}

void room_push(struct worker *worker, const char *name, size_t len, const struct push *push,
               struct ticket ticket)
{
    struct room *room = room_find(worker, name, len);
    if (room == NULL || room->audience.n == 0)
        ticket_done(&ticket, NULL, TICKET_WRITTEN);
    else
        audience_push(worker->frontend, &room->audience, push, ticket);
}

void room_push_all(struct worker *worker, const struct push *push, int32_t speed,
                   struct ticket ticket)
{
    if (speed > 0)
        fanout_push_limited(worker->frontend, push, speed, ticket);
    else
        audience_push(worker->frontend, &worker->frontend->walks.everybody, push, ticket);
}

const char *room_name(const struct room *room, size_t *len)
{
    *len = room == NULL ? 0 : room->name_len;
    return room == NULL ? "" : room->name;
}

size_t room_count(const struct worker *worker)
{
    return strmap_count(worker->frontend->rooms->by_name);
}

size_t room_members(const struct worker *worker, const char *name, size_t len)
{
    const struct room *room = room_find(worker, name, len);
    return room == NULL ? 0 : room->audience.n;
}

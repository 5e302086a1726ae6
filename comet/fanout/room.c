#include "comet/fanout/room.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/fanout/fanout.h"
#include "comet/net/conn.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/containers/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct room {
    struct audience audience; /* first */
    TAILQ_ENTRY(room) change; /* set while `changed` */
    bool changed;             /* since room_take_change() */
    struct room_total total;
    uint8_t name_len;
    char name[];
};

/* All rooms of a loop. */
struct rooms {
    struct fanout fanout; /* first */
    struct strmap *by_name;
    TAILQ_HEAD(, room) changes;
    void (*changed)(struct worker *worker); /* NULL: nobody wants to know */
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
    TAILQ_INIT(&rooms->changes);
    fanout_open(&rooms->fanout, worker);
}

static struct room *room_find(const struct worker *worker, const char *name, size_t len)
{
    return strmap_get(worker->rooms->by_name, name, len);
}

/* Frees the room if nobody is in it and nothing refers to it. Otherwise this is called again: when
 * the last member leaves, as the audience's idle(), or when the change was taken. */
static void room_release(struct fanout *fanout, struct audience *audience)
{
    const struct rooms *rooms = container_of(fanout, struct rooms, fanout);
    struct room *room = container_of(audience, struct room, audience);
    if (audience->n > 0 || audience->queued || audience->walking || audience->backlog.n > 0 ||
        room->changed)
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

static void room_unmark(struct worker *worker, struct room *room)
{
    TAILQ_REMOVE(&worker->rooms->changes, room, change);
    room->changed = false;
    room_release(fanout_of(worker), &room->audience);
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
    for (struct room *room = TAILQ_FIRST(&rooms->changes), *next; room != NULL; room = next) {
        next = TAILQ_NEXT(room, change);
        room->changed = false;
        room_release(&rooms->fanout, &room->audience);
    }
    fanout_close(&rooms->fanout, rooms_closed);
    assert(strmap_count(rooms->by_name) == 0);
    strmap_free(rooms->by_name);
    worker->rooms = NULL;
}

static void room_has_changed(struct worker *worker, struct room *room)
{
    struct rooms *rooms = worker->rooms;
    bool first = TAILQ_EMPTY(&rooms->changes);

    if (rooms->changed == NULL || room->changed)
        return;
    room->changed = true;
    TAILQ_INSERT_TAIL(&rooms->changes, room, change);
    if (first)
        rooms->changed(worker);
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
    room_has_changed(worker, room);
}

void room_leave(struct conn *conn)
{
    loop_assert_owner(&conn->worker->loop);
    struct room *room = conn->room;
    if (room == NULL)
        return;
    conn->room = NULL;
    audience_remove(&room->audience, conn);
    room_has_changed(conn->worker, room);
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

void rooms_watch(struct worker *worker, void (*changed)(struct worker *worker))
{
    loop_assert_owner(&worker->loop);
    worker->rooms->changed = changed;
}

bool room_take_change(struct worker *worker, struct room_change *change)
{
    struct room *room = TAILQ_FIRST(&worker->rooms->changes);

    loop_assert_owner(&worker->loop);
    if (room == NULL)
        return false;
    change->len = room->name_len;
    memcpy(change->name, room->name, room->name_len);
    change->name[room->name_len] = '\0';
    change->members = room->audience.n;
    room_unmark(worker, room);
    return true;
}

void room_mark(struct worker *worker, const char *name, size_t len)
{
    struct room *room = room_find(worker, name, len);

    loop_assert_owner(&worker->loop);
    room_has_changed(worker, room != NULL ? room : room_new(worker, name, len));
}

void rooms_mark_all(struct worker *worker)
{
    size_t pos = 0;
    void *room;

    loop_assert_owner(&worker->loop);
    while (strmap_next(worker->rooms->by_name, &pos, &room))
        room_has_changed(worker, room);
}

struct room_total *room_total(struct worker *worker, const char *name, size_t len)
{
    struct room *room = room_find(worker, name, len);

    loop_assert_owner(&worker->loop);
    return room == NULL ? NULL : &room->total;
}

size_t room_members(const struct worker *worker, const char *name, size_t len)
{
    const struct room *room = room_find(worker, name, len);
    return room == NULL ? 0 : room->audience.n;
}

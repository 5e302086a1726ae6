#include "comet/fanout/room.h"
#include "comet/base/config.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/fanout/fanout.h"
#include "comet/fanout/room_claims.h"
#include "comet/net/conn.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/containers/map.h"
#include "common/protocol/room_news.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct room {
    struct audience audience; /* first */
    TAILQ_ENTRY(room) change; /* set while `changed` */
    bool changed;             /* since room_take_change() */
    bool marked;              /* to be told even if the number is as it was */
    uint32_t told;            /* members, when the change was taken */
    uint64_t claim;           /* room_claims.h: has to be known before a member is told */
    struct room_total total;
    uint8_t name_len;
    char name[];
};

/* All rooms of a loop. */
struct rooms {
    struct fanout fanout; /* first */
    struct strmap *by_name;
    TAILQ_HEAD(, room) changes;
    void (*changed)(struct worker *worker); /* NULL: nobody wants to know; so with `moved` */
    void (*moved)(struct conn *conn, const struct room *room, bool entered);
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

struct room *room_find(const struct worker *worker, const char *name, size_t len)
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

/* --- members --- */

static void room_moved(struct conn *conn, const struct room *room, bool entered)
{
    const struct rooms *rooms = conn->worker->rooms;

    if (rooms->moved != NULL)
        rooms->moved(conn, room, entered);
}

/* The room called NAME, or a new one. NULL: the loop has rooms.max of them. */
static struct room *room_of(struct worker *worker, const char *name, size_t len)
{
    struct room *room = room_find(worker, name, len);

    if (room != NULL)
        return room;
    if (strmap_count(worker->rooms->by_name) < (size_t)worker->config->rooms_max)
        return room_new(worker, name, len);
    metric_add(worker->counters, COMET_ROOMS_REFUSED_NODE, 1);
    return NULL;
}

static struct seat *seat_find(const struct conn *conn, const struct room *room)
{
    for (uint32_t i = 0; conn->seats != NULL && i < conn->seats->n; i++) {
        if (conn->seats->list[i].room == room)
            return &conn->seats->list[i];
    }
    return NULL;
}

static void seat_add(struct conn *conn, struct room *room)
{
    struct seats *seats = conn->seats;
    uint32_t n = seats == NULL ? 0 : seats->n, cap = seats == NULL ? 0 : seats->cap;

    if (n == cap) {
        cap = cap == 0 ? 2 : 2 * cap;
        seats = mem_realloc(seats, sizeof *seats + cap * sizeof seats->list[0]);
        seats->cap = cap;
        conn->seats = seats;
    }
    seats->n = n + 1;
    seats->list[n] = (struct seat){.room = room};
}

static void seat_drop(struct conn *conn, struct seat *seat)
{
    *seat = conn->seats->list[--conn->seats->n];
    if (conn->seats->n > 0)
        return;
    free(conn->seats);
    conn->seats = NULL;
}

static void room_enter(struct conn *conn, struct room *room)
{
    if (room->audience.n == 0)
        room->claim = room_claims_take(conn->worker, room_hash(room->name, room->name_len));
    audience_add(&room->audience, conn);
    room_has_changed(conn->worker, room);
    room_moved(conn, room, true);
}

static void room_exit(struct conn *conn, struct seat *seat)
{
    struct room *room = seat->room;

    audience_remove(&room->audience, conn);
    if (room->audience.n == 0)
        room_claims_drop(conn->worker, room_hash(room->name, room->name_len));
    if (seat == &conn->main)
        conn->main.room = NULL;
    else
        seat_drop(conn, seat);
    room_has_changed(conn->worker, room);
    room_moved(conn, room, false);
    room_release(fanout_of(conn->worker), &room->audience);
}

enum room_result room_join(struct worker *worker, struct conn *conn, const char *name, size_t len)
{
    loop_assert_owner(&worker->loop);
    assert(conn->state == CONN_OPEN || conn->state == CONN_CONNECTING);
    struct room *room = room_of(worker, name, len);
    if (room == NULL)
        return ROOM_NODE_FULL;
    if (conn->main.room == room)
        return ROOM_OK;
    room_leave(conn);
    struct seat *beside = seat_find(conn, room);
    if (beside != NULL) { /* it only changes its rank */
        conn->main = *beside;
        seat_drop(conn, beside);
        return ROOM_OK;
    }
    conn->main.room = room;
    room_enter(conn, room);
    return ROOM_OK;
}

enum room_result room_join_beside(struct worker *worker, struct conn *conn, const char *name,
                                  size_t len)
{
    loop_assert_owner(&worker->loop);
    assert(conn->state == CONN_OPEN || conn->state == CONN_CONNECTING);
    struct room *room = room_find(worker, name, len);
    uint32_t n = (conn->main.room != NULL) + (conn->seats != NULL ? conn->seats->n : 0);
    if (room != NULL && (conn->main.room == room || seat_find(conn, room) != NULL))
        return ROOM_OK;
    if (n >= (uint64_t)worker->config->rooms_per_session) {
        metric_add(worker->counters, COMET_ROOMS_REFUSED_SESSION, 1);
        return ROOM_SESSION_FULL;
    }
    room = room_of(worker, name, len);
    if (room == NULL)
        return ROOM_NODE_FULL;
    seat_add(conn, room);
    room_enter(conn, room);
    return ROOM_OK;
}

void room_leave(struct conn *conn)
{
    loop_assert_owner(&conn->worker->loop);
    if (conn->main.room != NULL)
        room_exit(conn, &conn->main);
}

void room_leave_named(struct conn *conn, const char *name, size_t len)
{
    loop_assert_owner(&conn->worker->loop);
    const struct room *room = room_find(conn->worker, name, len);
    struct seat *beside = room == NULL ? NULL : seat_find(conn, room);
    if (beside != NULL)
        room_exit(conn, beside);
    else if (room != NULL && conn->main.room == room)
        room_leave(conn);
}

void rooms_leave(struct conn *conn)
{
    room_leave(conn);
    while (conn->seats != NULL)
        room_exit(conn, &conn->seats->list[conn->seats->n - 1]);
}

uint64_t rooms_claimed(const struct conn *conn)
{
    uint64_t latest = conn->main.room != NULL ? conn->main.room->claim : 0;

    for (uint32_t i = 0; conn->seats != NULL && i < conn->seats->n; i++) {
        const struct room *room = conn->seats->list[i].room;
        latest = room->claim > latest ? room->claim : latest;
    }
    return latest;
}

/* --- pushes --- */

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

struct room *rooms_next(const struct worker *worker, size_t *pos)
{
    void *room;

    loop_assert_owner(&worker->loop);
    while (strmap_next(worker->rooms->by_name, pos, &room)) {
        if (((struct room *)room)->audience.n > 0)
            return room;
    }
    return NULL;
}

/* --- how many are where --- */

void rooms_watch(struct worker *worker, void (*changed)(struct worker *worker))
{
    loop_assert_owner(&worker->loop);
    worker->rooms->changed = changed;
}

void rooms_watch_members(struct worker *worker,
                         void (*moved)(struct conn *conn, const struct room *room, bool entered))
{
    loop_assert_owner(&worker->loop);
    worker->rooms->moved = moved;
}

/* False: the number is what was told last. A room that somebody entered and left again at once is
 * not worth a word: a client could make thousands of them. */
static bool change_of(struct room *room, struct room_change *change)
{
    bool is_news = room->marked || room->told != room->audience.n;

    room->marked = false;
    room->told = room->audience.n;
    change->len = room->name_len;
    memcpy(change->name, room->name, room->name_len);
    change->name[room->name_len] = '\0';
    change->members = room->audience.n;
    return is_news;
}

bool room_take_change(struct worker *worker, struct room_change *change)
{
    bool is_news = false;

    loop_assert_owner(&worker->loop);
    for (struct room *room = TAILQ_FIRST(&worker->rooms->changes), *next; room != NULL && !is_news;
         room = next) {
        next = TAILQ_NEXT(room, change);
        is_news = change_of(room, change);
        room_unmark(worker, room);
    }
    return is_news;
}

static void room_mark_one(struct worker *worker, struct room *room)
{
    room->marked = true;
    room_has_changed(worker, room);
}

void room_mark(struct worker *worker, const char *name, size_t len)
{
    struct room *room = room_find(worker, name, len);

    loop_assert_owner(&worker->loop);
    room_mark_one(worker, room != NULL ? room : room_new(worker, name, len));
}

void rooms_mark_all(struct worker *worker)
{
    size_t pos = 0;
    void *room;

    loop_assert_owner(&worker->loop);
    while (strmap_next(worker->rooms->by_name, &pos, &room))
        room_mark_one(worker, room);
}

struct room_total *room_total(struct room *room)
{
    return &room->total;
}

uint32_t room_members(const struct room *room)
{
    return room->audience.n;
}

struct conn *room_member(const struct room *room, uint32_t i)
{
    return room->audience.members[i];
}

bool room_has(const struct room *room, const struct conn *conn)
{
    return conn->main.room == room || seat_find(conn, room) != NULL;
}

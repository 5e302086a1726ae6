#include "comet/session/room_ops.h"
#include "comet/fanout/room.h"
#include "comet/net/conn.h"
#include "comet/session/held_joins.h"
#include "comet/wire/client_request.h"

#include <string.h>

static void kick_bad_name(struct conn *conn)
{
    conn_kick(conn, CLOSE_MALFORMED,
              "rooms: a name must be 1 to 128 bytes of UTF-8 without control characters");
}

/* True: the session is in the room. */
static bool room_entered(struct conn *conn, enum room_result result)
{
    switch (result) {
    case ROOM_OK:
        return true;
    case ROOM_SESSION_FULL:
        conn_kick(conn, CLOSE_RATE_LIMITED, "rooms: the session is in as many as it may be");
        break;
    case ROOM_NODE_FULL:
        conn_kick(conn, CLOSE_UNAVAILABLE, "rooms: this node has as many as it may have");
        break;
    }
    return false;
}

bool room_op_enter_main(struct conn *conn, const char *name, size_t len)
{
    if (!room_name_is_valid(name, len)) {
        kick_bad_name(conn);
        return false;
    }
    return room_entered(conn, room_join(conn->worker, conn, name, len));
}

/* The bytes of LIST before its next comma. */
static size_t name_len(const char *list, size_t len)
{
    const char *comma = memchr(list, ',', len);

    return comma == NULL ? len : (size_t)(comma - list);
}

/* Calls EACH for every name of LIST, until it is false. */
static bool each_room(struct conn *conn, const char *list, size_t len,
                      bool (*each)(struct conn *conn, const char *name, size_t len))
{
    for (;;) {
        size_t n = name_len(list, len);
        if (!room_name_is_valid(list, n)) {
            kick_bad_name(conn);
            return false;
        }
        if (!each(conn, list, n))
            return false;
        if (n == len)
            return true;
        list += n + 1;
        len -= n + 1;
    }
}

static bool enter_one(struct conn *conn, const char *name, size_t len)
{
    return room_entered(conn, room_join_beside(conn->worker, conn, name, len));
}

static bool leave_one(struct conn *conn, const char *name, size_t len)
{
    room_leave_named(conn, name, len);
    return true;
}

bool room_op_enter(struct conn *conn, const void *list, size_t len)
{
    return each_room(conn, list, len, enter_one);
}

static void answer(struct conn *conn, const struct client_request *request, int32_t op,
                   bool (*each)(struct conn *conn, const char *name, size_t len))
{
    bool text = request->kind == BODY_BYTES || request->kind == BODY_STRING;

    if (each_room(conn, text ? (const char *)request->body : "", text ? request->body_len : 0,
                  each))
        held_joins_reply(conn, request, op, NULL, 0);
}

void client_op_join(struct conn *conn, const struct client_request *request)
{
    answer(conn, request, OP_JOIN_REPLY, enter_one);
}

void client_op_leave(struct conn *conn, const struct client_request *request)
{
    answer(conn, request, OP_LEAVE_REPLY, leave_one);
}

#include "comet/session/asked_sessions.h"
#include "comet/base/worker.h"
#include "comet/fanout/room.h"
#include "comet/net/conn.h"
#include "comet/net/goim_client.h"
#include "comet/net/handle_table.h"
#include "comet/session/acks.h"

#include <arpa/inet.h>

/* False: the answer is full. */
static bool add_room(struct question *question, const struct room *room)
{
    size_t len;
    const char *name = room_name(room, &len);

    return question_add_room(question, name, len);
}

static void add_rooms(struct question *question, const struct conn *conn)
{
    const struct seats *seats = conn->seats;
    uint32_t n = seats != NULL ? seats->n : 0, left = n + (conn->main.room != NULL);

    if (conn->main.room != NULL)
        left -= add_room(question, conn->main.room);
    for (uint32_t i = 0; i < n && add_room(question, seats->list[i].room); i++)
        left--;
    question_more_rooms(question, left);
}

static void add_session(struct question *question, const struct conn *conn)
{
    char address[INET6_ADDRSTRLEN] = "";
    const struct goim_client *goim = conn->goim;
    struct asked_session session = {
        .handle = conn->handle,
        .uid = conn->uid,
        .open_ms = conn_open_ms(conn),
        .websocket = conn->is_ws,
        .tls = conn->tls != NULL,
        .acked = acks_of(conn) != NULL,
        .address = address,
        .unsent = conn_unsent(conn),
    };

    conn_peer(conn, address, sizeof address);
    if (goim != NULL) {
        session.key = goim->key;
        session.platform = goim->platform;
        session.chooses = !goim->all;
        session.ops = goim->ops;
        session.n_ops = goim->n_ops;
    }
    question_add(question, &session);
    add_rooms(question, conn);
}

void asked_sessions_take(struct worker *worker, struct question *question)
{
    loop_assert_owner(&worker->loop);
    if (question->room_len > 0) {
        room_pages_take(worker->room_pages, question);
        return;
    }
    for (size_t i = 0; i < question->n_handles; i++) {
        const struct conn *conn = handle_table_find(worker->table, question->handles[i]);
        question->taken += handle_loop(question->handles[i]) == worker->loop.index;
        if (conn != NULL && conn->state == CONN_OPEN && conn->uid == question->uid)
            add_session(question, conn);
    }
    question->finish(question);
}

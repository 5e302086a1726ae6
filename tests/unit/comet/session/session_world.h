/* session_world.h - what session_fixture.h consists of, and the fakes of the frontend: a socket
 * that takes what it likes when it likes. */
#ifndef IMC_TESTS_UNIT_COMET_SESSION_SESSION_WORLD_H
#define IMC_TESTS_UNIT_COMET_SESSION_SESSION_WORLD_H

#include "comet/base/comet.h"
#include "comet/base/metrics.h"
#include "comet/fanout/room.h"
#include "comet/logic/logic_requests.h"
#include "comet/net/conn.h"
#include "comet/net/conn_rate.h"
#include "comet/net/goim_client.h"
#include "comet/net/handle_table.h"
#include "comet/session/acks.h"
#include "comet/session/catchup.h"
#include "comet/session/goim_keys.h"
#include "comet/session/goim_ops.h"
#include "comet/session/held_joins.h"
#include "comet/session/reregister.h"
#include "comet/session/room_ops.h"
#include "comet/session/session.h"
#include "comet/session/session_log.h"
#include "comet/session/upstream.h"
#include "comet/wire/client_request.h"
#include "common/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { QUEUE_MAX = 4, IDS_MAX = 1500, RUN = 400, PAGE = 3 };

/* A message in the mailbox. */
struct kept {
    bool here;
    bool mine, others; /* owed to this session, to another one; neither: to whoever reads it */
};

struct queued {
    uint64_t id;
    struct ticket ticket;
};

static struct {
    struct worker worker;
    struct comet_config config;
    _Atomic int64_t counters[COMET_METRIC_COUNT];
    struct conn conn;
    int socket_takes; /* messages the kernel takes now */
    struct queued queue[QUEUE_MAX];
    int n_queue;
    bool begun; /* a part of the first in the queue has been sent */
    uint64_t written[2 * IDS_MAX];
    int n_written;
    uint64_t ids;       /* messages of this run: 1 … */
    uint64_t inherited; /* of these the first waited before the session was there */
    struct kept mailbox[IDS_MAX + 1];
    bool settle[IDS_MAX + 1];
    bool elsewhere[IDS_MAX +
                   1]; /* another device of the user got it, and this one is owed nothing */
    struct logic_request_queue requests;
    int auth_replies, kicked, told;
    uint32_t numbered, acked; /* sequences of an acknowledged session */
    int out;                  /* pushes that were not told of */
    struct chances {
        int store_fails, fetch_fails, short_page; /* percent */
        int other_device, replay, refetch;        /* percent of events */
        int others;     /* percent of events, and of what waits: another session is owed it */
        int begun;      /* percent of what the socket does not take: a part has left */
        int overtake;   /* requests that may be answered before an older one, more than one logic */
        int lapse;      /* percent of events: others take the session for dead, until … */
        int registered; /* percent of events: it learns that routers know it again */
        bool no_mailbox; /* nothing can be stored or read: what is handed back is pushed again */
        bool tcp;
        int acks; /* percent of events: the client acknowledges; 0: a plain session */
    } chance;
} w;

static inline bool happens(int percent)
{
    return rand() % 100 < percent;
}

/* --- fakes of the frontend --- */

static inline void socket_write(uint64_t id, struct ticket *ticket)
{
    w.written[w.n_written++] = id;
    ticket_done(ticket, &w.conn, TICKET_WRITTEN);
}

enum write_result conn_push(struct conn *conn, const struct push *push, struct ticket ticket)
{
    if (conn->state != CONN_OPEN)
        return WRITE_CLOSED;
    if (w.n_queue == 0 && w.socket_takes > 0) {
        w.socket_takes--;
        socket_write(push->id, &ticket);
        return WRITE_DONE;
    }
    if (w.n_queue == QUEUE_MAX)
        return WRITE_FULL;
    if (w.n_queue == 0)
        w.begun = happens(w.chance.begun);
    w.queue[w.n_queue++] = (struct queued){push->id, ticket};
    return WRITE_QUEUED;
}

/* What an acknowledged session was sent; the client is client_acks(). */
enum write_result conn_push_numbered(struct conn *conn, const struct push *push, uint32_t seq)
{
    if (conn->state != CONN_OPEN)
        return WRITE_CLOSED;
    if (w.socket_takes == 0)
        return WRITE_FULL;
    w.socket_takes--;
    assert_int_equal(seq, ++w.numbered);
    w.written[w.n_written++] = push->id;
    return WRITE_DONE;
}

void conn_rate_give_back(struct conn *conn)
{
    (void)conn;
}

bool conn_has_queued(const struct conn *conn)
{
    (void)conn;
    return w.n_queue > 0;
}

void conn_take_queued(struct conn *conn, void (*fn)(struct ticket *, void *), void *arg)
{
    (void)conn;
    int n = w.n_queue;
    w.n_queue = w.begun ? 1 : 0;
    for (int i = w.n_queue; i < n; i++)
        fn(&w.queue[i].ticket, arg);
}

struct ticket *conn_begun_ticket(struct conn *conn)
{
    (void)conn;
    return w.begun ? &w.queue[0].ticket : NULL;
}

void conn_reply(struct conn *conn, uint16_t version, int32_t op, int32_t seq, const void *body,
                size_t len)
{
    (void)conn, (void)version, (void)seq, (void)body, (void)len;
    assert_int_equal(op, OP_AUTH_REPLY);
    assert_int_equal(w.n_written, 0);
    w.auth_replies++;
}

void conn_opened(struct conn *conn)
{
    conn->state = CONN_OPEN;
}

void conn_kick(struct conn *conn, enum close_code code, const char *reason)
{
    (void)reason;
    conn->state = CONN_CLOSING;
    w.kicked = (int)code;
}

void conn_peer(const struct conn *conn, char *out, size_t len)
{
    (void)conn, (void)len;
    out[0] = '\0';
}

bool room_op_enter_main(struct conn *conn, const char *name, size_t len)
{
    (void)conn, (void)name, (void)len;
    return true;
}

bool room_op_enter(struct conn *conn, const void *list, size_t len)
{
    (void)conn, (void)list, (void)len;
    return true;
}

void held_joins_admit(struct conn *conn, void (*admit)(struct conn *conn, bool hello), bool hello)
{
    assert_int_equal(conn->state, CONN_CONNECTING);
    admit(conn, hello);
}

void upstream_conn_closed(struct conn *conn)
{
    (void)conn;
}

void goim_admitted(struct conn *conn, const struct admission *result)
{
    (void)result;
    conn->goim = goim_client_new("key");
    goim_keys_add(conn);
}

bool goim_declines(struct conn *conn, const struct push *push, const struct ticket *ticket)
{
    (void)conn, (void)push, (void)ticket;
    return false;
}

size_t goim_hello(const struct conn *conn, char body[GOIM_HELLO_MAX])
{
    (void)conn;
    memcpy(body, "{}", 2);
    return 2;
}

void reregister_admitted(struct reregister *reregister, struct conn *conn,
                         const struct logic_answer *answer)
{
    (void)reregister, (void)answer;
    conn->missed = happens(10 * w.chance.lapse);
}

void reregister_closed(struct reregister *reregister, struct conn *conn)
{
    (void)reregister, (void)conn;
}

/* No session of these tests is logged. */
void session_log_admitted(struct session_log *log, struct conn *conn,
                          const struct logic_answer *answer)
{
    (void)log, (void)conn, (void)answer;
    fail();
}

void session_log_closed(struct session_log *log, struct conn *conn)
{
    (void)log, (void)conn;
    fail();
}

void session_log_unopened(struct session_log *log, uint64_t handle,
                          const struct logic_answer *answer)
{
    (void)log, (void)handle, (void)answer;
    fail();
}

void session_log_undo(struct session_log *log, uint64_t handle)
{
    (void)log, (void)handle;
}

void reregister_disconnect(struct reregister *reregister, uint64_t handle, int64_t uid)
{
    (void)reregister;
    struct logic_request *request = logic_requests_new(NULL, REQUEST_DISCONNECT);
    request->handle = handle;
    request->uid = uid;
    logic_requests_send(NULL, request);
}

#endif

#include "comet/session/held_joins.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/fanout/room.h"
#include "comet/fanout/room_claims.h"
#include "comet/net/conn.h"
#include "comet/net/handle_table.h"
#include "comet/wire/client_request.h"
#include "common/base/list.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct held_join {
    STAILQ_ENTRY(held_join) next;
    uint64_t handle;
    uint64_t claim; /* has to be known */
    uint64_t since_ms;
    void (*admit)(struct conn *conn, bool hello); /* NULL: a reply */
    bool hello;
    int32_t op, seq;
    uint16_t version;
    size_t body_len;
    uint8_t body[];
};

struct held_joins {
    STAILQ_HEAD(, held_join) queue;
};

static struct held_join *hold(struct conn *conn, uint64_t claim, size_t body_len)
{
    struct worker *worker = conn->worker;
    struct held_join *join = mem_zalloc(sizeof *join + body_len);

    join->handle = conn->handle;
    join->claim = claim;
    join->since_ms = loop_now_ms(&worker->loop);
    join->body_len = body_len;
    STAILQ_INSERT_TAIL(&worker->held->queue, join, next);
    metric_add(worker->counters, COMET_JOINS_WAITING, 1);
    return join;
}

void held_joins_reply(struct conn *conn, const struct client_request *request, int32_t op,
                      const void *body, size_t body_len)
{
    struct worker *worker = conn->worker;
    uint64_t claim = rooms_claimed(conn);

    loop_assert_owner(&worker->loop);
    assert(conn->state == CONN_OPEN);
    if (room_claims_known(worker, claim)) {
        conn_reply(conn, request->version, op, request->seq, body, body_len);
        return;
    }
    struct held_join *join = hold(conn, claim, body_len);
    join->op = op;
    join->seq = request->seq;
    join->version = request->version;
    if (body_len > 0)
        memcpy(join->body, body, body_len);
    conn_hold(conn, HELD_BY_JOIN);
}

void held_joins_admit(struct conn *conn, void (*admit)(struct conn *conn, bool hello), bool hello)
{
    uint64_t claim = rooms_claimed(conn);

    loop_assert_owner(&conn->worker->loop);
    assert(conn->state == CONN_CONNECTING);
    if (room_claims_known(conn->worker, claim)) {
        admit(conn, hello);
        return;
    }
    struct held_join *join = hold(conn, claim, 0);
    join->admit = admit;
    join->hello = hello;
    conn_hold(conn, HELD_BY_JOIN);
}

static void release(struct worker *worker, const struct held_join *join)
{
    struct conn *conn = handle_table_find(worker->table, join->handle);

    if (conn == NULL)
        return;
    if (conn->state != (join->admit != NULL ? CONN_CONNECTING : CONN_OPEN))
        return;
    conn_let_go(conn, HELD_BY_JOIN);
    if (join->admit != NULL) {
        join->admit(conn, join->hello);
        return;
    }
    conn_reply(conn, join->version, join->op, join->seq, join->body, join->body_len);
}

/* A join may wait for one before it, which waits for another claim. That one has its end soon. */
void held_joins_known(struct worker *worker, bool outwaited)
{
    struct held_join *join;
    uint64_t now = loop_now_ms(&worker->loop);

    loop_assert_owner(&worker->loop);
    while ((join = STAILQ_FIRST(&worker->held->queue)) != NULL &&
           room_claims_known(worker, join->claim)) {
        STAILQ_REMOVE_HEAD(&worker->held->queue, next);
        metric_add(worker->counters, COMET_JOINS_WAITING, -1);
        metric_add(worker->counters, COMET_JOINS_HELD, 1);
        metric_add(worker->counters, COMET_JOINS_HELD_MS, (int64_t)(now - join->since_ms));
        metric_add(worker->counters, COMET_JOINS_OUTWAITED, outwaited);
        release(worker, join);
        free(join);
    }
}

void held_joins_open(struct worker *worker)
{
    loop_assert_owner(&worker->loop);
    worker->held = mem_zalloc(sizeof *worker->held);
    STAILQ_INIT(&worker->held->queue);
}

void held_joins_close(struct worker *worker)
{
    struct held_join *join;

    loop_assert_owner(&worker->loop);
    if (worker->held == NULL)
        return;
    while ((join = STAILQ_TAKE(&worker->held->queue, next)) != NULL) {
        metric_add(worker->counters, COMET_JOINS_WAITING, -1);
        free(join);
    }
    free(worker->held);
    worker->held = NULL;
}

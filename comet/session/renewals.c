#include "comet/session/renewals.h"
#include "comet/base/cluster_view.h"
#include "comet/base/config.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/logic/logic_requests.h"
#include "comet/net/conn.h"
#include "comet/net/goim_client.h"
#include "comet/net/handle_table.h"
#include "comet/session/goim_ops.h"
#include "comet/session/token_ends.h"
#include "comet/wire/client_request.h"
#include "common/base/mem.h"
#include "common/base/random.h"
#include "common/containers/map.h"
#include "common/containers/wheel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 100, SLOTS = 1024, AGAIN_MS = 1000, AGAIN_SPREAD_MS = 500 };

struct renewal {
    struct wheel_timer timer; /* asks again; or, with no token, is forgotten */
    struct worker *worker;
    uint64_t handle;
    uint64_t came_ms; /* loop time */
    char *token;      /* NULL: logic has answered */
    size_t len;
    int32_t seq;
    uint16_t version;
};

struct renewals {
    struct wheel *wheel;
    struct map64 *all; /* handle → struct renewal * */
};

static struct renewal *renewal_of(const struct renewals *renewals, uint64_t handle)
{
    const uint64_t *at = map64_get(renewals->all, handle);

    return at == NULL ? NULL : (struct renewal *)(uintptr_t)*at; /* NOLINT: a map of numbers */
}

static void renewal_forget(struct conn *conn, struct renewal *renewal)
{
    struct renewals *renewals = conn->worker->renewals;

    wheel_cancel(renewals->wheel, &renewal->timer);
    map64_del(renewals->all, renewal->handle);
    conn->renews = conn->renewing = false;
    mem_wiped_free(renewal->token, renewal->len);
    free(renewal);
}

/* --- what logic says --- */

static void reply(struct conn *conn, const struct renewal *renewal, bool hello)
{
    char body[GOIM_HELLO_MAX];
    size_t len = hello && conn->goim != NULL ? goim_hello(conn, body) : 0;

    conn_reply(conn, renewal->version, OP_AUTH_REPLY, renewal->seq, body, len);
}

/* The session has another token now. */
static void renewed(struct conn *conn, struct renewal *renewal, const struct admission *result)
{
    struct worker *worker = conn->worker;
    uint64_t now = loop_now_ms(&worker->loop);
    uint64_t free_ms = renewal->came_ms + (uint64_t)worker->config->renew_interval_ms;

    metric_add(worker->counters, COMET_RENEWED, 1);
    token_ends_set(conn, result->token, result->lifetime_ms);
    reply(conn, renewal, result->hello);
    mem_wiped_free(renewal->token, renewal->len);
    renewal->token = NULL;
    conn->renewing = false;
    if (free_ms > now)
        wheel_set(worker->renewals->wheel, &renewal->timer, free_ms - now);
    else
        renewal_forget(conn, renewal);
}

static void renew_done(struct worker *worker, struct logic_request *request,
                       const struct logic_answer *answer)
{
    struct conn *conn = handle_table_find(worker->table, request->handle);
    struct renewal *renewal = renewal_of(worker->renewals, request->handle);
    bool said = answer->answered && answer->connect != NULL && answer->status <= CLOSE_UNKNOWN_OP &&
                answer->status != CLOSE_UNAVAILABLE;

    if (conn == NULL || renewal == NULL)
        return; /* the session has ended */
    if (said && answer->status != CLOSE_NONE) {
        metric_add(worker->counters, COMET_RENEW_REFUSED, 1);
        conn_kick(conn, (enum close_code)answer->status, answer->connect->reason);
        return;
    }
    /* While others took us for dead, the new token may have been revoked: it is asked about again,
     * now that the session is registered with the old one. */
    if (said && answer->epoch == worker->view->comet_epoch) {
        renewed(conn, renewal, answer->connect);
        return;
    }
    metric_add(worker->counters, COMET_RENEW_AGAIN, 1);
    wheel_set(worker->renewals->wheel, &renewal->timer,
              AGAIN_MS + random_number() % AGAIN_SPREAD_MS);
}

/* --- asking --- */

static void ask(struct conn *conn, const struct renewal *renewal)
{
    struct worker *worker = conn->worker;
    struct logic_requests *link = worker_connects(worker);
    struct logic_request *request = logic_requests_new(link, REQUEST_RENEW);

    request->handle = conn->handle;
    request->uid = conn->uid;
    request->bytes = mem_strndup(renewal->token, renewal->len);
    request->bytes_len = renewal->len;
    request->goim = (wire_is_goim(conn->wire) || conn->by_object) && renewal->token[0] == '{';
    request->wire = conn->wire;
    request->key = conn->goim != NULL ? mem_strdup(conn->goim->key) : NULL;
    conn_peer(conn, request->peer, sizeof request->peer);
    request->deadline_ms = loop_now_ms(&worker->loop) + (uint64_t)worker->config->connect_ms;
    request->done = renew_done;
    logic_requests_send(link, request);
}

static void on_timer(struct wheel *wheel, struct wheel_timer *timer)
{
    struct renewal *renewal = container_of(timer, struct renewal, timer);
    struct conn *conn = handle_table_find(renewal->worker->table, renewal->handle);

    (void)wheel;
    assert(conn != NULL); /* or it would have been forgotten */
    if (renewal->token == NULL)
        renewal_forget(conn, renewal);
    else if (conn->state == CONN_OPEN)
        ask(conn, renewal);
}

void renewals_take(struct conn *conn, const struct client_request *token)
{
    struct worker *worker = conn->worker;
    struct renewals *renewals = worker->renewals;

    loop_assert_owner(&worker->loop);
    if (conn->renews) {
        metric_add(worker->counters, COMET_RENEW_TOO_SOON, 1);
        conn_kick(conn, CLOSE_RATE_LIMITED,
                  conn->renewing ? "auth again, before the one before was answered"
                                 : "auth again within session.renew_interval");
        return;
    }
    struct renewal *renewal = mem_zalloc(sizeof *renewal);
    renewal->worker = worker;
    renewal->handle = conn->handle;
    renewal->came_ms = loop_now_ms(&worker->loop);
    renewal->token = mem_strndup((const char *)token->body, token->body_len);
    renewal->len = token->body_len;
    renewal->seq = token->seq;
    renewal->version = token->version;
    map64_set(renewals->all, conn->handle, (uintptr_t)renewal);
    conn->renews = conn->renewing = true;
    ask(conn, renewal);
}

void renewals_forget(struct conn *conn)
{
    struct renewal *renewal = renewal_of(conn->worker->renewals, conn->handle);

    loop_assert_owner(&conn->worker->loop);
    assert(renewal != NULL);
    renewal_forget(conn, renewal);
}

/* --- life --- */

struct renewals *renewals_open(struct worker *worker)
{
    struct renewals *renewals = mem_zalloc(sizeof *renewals);

    loop_assert_owner(&worker->loop);
    renewals->wheel = wheel_open(&worker->loop, TICK_MS, SLOTS, on_timer);
    renewals->all = map64_new();
    return renewals;
}

void renewals_close(struct renewals *renewals)
{
    assert(map64_count(renewals->all) == 0);
    wheel_close(renewals->wheel);
    map64_free(renewals->all);
    free(renewals);
}

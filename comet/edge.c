/* listeners ─► connections (live, closing) ─► session.h
 *                    ▲         rooms ─► walks ─┘
 * One of each per loop; nothing here is shared between loops. */
#include "comet/edge.h"
#include "comet/conn_internal.h"
#include "comet/listener.h"
#include "comet/room_internal.h"
#include "comet/sendq.h"
#include "common/frame.h"
#include "common/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TICK_MS = 100, /* accuracy of handshake, heartbeat and linger deadlines */
    WHEEL_SLOTS = 4096,
    KICK_EVERY_MS = 10,
    KICK_SLICE = 256, /* connections told to go per KICK_EVERY_MS */
};

static int64_t max_auth(const struct comet_config *config)
{
    return config->max_auth < config->max_body ? config->max_auth : config->max_body;
}

static size_t max_message(int64_t max_body)
{
    /* Any body within the limit fits, even if most of it is escaped. */
    return 4 * (size_t)max_body + 1024;
}

/* The longest rest that can stand before what is read next: a frame, a handshake, or (while logic
 * is asked) all that came behind the auth. */
static size_t longest_rest(const struct comet_config *config)
{
    size_t frame = FRAME_HEADER + (size_t)config->max_body;
    size_t rest = frame > EDGE_HTTP_MAX ? frame : EDGE_HTTP_MAX;
    return rest + EDGE_READ;
}

static void on_kick_tick(uv_timer_t *timer);

int edge_open(struct worker *worker, char *err, size_t errlen)
{
    struct edge *edge = mem_zalloc(sizeof *edge);
    int rc = poller_open(&worker->loop, conn_on_event, &edge->poller);
    if (rc != 0) {
        (void)snprintf(err, errlen, "cannot watch sockets: %s", uv_err_name(rc));
        free(edge);
        return rc;
    }
    worker->edge = edge;
    edge->worker = worker;
    edge->conns = slab_open("connections", sizeof(struct conn));
    edge->sendqs = slab_open("send queues", sizeof(struct sendq));
    edge->entries = slab_open("send queue entries", sizeof(struct sendq_entry));
    edge->wheel = wheel_open(&worker->loop, TICK_MS, WHEEL_SLOTS, conn_on_timer, edge);
    edge->in_ahead = longest_rest(worker->config);
    edge->in = mem_alloc(edge->in_ahead + EDGE_READ);
    edge->scratch = mem_alloc(EDGE_SCRATCH);
    edge->cork = mem_alloc(EDGE_SCRATCH);
    edge->max_message = max_message(worker->config->max_body);
    edge->max_auth = max_message(max_auth(worker->config));
    edge->max_auth_body = (size_t)max_auth(worker->config);
    edge->attend.run = conn_attend_all;
    uv_timer_init(&worker->loop.uv, &edge->scan);
    uv_timer_init(&worker->loop.uv, &edge->kick.timer);
    edge->open_handles = 3;
    rooms_open(edge);
    walks_open(edge);
    rc = listeners_open(edge, err, errlen);
    if (rc != 0)
        edge_close(worker);
    return rc;
}

void edge_accept(struct worker *worker, bool on)
{
    if (on)
        listeners_accept(worker->edge);
    else
        listeners_stop(worker->edge);
}

size_t edge_connections(const struct worker *worker)
{
    return worker->edge == NULL ? 0 : worker->edge->n_conns;
}

/* --- kicking everybody --- */

static void on_kick_tick(uv_timer_t *timer)
{
    struct edge *edge = container_of(timer, struct edge, kick.timer);
    for (int i = 0; i < KICK_SLICE && edge->live != NULL; i++) {
        struct conn *conn = edge->live;
        conn_kick(conn, edge->kick.code, edge->kick.reason);
        if (edge->live ==
            conn) { /* broken: it closes at the end of the turn, the others wait for that */
            assert(conn->broken);
            break;
        }
    }
    if (edge->n_conns > 0)
        return;
    uv_timer_stop(&edge->kick.timer);
    if (edge->kick.done != NULL)
        edge->kick.done(edge->worker);
}

void edge_kick_all(struct worker *worker, enum close_code code, const char *reason,
                   void (*done)(struct worker *worker))
{
    struct edge *edge = worker->edge;
    free(edge->kick.reason);
    edge->kick.reason = mem_strdup(reason);
    edge->kick.code = code;
    edge->kick.done = done;
    uv_timer_start(&edge->kick.timer, on_kick_tick, 0, KICK_EVERY_MS);
}

/* --- the end --- */

static void on_scan_closed(uv_handle_t *handle)
{
    container_of((uv_timer_t *)handle, struct edge, scan)->open_handles--;
}

static void on_kick_closed(uv_handle_t *handle)
{
    container_of((uv_timer_t *)handle, struct edge, kick.timer)->open_handles--;
}

static void on_poller_closed(void *arg)
{
    ((struct edge *)arg)->open_handles--;
}

static void edge_free(struct edge *edge)
{
    assert(edge->queued == NULL && edge->chain == NULL);
    listeners_free(edge);
    rooms_close(edge);
    slab_close(edge->conns);
    slab_close(edge->sendqs);
    slab_close(edge->entries);
    free(edge->in);
    free(edge->scratch);
    free(edge->cork);
    free(edge->kick.reason);
    free(edge);
}

void edge_close(struct worker *worker)
{
    struct edge *edge = worker->edge;
    if (edge == NULL)
        return;
    listeners_stop(edge);
    while (edge->live != NULL)
        conn_close(edge->live);
    while (edge->closing != NULL)
        conn_close(edge->closing);
    walks_close(edge);
    uv_close((uv_handle_t *)&edge->scan, on_scan_closed);
    uv_close((uv_handle_t *)&edge->kick.timer, on_kick_closed);
    poller_close(edge->poller, on_poller_closed, edge);
    wheel_close(edge->wheel);
    while (edge->n_conns > 0 || edge->open_handles > 0 || edge->chain != NULL)
        uv_run(&worker->loop.uv, UV_RUN_NOWAIT);
    edge_free(edge);
    worker->edge = NULL;
}

/* listeners ─► connections (live, closing) ─► session/session.h
 *                    ▲         rooms ─► walks ─┘
 * One of each per loop; nothing here is shared between loops. */
#include "comet/net/frontend.h"
#include "comet/fanout/room_internal.h"
#include "comet/net/conn_internal.h"
#include "comet/net/listener.h"
#include "comet/net/mass_kick.h"
#include "comet/net/sendq.h"
#include "common/base/mem.h"
#include "common/protocol/frame.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TICK_MS = 100, /* accuracy of handshake, heartbeat and linger deadlines */
    WHEEL_SLOTS = 4096,
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
    edge->open_handles = 2;
    farewells_open(edge);
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

/* --- the end --- */

static void on_scan_closed(uv_handle_t *handle)
{
    container_of((uv_timer_t *)handle, struct edge, scan)->open_handles--;
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
    farewells_close(edge);
    poller_close(edge->poller, on_poller_closed, edge);
    wheel_close(edge->wheel);
    while (edge->n_conns > 0 || edge->open_handles > 0 || edge->chain != NULL)
        uv_run(&worker->loop.uv, UV_RUN_NOWAIT);
    edge_free(edge);
    worker->edge = NULL;
}

/* listeners ─► connections (live, closing) ─► events (conn.h), set by the worker
 *
 * Every loop has its own; nothing here is shared between loops. */
#include "comet/net/frontend.h"
#include "comet/net/client_address.h"
#include "comet/net/conn_internal.h"
#include "comet/net/conn_tls.h"
#include "comet/net/listener.h"
#include "comet/net/mass_kick.h"
#include "comet/net/sendq.h"
#include "common/base/mem.h"
#include "common/containers/map.h"
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
    /* room for a body of the longest size, even if most of it is escaped */
    return 4 * (size_t)max_body + 1024;
}

/* The longest rest that can be kept until the next read: a frame, a handshake, or all that came
 * behind the auth while logic is asked. */
static size_t longest_rest(const struct comet_config *config)
{
    size_t frame = FRAME_HEADER + (size_t)config->max_body;
    size_t rest = frame > FRONTEND_HTTP_MAX ? frame : FRONTEND_HTTP_MAX;
    return rest + FRONTEND_READ;
}

void frontend_read_little(struct worker *worker, bool little)
{
    loop_assert_owner(&worker->loop);
    worker->frontend->bite = little ? FRONTEND_STRANGER : FRONTEND_READ;
}

int frontend_open(struct worker *worker, const struct conn_events *events, char *err, size_t errlen)
{
    loop_assert_owner(&worker->loop);
    struct frontend *frontend = mem_zalloc(sizeof *frontend);
    int rc = poller_open(&worker->loop, conn_on_event, &frontend->poller);
    if (rc != 0) {
        (void)snprintf(err, errlen, "cannot watch sockets: %s", uv_err_name(rc));
        free(frontend);
        return rc;
    }
    worker->frontend = frontend;
    frontend->worker = worker;
    frontend->events = events;
    frontend->conns = slab_open("connections", sizeof(struct conn));
    frontend->sendqs = slab_open("send queues", sizeof(struct sendq));
    frontend->entries = slab_open("send queue entries", sizeof(struct sendq_entry));
    frontend->wheel = wheel_open(&worker->loop, TICK_MS, WHEEL_SLOTS, conn_on_timer);
    frontend->in_ahead = longest_rest(worker->config);
    frontend->in = mem_alloc(frontend->in_ahead + FRONTEND_READ);
    frontend->bite = FRONTEND_READ;
    frontend->scratch = mem_alloc(FRONTEND_SCRATCH);
    frontend->cork = mem_alloc(FRONTEND_SCRATCH);
    frontend->max_message = max_message(worker->config->max_body);
    frontend->max_auth = max_message(max_auth(worker->config));
    frontend->max_auth_body = (size_t)max_auth(worker->config);
    client_address_open(frontend);
    frontend->attend.run = conn_attend_all;
    uv_timer_init(&worker->loop.uv, &frontend->scan);
    frontend->open_handles = 2;
    mass_kick_open(frontend);
    frontend->tls = frontend_tls_open(frontend, listeners_take_up);
    rc = listeners_open(frontend, err, errlen);
    if (rc != 0)
        frontend_close(worker);
    return rc;
}

void frontend_accept(struct worker *worker, bool on)
{
    loop_assert_owner(&worker->loop);
    if (on)
        listeners_accept(worker->frontend);
    else
        listeners_stop(worker->frontend);
}

void frontend_rest(struct worker *worker)
{
    loop_assert_owner(&worker->loop);
    listeners_rest(worker->frontend);
}

size_t frontend_connections(const struct worker *worker)
{
    return worker->frontend == NULL ? 0 : worker->frontend->n_conns;
}

size_t frontend_behind(const struct worker *worker)
{
    return worker->frontend->n_queued;
}

/* --- the end --- */

static void on_scan_closed(uv_handle_t *handle)
{
    container_of((uv_timer_t *)handle, struct frontend, scan)->open_handles--;
}

static void on_poller_closed(void *arg)
{
    ((struct frontend *)arg)->open_handles--;
}

static void frontend_free(struct frontend *frontend)
{
    assert(LIST_EMPTY(&frontend->queued) && frontend->chain == NULL);
    listeners_free(frontend);
    frontend_tls_close(frontend->tls);
    client_address_close(frontend);
    slab_close(frontend->conns);
    slab_close(frontend->sendqs);
    slab_close(frontend->entries);
    map64_free(frontend->passed);
    free(frontend->in);
    free(frontend->scratch);
    free(frontend->cork);
    free(frontend);
}

void frontend_hang_up(struct worker *worker)
{
    struct frontend *frontend = worker->frontend;

    loop_assert_owner(&worker->loop);
    if (frontend == NULL)
        return;
    listeners_stop(frontend);
    while (!LIST_EMPTY(&frontend->live)) {
        LIST_FIRST(&frontend->live)->by_us = true;
        conn_close(LIST_FIRST(&frontend->live));
    }
    while (!LIST_EMPTY(&frontend->parting))
        conn_close(LIST_FIRST(&frontend->parting));
    while (!LIST_EMPTY(&frontend->closing))
        conn_close(LIST_FIRST(&frontend->closing));
}

void frontend_close(struct worker *worker)
{
    loop_assert_owner(&worker->loop);
    struct frontend *frontend = worker->frontend;
    if (frontend == NULL)
        return;
    frontend_hang_up(worker);
    uv_close((uv_handle_t *)&frontend->scan, on_scan_closed);
    mass_kick_close(frontend);
    poller_close(frontend->poller, on_poller_closed, frontend);
    wheel_close(frontend->wheel);
    while (frontend->n_conns > 0 || frontend->open_handles > 0 || frontend->chain != NULL)
        uv_run(&worker->loop.uv, UV_RUN_NOWAIT);
    frontend_free(frontend);
    worker->frontend = NULL;
}

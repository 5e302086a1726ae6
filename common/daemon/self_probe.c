/* self_probe.c - tests the daemon's own gRPC port as others use it. Every few seconds it opens a
 * new connection and a stream. An open server may still not answer anybody, and then the daemon
 * must not be ready.
 *
 *   main loop:  probe_start ─► rpc_channel, stream to a method that no server has
 *   rpc thread: probe_closed ─inbox─► probe_told ─► condition "rpc" */
#include "common/base/mem.h"
#include "common/daemon/daemon.h"
#include "common/daemon/internal.h"
#include "common/net/address.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROBE_EVERY_MS = 2000, PROBE_LIMIT_MS = 3000 };

struct self_probe {
    struct daemon *daemon;
    uv_timer_t timer;
    char address[160];
    struct probe_call *call; /* the test that is under way, or NULL */
};

struct probe_call {
    struct inbox_item item;
    struct self_probe *probe; /* main loop only. NULL: the result is not wanted any more */
    struct loop *loop;
    struct rpc_stream *stream;
    bool answered;
    char why[DAEMON_WHY_MAX];
};

static void call_free(struct probe_call *call)
{
    rpc_stream_unref(call->stream);
    free(call);
}

static void probe_told(struct loop *loop, struct inbox_item *item)
{
    struct probe_call *call = container_of(item, struct probe_call, item);
    struct self_probe *probe = call->probe;
    (void)loop;
    if (probe != NULL) {
        probe->call = NULL;
        daemon_ready(probe->daemon, "rpc", call->answered, call->why);
    }
    call_free(call);
}

/* rpc thread. A server that works answers that it has no such method. */
static void probe_closed(struct rpc_stream *stream, void *arg, const char *why)
{
    struct probe_call *call = arg;
    (void)stream;
    call->answered = strncmp(why, "unimplemented", strlen("unimplemented")) == 0;
    snprintf(call->why, sizeof(call->why), "its own gRPC port does not answer: %s", why);
    if (!inbox_post(call->loop, &call->item))
        call_free(call);
}

static void probe_message(struct rpc_stream *stream, void *arg, struct msg *msg)
{
    (void)stream;
    (void)arg;
    msg_unref(msg);
}

static const struct rpc_stream_events probe_events = {probe_message, probe_closed};

static void probe_start(uv_timer_t *timer)
{
    struct self_probe *probe = timer->data;
    if (probe->call != NULL)
        return;
    struct probe_call *call = mem_zalloc(sizeof(*call));
    call->item.run = probe_told;
    call->probe = probe;
    call->loop = &probe->daemon->loop;
    probe->call = call;
    struct rpc_channel *channel = rpc_channel_open(probe->daemon->rpc, probe->address);
    call->stream =
        rpc_stream_open(channel, "/imc.v1.Self/Probe", PROBE_LIMIT_MS, &probe_events, call);
    rpc_channel_close(channel); /* the stream keeps the channel alive */
}

/* Writes the address by which this machine reaches the port. */
static void own_address(const struct daemon *daemon, char *buf, size_t len)
{
    const struct daemon_config *config = daemon->config;
    struct address address = {0};
    (void)address_parse(config->rpc_listen, strlen(config->rpc_listen), &address);
    address_format(address_reached(address.host), daemon->internal->rpc_port, buf, len);
}

void self_probe_open(struct daemon *daemon)
{
    struct self_probe *probe;
    if (daemon->internal->rpc_port == 0)
        return; /* there is no gRPC server */
    probe = mem_zalloc(sizeof(*probe));
    probe->daemon = daemon;
    own_address(daemon, probe->address, sizeof(probe->address));
    daemon->internal->probe = probe;
    daemon_ready(daemon, "rpc", false, "its own gRPC port has not answered yet");
    uv_timer_init(&daemon->loop.uv, &probe->timer);
    probe->timer.data = probe;
    uv_timer_start(&probe->timer, probe_start, 0, PROBE_EVERY_MS);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void self_probe_close(struct daemon *daemon)
{
    struct self_probe *probe = daemon->internal->probe;
    if (probe == NULL)
        return;
    daemon->internal->probe = NULL;
    if (probe->call != NULL) { /* its result still comes to the loop, and frees it */
        probe->call->probe = NULL;
        rpc_stream_close(probe->call->stream);
    }
    uv_timer_stop(&probe->timer);
    uv_close((uv_handle_t *)&probe->timer, on_timer_closed);
}

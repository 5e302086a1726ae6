/*   logic ══stream══► stream_on_message   rpc thread: unpack into the request's arena
 *                          │ inbox_post
 *                          ▼
 *                     request_run         main loop: map_batch_apply() ─► struct msg
 *                          │ rpc_stream_send
 *   logic ◄════════════════┘ */
#include "router/server.h"
#include "common/base/log.h"
#include "common/protocol/unpack.h"
#include "router/map_batch.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

/* The most items in each list of a batch. Logic puts 2,048 requests into a batch. */
enum { ITEMS_MAX = 16384 };

/* One stream of one logic. Freed when the stream has closed and its last request has run. */
struct caller {
    struct router *router;
    _Atomic uint32_t refs; /* one for the stream, and one for each request */
};

struct map_request {
    struct inbox_item item;
    struct caller *caller;
    struct rpc_stream *stream; /* a reference */
    struct arena arena;
    Imc__V1__MapBatch *batch; /* in the arena */
    size_t held;              /* bytes of the arena, as counted for the peer */
};

static void caller_unref(struct caller *caller)
{
    if (atomic_fetch_sub_explicit(&caller->refs, 1, memory_order_acq_rel) == 1)
        free(caller);
}

static void request_free(struct map_request *request)
{
    rpc_stream_answered(request->stream);
    rpc_stream_release(request->stream, request->held);
    rpc_stream_unref(request->stream);
    caller_unref(request->caller);
    arena_free(&request->arena);
    free(request);
}

/* Sends the reply. If it is longer than a message may be, the stream is closed, so that the caller
 * does not wait. A caller that has gone needs no answer. */
static void request_answer(struct map_request *request, struct msg *reply)
{
    uint32_t len = reply->len;

    if (rpc_stream_send(request->stream, reply) != -EMSGSIZE)
        return;
    log_warn("stream closed", "peer=%s bytes=%u why=\"answer too large: ask for less at once\"",
             rpc_stream_peer(request->stream), len);
    rpc_stream_close(request->stream);
}

/* Main loop. */
static void request_run(struct loop *loop, struct inbox_item *item)
{
    struct map_request *request = container_of(item, struct map_request, item);
    struct router *router = request->caller->router;

    router->shard.now_ms = loop_now_ms(loop);
    struct msg *reply = map_batch_apply(&router->shard, request->batch, &request->arena);
    request_answer(request, reply);
    request_free(request);
    router_sweep(router);
}

/* rpc thread. A batch without a seq is refused, because nobody would take its answer. */
static struct map_request *request_new(struct caller *caller, struct rpc_stream *stream,
                                       const struct msg *msg, const char **why)
{
    struct map_request *request = mem_zalloc(sizeof *request);
    struct unpack_input in = {msg->data, msg->len, ITEMS_MAX};

    arena_init(&request->arena);
    request->batch =
        (Imc__V1__MapBatch *)unpack(&imc__v1__map_batch__descriptor, &request->arena, &in, why);
    if (request->batch == NULL || request->batch->seq == 0) {
        *why = request->batch == NULL ? *why : "no seq";
        arena_free(&request->arena);
        free(request);
        return NULL;
    }
    request->item.run = request_run;
    request->caller = caller;
    request->stream = rpc_stream_ref(stream);
    request->held = request->arena.bytes;
    rpc_stream_hold(stream, request->held);
    atomic_fetch_add_explicit(&caller->refs, 1, memory_order_relaxed);
    return request;
}

static void stream_on_message(struct rpc_stream *stream, void *arg, struct msg *msg)
{
    struct caller *caller = arg;
    struct router *router = caller->router;
    const char *why = "";
    struct map_request *request = request_new(caller, stream, msg, &why);

    if (request == NULL) {
        metric_add(router->rpc_counters, ROUTER_MALFORMED, 1);
        log_warn("stream closed", "peer=%s bytes=%u why=\"not an imc.v1.MapBatch: %s\"",
                 rpc_stream_peer(stream), msg->len, why);
        rpc_stream_close(stream);
    } else if (!inbox_post(&router->daemon->loop, &request->item)) {
        request_free(request);
    }
    msg_unref(msg);
}

static void stream_on_closed(struct rpc_stream *stream, void *arg, const char *why)
{
    struct caller *caller = arg;

    metric_add(caller->router->rpc_counters, ROUTER_STREAMS, -1);
    log_info("logic left", "peer=%s why=\"%s\"", rpc_stream_peer(stream), why);
    caller_unref(caller);
}

static const struct rpc_stream_events stream_events = {
    .message = stream_on_message,
    .closed = stream_on_closed,
};

static void stream_on_opened(struct rpc_stream *stream, void *server_arg)
{
    struct caller *caller = mem_zalloc(sizeof *caller);

    caller->router = server_arg;
    atomic_init(&caller->refs, 1);
    metric_add(caller->router->rpc_counters, ROUTER_STREAMS, 1);
    log_info("logic came", "peer=%s", rpc_stream_peer(stream));
    rpc_stream_accept(stream, &stream_events, caller);
}

static const struct rpc_method methods[] = {
    {"/imc.v1.Router/Map", stream_on_opened, NULL},
    {.path = NULL},
};

int server_open(struct router *router, const char *address)
{
    loop_assert_owner(&router->daemon->loop);
    router->rpc_counters = metrics_block(router->daemon->metrics);
    int err = rpc_server_open(router->daemon->rpc, address, methods, router, &router->server);
    if (err == 0)
        daemon_set_rpc_port(router->daemon, rpc_server_port(router->server));
    return err;
}

void server_close(struct router *router)
{
    loop_assert_owner(&router->daemon->loop);
    if (router->server == NULL)
        return;
    rpc_server_close(router->server, 0);
    router->server = NULL;
    /* Runs the requests that were posted last: they hold streams and memory, and need the map. */
    uv_run(&router->daemon->loop.uv, UV_RUN_NOWAIT);
}

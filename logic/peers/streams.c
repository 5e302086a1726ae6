#include "logic/peers/streams.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/events/event_types.h"
#include "common/protocol/unpack.h"
#include "common/rpc/rpc.h"
#include "proto/report.pb-c.h"
#include "proto/session.pb-c.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stream_kind {
    const char *peer;
    const ProtobufCMessageDescriptor *batch;
    size_t max_items; /* the most items in each list of a batch */
    enum logic_metric count;
    bool secret; /* batches may hold tokens: they are overwritten before they are freed */
};

struct streams {
    struct logic *logic;
    struct rpc_server *server;
    struct stream_services handle;
    LIST_HEAD(, stream) streams;
    size_t n_streams;
    bool draining;
    char closed[STREAM_CLOSED_WHY]; /* streams_admit() */
};

/* Created on the rpc thread. From on_opened() on it belongs to the main loop, except `malformed`
 * and fields that never change. The inbox keeps the order: opened, batches, closed. */
struct stream {
    LIST_ENTRY(stream) next;
    struct streams *service;
    const struct stream_kind *kind;
    struct rpc_stream *rpc;
    struct inbox_item opened, over;
    size_t pending; /* batches without an answer */
    char comet[64]; /* id of the comet; "": a job, or it has not said its id yet */
    uint64_t epoch;
    bool closed;    /* on_over() has run */
    bool malformed; /* belongs to the rpc thread until `over` is posted */
};

static const struct stream_kind comets = {"comet", &imc__v1__session_batch__descriptor,
                                          STREAM_SESSIONS_MAX, LOGIC_BATCHES_COMET, true};
static const struct stream_kind jobs = {"job", &imc__v1__settle_batch__descriptor,
                                        STREAM_SETTLES_MAX, LOGIC_BATCHES_JOB, false};
static const struct stream_kind reporters = {"daemon", &imc__v1__report_batch__descriptor,
                                             STREAM_REPORT_MAX, LOGIC_BATCHES_REPORT, false};

/* --- main loop --- */

static void stream_free(struct stream *stream)
{
    rpc_stream_unref(stream->rpc);
    free(stream);
}

static void gauge_streams(struct streams *service, int by)
{
    service->n_streams += (size_t)by;
    metric_set(service->logic->counters, LOGIC_STREAMS, (int64_t)service->n_streams);
}

static void send_to(struct stream *stream, const ProtobufCMessage *message)
{
    (void)rpc_stream_send(stream->rpc, msg_pack(message)); /* fails if the stream has ended, whose
                                                            * comet then needs nothing */
}

static void tell_whether_closed(struct streams *service, struct stream *stream)
{
    Imc__V1__SessionReply reply = IMC__V1__SESSION_REPLY__INIT;
    Imc__V1__Admitting admitting;

    imc__v1__admitting__init(&admitting);
    admitting.closed = service->closed;
    reply.admitting = &admitting;
    if (stream->kind == &comets)
        send_to(stream, &reply.base);
}

static void tell_upstream(struct stream *stream)
{
    Imc__V1__SessionReply reply = IMC__V1__SESSION_REPLY__INIT;
    Imc__V1__TakesUpstream takes;

    imc__v1__takes_upstream__init(&takes);
    reply.takes_upstream = &takes;
    send_to(stream, &reply.base);
}

static void tell_hook(struct stream *stream)
{
    Imc__V1__SessionReply reply = IMC__V1__SESSION_REPLY__INIT;
    Imc__V1__AsksBusiness asks;

    imc__v1__asks_business__init(&asks);
    asks.rooms = (stream->service->logic->event_types & EVENTS_OF_ROOMS) != 0;
    reply.asks_business = &asks;
    send_to(stream, &reply.base);
}

static void on_opened(struct loop *loop, struct inbox_item *item)
{
    struct stream *stream = container_of(item, struct stream, opened);
    struct streams *service = stream->service;

    (void)loop;
    LIST_INSERT_HEAD(&service->streams, stream, next);
    gauge_streams(service, 1);
    log_info("stream opened", "from=%s peer=%s", stream->kind->peer, rpc_stream_peer(stream->rpc));
    if (service->draining) {
        rpc_stream_close(stream->rpc);
        return;
    }
    if (stream->kind == &comets && service->logic->upstream != NULL)
        tell_upstream(stream);
    if (stream->kind == &comets &&
        (service->logic->hook != NULL || service->logic->session_log != NULL))
        tell_hook(stream);
    if (service->closed[0] != '\0')
        tell_whether_closed(service, stream);
}

static void on_over(struct loop *loop, struct inbox_item *item)
{
    struct stream *stream = container_of(item, struct stream, over);
    struct streams *service = stream->service;

    (void)loop;
    LIST_REMOVE(stream, next);
    gauge_streams(service, -1);
    log_info("stream closed", "from=%s peer=%s unanswered=%zu", stream->kind->peer,
             rpc_stream_peer(stream->rpc), stream->pending);
    if (stream->malformed)
        logic_count(service->logic, LOGIC_BATCHES_MALFORMED, 1);
    stream->closed = true;
    if (stream->pending == 0)
        stream_free(stream);
}

static void batch_free(struct stream_batch *batch)
{
    if (batch->message != NULL) {
        rpc_stream_answered(batch->stream->rpc);
        rpc_stream_release(batch->stream->rpc, batch->held);
    }
    if (batch->stream->kind->secret)
        arena_wipe(&batch->arena);
    else
        arena_free(&batch->arena);
    free(batch);
}

static void on_batch(struct loop *loop, struct inbox_item *item)
{
    struct stream_batch *batch = container_of(item, struct stream_batch, item);
    struct stream *stream = batch->stream;
    struct logic *logic = stream->service->logic;

    (void)loop;
    if (stream->service->draining) {
        batch_free(batch); /* the stream is about to end, and the peer asks another logic */
        return;
    }
    stream->pending++;
    logic_count(logic, stream->kind->count, 1);
    logic_count(logic, LOGIC_BATCHES_PENDING, 1);
    if (stream->kind == &comets)
        stream->service->handle.sessions(batch);
    else if (stream->kind == &reporters)
        stream->service->handle.reports(batch);
    else
        stream->service->handle.settles(batch);
}

bool stream_is_open(const struct stream_batch *batch)
{
    return !batch->stream->closed;
}

void stream_name(struct stream_batch *batch, const char *comet, uint64_t epoch)
{
    struct stream *stream = batch->stream;

    if (stream->epoch == epoch && strcmp(stream->comet, comet) == 0)
        return;
    snprintf(stream->comet, sizeof stream->comet, "%s", comet);
    stream->epoch = epoch;
}

/* Sends MESSAGE to the streams of COMET, and to those whose comet is not known yet. EPOCH NULL:
 * any. */
static size_t tell(struct streams *service, const char *comet, const uint64_t *epoch,
                   const ProtobufCMessage *message)
{
    struct stream *stream;
    size_t n = 0;

    loop_assert_owner(service->logic->loop);
    LIST_FOREACH(stream, &service->streams, next) {
        bool known = stream->comet[0] != '\0';
        bool other = known && ((epoch != NULL && stream->epoch != *epoch) ||
                               strcmp(stream->comet, comet) != 0);
        if (stream->kind != &comets || other)
            continue;
        send_to(stream, message);
        n++;
    }
    return n;
}

size_t stream_tell(struct streams *service, const char *comet, uint64_t epoch,
                   const ProtobufCMessage *message)
{
    return tell(service, comet, &epoch, message);
}

size_t stream_ask(struct streams *service, const char *comet, const ProtobufCMessage *message)
{
    return tell(service, comet, NULL, message);
}

void streams_admit(struct streams *service, const char *closed)
{
    struct stream *stream;

    loop_assert_owner(service->logic->loop);
    if (strncmp(service->closed, closed, sizeof service->closed - 1) == 0)
        return;
    snprintf(service->closed, sizeof service->closed, "%s", closed);
    LIST_FOREACH(stream, &service->streams, next)
        tell_whether_closed(service, stream);
}

void stream_reply(struct stream_batch *batch, const ProtobufCMessage *reply)
{
    struct stream *stream = batch->stream;
    struct msg *msg = msg_pack(reply);
    size_t len = msg->len;
    int err = rpc_stream_send(stream->rpc, msg);
    if (err != 0 && err != -EPIPE) {
        log_error("reply not sent", "to=%s peer=%s bytes=%zu err=%d", stream->kind->peer,
                  rpc_stream_peer(stream->rpc), len, err);
        rpc_stream_close(stream->rpc);
    }
    logic_count(batch->logic, LOGIC_BATCHES_PENDING, -1);
    batch_free(batch);
    stream->pending--;
    if (stream->pending > 0)
        return;
    if (stream->closed)
        stream_free(stream);
    else if (stream->service->draining)
        rpc_stream_close(stream->rpc);
}

/* --- rpc thread --- */

static void on_message(struct rpc_stream *rpc, void *arg, struct msg *msg)
{
    struct stream *stream = arg;
    struct logic *logic = stream->service->logic;

    if (stream->malformed) {
        msg_unref(msg);
        return;
    }
    struct stream_batch *batch = mem_zalloc(sizeof *batch);
    arena_init(&batch->arena);
    struct unpack_input in = {msg->data, msg->len, stream->kind->max_items};
    const char *why = "";
    batch->item.run = on_batch;
    batch->stream = stream;
    batch->logic = logic;
    batch->message = unpack(stream->kind->batch, &batch->arena, &in, &why);
    batch->held = batch->arena.bytes;
    if (batch->message == NULL) {
        stream->malformed = true;
        log_warn("malformed batch, closing the stream", "from=%s peer=%s bytes=%u why=\"%s\"",
                 stream->kind->peer, rpc_stream_peer(rpc), msg->len, why);
        rpc_stream_close(rpc);
    } else {
        rpc_stream_hold(rpc, batch->held);
    }
    if (stream->kind->secret)
        msg_is_secret(msg);
    msg_unref(msg);
    if (batch->message == NULL || !inbox_post(logic->loop, &batch->item))
        batch_free(batch);
}

static void on_closed(struct rpc_stream *rpc, void *arg, const char *why)
{
    struct stream *stream = arg;

    (void)rpc;
    log_debug("stream over", "from=%s why=\"%s\"", stream->kind->peer, why);
    stream->over.run = on_over;
    if (!inbox_post(stream->service->logic->loop, &stream->over))
        stream_free(stream);
}

static const struct rpc_stream_events stream_events = {.message = on_message, .closed = on_closed};

static void accept_stream(struct rpc_stream *rpc, struct streams *service,
                          const struct stream_kind *kind)
{
    struct stream *stream = mem_zalloc(sizeof *stream);

    stream->service = service;
    stream->kind = kind;
    stream->rpc = rpc_stream_ref(rpc);
    stream->opened.run = on_opened;
    if (!inbox_post(service->logic->loop, &stream->opened)) {
        stream_free(stream); /* the loop is closed; a stream that is not accepted is refused */
        return;
    }
    rpc_stream_accept(rpc, &stream_events, stream);
}

static void open_sessions(struct rpc_stream *rpc, void *service)
{
    accept_stream(rpc, service, &comets);
}

static void open_settle(struct rpc_stream *rpc, void *service)
{
    accept_stream(rpc, service, &jobs);
}

static void open_report(struct rpc_stream *rpc, void *service)
{
    accept_stream(rpc, service, &reporters);
}

static void call_came(struct rpc_stream *call, void *arg, struct msg *request)
{
    struct streams *service = arg;

    service->handle.called(service->logic, call, request);
}

/* --- life --- */

static const struct rpc_method methods[] = {
    {"/imc.v1.Logic/Sessions", open_sessions, NULL},
    {"/imc.v1.Logic/Settle", open_settle, NULL},
    {"/imc.v1.Logic/Report", open_report, NULL},
    {"/goim.logic.Logic/Connect", NULL, call_came},
    {"/goim.logic.Logic/Disconnect", NULL, call_came},
    {"/goim.logic.Logic/Heartbeat", NULL, call_came},
    {"/goim.logic.Logic/RenewOnline", NULL, call_came},
    {"/goim.logic.Logic/Receive", NULL, call_came},
    {"/goim.logic.Logic/Nodes", NULL, call_came},
    {.path = NULL},
};

int streams_open(struct logic *logic, const struct stream_services *services, struct streams **out)
{
    struct streams *service = mem_zalloc(sizeof *service);
    const char *listen = logic->config->daemon.rpc_listen;

    service->logic = logic;
    service->handle = *services;
    int err = rpc_server_open(logic->daemon->rpc, listen, methods, service, &service->server);
    if (err != 0) {
        daemon_listen_failed(logic->daemon, listen, "rpc", "listen", err);
        free(service);
        return err;
    }
    daemon_set_rpc_port(logic->daemon, rpc_server_port(service->server));
    *out = service;
    return 0;
}

void streams_drain(struct streams *service)
{
    struct stream *stream;

    loop_assert_owner(service->logic->loop);
    service->draining = true;
    LIST_FOREACH(stream, &service->streams, next) {
        if (stream->pending == 0)
            rpc_stream_close(stream->rpc);
    }
}

size_t streams_count(const struct streams *service)
{
    return service->n_streams;
}

void streams_close(struct streams *service)
{
    if (service == NULL)
        return;
    loop_assert_owner(service->logic->loop);
    service->draining = true;
    rpc_server_close(service->server, 0);
    uv_run(&service->logic->loop->uv,
           UV_RUN_NOWAIT); /* run what was posted, so that streams learn that they are over */
}

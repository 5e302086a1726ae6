#include "comet/logic/logic_batch.h"
#include "comet/base/comet.h"
#include "comet/base/metrics.h"
#include "common/base/mem.h"
#include "common/protocol/ops.h"
#include "common/trace/trace_mark.h"

#include <string.h>

size_t logic_batch_size(const struct logic_request *request)
{
    size_t frames = request->upstream != NULL ? request->upstream->bytes : 0;
    size_t headers = request->headers != NULL ? request->headers->len : 0;
    size_t key = request->key != NULL ? strlen(request->key) : 0;

    return 64 + request->bytes_len + headers + key + request->push.body_len + request->n_ids * 8 +
           frames;
}

static void *batch_list(struct arena *arena, size_t n)
{
    return arena_alloc(arena, n * sizeof(void *));
}

static void batch_add_connect(Imc__V1__SessionBatch *batch, struct arena *arena,
                              struct logic_request *request)
{
    Imc__V1__Connect *item = arena_alloc(arena, sizeof *item);
    imc__v1__connect__init(item);
    item->handle = request->handle;
    item->token.data = (uint8_t *)request->bytes;
    item->token.len = request->bytes_len;
    item->address = request->peer;
    item->wire = request->wire;
    item->goim = request->goim;
    if (request->headers != NULL)
        item->headers = (ProtobufCBinaryData){request->headers->len, request->headers->data};
    batch->connects[batch->n_connects++] = item;
}

static void batch_add_renew(Imc__V1__SessionBatch *batch, struct arena *arena,
                            struct logic_request *request)
{
    Imc__V1__Renew *item = arena_alloc(arena, sizeof *item);
    imc__v1__renew__init(item);
    item->handle = request->handle;
    item->uid = request->uid;
    item->token.data = (uint8_t *)request->bytes;
    item->token.len = request->bytes_len;
    item->address = request->peer;
    item->wire = request->wire;
    item->goim = request->goim;
    if (request->key != NULL)
        item->key = request->key;
    batch->renews[batch->n_renews++] = item;
}

static void batch_add_store(Imc__V1__SessionBatch *batch, struct arena *arena,
                            struct logic_request *request)
{
    Imc__V1__Store *item = arena_alloc(arena, sizeof *item);
    Imc__V1__Waiting *message = arena_alloc(arena, sizeof *message);
    imc__v1__store__init(item);
    imc__v1__waiting__init(message);
    item->uid = request->uid;
    item->handle = request->handle;
    item->message = message;
    item->behind = request->behind;
    message->id = request->push.id;
    message->op = request->push.op;
    message->expires_ms = request->push.expires_ms;
    message->body.len = request->push.body_len;
    message->body.data = mem_unconst(request->push.body);
    if (request->push.trace != NULL)
        message->trace = (ProtobufCBinaryData){TRACE_MARK_LEN, mem_unconst(request->push.trace)};
    batch->stores[batch->n_stores++] = item;
}

static void batch_add_fetch(Imc__V1__SessionBatch *batch, struct arena *arena,
                            struct logic_request *request)
{
    Imc__V1__Fetch *item = arena_alloc(arena, sizeof *item);
    imc__v1__fetch__init(item);
    item->uid = request->uid;
    item->after = request->after;
    item->handle = request->own ? request->handle : 0;
    if (request->key != NULL)
        item->key = request->key;
    batch->fetches[batch->n_fetches++] = item;
}

static void batch_add_confirm(Imc__V1__SessionBatch *batch, struct arena *arena,
                              struct logic_request *request)
{
    Imc__V1__Confirm *item = arena_alloc(arena, sizeof *item);
    imc__v1__confirm__init(item);
    item->uid = request->uid;
    item->handle = request->handle;
    item->how = (Imc__V1__Confirm__How)request->how;
    if (request->key != NULL)
        item->key = request->key;
    item->ids = request->ids;
    item->n_ids = request->n_ids;
    batch->confirms[batch->n_confirms++] = item;
}

static void batch_add_small(Imc__V1__SessionBatch *batch, struct arena *arena,
                            struct logic_request *request)
{
    if (request->kind == REQUEST_DISCONNECT) {
        Imc__V1__Disconnect *item = arena_alloc(arena, sizeof *item);
        imc__v1__disconnect__init(item);
        item->handle = request->handle;
        item->uid = request->uid;
        batch->disconnects[batch->n_disconnects++] = item;
    } else if (request->kind == REQUEST_REGISTER) {
        Imc__V1__Register *item = arena_alloc(arena, sizeof *item);
        imc__v1__register__init(item);
        item->handle = request->handle;
        item->uid = request->uid;
        if (request->bytes != NULL)
            item->room = request->bytes;
        if (request->key != NULL)
            item->key = request->key;
        item->judge = request->judge;
        item->token = request->token.token;
        item->token_id = request->token.id;
        item->issued_s = request->token.issued_s;
        item->acked = request->acked;
        batch->registers[batch->n_registers++] = item;
    } else if (request->kind == REQUEST_ROOM) {
        Imc__V1__RoomCount *item = arena_alloc(arena, sizeof *item);
        imc__v1__room_count__init(item);
        item->room = request->bytes;
        item->sessions = request->members;
        item->number = request->number;
        batch->rooms[batch->n_rooms++] = item;
    } else if (request->kind == REQUEST_RELOCATE) {
        Imc__V1__Relocate *item = arena_alloc(arena, sizeof *item);
        imc__v1__relocate__init(item);
        item->address = request->peer;
        item->websocket = request->websocket;
        item->tls = request->tls;
        batch->relocates[batch->n_relocates++] = item;
    }
}

static Imc__V1__UpstreamFrame *batch_frame(struct arena *arena, struct upstream_frame *frame)
{
    Imc__V1__UpstreamFrame *item = arena_alloc(arena, sizeof *item);
    imc__v1__upstream_frame__init(item);
    item->op = frame->op;
    item->json = frame->json;
    item->room = frame->data;
    item->time_ms = frame->time_ms;
    item->body.data = (uint8_t *)frame->data + frame->room_len + 1;
    item->body.len = frame->body_len;
    return item;
}

static void batch_add_upstream(Imc__V1__SessionBatch *batch, struct arena *arena,
                               struct logic_request *request)
{
    Imc__V1__Upstream *item = arena_alloc(arena, sizeof *item);
    struct upstream_group *group = request->upstream;
    struct upstream_frame *frame;
    imc__v1__upstream__init(item);
    item->handle = request->handle;
    item->uid = request->uid;
    item->epoch = group->epoch;
    item->first = group->first;
    item->address = group->peer;
    if (group->key != NULL)
        item->key = group->key;
    item->frames = batch_list(arena, group->n);
    STAILQ_FOREACH(frame, &group->frames, link)
        item->frames[item->n_frames++] = batch_frame(arena, frame);
    batch->upstreams[batch->n_upstreams++] = item;
}

static void batch_add_event(const struct worker *worker, Imc__V1__SessionBatch *batch,
                            struct arena *arena, const struct logic_request *request)
{
    Imc__V1__SessionEvent *item = arena_alloc(arena, sizeof *item);
    const struct session_event *event = request->event;
    bool past = event->ended || event->change != EVENT_NO_CHANGE;
    uint64_t now = loop_now_ms(&worker->loop), end = past ? event->ended_at_ms : now;

    imc__v1__session_event__init(item);
    item->handle = request->handle;
    item->uid = event->uid;
    item->epoch = event->epoch;
    item->ended = event->ended;
    item->anybody = event->anybody;
    item->refused = event->refused;
    item->code = event->code;
    item->open_ms = end - event->opened_at_ms;
    item->ago_ms = now - end;
    item->address = mem_unconst(event->address);
    item->key = mem_unconst(event->key);
    item->room = mem_unconst(event->room);
    item->change = (Imc__V1__SessionEvent__Change)event->change;
    item->number = event->number;
    batch->session_events[batch->n_session_events++] = item;
}

void logic_batch_build(const struct worker *worker, Imc__V1__SessionBatch *batch,
                       struct arena *arena, struct logic_request_queue *requests,
                       const size_t counts[REQUEST_KINDS])
{
    struct logic_request *request;

    batch->connects = batch_list(arena, counts[REQUEST_CONNECT]);
    batch->disconnects = batch_list(arena, counts[REQUEST_DISCONNECT]);
    batch->fetches = batch_list(arena, counts[REQUEST_FETCH]);
    batch->confirms = batch_list(arena, counts[REQUEST_CONFIRM]);
    batch->stores = batch_list(arena, counts[REQUEST_STORE]);
    batch->registers = batch_list(arena, counts[REQUEST_REGISTER]);
    batch->rooms = batch_list(arena, counts[REQUEST_ROOM]);
    batch->upstreams = batch_list(arena, counts[REQUEST_UPSTREAM]);
    batch->relocates = batch_list(arena, counts[REQUEST_RELOCATE]);
    batch->renews = batch_list(arena, counts[REQUEST_RENEW]);
    batch->session_events = batch_list(arena, counts[REQUEST_SESSION_EVENT]);
    batch->loop = (uint32_t)worker->loop.index;
    STAILQ_FOREACH(request, requests, link) {
        if (request->kind == REQUEST_CONNECT) {
            batch_add_connect(batch, arena, request);
        } else if (request->kind == REQUEST_RENEW) {
            batch_add_renew(batch, arena, request);
        } else if (request->kind == REQUEST_STORE) {
            batch_add_store(batch, arena, request);
        } else if (request->kind == REQUEST_FETCH) {
            batch_add_fetch(batch, arena, request);
        } else if (request->kind == REQUEST_CONFIRM) {
            batch_add_confirm(batch, arena, request);
        } else if (request->kind == REQUEST_UPSTREAM) {
            batch_add_upstream(batch, arena, request);
        } else if (request->kind == REQUEST_SESSION_EVENT) {
            batch_add_event(worker, batch, arena, request);
        } else if (request->kind == REQUEST_REGISTERED) {
            if (request->cancelled)
                continue;
            batch->registered = arena_alloc(arena, sizeof *batch->registered);
            imc__v1__registered__init(batch->registered);
            batch->registered->loop = (uint32_t)worker->loop.index;
            batch->registered->loops = (uint32_t)worker->comet->n_workers;
        } else {
            batch_add_small(batch, arena, request);
        }
    }
}

/* A logic of an earlier version answers no relocates, renews and session events. */
bool logic_batch_is_answered_by(const Imc__V1__SessionReply *reply,
                                const size_t counts[REQUEST_KINDS])
{
    return reply->n_connects == counts[REQUEST_CONNECT] &&
           reply->n_disconnects == counts[REQUEST_DISCONNECT] &&
           reply->n_fetches == counts[REQUEST_FETCH] &&
           reply->n_confirms == counts[REQUEST_CONFIRM] &&
           reply->n_stores == counts[REQUEST_STORE] &&
           reply->n_registers == counts[REQUEST_REGISTER] &&
           reply->n_rooms == counts[REQUEST_ROOM] &&
           reply->n_upstreams == counts[REQUEST_UPSTREAM] &&
           (reply->n_relocates == counts[REQUEST_RELOCATE] || reply->n_relocates == 0) &&
           (reply->n_renews == counts[REQUEST_RENEW] || reply->n_renews == 0) &&
           (reply->n_session_events == counts[REQUEST_SESSION_EVENT] ||
            reply->n_session_events == 0);
}

uint32_t logic_batch_status(const Imc__V1__SessionReply *reply, enum logic_request_kind kind,
                            size_t i)
{
    switch (kind) {
    case REQUEST_CONNECT:
        return reply->connects[i]->code;
    case REQUEST_DISCONNECT:
        return reply->disconnects[i];
    case REQUEST_FETCH:
        return reply->fetches[i]->status;
    case REQUEST_CONFIRM:
        return reply->confirms[i];
    case REQUEST_STORE:
        return reply->stores[i];
    case REQUEST_REGISTER:
        return reply->registers[i];
    case REQUEST_ROOM:
        return reply->rooms[i]->status;
    case REQUEST_UPSTREAM:
        return reply->upstreams[i]->status;
    case REQUEST_RENEW:
        return i < reply->n_renews ? reply->renews[i]->code : CLOSE_UNAVAILABLE;
    case REQUEST_RELOCATE:
        return LOGIC_OK;
    case REQUEST_SESSION_EVENT:
        return i < reply->n_session_events ? reply->session_events[i]
                                           : (uint32_t)LOGIC_NOT_CONFIGURED;
    case REQUEST_REGISTERED:
    case REQUEST_KINDS:
        break;
    }
    return reply->registered;
}

#include "comet/goim/calls.h"
#include "comet/base/comet.h"
#include "comet/base/metrics.h"
#include "comet/fanout/room.h"
#include "comet/goim/calls_internal.h"
#include "comet/goim/raw_frames.h"
#include "common/base/log.h"
#include "common/protocol/ops.h"
#include "common/protocol/unpack.h"
#include "common/rpc/rpc.h"
#include "proto/goim/comet.pb-c.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHY_MAX = 200 };
static_assert((int)WHY_MAX >= (int)RAW_FRAMES_WHY, "a reason fits");

/* --- life of a call --- */

static void call_free(struct backing *backing)
{
    struct goim_call *call = container_of(backing, struct goim_call, backing);

    rpc_stream_release(call->call, call->held);
    rpc_stream_unref(call->call);
    arena_free(&call->arena);
    free(call);
}

static struct goim_call *call_new(struct goim_calls *service, struct rpc_stream *stream)
{
    struct goim_call *call = mem_zalloc(sizeof *call);

    atomic_init(&call->backing.refs, 1);
    call->backing.free = call_free;
    call->service = service;
    call->call = stream;
    arena_init(&call->arena);
    return call;
}

/* Ends a call that makes no sense. */
static void call_refuse(struct goim_call *call, const char *why)
{
    metric_add(call->service->counters, COMET_GOIM_MALFORMED, 1);
    log_debug("call of goim's refused", "peer=%s why=\"%s\"", rpc_stream_peer(call->call), why);
    rpc_call_refuse(rpc_stream_ref(call->call), RPC_INVALID, why);
    backing_unref(&call->backing);
}

static void call_answer(struct goim_call *call)
{
    size_t found = atomic_load_explicit(&call->found, memory_order_relaxed);

    if (found < call->n_keys)
        metric_add(call->service->counters, COMET_GOIM_UNKNOWN, (int64_t)(call->n_keys - found));
    rpc_call_answer(rpc_stream_ref(call->call), msg_new(0)); /* a message without fields */
}

void goim_call_loop_done(struct goim_call *call)
{
    if (atomic_fetch_sub_explicit(&call->loops_left, 1, memory_order_acq_rel) == 1)
        call_answer(call);
    backing_unref(&call->backing);
}

/* Hands the call to every loop: none knows which keys, or rooms, the others have. */
static void call_post(struct goim_call *call, enum comet_metric counter)
{
    struct comet *comet = call->service->comet;

    metric_add(call->service->counters, counter, 1);
    call->shares = arena_alloc(&call->arena, (size_t)comet->n_workers * sizeof *call->shares);
    call->held = call->arena.bytes;
    rpc_stream_hold(call->call, call->held);
    atomic_init(&call->loops_left, (uint32_t)comet->n_workers + 1);
    for (int i = 0; i < comet->n_workers; i++) {
        struct goim_share *share = &call->shares[i];
        *share = (struct goim_share){
            .item.run = goim_share_arrived, .call = call, .worker = &comet->workers[i], .open = 1};
        backing_ref(&call->backing);
        if (!inbox_post(&comet->workers[i].loop, &share->item))
            goim_call_loop_done(call); /* the process is ending */
    }
    goim_call_loop_done(call);
}

/* --- what a call has --- */

/* Unpacks REQUEST, whose reference is taken. NULL: refused. */
static void *call_unpack(struct goim_call *call, const ProtobufCMessageDescriptor *type,
                         struct msg *request)
{
    struct unpack_input in = {request->data, request->len, GOIM_KEYS_MAX};
    const char *why = "";
    void *message = unpack(type, &call->arena, &in, &why);
    char text[WHY_MAX];

    msg_unref(request);
    if (message != NULL)
        return message;
    (void)snprintf(text, sizeof text, "not a %s as in goim's comet.proto: %s", type->short_name,
                   why);
    call_refuse(call, text);
    return NULL;
}

static void push_fill(struct goim_call *call, const struct raw_frame *frame, struct push *push)
{
    *push = (struct push){.backing = &call->backing,
                          .body = frame->body,
                          .body_len = frame->len,
                          .op = frame->op,
                          .accept_op = call->accept_op};
}

/* Takes the message: one, or with operation 9 the frames in its body. False: refused. */
static bool call_take_message(struct goim_call *call, const Goim__Protocol__Proto *proto)
{
    struct raw_frame frames[RAW_FRAMES_MAX];
    char why[RAW_FRAMES_WHY];
    int n = 1;

    if (proto == NULL) {
        call_refuse(call, "proto: missing");
        return false;
    }
    if (proto->op == OP_RAW) {
        n = raw_frames_take(proto->body.data, proto->body.len, frames, why);
    } else {
        frames[0] = (struct raw_frame){proto->op, proto->body.data, (uint32_t)proto->body.len};
        call->bare = call->kind == GOIM_CALL_PUSH;
        call->version = (uint16_t)proto->ver;
        call->seq = proto->seq;
    }
    if (n < 0) {
        call_refuse(call, why);
        return false;
    }
    call->n_pushes = (size_t)n;
    call->pushes = arena_alloc(&call->arena, call->n_pushes * sizeof *call->pushes);
    for (int i = 0; i < n; i++)
        push_fill(call, &frames[i], &call->pushes[i]);
    return true;
}

/* --- the methods; rpc thread --- */

static struct goim_calls *service_of(void *arg)
{
    return ((struct comet *)arg)->goim;
}

void goim_push_called(struct rpc_stream *stream, void *arg, struct msg *request)
{
    struct goim_call *call = call_new(service_of(arg), stream);
    const Goim__Comet__PushMsgReq *in =
        call_unpack(call, &goim__comet__push_msg_req__descriptor, request);
    char why[WHY_MAX];

    if (in == NULL)
        return;
    call->kind = GOIM_CALL_PUSH;
    call->accept_op = in->protoop;
    call->keys = in->keys;
    call->n_keys = in->n_keys;
    if (in->n_keys == 0) {
        call_refuse(call, "keys: missing");
        return;
    }
    if (!call_take_message(call, in->proto))
        return;
    if (call->n_pushes > GOIM_DELIVERIES_MAX / call->n_keys) {
        (void)snprintf(why, sizeof why,
                       "keys: %zu keys times %zu frames are more than %d: push to fewer at a time",
                       call->n_keys, call->n_pushes, GOIM_DELIVERIES_MAX);
        call_refuse(call, why);
        return;
    }
    call_post(call, COMET_GOIM_PUSH);
}

void goim_broadcast_called(struct rpc_stream *stream, void *arg, struct msg *request)
{
    struct goim_call *call = call_new(service_of(arg), stream);
    const Goim__Comet__BroadcastReq *in =
        call_unpack(call, &goim__comet__broadcast_req__descriptor, request);

    if (in == NULL)
        return;
    call->kind = GOIM_CALL_BROADCAST;
    call->accept_op = in->protoop;
    call->speed = in->speed > 0 ? in->speed : 0;
    if (call_take_message(call, in->proto))
        call_post(call, COMET_GOIM_BROADCAST);
}

void goim_room_called(struct rpc_stream *stream, void *arg, struct msg *request)
{
    struct goim_call *call = call_new(service_of(arg), stream);
    const Goim__Comet__BroadcastRoomReq *in =
        call_unpack(call, &goim__comet__broadcast_room_req__descriptor, request);

    if (in == NULL)
        return;
    call->kind = GOIM_CALL_ROOM;
    call->room = in->roomid;
    if (!room_name_is_valid(in->roomid, strlen(in->roomid)))
        call_refuse(call, "roomID: not a name of 1 to 128 bytes of UTF-8 without control "
                          "characters");
    else if (call_take_message(call, in->proto))
        call_post(call, COMET_GOIM_ROOM);
}

void goim_rooms_called(struct rpc_stream *stream, void *arg, struct msg *request)
{
    struct goim_calls *service = service_of(arg);

    msg_unref(request); /* it has no field */
    metric_add(service->counters, COMET_GOIM_ROOMS, 1);
    goim_rooms_ask(service->rooms, stream);
}

/* --- life --- */

struct goim_calls *goim_calls_open(struct comet *comet)
{
    struct goim_calls *service = mem_zalloc(sizeof *service);

    service->comet = comet;
    service->counters = metrics_block(comet->daemon->metrics);
    service->rooms = goim_rooms_open(comet);
    return service;
}

void goim_calls_close(struct goim_calls *service)
{
    if (service == NULL)
        return;
    goim_rooms_close(service->rooms);
    free(service);
}

#include "logic/goim/calls.h"
#include "common/protocol/json_scan.h"
#include "common/protocol/name.h"
#include "common/protocol/unpack.h"
#include "logic/base/pb.h"
#include "logic/goim/calls_internal.h"
#include "logic/nodes/nodes.h"
#include "logic/tokens/device_keys.h"
#include "logic/upstream/upstream.h"
#include "proto/goim/logic.pb-c.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHY_MAX = 200 };

struct goim_method {
    const char *path;
    const ProtobufCMessageDescriptor *request;
    enum logic_metric counter;
    void (*run)(struct goim_call *call);
    bool secret; /* the request may hold a token */
};

/* --- the end --- */

static void call_free(struct goim_call *call)
{
    rpc_stream_release(call->call, call->batch.held);
    rpc_stream_unref(call->call);
    if (call->method->secret)
        arena_wipe(&call->batch.arena);
    else
        arena_free(&call->batch.arena);
    free(call);
}

void goim_call_answer(struct goim_call *call, const ProtobufCMessage *answer)
{
    rpc_call_answer(rpc_stream_ref(call->call), msg_pack(answer));
    call_free(call);
}

void goim_call_refuse(struct goim_call *call, enum rpc_refusal refusal, const char *why)
{
    logic_count(call->batch.logic, LOGIC_GOIM_REFUSED, 1);
    rpc_call_refuse(rpc_stream_ref(call->call), refusal, why);
    call_free(call);
}

void goim_call_unavailable(struct goim_call *call)
{
    goim_call_refuse(call, RPC_UNAVAILABLE, "Redis does not answer: call again later");
}

bool goim_call_names(struct goim_call *call, const char *key, const char *server)
{
    bool key_good = name_is_valid(key, strlen(key), FOREIGN_KEY_MAX);

    if (key_good && name_is_valid(server, strlen(server), FOREIGN_SERVER_MAX))
        return true;
    goim_call_refuse(
        call, RPC_INVALID,
        key_good ? "server: not a name of 1 to 128 bytes of UTF-8 without control characters"
                 : "key: not a name of 1 to 128 bytes of UTF-8 without control characters");
    return false;
}

/* --- calls that are short --- */

static void on_disconnected(void *arg, int result)
{
    struct goim_call *call = arg;
    Goim__Logic__DisconnectReply reply = GOIM__LOGIC__DISCONNECT_REPLY__INIT;

    if (result < 0) {
        goim_call_unavailable(call);
        return;
    }
    reply.has = result == 1;
    goim_call_answer(call, &reply.base);
}

static void call_disconnect(struct goim_call *call)
{
    const Goim__Logic__DisconnectReq *in = (const Goim__Logic__DisconnectReq *)call->in;
    struct foreign_session session = {.uid = in->mid, .key = in->key, .server = in->server};

    if (goim_call_names(call, in->key, in->server))
        foreign_del(call->batch.logic, &session, on_disconnected, call);
}

/* Whatever is known of the session, goim's comet gets its answer: it has the session, after all. */
static void on_lives(void *arg, int result)
{
    struct goim_call *call = arg;
    const Goim__Logic__HeartbeatReq *in = (const Goim__Logic__HeartbeatReq *)call->in;
    Goim__Logic__HeartbeatReply reply = GOIM__LOGIC__HEARTBEAT_REPLY__INIT;

    if (result == -EAGAIN) {
        goim_call_unavailable(call);
        return;
    }
    if (result == 1)
        device_keys_keep(call->batch.logic, in->key, in->mid);
    goim_call_answer(call, &reply.base);
}

static void call_heartbeat(struct goim_call *call)
{
    const Goim__Logic__HeartbeatReq *in = (const Goim__Logic__HeartbeatReq *)call->in;
    struct foreign_session session = {.uid = in->mid, .key = in->key, .server = in->server};

    if (goim_call_names(call, in->key, in->server))
        foreign_put(call->batch.logic, &session, false, on_lives, call);
}

struct received {
    struct upstream_ticket ticket;
    struct goim_call *call;
};

static void receive_end(struct goim_call *call, int err)
{
    Goim__Logic__ReceiveReply reply = GOIM__LOGIC__RECEIVE_REPLY__INIT;

    if (err == 0)
        goim_call_answer(call, &reply.base);
    else if (err == -EMSGSIZE)
        goim_call_refuse(call, RPC_INVALID,
                         "proto.body: longer than upstream.topic, or upstream.url, takes");
    else if (err == -EBADMSG)
        goim_call_refuse(call, RPC_INVALID, "the business refuses it");
    else
        goim_call_refuse(call, RPC_UNAVAILABLE, "it was not confirmed: call again later");
}

/* goim's reply has no room for one of the business. */
static void on_received(struct upstream_ticket *ticket, int err, const void *body, size_t len)
{
    (void)body;
    (void)len;
    receive_end(container_of(ticket, struct received, ticket)->call, err);
}

/* For the business. goim's comet names neither itself nor the session. Without upstream.topic
 * and upstream.url nobody takes it. */
static void call_receive(struct goim_call *call)
{
    const Goim__Logic__ReceiveReq *in = (const Goim__Logic__ReceiveReq *)call->in;
    struct logic *logic = call->batch.logic;
    struct received *received = arena_alloc(&call->batch.arena, sizeof *received);

    if (in->proto == NULL) {
        goim_call_refuse(call, RPC_INVALID, "proto: missing");
        return;
    }
    if (logic->upstream == NULL) {
        receive_end(call, 0);
        return;
    }
    struct upstream_event event = {.comet = "goim",
                                   .number = message_id_next(&logic->ids, logic_now_us(logic)),
                                   .uid = in->mid,
                                   .time_ms = logic_now_ms(logic),
                                   .op = in->proto->op,
                                   .body = in->proto->body.data,
                                   .len = in->proto->body.len};
    event.json = json_is_value(in->proto->body.data, event.len);
    *received = (struct received){.ticket.done = on_received, .call = call};
    int err = upstream_send(logic, &event, &received->ticket);
    if (err != 0)
        receive_end(call, err);
}

static void call_nodes(struct goim_call *call)
{
    const Goim__Logic__NodesReq *in = (const Goim__Logic__NodesReq *)call->in;
    struct nodes_answer *nodes = arena_alloc(&call->batch.arena, sizeof *nodes);
    Goim__Logic__NodesReply reply;
    Goim__Logic__Backoff backoff = GOIM__LOGIC__BACKOFF__INIT;
    char *names[NODES_NAMES_MOST];

    goim__logic__nodes_reply__init(&reply);
    nodes_answer(call->batch.logic->nodes, in->platform, in->clientip, false, nodes);
    reply.domain = pb_text(nodes->domain);
    reply.tcp_port = nodes->tcp_port;
    reply.ws_port = nodes->ws_port;
    reply.wss_port = nodes->wss_port;
    reply.heartbeat = nodes->heartbeat_s;
    reply.heartbeat_max = nodes->heartbeat_max;
    backoff.max_delay = nodes->backoff.max_delay_s;
    backoff.base_delay = nodes->backoff.base_delay_s;
    backoff.factor = (float)nodes->backoff.factor;
    backoff.jitter = (float)nodes->backoff.jitter;
    reply.backoff = &backoff;
    for (size_t i = 0; i < nodes->n; i++)
        names[i] = nodes->names[i];
    reply.nodes = names;
    reply.n_nodes = nodes->n;
    goim_call_answer(call, &reply.base);
}

/* --- the way there --- */

static const struct goim_method goim_methods[] = {
    {"/goim.logic.Logic/Connect", &goim__logic__connect_req__descriptor, LOGIC_GOIM_CONNECT,
     goim_call_connect, true},
    {"/goim.logic.Logic/Disconnect", &goim__logic__disconnect_req__descriptor,
     LOGIC_GOIM_DISCONNECT, call_disconnect, false},
    {"/goim.logic.Logic/Heartbeat", &goim__logic__heartbeat_req__descriptor, LOGIC_GOIM_HEARTBEAT,
     call_heartbeat, false},
    {"/goim.logic.Logic/RenewOnline", &goim__logic__online_rooms__descriptor, LOGIC_GOIM_RENEW,
     goim_call_renew, false},
    {"/goim.logic.Logic/Receive", &goim__logic__receive_req__descriptor, LOGIC_GOIM_RECEIVE,
     call_receive, false},
    {"/goim.logic.Logic/Nodes", &goim__logic__nodes_req__descriptor, LOGIC_GOIM_NODES, call_nodes,
     false},
};

static const struct goim_method *method_of(const char *path)
{
    const struct goim_method *method = goim_methods;

    while (strcmp(method->path, path) != 0)
        method++; /* streams.c has no other path */
    return method;
}

static void call_arrived(struct loop *loop, struct inbox_item *item)
{
    struct goim_call *call = container_of(item, struct goim_call, batch.item);
    struct logic *logic = call->batch.logic;

    (void)loop;
    logic_count(logic, call->method->counter, 1);
    if (logic->draining || logic->redis == NULL || logic->routers == NULL)
        goim_call_refuse(call, RPC_UNAVAILABLE, "this logic is starting or ending");
    else
        call->method->run(call);
}

static void call_unpack(struct goim_call *call, struct msg *request)
{
    struct unpack_input in = {request->data, request->len, GOIM_ROOMS_MAX};
    const char *why = "";
    char text[WHY_MAX];

    call->in = unpack(call->method->request, &call->batch.arena, &in, &why);
    if (call->in != NULL)
        return;
    (void)snprintf(text, sizeof text, "not a %s as in goim's logic.proto: %s",
                   call->method->request->short_name, why);
    rpc_call_refuse(rpc_stream_ref(call->call), RPC_INVALID, text);
}

void goim_call_came(struct logic *logic, struct rpc_stream *stream, struct msg *request)
{
    if (!logic->config->goim_comets) {
        msg_unref(request);
        rpc_call_refuse(stream, RPC_PRECONDITION,
                        "this logic takes no sessions of goim's comets: see goim.comets in "
                        "logic.ini");
        return;
    }
    struct goim_call *call = mem_zalloc(sizeof *call);
    call->batch.item.run = call_arrived;
    call->batch.logic = logic;
    call->sb.batch = &call->batch;
    call->sb.logic = logic;
    call->call = stream;
    call->method = method_of(rpc_call_path(stream));
    arena_init(&call->batch.arena);
    call_unpack(call, request);
    if (call->method->secret)
        msg_is_secret(request);
    msg_unref(request);
    if (call->in != NULL) {
        call->batch.held = call->batch.arena.bytes;
        rpc_stream_hold(stream, call->batch.held);
    }
    if (call->in == NULL || !inbox_post(logic->loop, &call->batch.item))
        call_free(call);
}

/* POST /1/push, /1/pushs, /1/push/room, /1/push/all: imgo's parameters. */
#include "common/protocol/ops.h"
#include "logic/http/push_call.h"

static int parse_op(struct push_call *call, struct params_error *err)
{
    int64_t op = OP_PUSH;

    if (api_query_int64(call->request, "op", 0, INT32_MAX, &op, err) != 0)
        return -1;
    return push_call_op(call, "op", (int32_t)op, err);
}

static int parse_uid(struct push_call *call, struct params_error *err)
{
    const char *text;

    call->users.uids = &call->uid;
    call->users.n = 1;
    if (api_query(call->request, "uid", &text, err) != 0 ||
        params_int64("uid", text, INT64_MIN, INT64_MAX, &call->uid, err) != 0 ||
        parse_op(call, err) != 0)
        return -1;
    return push_call_body(call, err);
}

static int parse_uids(struct push_call *call, struct params_error *err)
{
    size_t len, most = (size_t)call->logic->config->push_max_uids;
    const uint8_t *body = http_body(call->request, &len);

    if (params_pushs(body, len, most, &call->users, err) != 0 || parse_op(call, err) != 0)
        return -1;
    call->message.body = call->users.message;
    call->message.len = call->users.len;
    return push_call_message(call, "m", err);
}

static int parse_room(struct push_call *call, struct params_error *err)
{
    const char *ensure; /* has no effect, since every push is ensured; imgo's callers send it */

    if (api_query(call->request, "rid", &call->room, err) != 0 ||
        params_text("rid", call->room, PUSH_ROOM_MOST, err) != 0 ||
        api_query(call->request, "ensure", &ensure, err) != 0 || parse_op(call, err) != 0)
        return -1;
    return push_call_body(call, err);
}

static int parse_all(struct push_call *call, struct params_error *err)
{
    int64_t speed = 0;

    if (api_query_int64(call->request, "speed", 0, INT32_MAX, &speed, err) != 0 ||
        parse_op(call, err) != 0)
        return -1;
    call->speed = (int32_t)speed;
    return push_call_body(call, err);
}

void api_push_uid(struct logic *logic, struct http_request *request)
{
    push_call_handle(logic, request, parse_uid, push_call_to_uids);
}

void api_push_uids(struct logic *logic, struct http_request *request)
{
    push_call_handle(logic, request, parse_uids, push_call_to_uids);
}

void api_push_room(struct logic *logic, struct http_request *request)
{
    push_call_handle(logic, request, parse_room, push_call_to_room);
}

void api_push_all(struct logic *logic, struct http_request *request)
{
    push_call_handle(logic, request, parse_all, push_call_to_all);
}

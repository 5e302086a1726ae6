/* POST /goim/push/keys, /goim/push/mids, /goim/push/room, /goim/push/all: goim v2's parameters, as
 * its logic/http binds them. They are in the query, and the body is the message. */
#include "common/base/mem.h"
#include "logic/http/goim_params.h"
#include "logic/http/push_call.h"
#include "logic/tokens/device_keys.h"

#include <stdlib.h>

/* goim takes 0 for absent where the operation is required. */
static int parse_operation(struct push_call *call, bool required, struct params_error *err)
{
    int32_t op = 0;

    if (api_goim_int32(call->request, "operation", INT32_MIN, &op, err) != 0)
        return -1;
    if (op == 0 && required) {
        snprintf(err->text, sizeof err->text, "operation: missing, or 0");
        return -1;
    }
    return push_call_op(call, "operation", op, err);
}

static int parse_keys(struct push_call *call, struct params_error *err)
{
    size_t most = (size_t)call->logic->config->push_max_keys;
    struct goim_list list;

    if (parse_operation(call, false, err) != 0)
        return -1;
    call->keys = api_goim_list(call->request, "keys", most, &list);
    call->n_keys = list.n;
    if (goim_params_keys(&list, most, DEVICE_KEY_MAX, err) != 0)
        return -1;
    return push_call_body(call, err);
}

static int parse_mids(struct push_call *call, struct params_error *err)
{
    size_t most = (size_t)call->logic->config->push_max_uids;
    struct goim_list list;

    if (parse_operation(call, false, err) != 0)
        return -1;
    const char **texts = api_goim_list(call->request, "mids", most, &list);
    int failed = goim_params_uids(&list, most, &call->users.uids, &call->users.n, err);
    free(texts);
    return failed != 0 ? -1 : push_call_body(call, err);
}

static int parse_room(struct push_call *call, struct params_error *err)
{
    const char *type, *room;

    if (parse_operation(call, true, err) != 0 ||
        api_query(call->request, "type", &type, err) != 0 ||
        api_query(call->request, "room", &room, err) != 0)
        return -1;
    call->room = call->owned = mem_alloc(PUSH_ROOM_MOST + 1);
    if (goim_params_room(type, room, call->owned, PUSH_ROOM_MOST + 1, err) != 0)
        return -1;
    return push_call_body(call, err);
}

static int parse_all(struct push_call *call, struct params_error *err)
{
    if (parse_operation(call, true, err) != 0 ||
        api_goim_int32(call->request, "speed", 0, &call->speed, err) != 0)
        return -1;
    return push_call_body(call, err);
}

void api_goim_push_keys(struct logic *logic, struct http_request *request)
{
    push_call_handle(logic, request, parse_keys, push_call_to_keys);
}

void api_goim_push_mids(struct logic *logic, struct http_request *request)
{
    push_call_handle(logic, request, parse_mids, push_call_to_uids);
}

void api_goim_push_room(struct logic *logic, struct http_request *request)
{
    push_call_handle(logic, request, parse_room, push_call_to_room);
}

void api_goim_push_all(struct logic *logic, struct http_request *request)
{
    push_call_handle(logic, request, parse_all, push_call_to_all);
}

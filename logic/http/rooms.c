/* POST /1/room/join and /1/room/leave:
 *
 *   parse ─► [no uid: device_keys_find] ─► room_order ─► router, comets
 *                  │ nobody's key                             └─► {"ret":1,"data":{"sessions":2}}
 *                  └─► {"ret":1,"data":{"sessions":0}}
 *
 * The request owns the parameters until it is answered. */
#include "common/base/mem.h"
#include "common/protocol/goim_auth.h"
#include "logic/http/routes.h"
#include "logic/peers/room_orders.h"
#include "logic/tokens/device_keys.h"

#include <stdlib.h>

struct room_call {
    struct logic *logic;
    struct http_request *request;
    struct room_change change;
};

/* Names the limits that sessions are up against by their settings. */
static void room_respond(const struct room_call *call, const struct room_changed *changed)
{
    char body[256], refused[128] = "";

    if (changed->session_full > 0 || changed->comet_full > 0)
        snprintf(refused, sizeof refused,
                 ",\"refused\":{\"rooms.per_session\":%zu,\"rooms.max\":%zu}",
                 changed->session_full, changed->comet_full);
    int n = snprintf(body, sizeof body, "{\"ret\":1,\"data\":{\"sessions\":%zu%s}}",
                     changed->sessions, refused);
    api_json(call->logic, call->request, body, (size_t)n);
}

static void on_changed(void *arg, const struct room_changed *changed)
{
    static const enum logic_metric causes[] = {
        [ROOM_ORDER_ROUTER] = LOGIC_REFUSED_ROUTER,
        [ROOM_ORDER_COMET] = LOGIC_REFUSED_COMET,
        [ROOM_ORDER_CLOSED] = LOGIC_REFUSED_DRAIN,
    };
    struct room_call *call = arg;

    if (changed->error == ROOM_ORDER_OK)
        room_respond(call, changed);
    else
        api_unavailable(call->logic, call->request, causes[changed->error], changed->why);
    free(call);
}

static void call_order(struct room_call *call)
{
    struct logic *logic = call->logic;

    if (room_order(logic->room_orders, &call->change, on_changed, call))
        return;
    api_overloaded(logic, call->request, LOGIC_REFUSED_ORDERS,
                   "too many calls of /1/room/join and leave are under way: call later");
    free(call);
}

static void on_owner(void *arg, int err, const struct device_key_owner *owner)
{
    static const struct room_changed nobody = {0};
    struct room_call *call = arg;
    char text[400];

    if (err != 0) {
        snprintf(text, sizeof text, "key: cannot be looked up now: %s",
                 redis_said(call->logic->redis));
        api_unavailable(call->logic, call->request, LOGIC_REFUSED_REDIS, text);
        free(call);
    } else if (!owner->known) {
        on_changed(call, &nobody);
    } else {
        call->change.uid = owner->uid;
        call_order(call);
    }
}

/* Sets *HAS_UID: without a uid there is a key. */
static int parse(struct http_request *request, struct room_change *change, bool *has_uid,
                 struct params_error *err)
{
    const char *uid;

    if (api_query(request, "uid", &uid, err) != 0 ||
        api_query(request, "key", &change->key, err) != 0)
        return -1;
    *has_uid = uid != NULL || change->key == NULL;
    if ((*has_uid && params_int64("uid", uid, INT64_MIN, INT64_MAX, &change->uid, err) != 0) ||
        api_query(request, "room", &change->room, err) != 0 ||
        params_text("room", change->room, GOIM_AUTH_ROOM_MAX, err) != 0)
        return -1;
    return change->key == NULL ? 0 : params_text("key", change->key, GOIM_AUTH_KEY_MAX, err);
}

static void room_handle(struct logic *logic, struct http_request *request, bool leave)
{
    struct room_change change = {.leave = leave};
    struct params_error err;
    bool has_uid;

    if (parse(request, &change, &has_uid, &err) != 0) {
        api_error(logic, request, API_PARAMETER, err.text);
        return;
    }
    struct room_call *call = mem_alloc(sizeof *call);
    *call = (struct room_call){logic, request, change};
    if (has_uid)
        call_order(call);
    else
        device_keys_find(logic, &call->change.key, 1, on_owner, call);
}

void api_room_join(struct logic *logic, struct http_request *request)
{
    room_handle(logic, request, false);
}

void api_room_leave(struct logic *logic, struct http_request *request)
{
    room_handle(logic, request, true);
}

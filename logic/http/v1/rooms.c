/* GET /v1/rooms: the largest rooms, or one. POST /v1/rooms/join and leave: sessions change rooms.
 *
 *   list: room_lists_top, room_lists_named ─► {"rooms":[{"room":"7","sessions":12}]}
 *   join: v1_user_find ─► room_order ─► {"sessions":2} */
#include "logic/http/v1/user.h"
#include "logic/peers/room_orders.h"
#include "logic/router/room_lists.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- list --- */

static void on_rooms(void *arg, const struct router_answer *answer)
{
    struct v1_call *call = arg;

    if (answer->result == ROUTER_AWAY) {
        v1_unavailable(call, LOGIC_REFUSED_ROUTER, "a router is missing, or does not answer");
        return;
    }
    FILE *out = v1_begin(call);
    fputs("{\"rooms\":[", out);
    for (size_t i = 0; i < answer->n_counts; i++) {
        fputs(i > 0 ? ",{\"room\":" : "{\"room\":", out);
        params_write_string(out, answer->counts[i].name, strlen(answer->counts[i].name));
        fprintf(out, ",\"sessions\":%" PRIu64 "}", answer->counts[i].sessions);
    }
    fprintf(out, "],\"complete\":%s}", answer->result == ROUTER_OK ? "true" : "false");
    v1_end(call, 200, NULL);
}

void v1_rooms_list(struct v1_call *call)
{
    const struct schema_value *room = v1_query(call, "room"), *prefix = v1_query(call, "prefix"),
                              *limit = v1_query(call, "limit");
    struct routers *routers = call->logic->routers;
    struct schema_errors errors = {0};

    if (room != NULL && (prefix != NULL || limit != NULL)) {
        schema_error_add(&errors, SCHEMA_IN_QUERY, "room", "goes without prefix and limit");
        v1_refuse_errors(call, &errors);
    } else if (room != NULL) {
        room_lists_named(routers, &room->text, 1, on_rooms, call);
    } else {
        room_lists_top(routers, prefix != NULL ? prefix->text : "",
                       limit != NULL ? (uint32_t)limit->number : 100, on_rooms, call);
    }
}

/* --- join, leave --- */

static void on_changed(void *arg, const struct room_changed *changed)
{
    struct v1_call *call = arg;

    if (changed->error != ROOM_ORDER_OK) {
        v1_unavailable(
            call, changed->error == ROOM_ORDER_ROUTER ? LOGIC_REFUSED_ROUTER : LOGIC_REFUSED_COMET,
            changed->why);
        return;
    }
    FILE *out = v1_begin(call);
    fprintf(out, "{\"sessions\":%zu", changed->sessions);
    if (changed->session_full > 0 || changed->comet_full > 0)
        fprintf(out, ",\"refused\":{\"rooms.per_session\":%zu,\"rooms.max\":%zu}",
                changed->session_full, changed->comet_full);
    fputc('}', out);
    v1_end(call, 200, NULL);
}

static void change(struct v1_call *call, const struct v1_user *user, bool leave)
{
    static const struct room_changed nobody = {0};
    const struct room_change change = {.uid = user->uid,
                                       .key = user->key,
                                       .room = schema_get(&call->body, "room")->text,
                                       .leave = leave};

    if (!user->known)
        on_changed(call, &nobody);
    else if (!room_order(call->logic->room_orders, &change, on_changed, call))
        v1_too_many_orders(call);
}

static void join(struct v1_call *call, const struct v1_user *user)
{
    change(call, user, false);
}

static void leave(struct v1_call *call, const struct v1_user *user)
{
    change(call, user, true);
}

void v1_rooms_join(struct v1_call *call)
{
    v1_user_find(call, schema_get(&call->body, "uid"), schema_get(&call->body, "key"), join);
}

void v1_rooms_leave(struct v1_call *call)
{
    v1_user_find(call, schema_get(&call->body, "uid"), schema_get(&call->body, "key"), leave);
}

/* GET /v1/rooms: the largest rooms, or one. POST /v1/rooms/join and leave: sessions change rooms.
 *
 *   list: room_lists_top, room_lists_named ─► {"rooms":[{"room":"7","sessions":12}]}
 *   join: v1_user_find ─► room_order ─► {"sessions":2} */
#include "logic/http/v1/session_print.h"
#include "logic/http/v1/user.h"
#include "logic/peers/room_orders.h"
#include "logic/router/room_lists.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT = 100 };

/* --- list --- */

static void print_room(FILE *out, const struct router_counted *room)
{
    fputs("\"room\":", out);
    params_write_string(out, room->name, strlen(room->name));
    fprintf(out, ",\"sessions\":%" PRIu64, room->sessions);
}

static void print_complete(FILE *out, const struct router_answer *answer)
{
    fprintf(out, ",\"complete\":%s}", answer->result == ROUTER_OK ? "true" : "false");
}

/* False: a router is missing, and CALL is answered. */
static bool has_counts(struct v1_call *call, const struct router_answer *answer)
{
    if (answer->result == ROUTER_AWAY)
        v1_unavailable(call, LOGIC_REFUSED_ROUTER, "a router is missing, or does not answer");
    return answer->result != ROUTER_AWAY;
}

static void print_list(FILE *out, const struct router_answer *answer)
{
    fputs("{\"rooms\":[", out);
    for (size_t i = 0; i < answer->n_counts; i++) {
        fputs(i > 0 ? ",{" : "{", out);
        print_room(out, &answer->counts[i]);
        fputc('}', out);
    }
    fputc(']', out);
}

static void on_rooms(void *arg, const struct router_answer *answer)
{
    struct v1_call *call = arg;

    if (!has_counts(call, answer))
        return;
    FILE *out = v1_begin(call);
    print_list(out, answer);
    print_complete(out, answer);
    v1_end(call, 200, NULL);
}

static uint32_t limit_of(const struct v1_call *call)
{
    const struct schema_value *limit = v1_query(call, "limit");

    return limit != NULL ? (uint32_t)limit->number : LIMIT;
}

/* The cursor is the last room of the page. */
static void on_page(void *arg, const struct router_answer *answer)
{
    struct v1_call *call = arg;

    if (!has_counts(call, answer))
        return;
    FILE *out = v1_begin(call);
    print_list(out, answer);
    if (answer->n_counts == limit_of(call))
        v1_print_name(out, "cursor", answer->counts[answer->n_counts - 1].name);
    print_complete(out, answer);
    v1_end(call, 200, NULL);
}

static void list(struct v1_call *call)
{
    const struct schema_value *prefix = v1_query(call, "prefix"),
                              *cursor = v1_query(call, "cursor"), *order = v1_query(call, "order");
    const char *begin = prefix != NULL ? prefix->text : "";
    bool by_name = order != NULL && strcmp(order->text, "name") == 0;
    struct schema_errors errors = {0};

    if (cursor != NULL && !by_name) {
        schema_error_add(&errors, SCHEMA_IN_QUERY, "cursor", "goes with order=name");
        v1_refuse_errors(call, &errors);
    } else if (by_name) {
        room_lists_page(call->logic->routers, begin, cursor != NULL ? cursor->text : "",
                        limit_of(call), on_page, call);
    } else {
        room_lists_top(call->logic->routers, begin, limit_of(call), on_rooms, call);
    }
}

void v1_rooms_list(struct v1_call *call)
{
    const struct schema_value *room = v1_query(call, "room");
    struct schema_errors errors = {0};

    if (room == NULL) {
        list(call);
    } else if (v1_query(call, "prefix") != NULL || v1_query(call, "limit") != NULL ||
               v1_query(call, "order") != NULL || v1_query(call, "cursor") != NULL) {
        schema_error_add(&errors, SCHEMA_IN_QUERY, "room",
                         "goes without prefix, limit, order and cursor");
        v1_refuse_errors(call, &errors);
    } else {
        room_lists_named(call->logic->routers, &room->text, 1, on_rooms, call);
    }
}

static void on_room(void *arg, const struct router_answer *answer)
{
    struct v1_call *call = arg;

    if (!has_counts(call, answer))
        return;
    FILE *out = v1_begin(call);
    fputc('{', out);
    print_room(out, &answer->counts[0]);
    print_complete(out, answer);
    v1_end(call, 200, NULL);
}

void v1_rooms_one(struct v1_call *call)
{
    room_lists_named(call->logic->routers, &v1_query(call, "room")->text, 1, on_room, call);
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

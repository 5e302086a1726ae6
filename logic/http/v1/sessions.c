/* GET /v1/sessions and DELETE /v1/sessions: those of a user, or of a device by its key.
 *
 *   v1_user_find ─┬─► router: the user's sessions ─► {"sessions":[…]}
 *                 └─► room_order, which ends them ─► {"sessions":2}
 *
 * A session is named by its handle and its comet: "00000a0100000007.comet-1". */
#include "common/protocol/ops.h"
#include "logic/http/v1/user.h"
#include "logic/peers/room_orders.h"
#include "logic/router/routers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { HANDLE_DIGITS = 16 };

/* --- list --- */

static void print_session(FILE *out, const Imc__V1__Session *session)
{
    fprintf(out, "{\"session\":\"%016" PRIx64 ".%s\",\"server\":", session->handle, session->comet);
    params_write_string(out, session->comet, strlen(session->comet));
    if (session->key[0] != '\0') {
        fputs(",\"key\":", out);
        params_write_string(out, session->key, strlen(session->key));
    }
    if (session->room[0] != '\0') {
        fputs(",\"room\":", out);
        params_write_string(out, session->room, strlen(session->room));
    }
    fputc('}', out);
}

static void print_sessions(struct v1_call *call, int64_t uid, const char *key,
                           const struct router_answer *answer)
{
    FILE *out = v1_begin(call);
    const char *separator = "";

    fprintf(out, "{\"uid\":%" PRId64 ",\"sessions\":[", uid);
    for (size_t i = 0; i < answer->n_sessions; i++) {
        if (key != NULL && strcmp(answer->sessions[i]->key, key) != 0)
            continue;
        fputs(separator, out);
        print_session(out, answer->sessions[i]);
        separator = ",";
    }
    fprintf(out, "],\"complete\":%s}", answer->complete ? "true" : "false");
    v1_end(call, 200, NULL);
}

struct lookup {
    struct v1_call *call;
    struct v1_user user;
};

static void on_sessions(void *arg, const struct router_answer *answer)
{
    struct lookup lookup = *(struct lookup *)arg;

    free(arg);
    if (answer->result == ROUTER_AWAY)
        v1_unavailable(lookup.call, LOGIC_REFUSED_ROUTER,
                       "no router is alive, or the user's does not answer");
    else
        print_sessions(lookup.call, lookup.user.uid, lookup.user.key, answer);
}

static void list(struct v1_call *call, const struct v1_user *user)
{
    struct logic *logic = call->logic;

    if (!user->known) {
        fputs("{\"sessions\":[],\"complete\":true}", v1_begin(call));
        v1_end(call, 200, NULL);
        return;
    }
    struct lookup *lookup = mem_alloc(sizeof *lookup);
    *lookup = (struct lookup){call, *user};
    router_lookup(logic->routers, user->uid, (uint64_t)logic->config->router_timeout_ms,
                  on_sessions, lookup);
}

void v1_sessions_list(struct v1_call *call)
{
    v1_user_find(call, v1_query(call, "uid"), v1_query(call, "key"), list);
}

/* --- end --- */

struct end_call {
    struct v1_call *call;
    struct room_change change;
    struct session_close close;
};

static void on_ended(void *arg, const struct room_changed *changed)
{
    struct end_call *end = arg;
    struct v1_call *call = end->call;

    free(end);
    if (changed->error != ROOM_ORDER_OK) {
        v1_unavailable(
            call, changed->error == ROOM_ORDER_ROUTER ? LOGIC_REFUSED_ROUTER : LOGIC_REFUSED_COMET,
            changed->why);
        return;
    }
    fprintf(v1_begin(call), "{\"sessions\":%zu}", changed->sessions);
    v1_end(call, 200, NULL);
}

/* Reads "00000a0100000007.comet-1" into CHANGE. */
static bool parse_session(struct v1_call *call, struct room_change *change)
{
    const struct schema_value *session = v1_query(call, "session");
    struct schema_errors errors = {0};
    char *dot;

    if (session == NULL)
        return true;
    change->handle = strtoull(session->text, &dot, 16);
    change->comet = dot + 1;
    if (dot == session->text + HANDLE_DIGITS && *dot == '.' && change->handle != 0)
        return true;
    schema_error_add(&errors, SCHEMA_IN_QUERY, "session", "must be as GET /v1/sessions answers it");
    v1_refuse_errors(call, &errors);
    return false;
}

static void end_all(struct v1_call *call, const struct v1_user *user)
{
    static const struct room_changed nobody = {0};
    const struct schema_value *reason = v1_query(call, "reason");
    struct end_call *end_call = mem_zalloc(sizeof *end_call);

    end_call->call = call;
    end_call->close = (struct session_close){
        .code = CLOSE_KICKED,
        .reason = reason != NULL ? reason->text : "the business ended the session"};
    end_call->change =
        (struct room_change){.uid = user->uid, .key = user->key, .close = &end_call->close};
    if (!parse_session(call, &end_call->change)) {
        free(end_call);
    } else if (!user->known) {
        on_ended(end_call, &nobody);
    } else if (!room_order(call->logic->room_orders, &end_call->change, on_ended, end_call)) {
        free(end_call);
        v1_too_many_orders(call);
    }
}

void v1_sessions_end(struct v1_call *call)
{
    v1_user_find(call, v1_query(call, "uid"), v1_query(call, "key"), end_all);
}

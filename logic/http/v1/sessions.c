/* GET /v1/sessions and DELETE /v1/sessions: those of a user, or of a device by its key.
 *
 *   v1_user_find ─┬─► router: the user's sessions ─► session_details: comets ─► {"sessions":[…]}
 *                 └─► room_order, which ends them ─► {"sessions":2}
 *
 * A session is named by its handle and its comet: "00000a0100000007.comet-1". */
#include "common/base/text.h"
#include "common/protocol/ops.h"
#include "common/protocol/session_text.h"
#include "logic/http/v1/session_print.h"
#include "logic/http/v1/user.h"
#include "logic/peers/room_orders.h"
#include "logic/peers/session_details.h"
#include "logic/router/routers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- list --- */

static void print_ops(FILE *out, const struct session_detail *detail)
{
    fprintf(out, ",\"%s\":[", detail->chooses ? "accepts" : "declines");
    for (size_t i = 0; i < detail->n_ops; i++)
        fprintf(out, "%s%" PRId32, i > 0 ? "," : "", detail->ops[i]);
    fputc(']', out);
    if (detail->more_ops > 0)
        fprintf(out, ",\"more_operations\":%" PRIu32, detail->more_ops);
}

static void print_details(FILE *out, const struct session_detail *detail, uint64_t now_ms)
{
    static const char *const transports[2][2] = {{"tcp", "tls"}, {"ws", "wss"}};

    fprintf(out, ",\"since\":%" PRIu64 ",\"transport\":\"%s\",\"ack\":%s",
            (now_ms - detail->open_ms) / 1000, transports[detail->websocket][detail->tls],
            detail->acked ? "true" : "false");
    v1_print_name(out, "address", detail->address);
    v1_print_name(out, "platform", detail->platform);
    fputs(",\"rooms\":[", out);
    for (size_t i = 0; i < detail->n_rooms; i++) {
        fputs(i > 0 ? "," : "", out);
        params_write_string(out, detail->rooms[i], strlen(detail->rooms[i]));
    }
    fputc(']', out);
    if (detail->more_rooms > 0)
        fprintf(out, ",\"more_rooms\":%" PRIu32, detail->more_rooms);
    if (detail->chooses || detail->n_ops > 0)
        print_ops(out, detail);
    fprintf(out, ",\"unsent\":%" PRIu64, detail->unsent);
}

struct listing {
    struct v1_call *call;
    struct v1_user user;
    bool complete;
};

/* Comets that have not answered, each once. */
static void print_unanswered(FILE *out, struct listing *listing,
                             const struct session_details *details)
{
    size_t n = session_details_count(details), n_away = 0;
    const char **away = arena_alloc(&listing->call->arena, (n + 1) * sizeof *away);

    for (size_t i = 0; i < n; i++) {
        const char *comet = session_details_session(details, i)->comet;
        if (session_details_at(details, i)->state == DETAIL_AWAY)
            away[n_away++] = comet;
    }
    qsort(away, n_away, sizeof *away, text_compare);
    size_t left = 0;
    for (size_t i = 0; i < n_away; i++) {
        if (left == 0 || strcmp(away[left - 1], away[i]) != 0)
            away[left++] = away[i];
    }
    v1_print_unanswered(out, away, left);
}

static void print_session(FILE *out, const Imc__V1__Session *session,
                          const struct session_detail *detail, uint64_t now_ms)
{
    v1_print_session(out, session->handle, session->comet);
    v1_print_name(out, "key", session->key);
    v1_print_name(out, "room", session->room);
    if (detail->state == DETAIL_KNOWN)
        print_details(out, detail, now_ms);
    fputc('}', out);
}

static void on_details(void *arg, struct session_details *details)
{
    struct listing *listing = arg;
    struct v1_call *call = listing->call;
    uint64_t now_ms = logic_now_ms(call->logic);
    FILE *out = v1_begin(call);
    const char *separator = "";

    fprintf(out, "{\"uid\":%" PRId64 ",\"sessions\":[", listing->user.uid);
    for (size_t i = 0; i < session_details_count(details); i++) {
        const struct session_detail *detail = session_details_at(details, i);
        if (detail->state == DETAIL_GONE)
            continue;
        fputs(separator, out);
        print_session(out, session_details_session(details, i), detail, now_ms);
        separator = ",";
    }
    fprintf(out, "],\"complete\":%s", listing->complete ? "true" : "false");
    print_unanswered(out, listing, details);
    fputc('}', out);
    session_details_free(details);
    v1_end(call, 200, NULL);
}

static void on_sessions(void *arg, const struct router_answer *answer)
{
    struct listing *listing = arg;
    struct router_answer meant = *answer;

    if (answer->result == ROUTER_AWAY) {
        v1_unavailable(listing->call, LOGIC_REFUSED_ROUTER,
                       "no router is alive, or the user's does not answer");
        return;
    }
    listing->complete = answer->complete;
    if (listing->user.key != NULL)
        meant.n_sessions =
            router_sessions_with_keys(meant.sessions, meant.n_sessions, &listing->user.key, 1);
    session_details_ask(listing->call->logic, listing->user.uid, &meant, on_details, listing);
}

static void list(struct v1_call *call, const struct v1_user *user)
{
    struct logic *logic = call->logic;

    if (!user->known) {
        fputs("{\"sessions\":[],\"complete\":true,\"unanswered\":[]}", v1_begin(call));
        v1_end(call, 200, NULL);
        return;
    }
    struct listing *listing = arena_alloc(&call->arena, sizeof *listing);
    *listing = (struct listing){call, *user, false};
    router_lookup(logic->routers, user->uid, (uint64_t)logic->config->router_timeout_ms,
                  on_sessions, listing);
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

    if (session == NULL || session_text_read(session->text, &change->handle, &change->comet))
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

/* GET /goim/online/top, /goim/online/room, /goim/online/total: how many are online, in goim v2's
 * words.
 *
 *   top    room_lists_top ─► every router's largest rooms ─► JSON, kept for TOP_KEPT_MS
 *   room   room_lists_named ─► the routers of these rooms ─► JSON
 *   total  what each comet told with its last renewal, summed */
#include "logic/http/goim_online.h"
#include "common/base/mem.h"
#include "logic/http/push_call.h"
#include "logic/http/routes.h"
#include "logic/nodes/nodes.h"
#include "logic/router/room_lists.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Each router walks over all its rooms for a list of the largest ones. */
enum { TOP_KEPT_MS = 1000, TOPS_KEPT = 8, TOPS_AT_ONCE = 8 };

/* An answer to /goim/online/top. */
struct kept_top {
    char *prefix; /* "type://"; NULL: the place is free */
    uint32_t limit;
    uint64_t made_ms; /* loop time */
    char *data;
    size_t len;
};

struct goim_online {
    struct kept_top tops[TOPS_KEPT];
    unsigned asked; /* lists of the largest rooms that routers are asked for now */
};

struct online_call {
    struct logic *logic;
    struct http_request *request;
    uint32_t limit;   /* top */
    const char **ids; /* room: what the caller wrote */
    char **names;     /* room: "type://id" */
    size_t n;         /* room */
    char prefix[PUSH_ROOM_MOST + 1];
};

struct goim_online *goim_online_open(void)
{
    return mem_zalloc(sizeof(struct goim_online));
}

static void top_forget(struct kept_top *top)
{
    free(top->prefix);
    free(top->data);
    *top = (struct kept_top){0};
}

void goim_online_close(struct goim_online *online)
{
    if (online == NULL)
        return;
    for (size_t i = 0; i < TOPS_KEPT; i++)
        top_forget(&online->tops[i]);
    free(online);
}

static struct online_call *call_new(struct logic *logic, struct http_request *request)
{
    struct online_call *call = mem_zalloc(sizeof *call);

    call->logic = logic;
    call->request = request;
    return call;
}

static void call_free(struct online_call *call)
{
    for (size_t i = 0; i < call->n; i++)
        free(call->names[i]);
    free(call->names);
    free(call->ids);
    free(call);
}

static void call_refuse(struct online_call *call, const struct params_error *err)
{
    api_error(call->logic, call->request, API_PARAMETER, err->text);
    call_free(call);
}

static void call_unavailable(struct online_call *call)
{
    api_unavailable(call->logic, call->request, LOGIC_REFUSED_ROUTER,
                    "no router is alive, or one does not answer");
    call_free(call);
}

/* --- top --- */

static struct kept_top *top_find(struct online_call *call)
{
    uint64_t now = loop_now_ms(call->logic->loop);

    for (size_t i = 0; i < TOPS_KEPT; i++) {
        struct kept_top *top = &call->logic->online->tops[i];
        if (top->prefix != NULL && top->limit == call->limit && now - top->made_ms < TOP_KEPT_MS &&
            strcmp(top->prefix, call->prefix) == 0)
            return top;
    }
    return NULL;
}

/* Keeps DATA in place of the oldest one. Takes ownership. */
static const struct kept_top *top_keep(struct online_call *call, char **data, size_t len)
{
    struct kept_top *oldest = &call->logic->online->tops[0];

    for (size_t i = 1; i < TOPS_KEPT; i++) {
        struct kept_top *top = &call->logic->online->tops[i];
        if (oldest->prefix != NULL && (top->prefix == NULL || top->made_ms < oldest->made_ms))
            oldest = top;
    }
    top_forget(oldest);
    *oldest = (struct kept_top){.prefix = mem_strdup(call->prefix),
                                .limit = call->limit,
                                .made_ms = loop_now_ms(call->logic->loop),
                                .data = *data,
                                .len = len};
    *data = NULL;
    return oldest;
}

static void top_respond(struct online_call *call, const struct kept_top *top)
{
    api_goim_data(call->logic, call->request, top->data, top->len);
    call_free(call);
}

static void on_top(void *arg, const struct router_answer *answer)
{
    struct online_call *call = arg;
    size_t len = 0, begin = strlen(call->prefix);
    const char *separator = "";
    char *data = NULL;

    call->logic->online->asked--;
    if (answer->result == ROUTER_AWAY) {
        call_unavailable(call);
        return;
    }
    FILE *out = open_memstream(&data, &len);
    fputc('[', out);
    for (size_t i = 0; i < answer->n_counts; i++) {
        const char *name = answer->counts[i].name;
        if (strncmp(name, call->prefix, begin) != 0)
            continue; /* no router of ours says that */
        fprintf(out, "%s{\"room_id\":", separator);
        params_write_string(out, name + begin, strlen(name + begin));
        fprintf(out, ",\"count\":%" PRIu64 "}", answer->counts[i].sessions);
        separator = ",";
    }
    fputc(']', out);
    fclose(out);
    top_respond(call, top_keep(call, &data, len));
}

static int parse_top(struct online_call *call, struct params_error *err)
{
    static const char behind[] = GOIM_ROOM_BETWEEN;
    size_t most = sizeof call->prefix - sizeof behind;
    const char *type;
    int32_t limit = 0;

    if (api_query(call->request, "type", &type, err) != 0 ||
        params_text("type", type, most, err) != 0 ||
        api_goim_int32(call->request, "limit", 0, &limit, err) != 0)
        return -1;
    if (limit == 0 || limit > ROOM_LISTS_TOP_MAX) {
        snprintf(err->text, sizeof err->text,
                 limit == 0 ? "limit: missing, or 0" : "limit: must be between 1 and %d",
                 ROOM_LISTS_TOP_MAX);
        return -1;
    }
    call->limit = (uint32_t)limit;
    snprintf(call->prefix, sizeof call->prefix, "%s%s", type, behind);
    return 0;
}

void api_goim_online_top(struct logic *logic, struct http_request *request)
{
    struct online_call *call = call_new(logic, request);
    struct params_error err;

    if (parse_top(call, &err) != 0) {
        call_refuse(call, &err);
        return;
    }
    const struct kept_top *kept = top_find(call);
    if (kept != NULL) {
        top_respond(call, kept);
    } else if (logic->online->asked == TOPS_AT_ONCE) {
        api_overloaded(logic, request, LOGIC_REFUSED_READS,
                       "routers are asked for several such lists already: try again");
        call_free(call);
    } else {
        logic->online->asked++;
        room_lists_top(logic->routers, call->prefix, call->limit, on_top, call);
    }
}

/* --- room --- */

static bool was_before(const struct online_call *call, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(call->ids[i], call->ids[index]) == 0)
            return true;
    }
    return false;
}

static void on_named(void *arg, const struct router_answer *answer)
{
    struct online_call *call = arg;
    const char *separator = "";
    size_t len = 0;
    char *data = NULL;

    if (answer->result == ROUTER_AWAY) {
        call_unavailable(call);
        return;
    }
    FILE *out = open_memstream(&data, &len);
    fputc('{', out);
    for (size_t i = 0; i < answer->n_counts && i < call->n; i++) {
        if (was_before(call, i))
            continue;
        fputs(separator, out);
        params_write_string(out, call->ids[i], strlen(call->ids[i]));
        fprintf(out, ":%" PRIu64, answer->counts[i].sessions);
        separator = ",";
    }
    fputc('}', out);
    fclose(out);
    api_goim_data(call->logic, call->request, data, len);
    free(data);
    call_free(call);
}

static int parse_rooms(struct online_call *call, struct params_error *err)
{
    struct goim_list rooms;
    const char *type;

    if (api_query(call->request, "type", &type, err) != 0)
        return -1;
    call->ids = api_goim_list(call->request, "rooms", ROOM_LISTS_NAMED_MAX, &rooms);
    if (goim_params_rooms(type, &rooms, ROOM_LISTS_NAMED_MAX, PUSH_ROOM_MOST, &call->names, err) !=
        0)
        return -1;
    call->n = rooms.n;
    return 0;
}

void api_goim_online_room(struct logic *logic, struct http_request *request)
{
    struct online_call *call = call_new(logic, request);
    struct params_error err;

    if (parse_rooms(call, &err) != 0)
        call_refuse(call, &err);
    else
        room_lists_named(logic->routers, (const char *const *)call->names, call->n, on_named, call);
}

/* --- total --- */

void api_goim_online_total(struct logic *logic, struct http_request *request)
{
    const struct member_list *comets = nodes_comets(logic->nodes);
    int64_t ips = 0, connections = 0;
    char data[96];

    for (size_t i = 0; i < comets->n; i++) {
        ips += comets->members[i].client_ips;
        connections += comets->members[i].connections;
    }
    int n = snprintf(data, sizeof data, "{\"ip_count\":%" PRId64 ",\"conn_count\":%" PRId64 "}",
                     ips, connections);
    api_goim_data(logic, request, data, (size_t)n);
}

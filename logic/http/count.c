/* GET /1/count and POST /1/server/del. Both ask every router.
 *
 *   count: router_count ─► each router's part ─► summed by name ─► JSON
 *   del:   alive, or does a router count sessions of it? ─► router_forget ─► {"ret":1}; else 1001
 */
#include "common/base/mem.h"
#include "common/containers/map.h"
#include "logic/http/routes.h"
#include "logic/router/routers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SERVER_MOST = 63 };

struct count_entry {
    uint64_t sessions;
    char name[];
};

struct count_call {
    struct logic *logic;
    struct http_request *request;
    size_t pending; /* routers that have not answered */
    bool failed;
    bool rooms;         /* count */
    struct strmap *sum; /* count: name → struct count_entry * */
    const char *server; /* del */
    bool known;         /* del: alive, or counted somewhere */
};

static struct count_call *call_new(struct logic *logic, struct http_request *request)
{
    struct count_call *call = mem_zalloc(sizeof *call);

    call->logic = logic;
    call->request = request;
    return call;
}

static void call_free(struct count_call *call)
{
    size_t pos = 0;
    void *entry;

    if (call->sum != NULL) {
        while (strmap_next(call->sum, &pos, &entry))
            free(entry);
        strmap_free(call->sum);
    }
    free(call);
}

static void call_unavailable(struct count_call *call)
{
    api_unavailable(call->logic, call->request, LOGIC_REFUSED_ROUTER,
                    "no router is alive, or one does not answer");
    call_free(call);
}

/* --- count --- */

static void add_count(struct count_call *call, const struct router_counted *count)
{
    size_t len = strlen(count->name);
    struct count_entry *entry = strmap_get(call->sum, count->name, len);

    if (entry == NULL) {
        entry = mem_alloc(sizeof *entry + len + 1);
        entry->sessions = 0;
        memcpy(entry->name, count->name, len + 1);
        strmap_set(call->sum, entry->name, len, entry);
    }
    entry->sessions += count->sessions;
}

static void write_name(FILE *out, const char *name)
{
    if (params_is_number(name))
        fputs(name, out);
    else
        params_write_string(out, name, strlen(name));
}

static void count_respond(struct count_call *call)
{
    char *body = NULL;
    size_t len = 0, pos = 0;
    void *value;
    const char *separator = "";
    FILE *out = open_memstream(&body, &len);

    fputs("{\"ret\":1,\"data\":[", out);
    while (strmap_next(call->sum, &pos, &value)) {
        const struct count_entry *entry = value;
        fprintf(out, "%s{\"%s\":", separator, call->rooms ? "RoomId" : "Server");
        write_name(out, entry->name);
        fprintf(out, ",\"Count\":%" PRIu64 "}", entry->sessions);
        separator = ",";
    }
    fputs("]}", out);
    fclose(out);
    api_json(call->logic, call->request, body, len);
    free(body);
    call_free(call);
}

static void on_count(void *arg, const struct router_answer *answer)
{
    struct count_call *call = arg;

    if (answer->result == ROUTER_AWAY)
        call->failed = true;
    for (size_t i = 0; i < answer->n_counts; i++)
        add_count(call, &answer->counts[i]);
    if (--call->pending > 0)
        return;
    if (call->failed)
        call_unavailable(call);
    else
        count_respond(call);
}

void api_count(struct logic *logic, struct http_request *request)
{
    struct params_error err;
    const char *type;

    if (api_query(request, "type", &type, &err) != 0) {
        api_error(logic, request, API_PARAMETER, err.text);
        return;
    }
    if (type == NULL || (strcmp(type, "room") != 0 && strcmp(type, "server") != 0)) {
        api_error(logic, request, API_PARAMETER,
                  type == NULL ? "type: missing" : "type: neither room nor server");
        return;
    }
    struct count_call *call = call_new(logic, request);
    call->rooms = strcmp(type, "room") == 0;
    call->sum = strmap_new();
    call->pending = router_count(
        logic->routers, call->rooms ? ROUTER_COUNT_ROOMS : ROUTER_COUNT_COMETS, on_count, call);
    if (call->pending == 0)
        call_unavailable(call);
}

/* --- server/del --- */

static void on_forgotten(void *arg, const struct router_answer *answer)
{
    struct count_call *call = arg;

    if (answer->result == ROUTER_AWAY)
        call->failed = true;
    if (--call->pending > 0)
        return;
    if (call->failed) {
        call_unavailable(call);
        return;
    }
    api_ok(call->logic, call->request);
    call_free(call);
}

static void on_server_counts(void *arg, const struct router_answer *answer)
{
    struct count_call *call = arg;

    if (answer->result == ROUTER_AWAY)
        call->failed = true;
    for (size_t i = 0; i < answer->n_counts; i++) {
        if (strcmp(answer->counts[i].name, call->server) == 0)
            call->known = true;
    }
    if (--call->pending > 0)
        return;
    if (!call->known && !call->failed) {
        api_error(call->logic, call->request, API_NO_SERVER,
                  "server: no such comet, and no session of it is known");
        call_free(call);
        return;
    }
    if (!call->failed)
        call->pending = router_forget(call->logic->routers, call->server, on_forgotten, call);
    if (call->pending == 0)
        call_unavailable(call);
}

void api_server_del(struct logic *logic, struct http_request *request)
{
    struct params_error err;
    const char *server;

    if (api_query(request, "server", &server, &err) != 0 ||
        params_text("server", server, SERVER_MOST, &err) != 0) {
        api_error(logic, request, API_PARAMETER, err.text);
        return;
    }
    struct count_call *call = call_new(logic, request);
    call->server = server;
    call->known = membership_find(logic->membership, MEMBER_COMET, server) != NULL;
    call->pending = router_count(logic->routers, ROUTER_COUNT_COMETS, on_server_counts, call);
    if (call->pending == 0)
        call_unavailable(call);
}

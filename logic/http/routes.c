#include "logic/http/routes.h"
#include "common/base/log.h"
#include "common/tls/tls.h"
#include "logic/http/callers.h"
#include "logic/http/demo.h"
#include "logic/http/local_callers.h"
#include "logic/http/refusals.h"
#include "logic/http/route_times.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

enum {
    HEADS_ROOM = 1 << 20 /* added to api.max_bodies, so that a body of that size fits with its
                          * head */
};

/* --- routes --- */

static const struct route routes[] = {
    {HTTP_POST, "/1/push", api_push_uid, KEY_PUSH, false},
    {HTTP_POST, "/1/pushs", api_push_uids, KEY_PUSH, false},
    {HTTP_POST, "/1/push/room", api_push_room, KEY_PUSH, false},
    {HTTP_POST, "/1/push/all", api_push_all, KEY_PUSH, false},
    {HTTP_POST, "/1/room/join", api_room_join, KEY_ADMIN, false},
    {HTTP_POST, "/1/room/leave", api_room_leave, KEY_ADMIN, false},
    {HTTP_POST, "/1/server/del", api_server_del, KEY_ADMIN, false},
    {HTTP_GET, "/1/count", api_count, KEY_READ, false},
    {HTTP_POST, "/1/admin/token/new", api_token_new, KEY_ADMIN, false},
    {HTTP_POST, "/1/admin/token/del", api_token_del, KEY_ADMIN, false},
    {HTTP_POST, "/1/admin/revoke", api_revoke, KEY_ADMIN, false},
    {HTTP_POST, "/1/admin/unrevoke", api_unrevoke, KEY_ADMIN, false},
    {HTTP_GET, "/1/msg/get", api_msg_get, 0, false},
    {HTTP_POST, "/goim/push/keys", api_goim_push_keys, KEY_PUSH, false},
    {HTTP_POST, "/goim/push/mids", api_goim_push_mids, KEY_PUSH, false},
    {HTTP_POST, "/goim/push/room", api_goim_push_room, KEY_PUSH, false},
    {HTTP_POST, "/goim/push/all", api_goim_push_all, KEY_PUSH, false},
    {HTTP_GET, "/goim/online/top", api_goim_online_top, KEY_READ, false},
    {HTTP_GET, "/goim/online/room", api_goim_online_room, KEY_READ, false},
    {HTTP_GET, "/goim/online/total", api_goim_online_total, KEY_READ, false},
    {HTTP_GET, "/goim/nodes/weighted", api_goim_nodes_weighted, KEY_READ, true},
    {HTTP_GET, "/goim/nodes/instances", api_goim_nodes_instances, KEY_READ, false},
};

const struct route_set *route_set_of(const struct logic *logic, const char *path)
{
    if (logic->more_routes != NULL && logic->more_routes->owns(path))
        return logic->more_routes;
    if (logic->console_routes != NULL && logic->console_routes->owns(path))
        return logic->console_routes;
    return NULL;
}

const struct route *route_of(const struct logic *logic, const struct http_request *request)
{
    const char *path = http_path(request);
    const struct route_set *set = route_set_of(logic, path);

    if (set != NULL)
        return set->find(http_method(request), path);
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (strcmp(routes[i].path, path) == 0)
            return &routes[i];
    }
    return logic->config->demo_enabled ? demo_route(path) : NULL;
}

bool route_is_open(const struct logic *logic, const struct route *route)
{
    return route->scope == 0 || (route->may_open && logic->config->nodes_open);
}

static bool is_push(const struct route *route)
{
    return route->scope == KEY_PUSH;
}

/* --- the server --- */

static void refuse_method(struct logic *logic, struct http_request *request,
                          const struct route *route)
{
    const struct route_set *set = route_set_of(logic, route->path);
    char methods[64];

    if (set != NULL)
        set->allow(route->path, methods, sizeof methods);
    else
        snprintf(methods, sizeof methods, "%s", route->method == HTTP_POST ? "POST" : "GET");
    api_refuse_method(logic, request, methods);
}

/* Is the body compressed? Then it is refused. Devices would get it as it is and cannot know. And if
 * we unpacked it, few bytes could become very many. */
static bool is_encoded(const struct http_request *request)
{
    const char *encoding = http_header(request, "content-encoding");

    return encoding != NULL && encoding[0] != '\0' && strcasecmp(encoding, "identity") != 0;
}

/* True: this logic cannot serve ROUTE now, and has answered so. */
static bool refuse_for_now(struct logic *logic, struct http_request *request,
                           const struct route *route)
{
    if (logic->draining)
        api_unavailable(logic, request, LOGIC_REFUSED_DRAIN, "this logic is shutting down");
    else if (logic->memory >= (is_push(route) ? MEMORY_SHORT : MEMORY_CRITICAL))
        api_unavailable(logic, request, LOGIC_REFUSED_MEMORY,
                        "this logic is short of memory (memory.limit): try again, or another one");
    else
        return false;
    return true;
}

/* Finds out who sent REQUEST. False: nobody that we know, and it is answered. */
static bool identify(struct logic *logic, struct http_request *request, const struct route *route)
{
    const char *why = NULL;

    if (route != NULL && route_is_open(logic, route))
        callers_take_stranger(logic->callers, request);
    else
        why = callers_identify(logic->callers, request);
    if (why != NULL)
        api_error(logic, request, API_KEY, why);
    return why == NULL;
}

/* False: the key of REQUEST lacks the scope that ROUTE needs, and it is answered. */
static bool has_scope(struct logic *logic, struct http_request *request, const struct route *route)
{
    enum logic_metric row = route->scope == KEY_PUSH    ? LOGIC_API_PUSH
                            : route->scope == KEY_READ  ? LOGIC_API_READ
                            : route->scope == KEY_ADMIN ? LOGIC_API_ADMIN
                                                        : LOGIC_API_NONE;
    enum key_scope scope = (enum key_scope)route->scope;
    char text[120 + KEY_NAME_MAX];

    logic_count(logic, route_is_open(logic, route) ? LOGIC_API_NONE : row, 1);
    if (route_is_open(logic, route) || callers_may(request, scope))
        return true;
    snprintf(text, sizeof text, "this call needs scope %s, which key %s does not have",
             key_scope_name(scope), callers_name(request));
    api_error(logic, request, API_SCOPE, text);
    return false;
}

/* A request's head has come. Refuses here whatever can be refused, so that bodies of strangers take
 * no memory. */
static void api_head(struct http_request *request, void *arg)
{
    struct logic *logic = arg;
    const struct route *route = route_of(logic, request);

    if (!identify(logic, request, route))
        return;
    if (route == NULL)
        api_error(logic, request, API_NOT_FOUND, "no such path");
    else if (!has_scope(logic, request, route))
        return;
    else if (http_method(request) == HTTP_OPTIONS && api_origin_may_read(logic, request))
        api_preflight(logic, request);
    else if (http_method(request) != route->method)
        refuse_method(logic, request, route);
    else if (is_encoded(request))
        api_error(logic, request, API_ENCODING, "content-encoding: send the body as it is");
    else if (api_admit(logic, request, is_push(route)))
        (void)refuse_for_now(logic, request, route);
}

static void api_end(struct http_request *request, void *arg)
{
    struct logic *logic = arg;

    if (logic->callers != NULL)
        callers_end(logic->callers, request);
}

static void api_answered(const struct http_request *request, int status, int64_t us, void *arg)
{
    struct logic *logic = arg;

    if (logic->route_times != NULL)
        route_times_observe(logic->route_times, route_of(logic, request), status, us);
}

static void api_handle(struct http_request *request, void *arg)
{
    struct logic *logic = arg;
    const struct route *route = route_of(logic, request);

    assert(route != NULL);                      /* api_head() has refused requests without a
                                                 * route */
    if (!refuse_for_now(logic, request, route)) /* the reason may have come up since api_head() */
        route->handle(logic, request);
}

/* The HTTP server refuses a request itself: it is malformed, too large or too slow. Its path may
 * not be known ("" then). */
static void api_refuse_early(int status, const char *why, struct http_request *request, char *body,
                             size_t bodylen, const char **content_type)
{
    struct logic *logic = http_arg(request);

    refusal_note(logic, request, status == 503 ? LOGIC_REFUSED_BODIES : LOGIC_REFUSED_HTTP, status,
                 why);
    logic_count(logic, status >= 500 ? LOGIC_HTTP_5XX : LOGIC_HTTP_4XX, 1); /* 501, 503, 505 */
    const struct face *face = face_of(logic, request);
    *content_type = face->problem;
    size_t len = face->write(status == 503 ? API_UNAVAILABLE : API_PARAMETER, status, why, body,
                             bodylen - 1);
    body[len] = '\0';
}

/* Only a route of more_routes has names in its path, and then only there is an escape found. */
static bool api_escapes(const char *path, void *arg)
{
    const struct logic *logic = arg;

    return logic->more_routes != NULL && logic->more_routes->owns(path) &&
           logic->more_routes->find(HTTP_GET, path) != NULL;
}

static void api_room(void *arg)
{
    api_msg_get_go_on(arg);
}

static int open_tls(struct logic *logic, struct tls_server **tls)
{
    const struct tls_server_options options = {.name = "api", .alpn = "http/1.1"};
    char err[TLS_ERROR_MAX];
    int rc = tls_server_open(logic->daemon->tls, &options, tls, err, sizeof err);

    if (rc != 0)
        log_error("cannot serve the HTTP API over TLS", "%s; set tls.certificate and tls.key", err);
    return rc;
}

int routes_open(struct logic *logic)
{
    const struct logic_config *config = logic->config;
    struct http_options options = {
        .address = config->api_listen,
        .max_conns = daemon_descriptors(logic->daemon)->http,
        .max_body = config->api_max_body,
        .header_timeout_ms = config->api_header_timeout_ms,
        .body_timeout_ms = config->api_body_timeout_ms,
        .idle_timeout_ms = config->api_idle_timeout_ms,
        .max_held = config->api_max_bodies + HEADS_ROOM,
        .head = api_head,
        .end = api_end,
        .answered = api_answered,
        .handle = api_handle,
        .refuse = api_refuse_early,
        .escapes = api_escapes,
        .room = api_room,
        .arg = logic,
    };

    char why[2 * KEYS_ERROR_MAX];

    logic->local = local_callers_open(config->api_trusted, config->api_hosts);
    if (callers_open(logic, &logic->callers, why, sizeof why) != 0) {
        log_error("cannot read keys", "%s", why);
        return -EINVAL;
    }
    if (callers_have_no_key(logic->callers))
        log_warn("no API keys are set",
                 "address=%s hint=\"only programs on this machine and in api.trusted may push; set "
                 "api.keys_file or api.keys for others\"",
                 config->api_listen);
    if (config->api_tls && open_tls(logic, &options.tls) != 0)
        return -EINVAL;
    logic->route_times = route_times_open();
    int err = http_server_open(logic->loop, &options, &logic->http);
    if (err != 0)
        daemon_listen_failed(logic->daemon, config->api_listen, "api", "listen", err);
    return err;
}

#include "logic/http/routes.h"
#include "common/auth/audit.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/config/config.h"
#include "common/tls/tls.h"
#include "logic/http/callers.h"
#include "logic/http/local_callers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    LINES_MAX = 1024,    /* bytes of headers that only some answers have */
    HEADS_ROOM = 1 << 20 /* added to api.max_bodies, so that a body of that size fits with its
                          * head */
};

static const char type_json[] = "application/json; charset=utf-8";

/* --- faces: how answers look --- */

struct face_error {
    int status, code;
};

struct face {
    const char *ok;
    const struct face_error *errors; /* an array of API_ERRORS items */
    size_t (*write)(int code, const char *text, char *out, size_t outlen);
};

/* For a mistake of the caller imgo answers 200 with a code of its own. Its clients look at the
 * code. */
static const struct face_error imgo_errors[API_ERRORS] = {
    [API_PARAMETER] = {200, 65534},   [API_TOKEN] = {200, 65533},
    [API_NO_SERVER] = {200, 1001},    [API_KEY] = {401, 65533},
    [API_SCOPE] = {403, 65533},       [API_RATE] = {429, 65535},
    [API_NOT_FOUND] = {404, 65534},   [API_METHOD] = {405, 65534},
    [API_TOO_LARGE] = {413, 65534},   [API_ENCODING] = {415, 65534},
    [API_UNAVAILABLE] = {503, 65535},
};
static const struct face face_imgo = {"{\"ret\":1}", imgo_errors, params_imgo_error};

/* The codes are goim's RequestErr and ServerErr. goim v2 answers 200 whatever they say, and its
 * clients look at the code. Other statuses are for what no handler of goim answers either: paths
 * and methods that do not exist, and keys and their limits, which goim does not know. */
static const struct face_error goim_errors[API_ERRORS] = {
    [API_PARAMETER] = {200, -400}, [API_TOKEN] = {200, -400},       [API_NO_SERVER] = {200, -400},
    [API_KEY] = {401, -400},       [API_SCOPE] = {403, -400},       [API_RATE] = {429, -500},
    [API_NOT_FOUND] = {404, -400}, [API_METHOD] = {405, -400},      [API_TOO_LARGE] = {200, -400},
    [API_ENCODING] = {200, -400},  [API_UNAVAILABLE] = {200, -500},
};
static const struct face face_goim = {"{\"code\":0,\"message\":\"\"}", goim_errors,
                                      params_goim_error};

/* --- routes --- */

struct route {
    enum http_method method;
    const char *path;
    void (*handle)(struct logic *logic, struct http_request *request);
    unsigned scope; /* that the caller's key needs (enum key_scope); 0: no key is needed. Browsers
                     * make this call, with a user's token */
    bool may_open;  /* no key is needed if nodes.open is set: clients and browsers make this call */
};

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

static const struct route *route_of(const char *path)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (strcmp(routes[i].path, path) == 0)
            return &routes[i];
    }
    return NULL;
}

/* Is ROUTE for callers without an API key too? */
static bool is_open(const struct logic *logic, const struct route *route)
{
    return route->scope == 0 || (route->may_open && logic->config->nodes_open);
}

static bool begins_with(const char *text, const char *begin)
{
    return strncmp(text, begin, strlen(begin)) == 0;
}

static bool is_push(const struct route *route)
{
    return route->scope == KEY_PUSH;
}

/* PATH need not have a route. A client of goim looks for `code` in every answer, and takes an
 * answer without one for success. */
static const struct face *face_of(const char *path)
{
    return begins_with(path, "/goim/") ? &face_goim : &face_imgo;
}

/* --- answers --- */

/* May the web page that sent REQUEST read its answer? Only calls without a key are for web pages.
 */
static bool origin_may_read(struct logic *logic, const struct http_request *request)
{
    const char *origin = http_header(request, "origin");

    if (origin == NULL)
        return false;
    const struct route *route = route_of(http_path(request));
    if (route == NULL || !is_open(logic, route))
        return false;
    return config_list_has(logic->config->api_origins, origin, strlen(origin));
}

/* Responds with EXTRA headers, and those that allow a browser to read the answer. */
static void respond_with_cors(struct http_request *request, int status, const void *body,
                              size_t len, const char *extra)
{
    char lines[LINES_MAX];
    int n = snprintf(lines, sizeof lines, "Access-Control-Allow-Origin: %s\r\nVary: Origin\r\n%s",
                     http_header(request, "origin"), extra != NULL ? extra : "");

    http_respond(request, status, type_json, body, len,
                 n > 0 && (size_t)n < sizeof lines ? lines : extra);
}

static void respond(struct logic *logic, struct http_request *request, int status, const void *body,
                    size_t len, const char *extra)
{
    logic_count(logic,
                status >= 500   ? LOGIC_HTTP_5XX
                : status >= 400 ? LOGIC_HTTP_4XX
                                : LOGIC_HTTP_2XX,
                1);
    if (origin_may_read(logic, request))
        respond_with_cors(request, status, body, len, extra);
    else
        http_respond(request, status, type_json, body, len, extra);
}

/* Logs an answer of STATUS to a call that changes something, or that is refused for who made it.
 * WHY: the reason of a refusal, NULL: it was carried out. */
static void audit(const struct logic *logic, const struct http_request *request, int status,
                  const char *why)
{
    const struct route *route = route_of(http_path(request));

    if (logic->callers == NULL) /* logic ends, and has closed the server */
        return;
    audit_log(&(struct audit){.listener = "api",
                              .who = callers_name(request),
                              .address = http_peer(request),
                              .method = audit_method(request),
                              .route = route != NULL ? route->path : NULL,
                              .outcome = status,
                              .why = why});
}

static bool changes_something(const struct http_request *request)
{
    const struct route *route = route_of(http_path(request));

    return route != NULL && route->scope == KEY_ADMIN;
}

void api_json(struct logic *logic, struct http_request *request, const void *body, size_t len)
{
    if (changes_something(request))
        audit(logic, request, 200, NULL);
    respond(logic, request, 200, body, len, NULL);
}

void api_ok(struct logic *logic, struct http_request *request)
{
    const char *ok = face_of(http_path(request))->ok;

    api_json(logic, request, ok, strlen(ok));
}

void api_goim_data(struct logic *logic, struct http_request *request, const void *data, size_t len)
{
    static const char begin[] = "{\"code\":0,\"message\":\"\",\"data\":";
    size_t at = sizeof begin - 1;
    char *body = mem_alloc(at + len + 1);

    memcpy(body, begin, at);
    memcpy(body + at, data, len);
    body[at + len] = '}';
    api_json(logic, request, body, at + len + 1);
    free(body);
}

static const char *const error_words[API_ERRORS] = {
    [API_PARAMETER] = "parameter",
    [API_TOKEN] = "token",
    [API_NO_SERVER] = "parameter",
    [API_KEY] = "key",
    [API_SCOPE] = "scope",
    [API_RATE] = "rate",
    [API_NOT_FOUND] = "path",
    [API_METHOD] = "method",
    [API_TOO_LARGE] = "size",
    [API_ENCODING] = "encoding",
    [API_UNAVAILABLE] = "unavailable",
};

static void refuse(struct logic *logic, struct http_request *request, enum api_error error,
                   const char *text, const char *extra)
{
    const struct face *face = face_of(http_path(request));
    const struct face_error *how = &face->errors[error];
    char body[512];
    size_t len = face->write(how->code, text, body, sizeof body);

    if (error == API_KEY || error == API_SCOPE || error == API_RATE || changes_something(request))
        audit(logic, request, how->status, error_words[error]);
    respond(logic, request, how->status, body, len, extra);
}

void api_error(struct logic *logic, struct http_request *request, enum api_error error,
               const char *text)
{
    static const enum logic_metric rows[API_ERRORS] = {
        [API_PARAMETER] = LOGIC_REFUSED_PARAMETER, [API_TOKEN] = LOGIC_REFUSED_TOKEN,
        [API_NO_SERVER] = LOGIC_REFUSED_PARAMETER, [API_KEY] = LOGIC_REFUSED_KEY,
        [API_SCOPE] = LOGIC_REFUSED_SCOPE,         [API_RATE] = LOGIC_REFUSED_RATE,
        [API_NOT_FOUND] = LOGIC_REFUSED_PATH,      [API_METHOD] = LOGIC_REFUSED_METHOD,
        [API_TOO_LARGE] = LOGIC_REFUSED_SIZE,      [API_ENCODING] = LOGIC_REFUSED_ENCODING,
        [API_UNAVAILABLE] = LOGIC_REFUSED_REDIS,
    };
    const char *extra = error == API_KEY        ? "WWW-Authenticate: Bearer\r\n"
                        : error == API_ENCODING ? "Accept-Encoding: identity\r\n"
                                                : NULL;

    logic_count(logic, rows[error], 1);
    refuse(logic, request, error, text, extra);
}

void api_unavailable(struct logic *logic, struct http_request *request, enum logic_metric cause,
                     const char *text)
{
    logic_count(logic, cause, 1);
    refuse(logic, request, API_UNAVAILABLE, text, "Retry-After: 1\r\n");
}

void api_overloaded(struct logic *logic, struct http_request *request, enum logic_metric cause,
                    const char *text)
{
    logic_count(logic, cause, 1);
    refuse(logic, request, API_UNAVAILABLE, text, "Retry-After: 5\r\n");
}

/* Refuses REQUEST because LIMIT is reached: try again after RETRY_S seconds. */
static void refuse_beyond(struct logic *logic, struct http_request *request,
                          enum callers_limit limit, const char *why, unsigned retry_s)
{
    static const enum logic_metric rows[] = {
        [CALLERS_FULL] = LOGIC_REFUSED_REQUESTS,
        [CALLERS_KEY_FULL] = LOGIC_REFUSED_BUSY,
        [CALLERS_KEY_TOO_FAST] = LOGIC_REFUSED_RATE,
    };
    char line[40];

    snprintf(line, sizeof line, "Retry-After: %u\r\n", retry_s);
    logic_count(logic, rows[limit], 1);
    refuse(logic, request, limit == CALLERS_FULL ? API_UNAVAILABLE : API_RATE, why, line);
}

bool api_admit(struct logic *logic, struct http_request *request, bool push)
{
    char why[CALLERS_WHY_MAX];
    unsigned retry_s;
    enum callers_limit limit = callers_look(logic->callers, request, push, why, &retry_s);

    if (limit != CALLERS_FINE)
        refuse_beyond(logic, request, limit, why, retry_s);
    return limit == CALLERS_FINE;
}

/* --- parameters --- */

int api_query(struct http_request *request, const char *name, const char **value,
              struct params_error *err)
{
    *value = http_query(request, name, 0);
    if (*value == NULL || http_query(request, name, 1) == NULL)
        return 0;
    snprintf(err->text, sizeof err->text, "%s: given twice", name);
    return -EINVAL;
}

int api_query_int64(struct http_request *request, const char *name, int64_t min, int64_t max,
                    int64_t *out, struct params_error *err)
{
    const char *text;
    int failed = api_query(request, name, &text, err);

    if (failed != 0 || text == NULL)
        return failed;
    return params_int64(name, text, min, max, out, err);
}

int api_goim_int32(struct http_request *request, const char *name, int32_t min, int32_t *out,
                   struct params_error *err)
{
    const char *text;
    int64_t value;

    if (api_query(request, name, &text, err) != 0)
        return -EINVAL;
    if (text == NULL || *text == '\0')
        return 0;
    if (params_int64(name, text, min, INT32_MAX, &value, err) != 0)
        return -EINVAL;
    *out = (int32_t)value;
    return 0;
}

const char **api_goim_list(struct http_request *request, const char *field, size_t most,
                           struct goim_list *list)
{
    size_t place = 0, n = 0, room = 16;
    const char *text, **texts = mem_alloc(room * sizeof *texts);

    while (n <= most && (text = http_query_next(request, field, &place)) != NULL) {
        if (n == room)
            texts = mem_realloc(texts, (room *= 2) * sizeof *texts);
        texts[n++] = text;
    }
    *list = (struct goim_list){field, texts, n};
    return texts;
}

/* --- the server --- */

static void refuse_method(struct logic *logic, struct http_request *request,
                          const struct route *route)
{
    const char *allow = route->method == HTTP_POST ? "Allow: POST\r\n" : "Allow: GET\r\n";
    const char *text =
        route->method == HTTP_POST ? "method not allowed: POST it" : "method not allowed: GET it";

    logic_count(logic, LOGIC_REFUSED_METHOD, 1);
    refuse(logic, request, API_METHOD, text, allow);
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

/* Answers a browser that asks (by OPTIONS) whether it may send a request. */
static void answer_preflight(struct logic *logic, struct http_request *request)
{
    static const char allow[] = "Access-Control-Allow-Methods: GET\r\n"
                                "Access-Control-Max-Age: 600\r\n";

    logic_count(logic, LOGIC_HTTP_2XX, 1);
    respond_with_cors(request, 204, NULL, 0, allow); /* api_head() has checked the origin */
}

/* Finds out who sent REQUEST. False: nobody that we know, and it is answered. */
static bool identify(struct logic *logic, struct http_request *request, const struct route *route)
{
    const char *why = NULL;

    if (route != NULL && is_open(logic, route))
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

    logic_count(logic, is_open(logic, route) ? LOGIC_API_NONE : row, 1);
    if (is_open(logic, route) || callers_may(request, scope))
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
    const struct route *route = route_of(http_path(request));

    if (!identify(logic, request, route))
        return;
    if (route == NULL)
        api_error(logic, request, API_NOT_FOUND, "no such path");
    else if (!has_scope(logic, request, route))
        return;
    else if (http_method(request) == HTTP_OPTIONS && origin_may_read(logic, request))
        answer_preflight(logic, request);
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

static void api_handle(struct http_request *request, void *arg)
{
    struct logic *logic = arg;
    const struct route *route = route_of(http_path(request));

    assert(route != NULL);                      /* api_head() has refused requests without a
                                                 * route */
    if (!refuse_for_now(logic, request, route)) /* the reason may have come up since api_head() */
        route->handle(logic, request);
}

/* The HTTP server refuses a request itself: it is malformed, too large or too slow. Its path may
 * not be known ("" then). */
static void api_refuse(int status, const char *why, struct http_request *request, char *body,
                       size_t bodylen, const char **content_type)
{
    struct logic *logic = http_arg(request);

    logic_count(logic, status == 503 ? LOGIC_REFUSED_BODIES : LOGIC_REFUSED_HTTP, 1);
    logic_count(logic, status >= 500 ? LOGIC_HTTP_5XX : LOGIC_HTTP_4XX, 1); /* 501, 503, 505 */
    *content_type = type_json;
    const struct face *face = face_of(http_path(request));
    face->write(face->errors[status == 503 ? API_UNAVAILABLE : API_PARAMETER].code, why, body,
                bodylen);
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
        .handle = api_handle,
        .refuse = api_refuse,
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
    int err = http_server_open(logic->loop, &options, &logic->http);
    if (err != 0)
        daemon_listen_failed(logic->daemon, config->api_listen, "api", "listen", err);
    return err;
}

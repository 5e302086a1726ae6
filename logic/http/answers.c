/* answers.c - see routes.h: the forms of answers, and what goes with each. */
#include "common/auth/audit.h"
#include "common/base/mem.h"
#include "common/config/config.h"
#include "logic/http/callers.h"
#include "logic/http/refusals.h"
#include "logic/http/routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINES_MAX = 1024, /* bytes of headers that only some answers have */
    REFUSAL_MAX = 1024,
};

static const char type_json[] = "application/json; charset=utf-8";

/* --- faces --- */

/* For a mistake of the caller imgo answers 200 with a code of its own. Its clients look at the
 * code. */
static const int imgo_statuses[API_ERRORS] = {
    [API_PARAMETER] = 200, [API_TOKEN] = 200,     [API_NO_SERVER] = 200, [API_KEY] = 401,
    [API_SCOPE] = 403,     [API_RATE] = 429,      [API_NOT_FOUND] = 404, [API_METHOD] = 405,
    [API_CONFLICT] = 200,  [API_TOO_LARGE] = 413, [API_ENCODING] = 415,  [API_UNAVAILABLE] = 503,
};

static size_t imgo_write(enum api_error error, int status, const char *text, char *out,
                         size_t outlen)
{
    static const int codes[API_ERRORS] = {
        [API_PARAMETER] = 65534, [API_TOKEN] = 65533,    [API_NO_SERVER] = 1001,
        [API_KEY] = 65533,       [API_SCOPE] = 65533,    [API_RATE] = 65535,
        [API_NOT_FOUND] = 65534, [API_METHOD] = 65534,   [API_TOO_LARGE] = 65534,
        [API_CONFLICT] = 65534,  [API_ENCODING] = 65534, [API_UNAVAILABLE] = 65535,
    };

    (void)status;
    return params_imgo_error(codes[error], text, out, outlen);
}

static const struct face face_imgo = {
    .ok = "{\"ret\":1}", .problem = type_json, .statuses = imgo_statuses, .write = imgo_write};

/* goim v2 answers 200 whatever it says, and its clients look at the code. Other statuses are for
 * what no handler of goim answers either: paths and methods that do not exist, and keys and their
 * limits, which goim does not know. */
static const int goim_statuses[API_ERRORS] = {
    [API_PARAMETER] = 200, [API_TOKEN] = 200,     [API_NO_SERVER] = 200, [API_KEY] = 401,
    [API_SCOPE] = 403,     [API_RATE] = 429,      [API_NOT_FOUND] = 404, [API_METHOD] = 405,
    [API_CONFLICT] = 200,  [API_TOO_LARGE] = 200, [API_ENCODING] = 200,  [API_UNAVAILABLE] = 200,
};

static size_t goim_write(enum api_error error, int status, const char *text, char *out,
                         size_t outlen)
{
    /* goim's ServerErr and RequestErr */
    int code = error == API_RATE || error == API_UNAVAILABLE ? -500 : -400;

    (void)status;
    return params_goim_error(code, text, out, outlen);
}

static const struct face face_goim = {.ok = "{\"code\":0,\"message\":\"\"}",
                                      .problem = type_json,
                                      .statuses = goim_statuses,
                                      .write = goim_write};

/* A client of goim looks for `code` in every answer, and takes an answer without one for
 * success. */
const struct face *face_of(const struct logic *logic, const struct http_request *request)
{
    const char *path = http_path(request);
    const struct route_set *set = route_set_of(logic, path);

    if (set != NULL)
        return set->face;
    return strncmp(path, "/goim/", 6) == 0 ? &face_goim : &face_imgo;
}

/* --- answers --- */

bool api_origin_may_read(const struct logic *logic, const struct http_request *request)
{
    const char *origin = http_header(request, "origin");

    if (origin == NULL)
        return false;
    const struct route *route = route_of(logic, request);
    if (route == NULL || !route_is_open(logic, route))
        return false;
    return config_list_has(logic->config->api_origins, origin, strlen(origin));
}

/* Responds with EXTRA headers and, with CORS, those that allow a browser to read the answer. */
static void respond_with(struct http_request *request, const struct api_answer *answer, bool cors)
{
    const char *extra = answer->extra != NULL ? answer->extra : "";
    char lines[LINES_MAX];
    int n = 0;

    if (cors)
        n = snprintf(lines, sizeof lines, "Access-Control-Allow-Origin: %s\r\nVary: Origin\r\n%s",
                     http_header(request, "origin"), extra);
    http_respond(request, answer->status, answer->type, answer->body, answer->len,
                 n > 0 && (size_t)n < sizeof lines ? lines : extra);
}

static void respond(struct logic *logic, struct http_request *request,
                    const struct api_answer *answer)
{
    logic_count(logic,
                answer->status >= 500   ? LOGIC_HTTP_5XX
                : answer->status >= 400 ? LOGIC_HTTP_4XX
                                        : LOGIC_HTTP_2XX,
                1);
    respond_with(request, answer, api_origin_may_read(logic, request));
}

void api_preflight(struct logic *logic, struct http_request *request)
{
    static const struct api_answer answer = {
        .status = 204,
        .type = type_json,
        .extra = "Access-Control-Allow-Methods: GET\r\nAccess-Control-Max-Age: 600\r\n",
    };

    logic_count(logic, LOGIC_HTTP_2XX, 1);
    respond_with(request, &answer, true);
}

/* Logs an answer of STATUS to a call that changes something, or that is refused for who made it.
 * WHY: the reason of a refusal, NULL: it was carried out. */
static void audit(const struct logic *logic, struct http_request *request, int status,
                  const char *why)
{
    const struct route *route = route_of(logic, request);

    if (logic->callers == NULL) /* logic ends, and has closed the server */
        return;
    audit_log(&(struct audit){.listener = "api",
                              .who = callers_name(request),
                              .address = http_peer(request),
                              .method = audit_method(request),
                              .route = route != NULL ? route->path : NULL,
                              .outcome = status,
                              .why = why,
                              .request_id = http_request_id(request)});
}

static bool changes_something(const struct logic *logic, const struct http_request *request)
{
    const struct route *route = route_of(logic, request);

    return route != NULL && route->scope == KEY_ADMIN;
}

void api_respond(struct logic *logic, struct http_request *request, const struct api_answer *answer)
{
    if (changes_something(logic, request))
        audit(logic, request, answer->status, answer->status < 400 ? NULL : "parameter");
    respond(logic, request, answer);
}

void api_json(struct logic *logic, struct http_request *request, const void *body, size_t len)
{
    api_respond(logic, request, &(struct api_answer){200, type_json, body, len, NULL});
}

void api_ok(struct logic *logic, struct http_request *request)
{
    const char *ok = face_of(logic, request)->ok;

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

static void refuse(struct logic *logic, struct http_request *request,
                   const struct api_refusal *refusal, const char *extra)
{
    const struct face *face = face_of(logic, request);
    enum api_error error = refusal->error;
    int status = face->statuses[error];
    char body[REFUSAL_MAX], word[REFUSAL_WORD_MAX + 1];
    size_t len = face->write(error, status, refusal->text, body, sizeof body);

    refusal_note(logic, request, refusal->cause, status, refusal->text);
    if (error == API_KEY || error == API_SCOPE || error == API_RATE ||
        changes_something(logic, request)) {
        refusal_word(refusal->cause, word);
        audit(logic, request, status, word);
    }
    respond(logic, request, &(struct api_answer){status, face->problem, body, len, extra});
}

void api_error(struct logic *logic, struct http_request *request, enum api_error error,
               const char *text)
{
    static const enum logic_metric rows[API_ERRORS] = {
        [API_PARAMETER] = LOGIC_REFUSED_PARAMETER, [API_TOKEN] = LOGIC_REFUSED_TOKEN,
        [API_NO_SERVER] = LOGIC_REFUSED_PARAMETER, [API_KEY] = LOGIC_REFUSED_KEY,
        [API_SCOPE] = LOGIC_REFUSED_SCOPE,         [API_RATE] = LOGIC_REFUSED_RATE,
        [API_NOT_FOUND] = LOGIC_REFUSED_PATH,      [API_METHOD] = LOGIC_REFUSED_METHOD,
        [API_CONFLICT] = LOGIC_REFUSED_PARAMETER,  [API_TOO_LARGE] = LOGIC_REFUSED_SIZE,
        [API_ENCODING] = LOGIC_REFUSED_ENCODING,   [API_UNAVAILABLE] = LOGIC_REFUSED_REDIS,
    };
    const char *extra = error == API_KEY        ? "WWW-Authenticate: Bearer\r\n"
                        : error == API_ENCODING ? "Accept-Encoding: identity\r\n"
                                                : NULL;

    refuse(logic, request, &(struct api_refusal){error, rows[error], 0, text}, extra);
}

void api_refuse(struct logic *logic, struct http_request *request,
                const struct api_refusal *refusal)
{
    char line[40];

    snprintf(line, sizeof line, "Retry-After: %u\r\n", refusal->retry_s);
    refuse(logic, request, refusal, refusal->retry_s > 0 ? line : NULL);
}

void api_unavailable(struct logic *logic, struct http_request *request, enum logic_metric cause,
                     const char *text)
{
    api_refuse(logic, request, &(struct api_refusal){API_UNAVAILABLE, cause, 1, text});
}

void api_overloaded(struct logic *logic, struct http_request *request, enum logic_metric cause,
                    const char *text)
{
    api_refuse(logic, request, &(struct api_refusal){API_UNAVAILABLE, cause, 5, text});
}

void api_refuse_method(struct logic *logic, struct http_request *request, const char *allow)
{
    char text[120], line[120];

    snprintf(text, sizeof text, "method not allowed: %s it", allow);
    snprintf(line, sizeof line, "Allow: %s\r\n", allow);
    refuse(logic, request, &(struct api_refusal){API_METHOD, LOGIC_REFUSED_METHOD, 0, text}, line);
}

bool api_is_beyond(const struct logic *logic, const struct http_request *request, bool push,
                   struct api_refusal *refusal, char why[CALLERS_WHY_MAX])
{
    static const enum logic_metric rows[] = {
        [CALLERS_FULL] = LOGIC_REFUSED_REQUESTS,
        [CALLERS_KEY_FULL] = LOGIC_REFUSED_BUSY,
        [CALLERS_KEY_TOO_FAST] = LOGIC_REFUSED_RATE,
    };
    unsigned retry_s;
    enum callers_limit limit = callers_look(logic->callers, request, push, why, &retry_s);

    if (limit == CALLERS_FINE)
        return false;
    *refusal = (struct api_refusal){limit == CALLERS_FULL ? API_UNAVAILABLE : API_RATE, rows[limit],
                                    retry_s, why};
    return true;
}

bool api_admit(struct logic *logic, struct http_request *request, bool push)
{
    char why[CALLERS_WHY_MAX];
    struct api_refusal refusal;

    if (!api_is_beyond(logic, request, push, &refusal, why))
        return true;
    api_refuse(logic, request, &refusal);
    return false;
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

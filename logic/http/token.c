/* POST /1/admin/token/new and …/del.
 *
 * Parameters come in the query, in a form body or in a JSON body, whatever its content type says
 * (imgo's own example is curl -d '{"uid":…}', which curl calls a form); none may come twice.
 *
 *   new: uid      required
 *        token    made here if absent: 16 random bytes as 32 hexadecimal digits
 *        expire   seconds; default tokens.ttl; 0 = for ever
 *        room     main room
 *        rooms    "a,b": rooms beside room
 *        accepts  "5,6", [5,6] or "*": operations, for goim's clients
 *        → {"ret":1,"data":{"token":"…","uid":1,"expire":86400}}
 *        (imgo answered {"ret":1} alone; its clients look at ret)
 *   del: token or uid → {"ret":1}; 65533 if there is no such token */
#include "common/base/mem.h"
#include "common/protocol/json_scan.h"
#include "logic/http/routes.h"
#include "logic/tokens/tokens.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct token_call {
    struct logic *logic;
    struct http_request *request;
    json_t *json; /* the body, if it is a JSON object */
    char token[TOKEN_MAX + 1];
    int64_t uid, expire_s;
};

/* --- parameters --- */

static int call_open(struct token_call *call, struct params_error *err)
{
    json_error_t why;
    size_t len;
    const uint8_t *body = http_body(call->request, &len);
    size_t at = json_mark(body, len);

    while (at < len && strchr(" \t\r\n", body[at]) != NULL)
        at++;
    if (at == len || body[at] != '{') {
        if (!http_form_is_bad(call->request))
            return 0;
        snprintf(err->text, sizeof err->text, "body: a control byte, or too many parameters");
        return -EINVAL;
    }
    call->json = json_load(body, len, JSON_REJECT_DUPLICATES, &why);
    if (call->json != NULL)
        return 0;
    snprintf(err->text, sizeof err->text, "body: %s", why.text);
    return -EINVAL;
}

static void call_free(struct token_call *call)
{
    json_decref(call->json);
    mem_wiped_free(call, sizeof *call);
}

/* Writes the array [5,6] as "5,6". */
static int join_ops(const char *name, const json_t *array, char *buf, size_t size,
                    struct params_error *err)
{
    size_t at = 0;

    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        if (!json_is_integer(item) || at + 24 > size) {
            snprintf(err->text, sizeof err->text, "%s: not a (short) list of integers", name);
            return -EINVAL;
        }
        at += (size_t)snprintf(buf + at, size - at, "%s%" JSON_INTEGER_FORMAT, i > 0 ? "," : "",
                               json_integer_value(item));
    }
    return 0;
}

/* Writes a JSON member as it would be written in a query. */
static int member_text(const char *name, const json_t *member, char *buf, size_t size,
                       struct params_error *err)
{
    buf[0] = '\0';
    if (json_is_string(member) && json_string_length(member) < size)
        snprintf(buf, size, "%s", json_string_value(member));
    else if (json_is_string(member))
        snprintf(err->text, sizeof err->text, "%s: too long", name);
    else if (json_is_integer(member))
        snprintf(buf, size, "%" JSON_INTEGER_FORMAT, json_integer_value(member));
    else if (json_is_array(member))
        return join_ops(name, member, buf, size, err);
    else
        snprintf(err->text, sizeof err->text, "%s: neither a string nor an integer", name);
    return json_is_integer(member) || (json_is_string(member) && json_string_length(member) < size)
               ? 0
               : -EINVAL;
}

/* Finds parameter NAME. *VALUE is NULL if it is absent. If it came as JSON, *VALUE is in BUF. */
static int param(struct token_call *call, const char *name, char *buf, size_t size,
                 const char **value, struct params_error *err)
{
    const char *query;
    const char *form = call->json == NULL ? http_form(call->request, name, 0) : NULL;
    const json_t *member = json_object_get(call->json, name);
    int failed = api_query(call->request, name, &query, err);

    if (failed != 0)
        return failed;
    bool again = form != NULL && http_form(call->request, name, 1) != NULL;
    if (again || (query != NULL) + (form != NULL) + (member != NULL) > 1) {
        snprintf(err->text, sizeof err->text, "%s: given twice", name);
        return -EINVAL;
    }
    *value = query != NULL ? query : form;
    if (member == NULL)
        return 0;
    *value = buf;
    return member_text(name, member, buf, size, err);
}

static int param_int64(struct token_call *call, const char *name, int64_t min, int64_t max,
                       int64_t *out, struct params_error *err)
{
    char buf[24];
    const char *text;
    int failed = param(call, name, buf, sizeof buf, &text, err);

    if (failed != 0 || text == NULL)
        return failed;
    return params_int64(name, text, min, max, out, err);
}

/* Reads token and uid. *HAS_TOKEN and *HAS_UID say which were given. */
static int parse_who(struct token_call *call, bool *has_token, bool *has_uid,
                     struct params_error *err)
{
    char buf[TOKEN_MAX + 1], number[24];
    const char *token, *uid;

    if (param(call, "token", buf, sizeof buf, &token, err) != 0 ||
        param(call, "uid", number, sizeof number, &uid, err) != 0)
        return -EINVAL;
    *has_token = token != NULL;
    *has_uid = uid != NULL;
    if (token != NULL) {
        int failed = params_text("token", token, TOKEN_MAX, err);
        if (failed != 0)
            return failed;
        memcpy(call->token, token, strlen(token) + 1);
    }
    return uid == NULL ? 0 : params_int64("uid", uid, INT64_MIN, INT64_MAX, &call->uid, err);
}

/* --- new --- */

struct token_extra {
    char room_buf[TOKEN_ROOM_MAX + 1], rooms_buf[TOKEN_ROOMS_MAX + 1],
        accepts_buf[TOKEN_ACCEPTS_MAX + 1];
    const char *room, *rooms, *accepts;
};

static int parse_extra(struct token_call *call, struct token_extra *extra, struct params_error *err)
{
    if (param(call, "room", extra->room_buf, sizeof extra->room_buf, &extra->room, err) != 0 ||
        param(call, "rooms", extra->rooms_buf, sizeof extra->rooms_buf, &extra->rooms, err) != 0 ||
        param(call, "accepts", extra->accepts_buf, sizeof extra->accepts_buf, &extra->accepts,
              err) != 0)
        return -EINVAL;
    if (extra->room == NULL)
        extra->room = "";
    if (extra->rooms == NULL)
        extra->rooms = "";
    if (extra->accepts == NULL)
        extra->accepts = "*";
    if (extra->room[0] != '\0' && params_text("room", extra->room, TOKEN_ROOM_MAX, err) != 0)
        return -EINVAL;
    if (params_rooms("rooms", extra->rooms, TOKEN_ROOMS_MAX, err) != 0)
        return -EINVAL;
    if (strcmp(extra->accepts, "*") == 0)
        return 0;
    return params_ops("accepts", extra->accepts, TOKEN_ACCEPTS_MAX, err);
}

static int parse_new(struct token_call *call, struct token_extra *extra, struct params_error *err)
{
    bool has_token, has_uid;

    call->expire_s = (call->logic->config->tokens_ttl_ms + 999) / 1000;
    int failed = call_open(call, err);
    if (failed == 0)
        failed = parse_who(call, &has_token, &has_uid, err);
    if (failed == 0 && !has_uid) {
        snprintf(err->text, sizeof err->text, "uid: missing");
        failed = -EINVAL;
    }
    if (failed == 0)
        failed = param_int64(call, "expire", 0, INT32_MAX, &call->expire_s, err);
    if (failed == 0)
        failed = parse_extra(call, extra, err);
    if (failed == 0 && !has_token)
        token_make(call->token);
    return failed;
}

static void on_new(void *arg, int err)
{
    struct token_call *call = arg;
    char *body = NULL;
    size_t len = 0;

    if (err != 0) {
        api_unavailable(call->logic, call->request, LOGIC_REFUSED_REDIS,
                        redis_said(call->logic->redis));
        call_free(call);
        return;
    }
    FILE *out = open_memstream(&body, &len);
    fputs("{\"ret\":1,\"data\":{\"token\":", out);
    params_write_string(out, call->token, strlen(call->token));
    fprintf(out, ",\"uid\":%" PRId64 ",\"expire\":%" PRId64 "}}", call->uid, call->expire_s);
    fclose(out);
    api_json(call->logic, call->request, body, len);
    mem_wiped_free(body, len);
    call_free(call);
}

static struct token_call *call_new(struct logic *logic, struct http_request *request)
{
    struct token_call *call = mem_zalloc(sizeof *call);

    call->logic = logic;
    call->request = request;
    return call;
}

static void refuse(struct token_call *call, const char *text)
{
    api_error(call->logic, call->request, API_PARAMETER, text);
    call_free(call);
}

void api_token_new(struct logic *logic, struct http_request *request)
{
    struct token_call *call = call_new(logic, request);
    struct token_extra extra;
    struct params_error err;

    if (parse_new(call, &extra, &err) != 0) {
        refuse(call, err.text);
        return;
    }
    struct token_value value = {
        .uid = call->uid,
        .room = extra.room,
        .room_len = strlen(extra.room),
        .rooms = extra.rooms,
        .rooms_len = strlen(extra.rooms),
        .accepts = extra.accepts,
        .accepts_len = strlen(extra.accepts),
    };
    tokens_new(logic, call->token, &value, (uint64_t)call->expire_s * 1000, on_new, call);
}

/* --- del --- */

static void on_deleted(void *arg, int err)
{
    struct token_call *call = arg;

    if (err == 0)
        api_ok(call->logic, call->request);
    else if (err == -ENOENT)
        api_error(call->logic, call->request, API_TOKEN, "token: no such token");
    else
        api_unavailable(call->logic, call->request, LOGIC_REFUSED_REDIS,
                        redis_said(call->logic->redis));
    call_free(call);
}

void api_token_del(struct logic *logic, struct http_request *request)
{
    struct token_call *call = call_new(logic, request);
    struct params_error err;
    bool has_token, has_uid;

    if (call_open(call, &err) != 0 || parse_who(call, &has_token, &has_uid, &err) != 0)
        refuse(call, err.text);
    else if (has_token == has_uid)
        refuse(call, "token, uid: exactly one of them");
    else if (has_token)
        tokens_del(logic, call->token, on_deleted, call);
    else
        tokens_del_uid(logic, call->uid, on_deleted, call);
}

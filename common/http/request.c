#include "common/base/decimal.h"
#include "common/base/text.h"
#include "common/base/time.h"
#include "common/http/internal.h"
#include "common/http/path.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_FIRST 1024
#define BODY_FIRST   4096
#define REFUSAL_MAX  1024
#define HEAD_MAX \
    (512 +       \
     HTTP_REQUEST_ID_MAX) /* bytes of an answer's head, without content type and extra headers */

static const struct {
    const char *name;
    enum http_method method;
} methods[] = {
    {"POST", HTTP_POST},     {"GET", HTTP_GET},   {"PUT", HTTP_PUT},
    {"DELETE", HTTP_DELETE}, {"HEAD", HTTP_HEAD}, {"OPTIONS", HTTP_OPTIONS},
};

void http_buffer_append(struct http_buffer *buffer, const void *data, size_t len)
{
    size_t kept = http_buffer_len(buffer), need = kept + len;
    if (buffer->at > 0) { /* first reuse the room of what was taken; it may not have to grow */
        memmove(buffer->data, buffer->data + buffer->at, kept);
        explicit_bzero(buffer->data + kept, buffer->len - kept);
        buffer->at = 0;
        buffer->len = kept;
    }
    if (need > buffer->size) {
        size_t size = buffer->size == 0 ? BUFFER_FIRST : buffer->size * 2;
        buffer->size = size > need ? size : need;
        buffer->data = mem_wiped_realloc(buffer->data, buffer->len, buffer->size);
    }
    if (len > 0)
        memcpy(buffer->data + buffer->len, data, len);
    buffer->len = need;
}

void http_buffer_take(struct http_buffer *buffer, size_t n)
{
    if (n > 0)
        explicit_bzero(buffer->data + buffer->at, n);
    buffer->at += n;
    if (buffer->at < buffer->len)
        return;
    free(buffer->data);
    *buffer = (struct http_buffer){0};
}

struct http_request *http_request_new(struct http_conn *conn)
{
    struct http_request *request = mem_zalloc(sizeof(*request));
    request->server = conn->server;
    request->conn = conn;
    request->method = HTTP_OTHER;
    request->path = "";
    memcpy(request->peer, conn->peer, sizeof(request->peer));
    arena_init(&request->arena);
    return request;
}

/* Takes REQUEST off the server's list of unanswered requests. */
static void forget(struct http_request *request)
{
    if (!request->dispatched || request->server == NULL)
        return;
    LIST_REMOVE(request, link);
    request->server->pending--;
}

void http_request_free(struct http_request *request)
{
    const struct http_server *server = request->server;
    forget(request);
    if (server != NULL && request->headed && server->options.end != NULL)
        server->options.end(request, server->options.arg);
    if (server != NULL)
        http_server_add_held(request->server, -(int64_t)(request->body_size + request->head_held));
    if (request->conn != NULL && request->conn->request == request)
        request->conn->request = NULL;
    arena_wipe(&request->arena);
    http_head_free(request->head);
    mem_wiped_free(request->body, request->body_len);
    free(request);
}

/* --- parameters --- */

/* Decodes SLICE in place: "%41" and '+'. A percent sign without two hexadecimal digits stays as it
 * is. The byte behind SLICE has to be writable. */
static void param_decode(struct http_slice *slice)
{
    uint8_t *out = (uint8_t *)slice->text;
    const char *end = slice->text + slice->len;
    for (const char *at = slice->text; at < end; at++) {
        if (*at == '%' && end - at > 2 && text_from_hex(at + 1, out, 1)) {
            out++;
            at += 2;
        } else {
            *out++ = *at == '+' ? ' ' : (uint8_t)*at;
        }
    }
    slice->len = (size_t)(out - (uint8_t *)slice->text);
    *out = '\0';
}

/* Reads "a=1", from TEXT to END. False: there is a control byte. */
static bool param_read(struct http_param *param, char *text, char *end)
{
    char *equals = memchr(text, '=', (size_t)(end - text));
    char *name_end = equals != NULL ? equals : end, *value = equals != NULL ? equals + 1 : end;
    param->name = (struct http_slice){text, (size_t)(name_end - text)};
    param->value = (struct http_slice){value, (size_t)(end - value)};
    param_decode(&param->value);
    param_decode(&param->name);
    return !text_has_control(param->name.text, param->name.len) &&
           !text_has_control(param->value.text, param->value.len);
}

static size_t params_count(const struct http_slice *text)
{
    size_t n = text->len > 0;
    for (size_t i = 0; i < text->len; i++)
        n += text->text[i] == '&';
    return n;
}

/* Splits and decodes "a=1&b=2" in place. The byte behind TEXT has to be writable. False: there is a
 * control byte (escaped or not), or there are more than HTTP_MAX_PARAMS; PARAMS is empty then. */
static bool params_parse(struct http_params *params, struct arena *arena, struct http_slice text)
{
    size_t pairs = params_count(&text);
    *params = (struct http_params){0};
    if (pairs == 0 || pairs > HTTP_MAX_PARAMS)
        return pairs == 0;
    char *at = text.text, *end = text.text + text.len;
    params->items = params->few;
    if (pairs > HTTP_PARAMS_FEW)
        params->items = arena_alloc(arena, pairs * sizeof(*params->items));
    while (at < end) {
        char *next = memchr(at, '&', (size_t)(end - at));
        if (!param_read(&params->items[params->n], at, next != NULL ? next : end)) {
            params->n = 0;
            return false;
        }
        params->n += params->items[params->n].name.len > 0;
        at = next != NULL ? next + 1 : end;
    }
    return true;
}

static const char *params_get(const struct http_params *params, const char *name, size_t index)
{
    for (size_t i = 0; i < params->n; i++) {
        if (strcmp(params->items[i].name.text, name) == 0 && index-- == 0)
            return params->items[i].value.text;
    }
    return NULL;
}

/* --- target --- */

static const char *path_refusal(const struct http_request *request, const char *path)
{
    const struct http_options *options = &request->server->options;
    bool escapes = strchr(path, '%') != NULL && options->escapes != NULL &&
                   options->escapes(path, options->arg);

    return http_path_refusal(path, escapes);
}

/* Skips scheme and host of "http://host/path" (RFC 9112 3.2.2). The host has to be that of the
 * header Host. */
static bool skip_authority(const struct http_head *head, struct http_slice *path)
{
    static const char scheme[] = "http://";
    const struct http_slice *host = http_head_get(head, "host", 0);
    if (strncasecmp(path->text, scheme, sizeof(scheme) - 1) != 0)
        return true;
    char *name = path->text + sizeof(scheme) - 1;
    size_t len = strcspn(name, "/?");
    if (host == NULL || host->len != len || strncasecmp(host->text, name, len) != 0 || len == 0)
        return false;
    if (name[len] != '/') /* there is no path: overwrite the host's last byte, which nobody needs
                           * any more */
        name[--len] = '/';
    path->len -= (size_t)(name + len - path->text);
    path->text = name + len;
    return true;
}

static const char *read_target(struct http_request *request)
{
    struct http_slice path = request->head->target, query = {0};
    if (!skip_authority(request->head, &path))
        return "a target of another host";
    request->path = path.text; /* refused or not: the form of an answer may depend on it */
    if (memchr(path.text, '#', path.len) != NULL)
        return "a fragment in the target";
    char *mark = memchr(path.text, '?', path.len);
    if (mark != NULL) {
        query = (struct http_slice){mark + 1, path.len - (size_t)(mark + 1 - path.text)};
        path.len = (size_t)(mark - path.text);
        *mark = '\0';
    }
    if (request->method == HTTP_OPTIONS && strcmp(path.text, "*") == 0) {
        request->path = "*";
        return NULL;
    }
    request->bad_params = !params_parse(&request->query, &request->arena, query);
    return path_refusal(request, path.text);
}

const char *http_request_head(struct http_request *request, struct http_head *head)
{
    request->head = head;
    request->expected =
        head->has_length && head->length <= (uint64_t)request->server->options.max_body
            ? (size_t)head->length
            : 0;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (strcmp(methods[i].name, head->method) == 0) {
            request->method = methods[i].method;
            break;
        }
    }
    return read_target(request);
}

bool http_request_hold_head(struct http_request *request)
{
    const struct http_head *head = request->head;
    size_t bytes = sizeof(*request) + sizeof(*head) + head->size + request->arena.bytes;
    if (head->fields_size > HTTP_FIELDS_FEW)
        bytes += head->fields_size * sizeof(head->fields[0]);
    if (!http_server_hold(request->server, (int64_t)bytes))
        return false;
    request->head_held = bytes;
    return true;
}

/* The new size of the body's buffer. It doubles, up to what Content-Length announced. So a client
 * that announces a million bytes and sends one takes little memory. */
static size_t body_room(const struct http_request *request, size_t need)
{
    size_t size = request->body_size == 0 ? BODY_FIRST : request->body_size * 2;
    if (request->expected > 0 && size > request->expected)
        size = request->expected;
    return size > need ? size : need;
}

int http_request_append(struct http_request *request, const void *data, size_t len)
{
    size_t need = request->body_len + len;
    if (need > (size_t)request->server->options.max_body)
        return -EMSGSIZE;
    if (need > request->body_size) {
        size_t size = body_room(request, need);
        if (!http_server_hold(request->server, (int64_t)(size - request->body_size)))
            return -ENOBUFS;
        request->body = mem_wiped_realloc(request->body, request->body_len, size);
        request->body_size = size;
    }
    if (len > 0)
        memcpy(request->body + request->body_len, data, len);
    request->body_len = need;
    return 0;
}

void http_request_dispatch(struct http_request *request)
{
    struct http_server *server = request->server;
    int64_t most = server->options.max_held;
    if (most > 0 && server->held > most) { /* decoded forms may have passed it */
        http_request_refuse(request, 503, http_too_much);
        return;
    }
    request->dispatched = true;
    request->dispatched_us = time_mono_us();
    LIST_INSERT_HEAD(&server->requests, request, link);
    server->pending++;
    server->options.handle(request, server->options.arg);
}

/* --- as handlers see it --- */

void http_set_context(struct http_request *request, void *context)
{
    request->context = context;
}

void *http_context(const struct http_request *request)
{
    return request->context;
}

enum http_method http_method(const struct http_request *request)
{
    return request->method;
}

const char *http_path(const struct http_request *request)
{
    return request->path;
}

const uint8_t *http_body(const struct http_request *request, size_t *len)
{
    *len = request->body_len;
    return request->body_len > 0 ? request->body : (const uint8_t *)"";
}

const char *http_header_line(const struct http_request *request, const char *name, size_t index)
{
    const struct http_slice *value =
        request->head != NULL ? http_head_get(request->head, name, index) : NULL;
    return value != NULL ? value->text : NULL;
}

const char *http_header(const struct http_request *request, const char *name)
{
    return http_header_line(request, name, 0);
}

bool http_has_header_like(const struct http_request *request, const char *part)
{
    const struct http_head *head = request->head;
    for (size_t i = 0; head != NULL && i < head->n_fields; i++) {
        const struct http_slice *name = &head->fields[i].name;
        if (memmem(name->text, name->len, part, strlen(part)) != NULL)
            return true;
    }
    return false;
}

const char *http_query(const struct http_request *request, const char *name, size_t index)
{
    return params_get(&request->query, name, index);
}

const char *http_query_next(const struct http_request *request, const char *name, size_t *place)
{
    const struct http_params *query = &request->query;

    while (*place < query->n) {
        const struct http_param *param = &query->items[(*place)++];
        if (strcmp(param->name.text, name) == 0)
            return param->value.text;
    }
    return NULL;
}

const char *http_query_at(const struct http_request *request, size_t index, const char **name)
{
    const struct http_params *query = &request->query;

    if (index >= query->n)
        return NULL;
    *name = query->items[index].name.text;
    return query->items[index].value.text;
}

static bool is_form(const struct http_request *request)
{
    static const char form[] = "application/x-www-form-urlencoded";
    const char *type = http_header(request, "content-type");
    size_t len = sizeof(form) - 1;
    return type != NULL && strncasecmp(type, form, len) == 0 &&
           (type[len] == '\0' || type[len] == ';' || type[len] == ' ');
}

/* Decodes a copy of the body, because the handler may read the body as well. */
static void parse_form(struct http_request *request)
{
    if (request->form_parsed)
        return;
    request->form_parsed = true;
    if (!is_form(request) || request->body_len == 0)
        return;
    size_t before = request->arena.bytes;
    char *copy = arena_alloc(&request->arena, request->body_len + 1);
    memcpy(copy, request->body, request->body_len);
    request->form_bad = !params_parse(&request->form, &request->arena,
                                      (struct http_slice){copy, request->body_len});
    /* Many short parameters take a multiple of the body's bytes. So later requests may be refused
     * for them. */
    request->head_held += request->arena.bytes - before;
    if (request->server != NULL)
        http_server_add_held(request->server, (int64_t)(request->arena.bytes - before));
}

const char *http_form(struct http_request *request, const char *name, size_t index)
{
    parse_form(request);
    return params_get(&request->form, name, index);
}

bool http_form_is_bad(struct http_request *request)
{
    parse_form(request);
    return request->form_bad;
}

void *http_arg(const struct http_request *request)
{
    return request->server->options.arg;
}

const char *http_peer(const struct http_request *request)
{
    return request->peer;
}

/* --- its answer --- */

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

static const char *reason_of(int status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Status";
}

/* "Sun, 06 Nov 1994 08:49:37 GMT". Each thread formats it only once per second. */
static const char *date_text(void)
{
    static _Thread_local time_t cached = -1;
    static _Thread_local char text[40];
    time_t now = time(NULL);
    struct tm tm;
    if (now != cached && gmtime_r(&now, &tm) != NULL) {
        strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        cached = now;
    }
    return text;
}

/* The header "Connection: …", where the answer needs one: HTTP/1.0 closes by default, 1.1 keeps
 * alive. */
static const char *connection_line(const struct http_request *request)
{
    if (request->close || request->server->draining)
        return "Connection: close\r\n";
    return request->head != NULL && request->head->http_1_0 ? "Connection: keep-alive\r\n" : "";
}

static char *put_text(char *at, const char *text)
{
    return mempcpy(at, text, strlen(text));
}

static char *put_number(char *at, int64_t number)
{
    return at + decimal_put(at, number);
}

/* Writes the answer's head at AT. Returns where the body begins. */
static char *put_head(char *at, struct http_request *request, int status, const char *type,
                      size_t len, const char *extra)
{
    at = put_number(put_text(at, "HTTP/1.1 "), status);
    at = put_text(put_text(at, " "), reason_of(status));
    at = put_text(put_text(at, "\r\nDate: "), date_text());
    if (status != 204) { /* 204 has no body */
        at = put_text(put_text(at, "\r\nContent-Type: "), type);
        at = put_number(put_text(at, "\r\nContent-Length: "), (int64_t)len);
    }
    at = put_text(put_text(at, "\r\nX-Request-Id: "), http_request_id(request));
    at = put_text(put_text(at, "\r\n"), connection_line(request));
    return put_text(put_text(at, extra), "\r\n");
}

bool http_has_ended(const struct http_request *request)
{
    return request->conn == NULL || request->conn->eof;
}

static void tell_answered(const struct http_request *request, int status)
{
    const struct http_options *options = &request->server->options;
    if (options->answered != NULL)
        options->answered(request, status,
                          request->dispatched ? time_mono_us() - request->dispatched_us : 0,
                          options->arg);
}

void http_respond(struct http_request *request, int status, const char *content_type,
                  const void *body, size_t len, const char *extra)
{
    const char *type = content_type != NULL ? content_type : "text/plain; charset=utf-8";
    if (extra == NULL)
        extra = "";
    assert(extra[0] == '\0' || strcmp(extra + strlen(extra) - 2, "\r\n") == 0);
    if (request->conn == NULL) { /* the client has gone, and perhaps the server, too */
        if (request->server != NULL)
            tell_answered(request, status);
        http_request_free(request);
        return;
    }
    tell_answered(request, status);
    loop_assert_owner(request->conn->server->loop);
    size_t room = HEAD_MAX + strlen(type) + strlen(extra);
    size_t shown = request->method == HTTP_HEAD || status == 204 || status == 304 ? 0 : len;
    char *text = mem_alloc(room + shown);
    size_t head = (size_t)(put_head(text, request, status, type, len, extra) - text);
    assert(head <= room);
    if (shown > 0)
        memcpy(text + head, body, shown);
    http_conn_answer(request, text, head + shown);
}

void http_request_refuse(struct http_request *request, int status, const char *why)
{
    const struct http_options *options = &request->server->options;
    const char *type = "text/plain; charset=utf-8";
    char body[REFUSAL_MAX];
    snprintf(body, sizeof(body), "%s\n", why);
    if (options->refuse != NULL)
        options->refuse(status, why, request, body, sizeof(body), &type);
    http_respond(request, status, type, body, strlen(body),
                 status == 503 ? "Retry-After: 1\r\n" : NULL);
}

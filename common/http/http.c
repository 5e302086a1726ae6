#include "common/http/http.h"
#include "common/base/decimal.h"
#include "common/http/internal.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HEAD_MAX 512 /* of an answer, without content type and extra headers */

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

/* "Sun, 06 Nov 1994 08:49:37 GMT": once per second and thread. */
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

const char *http_header(const struct http_request *request, const char *name)
{
    const struct http_slice *value =
        request->head != NULL ? http_head_get(request->head, name, 0) : NULL;
    return value != NULL ? value->text : NULL;
}

const char *http_query(const struct http_request *request, const char *name, size_t index)
{
    return http_params_get(&request->query, name, index);
}

static bool is_form(const struct http_request *request)
{
    static const char form[] = "application/x-www-form-urlencoded";
    const char *type = http_header(request, "content-type");
    size_t len = sizeof(form) - 1;
    return type != NULL && strncasecmp(type, form, len) == 0 &&
           (type[len] == '\0' || type[len] == ';' || type[len] == ' ');
}

/* Of a copy: the body stays as it came. */
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
    request->form_bad = !http_params_parse(&request->form, &request->arena,
                                           (struct http_slice){copy, request->body_len});
    /* Many short parameters take a multiple of their bytes: those who come next wait for them. */
    request->head_held += request->arena.bytes - before;
    if (request->server != NULL)
        request->server->held += (int64_t)(request->arena.bytes - before);
}

const char *http_form(struct http_request *request, const char *name, size_t index)
{
    parse_form(request);
    return http_params_get(&request->form, name, index);
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

/* "Connection: …" as far as HTTP/1.0 and 1.1 differ in what goes without saying. */
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

/* Writes all up to the body. Its end. */
static char *put_head(char *at, const struct http_request *request, int status, const char *type,
                      size_t len, const char *extra)
{
    at = put_number(put_text(at, "HTTP/1.1 "), status);
    at = put_text(put_text(at, " "), reason_of(status));
    at = put_text(put_text(at, "\r\nDate: "), date_text());
    if (status != 204) { /* which has no body */
        at = put_text(put_text(at, "\r\nContent-Type: "), type);
        at = put_number(put_text(at, "\r\nContent-Length: "), (int64_t)len);
    }
    at = put_text(put_text(at, "\r\n"), connection_line(request));
    return put_text(put_text(at, extra), "\r\n");
}

void http_respond(struct http_request *request, int status, const char *content_type,
                  const void *body, size_t len, const char *extra)
{
    const char *type = content_type != NULL ? content_type : "text/plain; charset=utf-8";
    if (extra == NULL)
        extra = "";
    assert(extra[0] == '\0' || strcmp(extra + strlen(extra) - 2, "\r\n") == 0);
    if (request->conn == NULL) { /* nobody listens any more */
        http_request_free(request);
        return;
    }
    size_t room = HEAD_MAX + strlen(type) + strlen(extra);
    size_t shown = request->method == HTTP_HEAD || status == 204 || status == 304 ? 0 : len;
    char *text = mem_alloc(room + shown);
    size_t head = (size_t)(put_head(text, request, status, type, len, extra) - text);
    assert(head <= room);
    if (shown > 0)
        memcpy(text + head, body, shown);
    http_conn_answer(request, text, head + shown);
}

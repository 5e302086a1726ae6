#include "common/http_internal.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_FIRST 1024
#define REFUSAL_MAX  1024

static const struct {
    const char *name;
    enum http_method method;
} methods[] = {
    {"GET", HTTP_GET},       {"POST", HTTP_POST}, {"PUT", HTTP_PUT},
    {"DELETE", HTTP_DELETE}, {"HEAD", HTTP_HEAD}, {"OPTIONS", HTTP_OPTIONS},
};

void http_buffer_append(struct http_buffer *buffer, const void *data, size_t len)
{
    size_t need = buffer->len + len;
    if (need > buffer->size) {
        size_t size = buffer->size == 0 ? BUFFER_FIRST : buffer->size * 2;
        buffer->size = size > need ? size : need;
        buffer->data = mem_realloc(buffer->data, buffer->size);
    }
    if (len > 0)
        memcpy(buffer->data + buffer->len, data, len);
    buffer->len = need;
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

/* Takes it off the server's list of unanswered ones. */
static void forget(struct http_request *request)
{
    if (!request->dispatched || request->server == NULL)
        return;
    *request->prev = request->next;
    if (request->next != NULL)
        request->next->prev = request->prev;
    request->server->pending--;
}

void http_request_free(struct http_request *request)
{
    forget(request);
    if (request->conn != NULL && request->conn->request == request)
        request->conn->request = NULL;
    arena_free(&request->arena);
    free(request->head.data);
    free(request->body);
    free(request);
}

int http_request_text(struct http_request *request, enum http_parse_text kind, const char *data,
                      size_t len)
{
    struct http_buffer *head = &request->head;
    /* The parser tells empty values too, so a change of kind is where a text ends. */
    if (kind != request->last)
        http_buffer_append(head, "", 1);
    request->last = kind;
    if (head->len + len > HTTP_MAX_HEADERS)
        return -EMSGSIZE;
    http_buffer_append(head, data, len);
    return 0;
}

static void lower(char *name)
{
    for (; *name != '\0'; name++) {
        if (*name >= 'A' && *name <= 'Z')
            *name = (char)(*name - 'A' + 'a');
    }
}

static void trim(char *value, size_t len)
{
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
        value[--len] = '\0';
}

/* Takes the texts apart: they do not move any more. Debian's parser lets blanks in names pass,
 * which proxies read differently: refused. */
static int read_headers(struct http_request *request)
{
    char *at = request->head.data + strlen(request->head.data) + 1;
    const char *end = request->head.data + request->head.len;
    while (at < end) {
        char *name = at, *value = name + strlen(name) + 1;
        size_t len = strlen(value);
        lower(name);
        if (strchr(name, ' ') != NULL)
            return -EBADMSG;
        trim(value, len);
        http_params_add(&request->headers, &request->arena, name, value);
        at = value + len + 1;
    }
    return 0;
}

static int read_target(struct http_request *request)
{
    const char *url = request->head.data;
    size_t path, path_len, query, query_len;
    if (!http_parse_target(url, strlen(url), &path, &path_len, &query, &query_len))
        return -EBADMSG;
    char *copy = arena_alloc(&request->arena, path_len + 2);
    memcpy(copy, path_len > 0 ? url + path : "/", path_len > 0 ? path_len : 1);
    copy[path_len > 0 ? path_len : 1] = '\0';
    if (!http_decode(copy, false))
        return -EBADMSG;
    request->path = copy;
    http_params_parse(&request->query, &request->arena, url + query, query_len);
    return 0;
}

int http_request_head(struct http_request *request, const struct http_parse_head *head)
{
    http_buffer_append(&request->head, "", 1); /* ends the last text */
    request->http_1_0 = head->http_1_0;
    request->expected =
        head->has_length && head->length <= (uint64_t)request->server->options.max_body
            ? (size_t)head->length
            : 0;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (strcmp(methods[i].name, head->method) == 0)
            request->method = methods[i].method;
    }
    int err = read_headers(request);
    return err != 0 ? err : read_target(request);
}

int http_request_append(struct http_request *request, const void *data, size_t len)
{
    size_t need = request->body_len + len;
    if (need > (size_t)request->server->options.max_body)
        return -EMSGSIZE;
    if (need > request->body_size) {
        size_t size = request->expected > 0 ? request->expected : request->body_size * 2;
        request->body_size = size > need ? size : need;
        request->body = mem_realloc(request->body, request->body_size);
    }
    if (len > 0)
        memcpy(request->body + request->body_len, data, len);
    request->body_len = need;
    return 0;
}

void http_request_dispatch(struct http_request *request)
{
    struct http_server *server = request->server;
    request->dispatched = true;
    request->next = server->requests;
    request->prev = &server->requests;
    if (request->next != NULL)
        request->next->prev = &request->next;
    server->requests = request;
    server->pending++;
    server->options.handle(request, server->options.arg);
}

void http_request_refuse(struct http_request *request, int status, const char *why)
{
    const struct http_options *options = &request->server->options;
    const char *type = "text/plain; charset=utf-8";
    char body[REFUSAL_MAX];
    snprintf(body, sizeof(body), "%s\n", why);
    if (options->refuse != NULL)
        options->refuse(status, why, request, body, sizeof(body), &type);
    request->close = true;
    http_respond(request, status, type, body, strlen(body), NULL);
}

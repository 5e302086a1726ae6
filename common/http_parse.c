#include "common/http_parse.h"
#include "common/mem.h"
#include <http_parser.h>
#include <stdlib.h>
#include <string.h>

struct http_parse {
    http_parser parser;
    const struct http_parse_events *events;
    void *arg;
};

static int on_begin(http_parser *parser)
{
    struct http_parse *parse = parser->data;
    return parse->events->begin(parse->arg);
}

static int on_url(http_parser *parser, const char *data, size_t len)
{
    struct http_parse *parse = parser->data;
    return parse->events->text(parse->arg, HTTP_PARSE_URL, data, len);
}

static int on_name(http_parser *parser, const char *data, size_t len)
{
    struct http_parse *parse = parser->data;
    return parse->events->text(parse->arg, HTTP_PARSE_NAME, data, len);
}

static int on_value(http_parser *parser, const char *data, size_t len)
{
    struct http_parse *parse = parser->data;
    return parse->events->text(parse->arg, HTTP_PARSE_VALUE, data, len);
}

static int on_head(http_parser *parser)
{
    struct http_parse *parse = parser->data;
    struct http_parse_head head = {
        .method =
            parser->type == HTTP_REQUEST ? http_method_str((enum http_method)parser->method) : NULL,
        .status = parser->type == HTTP_RESPONSE ? (int)parser->status_code : 0,
        .http_1 = parser->http_major == 1,
        .http_1_0 = parser->http_major == 1 && parser->http_minor == 0,
        .has_length = (parser->flags & F_CONTENTLENGTH) != 0 && (parser->flags & F_CHUNKED) == 0,
        .length = parser->content_length,
    };
    parser->upgrade = 0; /* wishes for WebSocket or HTTP/2 may be ignored, and are */
    /* 1 would mean "no body" to the parser. */
    return parse->events->head(parse->arg, &head) != 0 ? -1 : 0;
}

static int on_body(http_parser *parser, const char *data, size_t len)
{
    struct http_parse *parse = parser->data;
    return parse->events->body(parse->arg, data, len);
}

static int on_end(http_parser *parser)
{
    struct http_parse *parse = parser->data;
    if (parse->events->end(parse->arg, http_should_keep_alive(parser) != 0) != 0)
        http_parser_pause(parser, 1);
    return 0;
}

static const http_parser_settings settings = {
    .on_message_begin = on_begin,
    .on_url = on_url,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_end,
};

static struct http_parse *parse_new(enum http_parser_type type,
                                    const struct http_parse_events *events, void *arg)
{
    struct http_parse *parse = mem_zalloc(sizeof(*parse));
    http_parser_init(&parse->parser, type);
    parse->parser.data = parse;
    parse->events = events;
    parse->arg = arg;
    return parse;
}

struct http_parse *http_parse_new(const struct http_parse_events *events, void *arg)
{
    return parse_new(HTTP_REQUEST, events, arg);
}

struct http_parse *http_parse_new_answers(const struct http_parse_events *events, void *arg)
{
    return parse_new(HTTP_RESPONSE, events, arg);
}

void http_parse_free(struct http_parse *parse)
{
    free(parse);
}

enum http_parse_result http_parse_feed(struct http_parse *parse, const char *data, size_t len,
                                       size_t *used)
{
    *used = http_parser_execute(&parse->parser, &settings, data, len);
    switch (HTTP_PARSER_ERRNO(&parse->parser)) {
    case HPE_OK:
        return HTTP_PARSE_MORE;
    case HPE_PAUSED:
        return HTTP_PARSE_PAUSED;
    case HPE_CB_message_begin:
    case HPE_CB_url:
    case HPE_CB_header_field:
    case HPE_CB_header_value:
    case HPE_CB_headers_complete:
    case HPE_CB_body:
        return HTTP_PARSE_STOPPED;
    default:
        return HTTP_PARSE_BAD;
    }
}

void http_parse_resume(struct http_parse *parse)
{
    http_parser_pause(&parse->parser, 0);
}

const char *http_parse_why(const struct http_parse *parse)
{
    return http_errno_description(HTTP_PARSER_ERRNO(&parse->parser));
}

bool http_parse_target(const char *url, size_t len, size_t *path, size_t *path_len, size_t *query,
                       size_t *query_len)
{
    struct http_parser_url parts;
    http_parser_url_init(&parts);
    *path_len = *query_len = *path = *query = 0;
    if (len == 1 && url[0] == '*') { /* OPTIONS * */
        *path_len = 1;
        return true;
    }
    /* Its fields are 16 bits wide. */
    if (len > UINT16_MAX || http_parser_parse_url(url, len, 0, &parts) != 0)
        return false;
    if (parts.field_set & (1 << UF_PATH)) {
        *path = parts.field_data[UF_PATH].off;
        *path_len = parts.field_data[UF_PATH].len;
    }
    if (parts.field_set & (1 << UF_QUERY)) {
        *query = parts.field_data[UF_QUERY].off;
        *query_len = parts.field_data[UF_QUERY].len;
    }
    return true;
}

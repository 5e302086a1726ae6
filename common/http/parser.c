/*   bytes ─► collect(): whole lines, each ended by CRLF ─► an empty one ─► llhttp ─► on_head()
 *                                                                                     │
 *         end() ◄─ on_end() ◄─ llhttp ◄─ bytes of the body ◄────────────── head() ◄───┘ head.c
 *
 * llhttp is strict in most cases (LLHTTP_STRICT_MODE of its makers, set in CMakeLists.txt). This
 * file and head.c refuse what it lets pass: bare LF, folded headers and trailers, other versions,
 * and hosts and framing that two servers may read in two ways. */
#include "common/http/parser.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/http/head.h"
#include <llhttp.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEAD_FIRST = 1024,
    BLANKS_MAX = 8,     /* empty lines before a message */
    EXTRA_FREE = 16384, /* bytes of chunk sizes, chunk extensions and trailers that any body may
                         * have */
    EXTRA_EACH = 8,     /* and so many more for each byte of the body: "1\r\nx\r\n" takes five */
    CRLF_CRLF = 0x0d0a0d0a,
};

struct http_parser {
    llhttp_t parser;
    llhttp_type_t type;
    const struct http_parser_events *events;
    void *arg;
    struct http_head *head; /* the head that is being collected */
    size_t line;            /* where the head's last line begins */
    unsigned blanks;        /* empty lines before the head */
    bool in_body, chunked;
    bool in_trailers;       /* behind the last chunk */
    bool ended, keep_alive; /* llhttp said so; end() is still to be called */
    bool paused, stopped;
    uint32_t tail;        /* the last four bytes of the body that llhttp was given */
    uint64_t body, extra; /* bytes of the body so far; EXTRA: of chunk sizes, extensions and
                           * trailers */
    const char *why;
    int status;
    char path[HTTP_PARSER_PATH_MAX + 1]; /* of the last head that was dropped */
};

static const char another_version[] = "HTTP/1.1 or HTTP/1.0 is needed";

static int bad(struct http_parser *parse, int status, const char *why)
{
    parse->status = status;
    parse->why = why;
    return -1;
}

/* --- llhttp's events: it is given whole heads, so each text of one comes in one piece --- */

static int on_target(llhttp_t *parser, const char *data, size_t len)
{
    struct http_parser *parse = parser->data;
    http_head_slice(parse->head, &parse->head->target, data, len);
    return 0;
}

static int on_name(llhttp_t *parser, const char *data, size_t len)
{
    struct http_parser *parse = parser->data;
    if (parse->in_body) /* a trailer: we ignore those */
        return 0;
    struct http_field *field = http_head_add(parse->head);
    if (field == NULL)
        return bad(parse, 431, "more headers than allowed");
    http_head_slice(parse->head, &field->name, data, len);
    return 0;
}

static int on_value(llhttp_t *parser, const char *data, size_t len)
{
    struct http_parser *parse = parser->data;
    if (!parse->in_body && len > 0) /* llhttp reports an empty value on the next line */
        http_head_slice(parse->head, &http_head_last(parse->head)->value, data, len);
    return 0;
}

/* "GET / RTSP/1.0": llhttp reads RTSP as well. */
static bool is_of_another_protocol(const struct http_parser *parse)
{
    static const char name[] = " HTTP/";
    const struct http_slice *target = &parse->head->target;
    return parse->type == HTTP_REQUEST && target->text != NULL &&
           strncmp(target->text + target->len, name, sizeof(name) - 1) != 0;
}

static int on_head(llhttp_t *parser)
{
    struct http_parser *parse = parser->data;
    struct http_head *head = parse->head;
    const char *why = NULL;
    if (parser->http_major != 1 || parser->http_minor > 1 || is_of_another_protocol(parse))
        return bad(parse, 505, another_version);
    head->method = parser->type == HTTP_REQUEST ? llhttp_method_name(parser->method) : NULL;
    head->status = parser->type == HTTP_RESPONSE ? parser->status_code : 0;
    head->http_1_0 = parser->http_minor == 0;
    head->chunked = (parser->flags & F_CHUNKED) != 0;
    head->has_length = (parser->flags & F_CONTENT_LENGTH) != 0;
    head->length = parser->content_length;
    head->keep_alive = llhttp_should_keep_alive(parser) != 0;
    parser->upgrade = 0; /* RFC 9110 7.8: a server may ignore Upgrade, and we do */
    int status = http_head_check(head, &why);
    if (status != 0)
        return bad(parse, status, why);
    parse->head = NULL;
    parse->in_body = true;
    parse->chunked = head->chunked;
    parse->stopped = parse->events->head(parse->arg, head) != 0;
    return parse->stopped ? -1 : 0;
}

static int on_body(llhttp_t *parser, const char *data, size_t len)
{
    struct http_parser *parse = parser->data;
    parse->body += len;
    parse->stopped = parse->events->body(parse->arg, data, len) != 0;
    return parse->stopped ? -1 : 0;
}

/* The size of the last chunk is 0. llhttp pauses there, so that feed_body() knows where the
 * trailers begin. */
static int on_chunk(llhttp_t *parser)
{
    struct http_parser *parse = parser->data;
    parse->in_trailers = parser->content_length == 0;
    return parse->in_trailers ? HPE_PAUSED : 0;
}

static int on_end(llhttp_t *parser)
{
    struct http_parser *parse = parser->data;
    parse->ended = true;
    parse->keep_alive = llhttp_should_keep_alive(parser) != 0;
    return HPE_PAUSED; /* collect() has to look at the next message's head first */
}

static const llhttp_settings_t settings = {
    .on_url = on_target,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_chunk_header = on_chunk,
    .on_message_complete = on_end,
};

/* --- the head's lines --- */

static void head_append(struct http_head *head, const char *data, size_t len)
{
    size_t size = head->size == 0 ? HEAD_FIRST : head->size;
    while (size < head->len + len)
        size *= 2;
    if (size != head->size)
        head->text = mem_wiped_realloc(head->text, head->len, size);
    head->size = size;
    memcpy(head->text + head->len, data, len);
    head->len += len;
}

/* Does a request line (ended by CR LF) have two spaces in a row? A server that splits at each space
 * would see another target. */
static bool has_two_spaces(const char *line, size_t len)
{
    const char *end = line + len, *space = memchr(line, ' ', len);
    while (space != NULL && space[1] != ' ')
        space = memchr(space + 1, ' ', (size_t)(end - space) - 1);
    return space != NULL;
}

/* Says what is wrong with the bytes of a line; NULL: nothing. */
static const char *bad_byte(const char *line, size_t len)
{
    if (!text_has_control(line, len))
        return NULL;
    if (memchr(line, '\r', len) != NULL)
        return "CR without LF";
    return memchr(line, '\0', len) != NULL ? "a NUL byte in the head" : NULL;
}

/* Checks the line that has just become complete. 1: it is the empty line that ends the head; 0: it
 * is not; -1: it is bad. */
static int look_at_line(struct http_parser *parse)
{
    struct http_head *head = parse->head;
    const char *line = head->text + parse->line;
    size_t len = head->len - parse->line;
    if (len < 2 || line[len - 2] != '\r')
        return bad(parse, 400, "a line that does not end in CR LF");
    const char *why = bad_byte(line, len - 2);
    if (why != NULL)
        return bad(parse, 400, why);
    if (parse->line == 0 && len == 2) { /* RFC 9112 2.2: empty lines before a message */
        head->len = 0;
        return ++parse->blanks > BLANKS_MAX
                   ? bad(parse, 400, "too many empty lines before a request")
                   : 0;
    }
    if (parse->line == 0 && parse->type == HTTP_REQUEST && has_two_spaces(line, len))
        return bad(parse, 400, "two spaces in a row in the request line");
    if (parse->line != 0 && (line[0] == ' ' || line[0] == '\t'))
        return bad(parse, 400, "a folded header");
    parse->line = head->len;
    return len == 2;
}

/* Can C be the first byte of a message? What is not HTTP at all is refused at once, because its
 * first line may never end. */
static bool can_begin(const struct http_parser *parse, char c)
{
    return c == '\r' || (parse->type == HTTP_REQUEST ? c >= 'A' && c <= 'Z' : c == 'H');
}

/* Collects bytes up to the head's end. 1: the head is complete; 0: more bytes are needed; -1: it is
 * bad. */
static int collect(struct http_parser *parse, const char *data, size_t len, size_t *used)
{
    while (*used < len) {
        const char *at = data + *used, *lf = memchr(at, '\n', len - *used);
        size_t n = lf != NULL ? (size_t)(lf - at) + 1 : len - *used;
        if (parse->head->len == 0 && !can_begin(parse, *at))
            return bad(parse, 400, "not HTTP");
        size_t room = HTTP_HEAD_MAX - parse->head->len;
        if (n > room) {
            head_append(parse->head, at, room); /* http_parser_path() looks at it */
            return bad(parse, 431, "the request's target and headers are longer than allowed");
        }
        head_append(parse->head, at, n);
        *used += n;
        int end = lf != NULL ? look_at_line(parse) : 0;
        if (end != 0)
            return end;
    }
    return 0;
}

/* --- feeding --- */

static void begin_head(struct http_parser *parse)
{
    llhttp_init(&parse->parser, parse->type, &settings);
    parse->parser.data = parse;
    parse->parser.lenient_flags |= LENIENT_VERSION; /* so that on_head() can answer 505 */
    parse->head = http_head_new();
    parse->line = 0;
    parse->blanks = 0;
    parse->ended = parse->in_trailers = false;
    parse->tail = 0;
    parse->body = parse->extra = 0;
}

static enum http_parser_result failed(struct http_parser *parse)
{
    if (parse->stopped)
        return HTTP_PARSER_STOPPED;
    if (parse->why != NULL)
        return HTTP_PARSER_BAD;
    bad(parse, 400, parse->parser.reason != NULL ? parse->parser.reason : "malformed");
    return HTTP_PARSER_BAD;
}

/* Counts chunk sizes, extensions and trailers, and refuses too many of them: they only cost
 * time. */
static int count_extra(struct http_parser *parse, uint64_t body_before, size_t used)
{
    parse->extra += used - (parse->body - body_before);
    if (parse->extra <= EXTRA_FREE + EXTRA_EACH * parse->body)
        return 0;
    return bad(parse, 400, "more around the body's chunks than in them");
}

static void tell_end(struct http_parser *parse)
{
    parse->in_body = false;
    parse->paused = parse->events->end(parse->arg, parse->keep_alive) != 0;
}

static enum http_parser_result feed_head(struct http_parser *parse, const char *data, size_t len,
                                         size_t *used)
{
    if (parse->head == NULL) {
        begin_head(parse);
        if (parse->events->begin(parse->arg) != 0) {
            parse->stopped = true;
            return HTTP_PARSER_STOPPED;
        }
    }
    int whole = collect(parse, data, len, used);
    if (whole < 0)
        return HTTP_PARSER_BAD;
    if (whole == 0)
        return HTTP_PARSER_MORE;
    /* Read it now: on_head() passes the head on. */
    const char *text = parse->head->text;
    size_t text_len = parse->head->len;
    llhttp_errno_t err = llhttp_execute(&parse->parser, text, text_len);
    if (err == HPE_OK && !parse->in_body) { /* llhttp wants more only after the preface of HTTP/2 */
        bad(parse, 505, another_version);
        return HTTP_PARSER_BAD;
    }
    if (parse->ended)
        tell_end(parse);
    return err == HPE_OK || parse->ended ? HTTP_PARSER_MORE : failed(parse);
}

/* Does a trailer go on in the next line? llhttp lets that pass. */
static bool is_folded(const struct http_parser *parse, const char *data, size_t len)
{
    char before = (char)(parse->tail & 0xff);
    for (size_t i = 0; i < len; before = data[i++]) {
        if (before == '\n' && (data[i] == ' ' || data[i] == '\t'))
            return true;
    }
    return false;
}

/* Checks the LEN bytes of the body that llhttp has taken, and keeps the last of them. TRAILERS:
 * they are behind the last chunk. */
static int look_at_body(struct http_parser *parse, const char *data, size_t len, bool trailers)
{
    if (trailers && is_folded(parse, data, len))
        return bad(parse, 400, "a folded trailer");
    for (size_t i = len < 4 ? 0 : len - 4; i < len; i++)
        parse->tail = parse->tail << 8 | (unsigned char)data[i];
    if (parse->ended && parse->chunked && parse->tail != CRLF_CRLF)
        return bad(parse, 400, "a line that does not end in CR LF");
    return 0;
}

static enum http_parser_result feed_body(struct http_parser *parse, const char *data, size_t len,
                                         size_t *used)
{
    const char *at = data + *used;
    bool trailers = parse->in_trailers;
    uint64_t before = parse->body;
    llhttp_errno_t err = llhttp_execute(&parse->parser, at, len - *used);
    bool paused = parse->ended || (err == HPE_PAUSED && !trailers);
    if (err != HPE_OK && !paused)
        return failed(parse);
    size_t n = paused ? (size_t)(llhttp_get_error_pos(&parse->parser) - at) : len - *used;
    *used += n;
    if (count_extra(parse, before, n) != 0 || look_at_body(parse, at, n, trailers) != 0)
        return HTTP_PARSER_BAD;
    if (parse->ended)
        tell_end(parse);
    else if (paused)
        llhttp_resume(&parse->parser);
    return HTTP_PARSER_MORE;
}

enum http_parser_result http_parser_feed(struct http_parser *parse, const char *data, size_t len,
                                         size_t *used)
{
    *used = 0;
    while (*used < len && !parse->paused) {
        enum http_parser_result result =
            parse->in_body ? feed_body(parse, data, len, used) : feed_head(parse, data, len, used);
        if (result == HTTP_PARSER_MORE)
            continue;
        http_parser_drop(parse);
        return result;
    }
    return parse->paused ? HTTP_PARSER_PAUSED : HTTP_PARSER_MORE;
}

void http_parser_finish(struct http_parser *parse)
{
    if (parse->in_body)
        (void)llhttp_finish(&parse->parser);
    if (parse->in_body && parse->ended)
        tell_end(parse);
}

/* Notes what stands between the first space and the next one, or "?". */
static void note_path(struct http_parser *parse)
{
    const struct http_head *head = parse->head;
    const char *at = head != NULL && head->len > 0 ? memchr(head->text, ' ', head->len) : NULL;
    size_t n = 0;

    if (at != NULL && memchr(head->text, '\n', (size_t)(at - head->text)) == NULL) {
        size_t len = head->len - (size_t)(++at - head->text);
        while (n < len && n < HTTP_PARSER_PATH_MAX && at[n] != '\0' &&
               strchr(" ?#\r\n", at[n]) == NULL)
            n++;
        memcpy(parse->path, at, n);
    }
    parse->path[n] = '\0';
}

void http_parser_drop(struct http_parser *parse)
{
    note_path(parse);
    http_head_free(parse->head);
    parse->head = NULL;
}

const char *http_parser_path(const struct http_parser *parse)
{
    return parse->path;
}

size_t http_parser_held(const struct http_parser *parse)
{
    return parse->head != NULL ? sizeof(*parse->head) + parse->head->size : 0;
}

void http_parser_resume(struct http_parser *parse)
{
    parse->paused = false;
}

const char *http_parser_why(const struct http_parser *parse)
{
    return parse->why != NULL ? parse->why : "";
}

int http_parser_status(const struct http_parser *parse)
{
    return parse->status;
}

static struct http_parser *parser_new(llhttp_type_t type, const struct http_parser_events *events,
                                      void *arg)
{
    struct http_parser *parse = mem_zalloc(sizeof(*parse));
    parse->type = type;
    parse->events = events;
    parse->arg = arg;
    return parse;
}

struct http_parser *http_parser_new(const struct http_parser_events *events, void *arg)
{
    return parser_new(HTTP_REQUEST, events, arg);
}

struct http_parser *http_parser_new_answers(const struct http_parser_events *events, void *arg)
{
    return parser_new(HTTP_RESPONSE, events, arg);
}

void http_parser_free(struct http_parser *parse)
{
    if (parse == NULL)
        return;
    http_parser_drop(parse);
    free(parse);
}

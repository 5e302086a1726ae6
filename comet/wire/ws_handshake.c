/* The request is parsed once its empty line has come. Bytes that cannot become a request are
 * refused at once: a client that speaks TLS or bare frames to this port learns it without waiting
 * for a timeout. */
#include "comet/wire/ws_handshake.h"
#include "comet/wire/origin.h"
#include "common/config/config.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct span {
    const char *at;
    size_t len;
};

struct handshake {
    struct span method, target, version;
    struct span host, upgrade, key, ws_version, origin, length, encoding;
    const struct ws_rules *rules;
    struct span forwarded[WS_FORWARDED_MAX];
    size_t n_forwarded;
    struct span protocol; /* the one we take of those offered, in any header of that name */
    bool bad_protocol;
    bool has_upgrade_token; /* in any Connection header */
    bool wants_websocket;   /* in any Upgrade header */
    bool repeated;          /* a header came twice that may come only once */
};

static bool span_is(struct span span, const char *text)
{
    return span.len == strlen(text) && strncasecmp(span.at, text, span.len) == 0;
}

static struct span span_trim(struct span span)
{
    while (span.len > 0 && (*span.at == ' ' || *span.at == '\t')) {
        span.at++;
        span.len--;
    }
    while (span.len > 0 && (span.at[span.len - 1] == ' ' || span.at[span.len - 1] == '\t'))
        span.len--;
    return span;
}

/* Returns what stands before the first DELIMITER in REST; REST becomes what stands behind it. */
static struct span span_cut(struct span *rest, char delimiter)
{
    const char *end = rest->len > 0 ? memchr(rest->at, delimiter, rest->len) : NULL;
    struct span head = {rest->at, end != NULL ? (size_t)(end - rest->at) : rest->len};
    size_t gone = head.len + (end != NULL);
    rest->at += gone;
    rest->len -= gone;
    return head;
}

static bool list_has(struct span list, const char *token)
{
    while (list.len > 0) {
        if (span_is(span_trim(span_cut(&list, ',')), token))
            return true;
    }
    return false;
}

static bool is_token(struct span span)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < span.len; i++) {
        char c = span.at[i];
        bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!alnum && (c == '\0' || strchr(others, c) == NULL))
            return false;
    }
    return span.len > 0;
}

static bool has_control(struct span span)
{
    for (size_t i = 0; i < span.len; i++) {
        unsigned char c = (unsigned char)span.at[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

/* --- reading --- */

struct list_search {
    struct span item;
    bool any, found;
};

static void list_compare(const char *item, size_t len, void *arg)
{
    struct list_search *search = arg;
    search->any = true;
    if (len == search->item.len && memcmp(item, search->item.at, len) == 0)
        search->found = true;
}

/* Chooses a subprotocol. Browsers end the connection if they offered some and we take none, or
 * another one. */
static void take_protocols(struct handshake *request, struct span offered)
{
    while (offered.len > 0) {
        struct list_search search = {.item = span_trim(span_cut(&offered, ','))};
        if (search.item.len == 0)
            continue;
        if (!is_token(search.item) || search.item.len > WS_PROTOCOL_MAX) {
            request->bad_protocol = true;
            return;
        }
        if (request->rules->protocols != NULL)
            config_list_each(request->rules->protocols, list_compare, &search);
        if (request->protocol.at == NULL && (search.found || !search.any))
            request->protocol = search.item;
    }
}

/* Forgets the first one if there are too many: only the last ones can be of proxies. */
static void take_forwarded(struct handshake *request, struct span value)
{
    if (request->n_forwarded == WS_FORWARDED_MAX) {
        request->n_forwarded--;
        memmove(request->forwarded, request->forwarded + 1,
                request->n_forwarded * sizeof *request->forwarded);
    }
    request->forwarded[request->n_forwarded++] = value;
}

static void take_header(struct handshake *request, struct span name, struct span value)
{
    const struct {
        const char *name;
        struct span *to;
    } once[] = {
        {"Host", &request->host},
        {"Sec-WebSocket-Key", &request->key},
        {"Sec-WebSocket-Version", &request->ws_version},
        {"Origin", &request->origin},
        {"Content-Length", &request->length},
        {"Transfer-Encoding", &request->encoding},
    };
    if (span_is(name, "Connection"))
        request->has_upgrade_token |= list_has(value, "upgrade");
    if (span_is(name, "Sec-WebSocket-Protocol"))
        take_protocols(request, value);
    if (span_is(name, "X-Forwarded-For"))
        take_forwarded(request, value);
    if (span_is(name, "Upgrade"))
        request->wants_websocket |= list_has(value, "websocket");
    for (size_t i = 0; i < sizeof once / sizeof once[0]; i++) {
        if (!span_is(name, once[i].name))
            continue;
        request->repeated |= once[i].to->at != NULL;
        *once[i].to = value;
    }
}

/* Takes one line, without its CRLF. Returns NULL, or what is wrong with it. */
static const char *take_line(struct handshake *request, struct span line)
{
    if (line.len == 0 || *line.at == ' ' || *line.at == '\t')
        return "folded or empty header line";
    struct span name = span_cut(&line, ':');
    if (line.at == name.at + name.len || !is_token(name))
        return "header line without a proper name and a colon";
    if (has_control(line))
        return "control character in a header";
    take_header(request, name, span_trim(line));
    return NULL;
}

static const char *take_request_line(struct handshake *request, struct span line)
{
    request->method = span_cut(&line, ' ');
    request->target = span_cut(&line, ' ');
    request->version = line;
    if (!is_token(request->method) || request->target.len == 0 || has_control(request->target) ||
        line.len < 5 || memcmp(line.at, "HTTP/", 5) != 0 || has_control(line))
        return "not an HTTP request line";
    return NULL;
}

/* TEXT reaches up to the empty line, without the last CRLF. */
static const char *take_lines(struct handshake *request, struct span text)
{
    const char *wrong = NULL;
    bool first = true;
    while (text.len > 0 && wrong == NULL) {
        struct span line = span_cut(&text, '\n');
        if (line.len == 0 || line.at[line.len - 1] != '\r')
            return "line that does not end in CRLF";
        line.len--;
        wrong = first ? take_request_line(request, line) : take_line(request, line);
        first = false;
    }
    return wrong;
}

/* --- judging --- */

/* True without an Origin: only browsers send one. */
static bool origin_allowed(const char *origins, struct span origin)
{
    return origin.at == NULL || origin_is_allowed(origins, origin.at, origin.len);
}

/* A key is 22 characters of base64 and two of padding. Of the 22nd character only two bits are
 * used. */
static bool is_key(struct span key)
{
    if (key.len != WS_KEY_LEN || key.at[22] != '=' || key.at[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++) {
        char c = key.at[i];
        bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!alnum && c != '+' && c != '/')
            return false;
    }
    return true;
}

/* Takes the scheme and the host off "http://host/sub" (RFC 9112 3.2.2), which a client may send,
 * too. The host does not matter, since one service is all that there is here. */
static struct span without_authority(struct span target)
{
    static const char *const schemes[] = {"http://", "https://"};
    size_t at = 0;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t len = strlen(schemes[i]);
        if (target.len > len && strncasecmp(target.at, schemes[i], len) == 0)
            at = len;
    }
    size_t host = at;
    while (at > 0 && at < target.len && target.at[at] != '/' && target.at[at] != '?')
        at++;
    if (at == host || at == target.len || target.at[at] != '/')
        return target;
    return (struct span){target.at + at, target.len - at};
}

static int judge_request_line(const struct handshake *request, const struct ws_rules *rules,
                              const char **text)
{
    struct span rest = without_authority(request->target), path = span_cut(&rest, '?');
    if (!span_is(request->version, "HTTP/1.1")) {
        *text = "HTTP/1.1 is needed for a WebSocket";
        return 505;
    }
    if (rules->path != NULL &&
        (path.len != strlen(rules->path) || memcmp(path.at, rules->path, path.len) != 0)) {
        *text = "nothing here; WebSocket clients connect to /sub";
        return 404;
    }
    if (request->method.len != 3 || memcmp(request->method.at, "GET", 3) != 0) {
        *text = "a WebSocket handshake is a GET";
        return 405;
    }
    return 0;
}

static int judge_headers(const struct handshake *request, const char **text)
{
    const struct {
        bool wrong;
        int status;
        const char *text;
    } checks[] = {
        {request->repeated, 400, "a header came twice that may come once"},
        {request->host.len == 0, 400, "Host is missing"},
        {request->encoding.at != NULL, 400, "a WebSocket handshake has no body"},
        {request->length.at != NULL && !span_is(request->length, "0"), 400,
         "a WebSocket handshake has no body"},
        {!request->wants_websocket, 426,
         "this is a WebSocket endpoint: Upgrade: websocket is missing"},
        {!request->has_upgrade_token, 400, "Connection: Upgrade is missing"},
        {!span_is(request->ws_version, "13"), 426, "Sec-WebSocket-Version must be 13"},
        {!is_key(request->key), 400, "Sec-WebSocket-Key must be 16 bytes in base64"},
        {request->bad_protocol, 400, "Sec-WebSocket-Protocol must be a list of names"},
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if (!checks[i].wrong)
            continue;
        *text = checks[i].text;
        return checks[i].status;
    }
    return 0;
}

static long refuse(struct ws_refusal *refusal, int status, const char *text)
{
    refusal->status = status;
    refusal->text = text;
    return -EPROTO;
}

/* Could these first bytes become "METHOD …"? */
static bool looks_like_http(const uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len && i < 3; i++) {
        if (buf[i] < 'A' || buf[i] > 'Z')
            return false;
    }
    return true;
}

long ws_handshake_parse(const uint8_t *buf, size_t len, const struct ws_rules *rules,
                        struct ws_accepted *accepted, struct ws_refusal *refusal)
{
    if (!looks_like_http(buf, len))
        return refuse(refusal, 400, "not an HTTP request");
    size_t look = len < rules->max_header ? len : rules->max_header;
    /* Each byte is searched at most twice, however small the pieces in which the request comes. */
    size_t from = rules->seen < 3 ? 0 : rules->seen - 3 < look ? rules->seen - 3 : look;
    const uint8_t *end = look > from ? memmem(buf + from, look - from, "\r\n\r\n", 4) : NULL;
    if (end == NULL) {
        if (look > from && memmem(buf + from, look - from, "\n\n", 2) != NULL)
            return refuse(refusal, 400, "line that does not end in CRLF");
        if (len >= rules->max_header)
            return refuse(refusal, 431, "request headers are too long");
        return 0;
    }
    struct handshake request = {.rules = rules};
    struct span text = {(const char *)buf, (size_t)(end - buf) + 2};
    const char *wrong = take_lines(&request, text);
    if (wrong != NULL)
        return refuse(refusal, 400, wrong);
    int status = judge_request_line(&request, rules, &wrong);
    if (status == 0)
        status = judge_headers(&request, &wrong);
    if (status == 0 && !origin_allowed(rules->origins, request.origin)) {
        status = 403;
        wrong = "this Origin is not allowed";
    }
    if (status != 0)
        return refuse(refusal, status, wrong);
    memcpy(accepted->key, request.key.at, WS_KEY_LEN);
    accepted->protocol = request.protocol.at;
    accepted->protocol_len = request.protocol.len;
    accepted->n_forwarded = request.n_forwarded;
    for (size_t i = 0; i < request.n_forwarded; i++)
        accepted->forwarded[i] =
            (struct ws_span){request.forwarded[i].at, request.forwarded[i].len};
    return (long)(end - buf) + 4;
}

/* --- headers for others --- */

static size_t write_header(struct span name, struct span value, char *out)
{
    size_t at = 0;

    for (size_t i = 0; i < name.len; i++) {
        bool upper = name.at[i] >= 'A' && name.at[i] <= 'Z';
        out[at++] = (char)(upper ? name.at[i] | 0x20 : name.at[i]);
    }
    out[at++] = ':';
    out[at++] = ' ';
    memcpy(out + at, value.at, value.len);
    at += value.len;
    out[at++] = '\n';
    return at;
}

/* One pass: adds up the lengths (OUT NULL), or writes. */
static size_t pass_headers(struct span text, const char *names, char *out)
{
    size_t at = 0;

    (void)span_cut(&text, '\n'); /* the request line */
    while (text.len > 0) {
        struct span line = span_cut(&text, '\n');
        struct span name = span_cut(&line, ':'), value;
        if (line.len > 0 && line.at[line.len - 1] == '\r')
            line.len--;
        value = span_trim(line);
        if (name.len == 0 || !config_list_has_name(names, name.at, name.len))
            continue;
        at += out != NULL ? write_header(name, value, out + at) : name.len + value.len + 3;
    }
    return at;
}

size_t ws_handshake_headers(const uint8_t *request, size_t len, const char *names, char *out,
                            size_t outlen)
{
    struct span text = {(const char *)request, len};
    size_t size = pass_headers(text, names, NULL);

    if (size > 0 && size <= outlen)
        (void)pass_headers(text, names, out);
    return size;
}

/* --- answering --- */

size_t ws_handshake_accept(const struct ws_accepted *accepted, char out[WS_RESPONSE_MAX])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char text[WS_KEY_LEN + sizeof guid - 1], digest[SHA_DIGEST_LENGTH], accept[32];
    bool chosen = accepted->protocol != NULL;
    memcpy(text, accepted->key, WS_KEY_LEN);
    memcpy(text + WS_KEY_LEN, guid, sizeof guid - 1);
    SHA1(text, sizeof text, digest);
    EVP_EncodeBlock(accept, digest, sizeof digest);
    int len = snprintf(out, WS_RESPONSE_MAX,
                       "HTTP/1.1 101 Switching Protocols\r\n"
                       "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Accept: %s\r\n%s%.*s%s\r\n",
                       (const char *)accept, chosen ? "Sec-WebSocket-Protocol: " : "",
                       chosen ? (int)accepted->protocol_len : 0, chosen ? accepted->protocol : "",
                       chosen ? "\r\n" : "");
    assert(len > 0 && len < WS_RESPONSE_MAX);
    return (size_t)len;
}

static const char *status_name(int status)
{
    static const struct {
        int status;
        const char *name;
    } names[] = {
        {400, "Bad Request"},         {403, "Forbidden"},
        {404, "Not Found"},           {405, "Method Not Allowed"},
        {408, "Request Timeout"},     {426, "Upgrade Required"},
        {429, "Too Many Requests"},   {431, "Request Header Fields Too Large"},
        {503, "Service Unavailable"}, {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].status == status)
            return names[i].name;
    }
    return "Error";
}

size_t ws_handshake_refuse(int status, const char *text, char out[WS_RESPONSE_MAX])
{
    const char *more = "";
    if (status == 405)
        more = "Allow: GET\r\n";
    if (status == 429)
        more = "Retry-After: 10\r\n";
    if (status == 426)
        more = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    int len = snprintf(out, WS_RESPONSE_MAX,
                       "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                       "Content-Length: %zu\r\nConnection: close\r\n%s\r\n%.200s\n",
                       status, status_name(status), strnlen(text, 200) + 1, more, text);
    assert(len > 0 && len < WS_RESPONSE_MAX);
    return (size_t)len;
}

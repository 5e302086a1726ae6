#include "logic/hook/question.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/protocol/json_scan.h"
#include "common/protocol/json_text.h"

#include <inttypes.h>
#include <string.h>

static void put_token(struct json_text *text, const void *token, size_t len)
{
    if (utf8_is_valid(token, len)) {
        json_text_put(text, ",\"token\":");
        json_text_string(text, token, len);
        return;
    }
    json_text_put(text, ",\"token_base64\":\"");
    json_text_base64(text, token, len);
    json_text_put(text, "\"");
}

/* goim's object without its token, which has a member of its own. */
static void put_auth(struct json_text *text, const struct hook_question *question)
{
    json_error_t error;
    json_t *object = json_load(question->auth, question->auth_len, JSON_ALLOW_NUL, &error);
    const json_t *token = json_object_get(object, "token");

    if (json_is_string(token) && json_string_length(token) > 0)
        put_token(text, json_string_value(token), json_string_length(token));
    (void)json_object_del(object, "token");
    char *rest = json_dumps(object, JSON_COMPACT);
    if (rest != NULL)
        json_text_put(text, ",\"auth\":%s", rest);
    mem_wiped_free_text(rest);
    json_decref(object);
}

/* --- headers --- */

struct header {
    const char *name, *value;
    size_t name_len, value_len;
    bool written;
};

/* As many as there are lines: comet bounds their bytes (ws.pass_headers_max). To be freed. */
static struct header *split_headers(const char *at, size_t len, size_t *n_headers)
{
    size_t n = 0, lines = 0;

    for (size_t i = 0; i < len; i++)
        lines += at[i] == '\n';
    struct header *out = mem_alloc((lines + 1) * sizeof *out);
    const char *end = len > 0 ? at + len : at; /* AT may be NULL then */
    while (lines > 0 && at < end) {
        const char *eol = memchr(at, '\n', (size_t)(end - at));
        const char *colon = eol != NULL ? memchr(at, ':', (size_t)(eol - at)) : NULL;
        if (colon == NULL)
            break;
        const char *value = colon + 1 < eol && colon[1] == ' ' ? colon + 2 : colon + 1;
        out[n++] = (struct header){.name = at,
                                   .name_len = (size_t)(colon - at),
                                   .value = value,
                                   .value_len = (size_t)(eol - value)};
        at = eol + 1;
    }
    *n_headers = n;
    return out;
}

static bool same_name(const struct header *a, const struct header *b)
{
    return a->name_len == b->name_len && memcmp(a->name, b->name, a->name_len) == 0;
}

/* Headers of one name become one, as RFC 9110, 5.3 has it; cookies as RFC 6265, 5.4. */
static void put_header(struct json_text *text, struct header *headers, size_t i, size_t n)
{
    bool cookie = headers[i].name_len == 6 && memcmp(headers[i].name, "cookie", 6) == 0;
    struct json_text value = {0};

    for (size_t k = i; k < n; k++) {
        if (!same_name(&headers[i], &headers[k]))
            continue;
        if (k > i)
            json_text_put(&value, cookie ? "; " : ", ");
        json_text_raw(&value, headers[k].value, headers[k].value_len);
        headers[k].written = true;
    }
    json_text_string(text, headers[i].name, headers[i].name_len);
    json_text_put(text, ":");
    json_text_string(text, value.data, value.len);
    mem_wiped_free(value.data, value.len);
}

static void put_headers(struct json_text *text, const struct hook_question *question)
{
    size_t n = 0;
    struct header *headers = split_headers(question->headers, question->headers_len, &n);
    bool first = true;

    if (n > 0)
        json_text_put(text, ",\"headers\":{");
    for (size_t i = 0; i < n; i++) {
        if (headers[i].written)
            continue;
        if (!first)
            json_text_put(text, ",");
        first = false;
        put_header(text, headers, i, n);
    }
    if (n > 0)
        json_text_put(text, "}");
    free(headers);
}

char *hook_question_write(const struct hook_question *question, size_t *len, size_t *own)
{
    struct json_text text = {0};

    json_text_put(&text, "{\"client\":\"%" PRIx64 "\"", question->client);
    *own = text.len;
    json_text_put(&text, ",\"transport\":\"%s\",\"protocol\":\"%s\"",
                  question->websocket ? "websocket" : "tcp", question->goim ? "goim" : "imgo");
    if (question->renew)
        json_text_put(&text, ",\"renew\":true");
    json_text_put(&text, ",\"address\":");
    json_text_string(&text, question->address, strlen(question->address));
    json_text_put(&text, ",\"comet\":");
    json_text_string(&text, question->comet, strlen(question->comet));
    json_text_member(&text, "region", question->region);
    if (question->auth != NULL)
        put_auth(&text, question);
    else
        put_token(&text, question->token, question->token_len);
    put_headers(&text, question);
    json_text_put(&text, "}");
    *len = text.len;
    return text.data;
}

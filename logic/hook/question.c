#include "logic/hook/question.h"
#include "common/base/mem.h"
#include "common/protocol/json_scan.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

/* Grows, and leaves nothing behind where it was. */
struct writer {
    char *text;
    size_t len, size;
};

static char *room_for(struct writer *writer, size_t more)
{
    if (writer->text == NULL || writer->size - writer->len < more) {
        writer->size = (writer->len + more + 1) * 2;
        writer->text = mem_wiped_realloc(writer->text, writer->len, writer->size);
    }
    return writer->text + writer->len;
}

static void put(struct writer *writer, const char *text, size_t len)
{
    memcpy(room_for(writer, len), text, len);
    writer->len += len;
}

static void put_text(struct writer *writer, const char *text)
{
    put(writer, text, strlen(text));
}

static void put_string(struct writer *writer, const void *text, size_t len)
{
    size_t most = 6 * len + 2;

    writer->len += json_write_string(text, len, (uint8_t *)room_for(writer, most), most);
}

/* The member NAME, which is written as it is, with a comma before it. */
static void put_member(struct writer *writer, const char *name, const void *text, size_t len)
{
    put_text(writer, ",\"");
    put_text(writer, name);
    put_text(writer, "\":");
    put_string(writer, text, len);
}

static void put_token(struct writer *writer, const void *token, size_t len)
{
    if (utf8_is_valid(token, len)) {
        put_member(writer, "token", token, len);
        return;
    }
    put_text(writer, ",\"token_base64\":\"");
    unsigned char *out = (unsigned char *)room_for(writer, len / 3 * 4 + 8);
    writer->len += (size_t)EVP_EncodeBlock(out, token, (int)len);
    put_text(writer, "\"");
}

/* goim's object without its token, which has a member of its own. */
static void put_auth(struct writer *writer, const struct hook_question *question)
{
    json_error_t error;
    json_t *object = json_load(question->auth, question->auth_len, JSON_ALLOW_NUL, &error);
    const json_t *token = json_object_get(object, "token");

    if (json_is_string(token) && json_string_length(token) > 0)
        put_token(writer, json_string_value(token), json_string_length(token));
    (void)json_object_del(object, "token");
    char *text = json_dumps(object, JSON_COMPACT);
    if (text != NULL) {
        put_text(writer, ",\"auth\":");
        put_text(writer, text);
    }
    mem_wiped_free_text(text);
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
static void put_header(struct writer *writer, struct header *headers, size_t i, size_t n)
{
    bool cookie = headers[i].name_len == 6 && memcmp(headers[i].name, "cookie", 6) == 0;
    struct writer value = {0};

    for (size_t k = i; k < n; k++) {
        if (!same_name(&headers[i], &headers[k]))
            continue;
        if (k > i)
            put_text(&value, cookie ? "; " : ", ");
        put(&value, headers[k].value, headers[k].value_len);
        headers[k].written = true;
    }
    put_string(writer, headers[i].name, headers[i].name_len);
    put_text(writer, ":");
    put_string(writer, value.text, value.len);
    mem_wiped_free(value.text, value.len);
}

static void put_headers(struct writer *writer, const struct hook_question *question)
{
    size_t n = 0;
    struct header *headers = split_headers(question->headers, question->headers_len, &n);
    bool first = true;

    if (n > 0)
        put_text(writer, ",\"headers\":{");
    for (size_t i = 0; i < n; i++) {
        if (headers[i].written)
            continue;
        if (!first)
            put_text(writer, ",");
        first = false;
        put_header(writer, headers, i, n);
    }
    if (n > 0)
        put_text(writer, "}");
    free(headers);
}

char *hook_question_write(const struct hook_question *question, size_t *len, size_t *own)
{
    struct writer writer = {0};
    char client[48];

    (void)snprintf(client, sizeof client, "{\"client\":\"%" PRIx64 "\"", question->client);
    put_text(&writer, client);
    *own = writer.len;
    put_text(&writer,
             question->websocket ? ",\"transport\":\"websocket\"" : ",\"transport\":\"tcp\"");
    put_text(&writer, question->goim ? ",\"protocol\":\"goim\"" : ",\"protocol\":\"imgo\"");
    if (question->renew)
        put_text(&writer, ",\"renew\":true");
    put_member(&writer, "address", question->address, strlen(question->address));
    put_member(&writer, "comet", question->comet, strlen(question->comet));
    if (question->region[0] != '\0')
        put_member(&writer, "region", question->region, strlen(question->region));
    if (question->auth != NULL)
        put_auth(&writer, question);
    else
        put_token(&writer, question->token, question->token_len);
    put_headers(&writer, question);
    put_text(&writer, "}");
    *len = writer.len;
    return writer.text;
}

#include "logic/upstream/replies.h"
#include "common/base/base64.h"
#include "common/base/mem.h"
#include "common/protocol/json_scan.h"
#include "common/protocol/json_walk.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Says what is wrong, for replies_read() to return. */
#define bad(why, ...) ((void)snprintf((why), REPLIES_WHY_MAX, __VA_ARGS__), -EBADMSG)

static bool is_named(struct json_span name, const char *text)
{
    return name.len == strlen(text) + 2 && memcmp(name.at + 1, text, name.len - 2) == 0;
}

static bool is_string(struct json_span value)
{
    return value.at[0] == '"';
}

/* What a reply may be decoded into: never longer than it is written, but for a NUL. */
struct room {
    char *at;
};

static char *decode(struct room *room, struct json_span string, size_t *len)
{
    char *out = room->at;

    *len = json_string_decode(string, out);
    room->at += *len + 1;
    return out;
}

static int read_id(struct room *room, struct json_span value, size_t i, struct reply *reply,
                   char *why)
{
    if (!is_string(value) || value.len - 2 > REPLIES_ID_MAX)
        return bad(why, "replies[%zu].id is no string of at most %d bytes", i, REPLIES_ID_MAX);
    reply->id = decode(room, value, &reply->id_len);
    return 0;
}

static void read_value(struct room *room, struct json_span value, struct reply *reply)
{
    if (is_string(value)) {
        reply->body = (const uint8_t *)decode(room, value, &reply->len);
        return;
    }
    reply->body = value.at;
    reply->len = value.len == 4 && memcmp(value.at, "null", 4) == 0 ? 0 : value.len;
}

static int read_base64(struct room *room, struct json_span value, size_t i, struct reply *reply,
                       char *why)
{
    size_t len;
    ssize_t n = -1;

    if (is_string(value)) {
        char *text = decode(room, value, &len);
        n = base64_decode(text, len, text);
        reply->body = (const uint8_t *)text;
    }
    if (n < 0)
        return bad(why, "replies[%zu].reply_base64 is no base64 with padding", i);
    reply->len = (size_t)n;
    return 0;
}

static int read_reply(struct room *room, struct json_span item, size_t i, struct reply *reply,
                      char *why)
{
    struct json_span name, value;
    bool has_body = false;
    int err = 0;

    if (item.at[0] != '{')
        return bad(why, "replies[%zu] is not an object", i);
    *reply = (struct reply){0};
    struct json_walk walk = json_walk_begin(item);
    while (err == 0 && json_walk_member(&walk, &name, &value)) {
        if (is_named(name, "id") && reply->id == NULL) {
            err = read_id(room, value, i, reply, why);
        } else if (is_named(name, "reply") && !has_body) {
            read_value(room, value, reply);
            has_body = true;
        } else if (is_named(name, "reply_base64") && !has_body) {
            err = read_base64(room, value, i, reply, why);
            has_body = true;
        } else if (is_named(name, "id") || is_named(name, "reply") ||
                   is_named(name, "reply_base64")) {
            err = bad(why, "replies[%zu] says something twice", i);
        }
    }
    if (err == 0 && reply->id == NULL)
        return bad(why, "replies[%zu] has no id", i);
    return err;
}

static int read_list(struct json_span list, struct replies *replies, char *why)
{
    struct room room = {replies->memory};
    struct json_span item;
    int err = 0;

    if (list.at[0] != '[')
        return bad(why, "replies is not a list");
    struct json_walk walk = json_walk_begin(list);
    while (err == 0 && json_walk_item(&walk, &item)) {
        if (replies->n == REPLIES_MOST)
            return bad(why, "there are more than %d replies", REPLIES_MOST);
        err = read_reply(&room, item, replies->n, &replies->list[replies->n], why);
        replies->n += err == 0;
    }
    return err;
}

static int read_text(struct replies *replies, const uint8_t *text, size_t len, char *why)
{
    struct json_span whole, name, value, list = {0};

    if (!json_is_value(text, len))
        return bad(why, "it is no JSON, or it was cut off");
    whole = json_span_of(text, len);
    if (whole.at[0] != '{')
        return bad(why, "it is not a JSON object");
    struct json_walk walk = json_walk_begin(whole);
    while (json_walk_member(&walk, &name, &value)) {
        if (is_named(name, "replies"))
            list = value;
    }
    if (list.at == NULL)
        return 0;
    replies->list = mem_alloc(REPLIES_MOST * sizeof *replies->list);
    return read_list(list, replies, why);
}

int replies_read(const void *body, size_t len, struct replies *replies, char *why)
{
    const uint8_t *text = body;

    *replies = (struct replies){0};
    while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL && text[len - 1] != '\0')
        len--;
    if (len == 0)
        return 0;
    replies->memory = mem_alloc(len); /* a string with its NUL needs a byte less than it has */
    int err = read_text(replies, text, len, why);
    if (err != 0)
        replies->n = 0;
    return err;
}

const struct reply *replies_find(struct replies *replies, const char *id)
{
    size_t len = strlen(id);

    for (size_t i = 0; i < replies->n; i++) {
        size_t at = (replies->next + i) % replies->n;
        const struct reply *reply = &replies->list[at];
        if (reply->id_len == len && memcmp(reply->id, id, len) == 0) {
            replies->next = at + 1;
            return reply;
        }
    }
    return NULL;
}

void replies_free(struct replies *replies)
{
    free(replies->list);
    free(replies->memory);
    *replies = (struct replies){0};
}

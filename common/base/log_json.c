/* A walk over the format. Literals tell where fields begin and end, arguments never do:
 *
 *   server=%s   retry_ms=%d   ; see %s
 *   └ a string  └ a number    └ detail
 *
 * Each conversion takes its argument by itself (log_args.h). */
#include "common/base/log_json.h"
#include "common/base/log_args.h"
#include "common/base/utf8.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
    RESERVE = 48, /* for what comes at the end: a quote, suppressed, cut, brace and line feed */
    KEY_MAX = 64,
    KEYS_MAX = 32, /* further fields are left out */
};

struct key {
    char text[KEY_MAX + 1];
    size_t len;
};

struct json {
    char *out;
    size_t at, most;
    bool cut; /* nothing more is put, but for the end */
    struct {
        size_t at, len;
    } keys[KEYS_MAX]; /* in OUT */
    size_t n_keys;
};

/* --- bytes --- */

/* All of it or nothing. */
static void put(struct json *json, const char *bytes, size_t len)
{
    if (json->cut || json->at + len > json->most) {
        json->cut = true;
        return;
    }
    memcpy(json->out + json->at, bytes, len);
    json->at += len;
}

/* For what RESERVE is there for. */
static void put_end(struct json *json, const char *text)
{
    size_t len = strlen(text);

    memcpy(json->out + json->at, text, len);
    json->at += len;
}

/* TEXT as part of a string: a character is put whole, or nothing from it on. */
static void put_escaped(struct json *json, const char *text, size_t len)
{
    char seq[8];

    while (len > 0 && !json->cut) {
        unsigned char c = (unsigned char)*text;
        size_t n = utf8_sequence((const uint8_t *)text, len);
        if (n == 0) {
            put(json, "\\ufffd", 6);
            n = 1;
        } else if (c == '"' || c == '\\') {
            put(json, (const char[]){'\\', (char)c}, 2);
        } else if (c < ' ' || c == 0x7f) {
            (void)snprintf(seq, sizeof seq, "\\u%04x", c);
            put(json, seq, 6);
        } else {
            put(json, text, n);
        }
        text += n;
        len -= n;
    }
}

/* --- fields --- */

static bool is_taken(const struct json *json, const struct key *key)
{
    static const char *const ours[] = {"time",       "level", "daemon", "msg",
                                       "suppressed", "cut",   "detail"};

    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (strcmp(ours[i], key->text) == 0)
            return true;
    }
    for (size_t i = 0; i < json->n_keys; i++) {
        if (json->keys[i].len == key->len &&
            memcmp(json->out + json->keys[i].at, key->text, key->len) == 0)
            return true;
    }
    return false;
}

/* Puts the name of a field and VALUE, with which its value begins, or nothing at all. A name that
 * is taken gets a low line. */
static void put_name(struct json *json, const struct key *name, const char *value)
{
    struct key key = *name;
    char text[KEY_MAX + 64];

    while (key.len < KEY_MAX && is_taken(json, &key)) {
        key.text[key.len++] = '_';
        key.text[key.len] = '\0';
    }
    if (json->n_keys == KEYS_MAX || is_taken(json, &key)) {
        json->cut = true;
        return;
    }
    size_t before = json->at;
    put(json, text, (size_t)snprintf(text, sizeof text, ",\"%s\":%s", key.text, value));
    if (json->cut)
        return;
    json->keys[json->n_keys].at = before + 2;
    json->keys[json->n_keys++].len = key.len;
}

static bool is_key_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

/* Does FMT begin with a field: a name, which may have %s in it, and '='? */
static bool is_field(const char *fmt)
{
    const char *at = fmt;

    while (is_key_byte(*at) || (at[0] == '%' && at[1] == 's'))
        at += *at == '%' ? 2 : 1;
    return at > fmt && *at == '=';
}

static void add_to_key(struct key *key, const char *text, size_t len)
{
    for (size_t i = 0; i < len && key->len < KEY_MAX; i++)
        key->text[key->len++] = (char)(is_key_byte(text[i]) ? text[i] : '_');
    key->text[key->len] = '\0';
}

/* Takes the next piece of *FMT: a conversion with its argument, or a byte. */
static struct log_piece take(const char **fmt, struct log_args *args)
{
    if (**fmt == '%')
        return log_args_take(args, fmt);
    return (struct log_piece){.text = (*fmt)++, .len = 1};
}

/* Does a value that is not quoted end here? */
static bool is_end(const char *fmt)
{
    return *fmt == '\0' || *fmt == ' ' || *fmt == ';' ||
           ((*fmt == ':' || *fmt == ',') && (fmt[1] == ' ' || fmt[1] == '\0'));
}

static void put_string(struct json *json, const struct key *key, const char **fmt,
                       struct log_args *args)
{
    bool quoted = **fmt == '"';

    *fmt += quoted;
    put_name(json, key, "\"");
    if (json->cut)
        return;
    while (quoted ? **fmt != '\0' && **fmt != '"' : !is_end(*fmt)) {
        struct log_piece piece = take(fmt, args);
        put_escaped(json, piece.text, piece.len);
    }
    *fmt += quoted && **fmt == '"';
    put_end(json, "\"");
}

/* FMT is behind '='. Puts the field if its value is one number. */
static bool put_number(struct json *json, const struct key *key, const char **fmt,
                       struct log_args *args)
{
    char text[LOG_PIECE_MAX + 1];
    const char *end = log_number_end(*fmt);

    if (end == NULL || !is_end(end))
        return false;
    struct log_piece piece = take(fmt, args);
    (void)snprintf(text, sizeof text, piece.number ? "%.*s" : "\"%.*s\"", (int)piece.len,
                   piece.text);
    size_t before = json->at;
    put_name(json, key, "");
    put(json, text, strlen(text));
    if (json->cut)
        json->at = before;
    return true;
}

/* What is no field, to the end of the format. */
static void put_detail(struct json *json, const char **fmt, struct log_args *args)
{
    bool begun = false;

    while (**fmt != '\0' && !json->cut) {
        struct log_piece piece = take(fmt, args);
        while (!begun && piece.len > 0 && strchr(" ;:,", *piece.text) != NULL) {
            piece.text++;
            piece.len--;
        }
        if (piece.len == 0)
            continue;
        if (!begun)
            put(json, ",\"detail\":\"", 11);
        begun = begun || !json->cut;
        put_escaped(json, piece.text, piece.len);
    }
    if (begun)
        put_end(json, "\"");
}

static void put_fields(struct json *json, const char *fmt, struct log_args *args)
{
    while (!json->cut) {
        struct key key = {.len = 0};
        while (*fmt == ' ')
            fmt++;
        if (*fmt == '\0')
            return;
        if (!is_field(fmt)) {
            put_detail(json, &fmt, args);
            return;
        }
        while (*fmt != '=') {
            struct log_piece piece = take(&fmt, args);
            add_to_key(&key, piece.text, piece.len);
        }
        fmt++;
        if (!put_number(json, &key, &fmt, args))
            put_string(json, &key, &fmt, args);
        if (!json->cut && *fmt != ' ' && *fmt != '\0') {
            put_detail(json, &fmt, args);
            return;
        }
    }
}

size_t log_json_write(char *out, size_t size, const struct log_json_head *head, const char *fmt,
                      va_list list)
{
    struct json json = {.out = out, .most = size - RESERVE};
    struct log_args args;
    char text[128];

    put(&json, text,
        (size_t)snprintf(text, sizeof text,
                         "{\"time\":\"%.24s.%03uZ\",\"level\":\"%.8s\",\"daemon\":\"%.16s\","
                         "\"msg\":\"",
                         head->second, head->ms, head->level, head->daemon));
    put_escaped(&json, head->event, strlen(head->event));
    put_end(&json, "\"");
    va_copy(args.list, list);
    args.lost = false;
    put_fields(&json, fmt, &args);
    va_end(args.list);
    if (json.cut)
        put_end(&json, ",\"cut\":true");
    if (head->suppressed > 0) {
        (void)snprintf(text, sizeof text, ",\"suppressed\":%u", head->suppressed);
        put_end(&json, text);
    }
    put_end(&json, "}\n");
    return json.at;
}

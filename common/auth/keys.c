#include "common/auth/keys.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/config/config.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static const char digest_prefix[] = "sha256:";
static const char name_marks[] = "-_.";
enum { FIELDS = 3 };

struct keys {
    struct key *items;
    int *lines; /* where each stands in its file; 0: it comes from a list */
    size_t n;
};

struct keys *keys_new(void)
{
    return mem_zalloc(sizeof(struct keys));
}

void keys_free(struct keys *keys)
{
    if (keys == NULL)
        return;
    free(keys->items);
    free(keys->lines);
    free(keys);
}

size_t keys_count(const struct keys *keys)
{
    return keys->n;
}

void key_digest(const char *key, size_t len, uint8_t digest[KEY_DIGEST_LEN])
{
    SHA256((const uint8_t *)key, len, digest);
}

/* The index of DIGEST, or the number of keys. All are compared. */
static size_t index_of(const struct keys *keys, const uint8_t digest[KEY_DIGEST_LEN])
{
    size_t found = keys->n;

    for (size_t i = 0; i < keys->n; i++) {
        bool same = CRYPTO_memcmp(digest, keys->items[i].digest, KEY_DIGEST_LEN) == 0;
        found = same ? i : found;
    }
    return found;
}

const struct key *keys_at(const struct keys *keys, size_t index)
{
    return &keys->items[index];
}

ssize_t keys_find(const struct keys *keys, const char *presented)
{
    uint8_t digest[KEY_DIGEST_LEN];

    key_digest(presented, strlen(presented), digest);
    return keys_find_digest(keys, digest);
}

ssize_t keys_find_digest(const struct keys *keys, const uint8_t digest[KEY_DIGEST_LEN])
{
    size_t found = index_of(keys, digest);

    return found < keys->n ? (ssize_t)found : -1;
}

static void add(struct keys *keys, const struct key *key, int line)
{
    keys->items = mem_realloc(keys->items, (keys->n + 1) * sizeof(*keys->items));
    keys->lines = mem_realloc(keys->lines, (keys->n + 1) * sizeof(*keys->lines));
    keys->items[keys->n] = *key;
    keys->lines[keys->n++] = line;
}

/* --- words --- */

static const struct {
    const char *name;
    enum key_scope scope;
} scope_names[] = {{"push", KEY_PUSH}, {"read", KEY_READ}, {"admin", KEY_ADMIN}};

enum { SCOPES = sizeof(scope_names) / sizeof(scope_names[0]) };

const char *key_scope_name(enum key_scope scope)
{
    for (size_t i = 0; i < SCOPES; i++) {
        if (scope_names[i].scope == scope)
            return scope_names[i].name;
    }
    return "none";
}

static unsigned scope_of(const char *text, size_t len)
{
    for (size_t i = 0; i < SCOPES; i++) {
        if (strlen(scope_names[i].name) == len && memcmp(scope_names[i].name, text, len) == 0)
            return scope_names[i].scope;
    }
    return 0;
}

unsigned key_scopes_parse(const char *text, size_t len)
{
    unsigned scopes = 0;
    const char *end = text + len;

    for (;;) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        const char *word_end = comma != NULL ? comma : end;
        unsigned scope = scope_of(text, (size_t)(word_end - text));
        if (scope == 0)
            return 0;
        scopes |= scope;
        if (comma == NULL)
            return scopes;
        text = comma + 1;
    }
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool key_name_is_fine(const char *name, size_t len)
{
    if (len == 0 || len >= KEY_NAME_MAX || name[0] == '.')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_letter_or_digit(name[i]) &&
            (name[i] == '\0' || strchr(name_marks, name[i]) == NULL))
            return false;
    }
    return true;
}

static bool read_digest(const char *text, size_t len, uint8_t digest[KEY_DIGEST_LEN])
{
    size_t prefix = sizeof(digest_prefix) - 1;

    return len == prefix + 2 * (size_t)KEY_DIGEST_LEN && memcmp(text, digest_prefix, prefix) == 0 &&
           text_from_hex(text + prefix, digest, KEY_DIGEST_LEN);
}

/* --- a file --- */

struct field {
    const char *text;
    size_t len;
};

struct reader {
    struct keys *keys;
    const char *path;
    int line;
    char *err;
    size_t errlen;
};

static int refuse(const struct reader *reader, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static int refuse(const struct reader *reader, const char *fmt, ...)
{
    char what[KEYS_ERROR_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    snprintf(reader->err, reader->errlen, "%s:%d: %s", reader->path, reader->line, what);
    return -EINVAL;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Splits the LEN bytes of LINE at blanks. Returns how many fields there are, at most FIELDS + 1. */
static size_t split(const char *line, size_t len, struct field fields[FIELDS + 1])
{
    size_t n = 0, at = 0;

    while (n <= FIELDS) {
        while (at < len && is_blank(line[at]))
            at++;
        if (at == len)
            break;
        size_t begin = at;
        while (at < len && !is_blank(line[at]))
            at++;
        fields[n++] = (struct field){line + begin, at - begin};
    }
    return n;
}

/* Refuses KEY if its name or its digest is there already. */
static int check_is_new(const struct reader *reader, const struct key *key)
{
    const struct keys *keys = reader->keys;
    size_t same = index_of(keys, key->digest);

    if (same < keys->n && keys->lines[same] == 0)
        return refuse(reader, "this key is in the list of plain keys already; remove one");
    if (same < keys->n)
        return refuse(reader, "the key of line %d again; remove one", keys->lines[same]);
    for (size_t i = 0; i < keys->n; i++) {
        if (strcmp(keys->items[i].name, key->name) != 0)
            continue;
        if (keys->lines[i] == 0)
            return refuse(reader, "this name stands for the list of plain keys; take another");
        return refuse(reader, "the name of line %d again; take another", keys->lines[i]);
    }
    return 0;
}

static int read_line(const struct reader *reader, const char *line, size_t len)
{
    struct field fields[FIELDS + 1];
    struct key key = {0};
    size_t n = split(line, len, fields);

    if (n == 0 || fields[0].text[0] == '#')
        return 0;
    if (n != FIELDS)
        return refuse(reader, "%s three fields; want NAME SCOPES sha256:DIGEST, see --new-key",
                      n < FIELDS ? "fewer than" : "more than");
    if (!key_name_is_fine(fields[0].text, fields[0].len))
        return refuse(reader,
                      "the name: want 1 to %d letters, digits, dots, - and _, and no dot first",
                      KEY_NAME_MAX - 1);
    memcpy(key.name, fields[0].text, fields[0].len);
    key.scopes = key_scopes_parse(fields[1].text, fields[1].len);
    if (key.scopes == 0)
        return refuse(reader, "the scopes: want some of push, read and admin, separated by commas");
    if (!read_digest(fields[2].text, fields[2].len, key.digest))
        return refuse(reader, "the digest: want sha256: and 64 hexadecimal digits, see --new-key");
    if (check_is_new(reader, &key) != 0)
        return -EINVAL;
    if (reader->keys->n >= KEYS_MOST)
        return refuse(reader, "more than %d keys", KEYS_MOST);
    add(reader->keys, &key, reader->line);
    return 0;
}

int keys_parse(struct keys *keys, const char *path, const char *text, size_t len, char *err,
               size_t errlen)
{
    struct reader reader = {.keys = keys, .path = path, .err = err, .errlen = errlen};
    size_t before = keys->n;

    while (len > 0) {
        const char *end = memchr(text, '\n', len);
        size_t line = end != NULL ? (size_t)(end - text) : len;
        size_t step = line + (end != NULL);
        reader.line++;
        if (read_line(&reader, text, line) != 0)
            return -EINVAL;
        text += step;
        len -= step;
    }
    if (keys->n > before)
        return 0;
    snprintf(err, errlen, "%s: no key in it; --new-key makes one", path);
    return -EINVAL;
}

int keys_read(struct keys *keys, const char *path, char *err, size_t errlen)
{
    char *text;
    ssize_t len = file_read(path, KEYS_FILE_MAX, &text);
    int failed = len < 0 ? (int)len : 0;
    if (len == -EFBIG)
        snprintf(err, errlen, "%s: more than %d bytes", path, KEYS_FILE_MAX);
    else if (len < 0)
        snprintf(err, errlen, "%s: %s", path, uv_strerror(failed));
    else
        failed = keys_parse(keys, path, text, (size_t)len, err, errlen);
    mem_wiped_free(text, len > 0 ? (size_t)len : 0); /* a key itself may stand there by mistake */
    return failed;
}

/* --- a list --- */

struct list_reader {
    struct keys *keys;
    struct key like; /* name and scopes of all */
    int err;
};

static void add_plain(const char *item, size_t len, void *arg)
{
    struct list_reader *reader = arg;
    struct key key = reader->like;

    key_digest(item, len, key.digest);
    if (index_of(reader->keys, key.digest) < reader->keys->n)
        return;
    if (reader->keys->n >= KEYS_MOST)
        reader->err = -E2BIG;
    else
        add(reader->keys, &key, 0);
}

int keys_add_list(struct keys *keys, const char *list, const char *name, unsigned scopes)
{
    struct list_reader reader = {.keys = keys, .like = {.scopes = scopes}};

    snprintf(reader.like.name, sizeof(reader.like.name), "%s", name);
    config_list_each(list, add_plain, &reader);
    return reader.err;
}

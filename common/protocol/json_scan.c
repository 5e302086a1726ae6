/* One pass over the bytes, without recursion. Open arrays and objects are a stack of bits, one per
 * level. A set bit is an object.
 *
 *      ┌──────────── , : [ { ────────────┐
 *      ▼                                 │
 *   VALUE ── scalar, ] or } ──► AFTER ───┴── white space to the end, nothing open ──► true */
#include "common/protocol/json_scan.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 512 };

struct json_scan {
    const uint8_t *at, *end;
    unsigned depth;
    uint64_t objects[MAX_DEPTH / 64]; /* bit d: level d is an object */
};

/* May C stand for itself in a JSON string? That is ASCII without control bytes, quote and
 * backslash. */
static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* Are eight bytes all is_plain()? A subtraction may borrow from the next byte. It does so only
 * below a byte that is bad anyway, so the answer is right. */
static bool eight_plain(const uint8_t *p)
{
    const uint64_t ones = 0x0101010101010101U, tops = 0x8080808080808080U;
    uint64_t w;
    memcpy(&w, p, sizeof w);
    uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\';
    uint64_t bad = w | (w - ones * 0x20) | (quote - ones) | (slash - ones);
    return (bad & tops) == 0;
}

/* --- one JSON value --- */

static void skip_space(struct json_scan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r'))
        scan->at++;
}

static bool take_byte(struct json_scan *scan, uint8_t c)
{
    if (scan->at == scan->end || *scan->at != c)
        return false;
    scan->at++;
    return true;
}

static bool take_word(struct json_scan *scan, const char *word, size_t len)
{
    if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, word, len) != 0)
        return false;
    scan->at += len;
    return true;
}

static bool take_digits(struct json_scan *scan)
{
    const uint8_t *start = scan->at;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        scan->at++;
    return scan->at > start;
}

static bool take_number(struct json_scan *scan)
{
    take_byte(scan, '-');
    if (!take_byte(scan, '0') && !take_digits(scan))
        return false;
    if (take_byte(scan, '.') && !take_digits(scan))
        return false;
    if (take_byte(scan, 'e') || take_byte(scan, 'E')) {
        if (!take_byte(scan, '+'))
            take_byte(scan, '-');
        return take_digits(scan);
    }
    return true;
}

/* The value of the four digits of a \u escape; -1: they are not hexadecimal. */
static int32_t take_hex4(struct json_scan *scan)
{
    int32_t value = 0;
    if (scan->end - scan->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        uint8_t c = *scan->at++;
        if (c >= '0' && c <= '9')
            value = value << 4 | (c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            value = value << 4 | ((c | 0x20) - 'a' + 10);
        else
            return -1;
    }
    return value;
}

/* Takes an escape, from behind its backslash. A surrogate without its other half is refused. RFC
 * 8259 does not say what a receiver does with it, and many fail. */
static bool take_escape(struct json_scan *scan)
{
    if (scan->at == scan->end)
        return false;
    uint8_t c = *scan->at++;
    if (c != 'u')
        return c != '\0' && strchr("\"\\/bfnrt", c) != NULL;
    int32_t unit = take_hex4(scan);
    if (unit < 0 || (unit >= 0xdc00 && unit <= 0xdfff))
        return false;
    if (unit < 0xd800 || unit > 0xdbff)
        return true;
    if (!take_word(scan, "\\u", 2))
        return false;
    unit = take_hex4(scan);
    return unit >= 0xdc00 && unit <= 0xdfff;
}

static bool take_string(struct json_scan *scan)
{
    if (!take_byte(scan, '"'))
        return false;
    while (scan->at < scan->end) {
        while (scan->end - scan->at >= 8 && eight_plain(scan->at))
            scan->at += 8;
        while (scan->at < scan->end && is_plain(*scan->at))
            scan->at++;
        if (scan->at == scan->end)
            return false;
        uint8_t c = *scan->at;
        if (c >= 0x80) {
            size_t len = utf8_sequence(scan->at, (size_t)(scan->end - scan->at));
            if (len == 0)
                return false;
            scan->at += len;
            continue;
        }
        scan->at++;
        if (c == '"')
            return true;
        if (c != '\\' || !take_escape(scan))
            return false;
    }
    return false;
}

static bool in_object(const struct json_scan *scan)
{
    unsigned level = scan->depth - 1;
    return (scan->objects[level / 64] >> level % 64 & 1) != 0;
}

static bool open_level(struct json_scan *scan, bool object)
{
    unsigned level = scan->depth;
    if (level == MAX_DEPTH)
        return false;
    scan->objects[level / 64] &= ~(UINT64_C(1) << level % 64);
    scan->objects[level / 64] |= (uint64_t)object << level % 64;
    scan->depth++;
    return true;
}

static bool take_member_name(struct json_scan *scan)
{
    skip_space(scan);
    if (!take_string(scan))
        return false;
    skip_space(scan);
    return take_byte(scan, ':');
}

/* Takes a scalar, or an empty array or object: then *OPENED is false. Or takes the beginning of an
 * array or object, up to its first value. */
static bool take_value(struct json_scan *scan, bool *opened)
{
    *opened = false;
    skip_space(scan);
    if (scan->at == scan->end)
        return false;
    switch (*scan->at) {
    case '"':
        return take_string(scan);
    case 't':
        return take_word(scan, "true", 4);
    case 'f':
        return take_word(scan, "false", 5);
    case 'n':
        return take_word(scan, "null", 4);
    case '[':
    case '{':
        break;
    default:
        return take_number(scan);
    }
    bool object = *scan->at++ == '{';
    if (!open_level(scan, object))
        return false;
    skip_space(scan);
    if (take_byte(scan, object ? '}' : ']')) {
        scan->depth--;
        return true;
    }
    *opened = true;
    return !object || take_member_name(scan);
}

/* After a value: takes closing brackets, then the comma (and the name) before the next value. */
static bool take_after(struct json_scan *scan)
{
    for (;;) {
        skip_space(scan);
        if (scan->depth == 0)
            return true;
        bool object = in_object(scan);
        if (take_byte(scan, ','))
            return !object || take_member_name(scan);
        if (!take_byte(scan, object ? '}' : ']'))
            return false;
        scan->depth--;
    }
}

/* A value with all that is in it, and the white space around it. */
static bool take_whole(struct json_scan *scan)
{
    do {
        bool opened;
        if (!take_value(scan, &opened))
            return false;
        if (opened)
            continue;
        if (!take_after(scan))
            return false;
    } while (scan->depth > 0);
    return true;
}

bool json_is_value(const uint8_t *buf, size_t len)
{
    if (len == 0)
        return false;
    struct json_scan scan = {.at = buf, .end = buf + len};
    return take_whole(&scan) && scan.at == scan.end;
}

/* --- a member of an object --- */

/* Is TEXT, the inside of a valid JSON string, NAME? Of the escapes only \u can stand for a letter.
 */
static bool is_name(const uint8_t *text, size_t len, const char *name)
{
    struct json_scan scan = {.at = text, .end = text + len};

    for (; *name != '\0'; name++) {
        int32_t c;
        if (scan.at == scan.end)
            return false;
        if (take_word(&scan, "\\u", 2))
            c = take_hex4(&scan);
        else
            c = *scan.at++;
        if (c != (unsigned char)*name)
            return false;
    }
    return scan.at == scan.end;
}

static size_t trimmed(const uint8_t *from, const uint8_t *to)
{
    while (to > from && (to[-1] == ' ' || to[-1] == '\t' || to[-1] == '\n' || to[-1] == '\r'))
        to--;
    return (size_t)(to - from);
}

const uint8_t *json_find_member(const uint8_t *buf, size_t len, const char *name, size_t *value_len)
{
    size_t mark = json_mark(buf, len);
    struct json_scan scan = {.at = buf + mark, .end = buf + len};
    const uint8_t *found = NULL;

    skip_space(&scan);
    if (!take_byte(&scan, '{'))
        return NULL;
    do {
        skip_space(&scan);
        const uint8_t *member = scan.at + 1;
        if (!take_string(&scan))
            break;
        bool wanted = is_name(member, (size_t)(scan.at - 1 - member), name);
        skip_space(&scan);
        if (!take_byte(&scan, ':'))
            return NULL;
        skip_space(&scan);
        const uint8_t *value = scan.at;
        if (!take_whole(&scan))
            return NULL;
        if (wanted) {
            found = value;
            *value_len = trimmed(value, scan.at);
        }
    } while (take_byte(&scan, ','));
    return take_byte(&scan, '}') ? found : NULL;
}

/* --- writing a string --- */

/* The letter of C's two-byte escape; 0: C has none. */
static uint8_t short_escape(uint8_t c)
{
    switch (c) {
    case '"':
    case '\\':
        return c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

/* How many bytes the character at P is written as. *TAKEN is how many it takes of the input. */
static size_t written_size(const uint8_t *p, const uint8_t *end, size_t *taken)
{
    *taken = 1;
    if (is_plain(*p))
        return 1;
    if (*p < 0x80)
        return short_escape(*p) != 0 ? 2 : 6;
    size_t len = utf8_sequence(p, (size_t)(end - p));
    *taken = len != 0 ? len : 1;
    return len != 0 ? len : 3;
}

static size_t string_size(const uint8_t *p, const uint8_t *end)
{
    size_t size = 2, taken;
    for (; p < end; p += taken)
        size += written_size(p, end, &taken);
    return size;
}

static uint8_t *write_special(uint8_t *out, uint8_t c)
{
    static const char hex[] = "0123456789abcdef";
    static const uint8_t replacement[] = {0xef, 0xbf, 0xbd}, control[] = {'u', '0', '0'};
    if (c >= 0x80) { /* not UTF-8: each byte becomes U+FFFD */
        memcpy(out, replacement, sizeof replacement);
        return out + sizeof replacement;
    }
    *out++ = '\\';
    if (short_escape(c) != 0) {
        *out++ = short_escape(c);
        return out;
    }
    memcpy(out, control, sizeof control);
    out[3] = (uint8_t)hex[c >> 4];
    out[4] = (uint8_t)hex[c & 15];
    return out + 5;
}

size_t json_write_string(const uint8_t *buf, size_t len, uint8_t *out, size_t outlen)
{
    const uint8_t *end = len != 0 ? buf + len : buf; /* BUF may be NULL if LEN is 0 */
    /* A pass only to find the size is needed only if OUT may be too small. */
    if (outlen < 2 || (outlen - 2) / 6 < len) {
        size_t size = string_size(buf, end);
        if (size > outlen)
            return size;
    }
    uint8_t *at = out;
    *at++ = '"';
    while (buf < end) {
        if (is_plain(*buf)) {
            *at++ = *buf++;
            continue;
        }
        size_t sequence = *buf >= 0x80 ? utf8_sequence(buf, (size_t)(end - buf)) : 0;
        if (sequence != 0) {
            memcpy(at, buf, sequence);
            at += sequence;
            buf += sequence;
            continue;
        }
        at = write_special(at, *buf++);
    }
    *at++ = '"';
    return (size_t)(at - out);
}

size_t json_mark(const uint8_t *buf, size_t len)
{
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf};

    return len >= sizeof mark && memcmp(buf, mark, sizeof mark) == 0 ? sizeof mark : 0;
}

json_t *json_load(const void *text, size_t len, size_t flags, json_error_t *why)
{
    size_t mark = json_mark(text, len);
    const char *at = len > mark ? (const char *)text + mark : "";
    const char *nul = len > mark ? memchr(at, '\0', len - mark) : NULL;

    if (nul == NULL)
        return json_loadb(at, len - mark, flags, why);
    if (why != NULL) {
        snprintf(why->text, sizeof why->text, "a NUL byte");
        why->position = (int)(nul - at);
    }
    return NULL;
}

void json_wipe_what_is_freed(void)
{
    json_set_alloc_funcs(mem_alloc, mem_wiped_free_whole);
}

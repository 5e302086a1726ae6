/* json_is_value() has seen the whole text. So quotes and brackets match, escapes are whole, and a
 * walk needs to know only where a value ends. */
#include "common/protocol/json_walk.h"
#include "common/base/text.h"

#include <string.h>

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const uint8_t *skip_space(const uint8_t *at, const uint8_t *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

static const uint8_t *skip_string(const uint8_t *at)
{
    for (at++; *at != '"'; at++)
        at += *at == '\\';
    return at + 1;
}

static const uint8_t *skip_container(const uint8_t *at)
{
    size_t depth = 0;

    do {
        if (*at == '"') {
            at = skip_string(at);
            continue;
        }
        depth += *at == '{' || *at == '[';
        depth -= *at == '}' || *at == ']';
        at++;
    } while (depth > 0);
    return at;
}

static const uint8_t *skip_value(const uint8_t *at, const uint8_t *end)
{
    if (*at == '"')
        return skip_string(at);
    if (*at == '{' || *at == '[')
        return skip_container(at);
    while (at < end && !is_space(*at) && *at != ',' && *at != '}' && *at != ']')
        at++;
    return at;
}

struct json_span json_span_of(const uint8_t *text, size_t len)
{
    const uint8_t *at = skip_space(text, text + len), *end = text + len;

    while (end > at && is_space(end[-1]))
        end--;
    return (struct json_span){at, (size_t)(end - at)};
}

struct json_walk json_walk_begin(struct json_span container)
{
    return (struct json_walk){container.at + 1, container.at + container.len};
}

bool json_walk_item(struct json_walk *walk, struct json_span *item)
{
    const uint8_t *at = skip_space(walk->at, walk->end);

    if (*at == ',')
        at = skip_space(at + 1, walk->end);
    if (*at == ']' || *at == '}') {
        walk->at = at;
        return false;
    }
    walk->at = skip_value(at, walk->end);
    *item = (struct json_span){at, (size_t)(walk->at - at)};
    return true;
}

bool json_walk_member(struct json_walk *walk, struct json_span *name, struct json_span *value)
{
    if (!json_walk_item(walk, name))
        return false;
    const uint8_t *at = skip_space(walk->at, walk->end); /* the colon */
    at = skip_space(at + 1, walk->end);
    walk->at = skip_value(at, walk->end);
    *value = (struct json_span){at, (size_t)(walk->at - at)};
    return true;
}

/* --- strings --- */

static uint32_t four_digits(const uint8_t *at)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++)
        value = value << 4 | (uint32_t)text_hex_digit((char)at[i]);
    return value;
}

static char *put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *out++ = (char)(0xe0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    } else {
        *out++ = (char)(0xf0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3f));
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    return out;
}

/* Decodes \uXXXX, or two of them that are a pair, of which *AT is the first digit, and moves *AT
 * behind it. No half of a pair stands alone. */
static uint32_t take_unicode(const uint8_t **at)
{
    uint32_t c = four_digits(*at);

    *at += 4;
    if (c < 0xd800 || c > 0xdfff)
        return c;
    uint32_t low = four_digits(*at + 2);
    *at += 6;
    return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

static char plain_escape(uint8_t c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default: /* quote, slash, backslash */
        return (char)c;
    }
}

size_t json_string_decode(struct json_span string, char *out)
{
    const uint8_t *at = string.at + 1, *end = string.at + string.len - 1;
    char *begin = out;

    while (at < end) {
        if (*at != '\\') {
            *out++ = (char)*at++;
            continue;
        }
        uint8_t kind = at[1];
        at += 2;
        if (kind == 'u')
            out = put_utf8(out, take_unicode(&at));
        else
            *out++ = plain_escape(kind);
    }
    *out = '\0';
    return (size_t)(out - begin);
}

#include "common/protocol/trace_context.h"
#include "common/base/text.h"

#include <stdio.h>
#include <string.h>

enum { KEY_MAX = 256, VALUE_MAX = 256 };

static const char lower[] = "abcdefghijklmnopqrstuvwxyz0123456789";

/* --- traceparent --- */

/* N bytes in hexadecimal digits. The standard has lower case only. */
static bool read_bytes(const char *text, uint8_t *out, size_t n)
{
    return strspn(text, "0123456789abcdef") >= 2 * n && text_from_hex(text, out, n);
}

static bool is_zero(const uint8_t *bytes, size_t n)
{
    uint8_t any = 0;

    for (size_t i = 0; i < n; i++)
        any |= bytes[i];
    return any == 0;
}

/* May REST stand behind the flags? Version 00 ends there, a later one may go on. */
static bool may_follow(uint8_t version, const char *rest)
{
    return rest[0] == '\0' || (version > 0 && rest[0] == '-');
}

bool trace_parent_parse(const char *text, struct trace_context *out)
{
    uint8_t version;

    if (strnlen(text, TRACE_PARENT_LEN) < TRACE_PARENT_LEN || text[2] != '-' || text[35] != '-' ||
        text[52] != '-' || !read_bytes(text, &version, 1) || version == 0xff ||
        !may_follow(version, text + TRACE_PARENT_LEN))
        return false;
    *out = (struct trace_context){0};
    if (!read_bytes(text + 3, out->trace_id, sizeof out->trace_id) ||
        !read_bytes(text + 36, out->parent_id, sizeof out->parent_id) ||
        !read_bytes(text + 53, &out->flags, 1))
        return false;
    out->flags &= TRACE_SAMPLED | TRACE_RANDOM;
    return !is_zero(out->trace_id, sizeof out->trace_id) &&
           !is_zero(out->parent_id, sizeof out->parent_id);
}

void trace_parent_print(const struct trace_context *context, char out[TRACE_PARENT_LEN + 1])
{
    out[0] = out[1] = '0';
    out[2] = '-';
    text_to_hex(context->trace_id, sizeof context->trace_id, out + 3);
    out[35] = '-';
    text_to_hex(context->parent_id, sizeof context->parent_id, out + 36);
    out[52] = '-';
    text_to_hex(&context->flags, 1, out + 53);
}

/* --- tracestate --- */

/* "vendor", or "tenant@vendor". */
static bool is_key(const char *key, size_t len)
{
    static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789_-*/@";

    if (len == 0 || len > KEY_MAX || strchr(lower, key[0]) == NULL)
        return false;
    const char *at = memchr(key, '@', len);
    if (at != NULL && (at + 1 == key + len || memchr(at + 1, '@', len - (size_t)(at + 1 - key))))
        return false;
    return strspn(key, rest) >= len;
}

/* Printable ASCII, neither ',' nor '='. The last one is no blank: those were taken off. */
static bool is_value(const char *value, size_t len)
{
    if (len == 0 || len > VALUE_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (value[i] < ' ' || value[i] > '~' || value[i] == ',' || value[i] == '=')
            return false;
    }
    return true;
}

static bool is_member(const char *text, size_t len)
{
    const char *equals = memchr(text, '=', len);

    if (equals == NULL)
        return false;
    size_t key = (size_t)(equals - text);
    return is_key(text, key) && is_value(equals + 1, len - key - 1);
}

static size_t count_members(const char *state)
{
    size_t n = state[0] != '\0';

    for (; *state != '\0'; state++)
        n += *state == ',';
    return n;
}

/* Appends one member. False: it is none, or too much. */
static bool member_add(struct trace_context *context, const char *text, size_t len)
{
    size_t have = strlen(context->state);

    if (!is_member(text, len) || have + 1 + len > TRACE_STATE_MAX ||
        count_members(context->state) >= TRACE_STATE_MEMBERS_MAX)
        return false;
    if (have > 0)
        context->state[have++] = ',';
    memcpy(context->state + have, text, len);
    context->state[have + len] = '\0';
    return true;
}

bool trace_state_add(struct trace_context *context, const char *line)
{
    static const char blanks[] = " \t";

    for (;;) {
        line += strspn(line, blanks);
        size_t len = strcspn(line, ","), trimmed = len;
        while (trimmed > 0 && strchr(blanks, line[trimmed - 1]) != NULL)
            trimmed--;
        if (trimmed > 0 && !member_add(context, line, trimmed)) { /* a member may be empty */
            context->state[0] = '\0';
            return false;
        }
        if (line[len] == '\0')
            return true;
        line += len + 1;
    }
}

#include "logic/http/params.h"
#include "common/base/base64.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/base/utf8.h"
#include "common/containers/map.h"
#include "common/protocol/json_scan.h"
#include "common/protocol/json_walk.h"
#include "logic/tokens/tokens.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define REFUSE(err, ...) (snprintf((err)->text, sizeof(err)->text, __VA_ARGS__), -EINVAL)

/* --- numbers and texts --- */

static int digits_to_int64(const char *text, int64_t *out)
{
    const char *digits = text + (*text == '-');
    char *end;

    if (*digits < '0' || *digits > '9')
        return -EINVAL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0)
        return -ERANGE;
    if (*end != '\0')
        return -EINVAL;
    *out = value;
    return 0;
}

int params_int64(const char *field, const char *text, int64_t min, int64_t max, int64_t *out,
                 struct params_error *err)
{
    int64_t value = 0;

    if (text == NULL || *text == '\0')
        return REFUSE(err, "%s: missing", field);
    int failed = digits_to_int64(text, &value);
    if (failed == -EINVAL)
        return REFUSE(err, "%s: not a number", field);
    if (failed != 0 || value < min || value > max)
        return REFUSE(err, "%s: must be between %" PRId64 " and %" PRId64, field, min, max);
    *out = value;
    return 0;
}

int params_text(const char *field, const char *text, size_t max, struct params_error *err)
{
    size_t len = text == NULL ? 0 : strlen(text);

    if (len == 0)
        return REFUSE(err, "%s: missing", field);
    if (len > max)
        return REFUSE(err, "%s: longer than %zu bytes", field, max);
    if (text_has_control(text, len))
        return REFUSE(err, "%s: has a control character", field);
    if (!utf8_is_valid((const uint8_t *)text, len))
        return REFUSE(err, "%s: not UTF-8", field);
    return 0;
}

int params_ops(const char *field, const char *text, size_t max, struct params_error *err)
{
    char number[16];

    if (strlen(text) > max)
        return REFUSE(err, "%s: longer than %zu bytes", field, max);
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        int64_t value;
        snprintf(number, sizeof number, "%.*s", (int)len, text);
        if (len >= sizeof number || digits_to_int64(number, &value) != 0 || value < INT32_MIN ||
            value > INT32_MAX)
            return REFUSE(err, "%s: not a list of operations, \"5,6\"", field);
        text += len;
        if (*text == ',' && *++text == '\0')
            return REFUSE(err, "%s: ends in a comma", field);
    }
    return 0;
}

int params_rooms(const char *field, const char *text, size_t max, struct params_error *err)
{
    char name[TOKEN_ROOM_MAX + 1];

    if (strlen(text) > max)
        return REFUSE(err, "%s: longer than %zu bytes", field, max);
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        if (len == 0 || len > TOKEN_ROOM_MAX)
            return REFUSE(err, "%s: a room must have 1 to %d bytes", field, TOKEN_ROOM_MAX);
        memcpy(name, text, len);
        name[len] = '\0';
        if (params_text(field, name, TOKEN_ROOM_MAX, err) != 0)
            return -EINVAL;
        text += len;
        if (*text == ',' && *++text == '\0')
            return REFUSE(err, "%s: ends in a comma", field);
    }
    return 0;
}

bool params_is_jsonp(const char *name)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.$";
    size_t len = strlen(name);

    return len >= 1 && len <= 64 && strspn(name, allowed) == len;
}

bool params_is_number(const char *text)
{
    int64_t value;
    char again[24];

    if (digits_to_int64(text, &value) != 0)
        return false;
    snprintf(again, sizeof again, "%" PRId64, value);
    return strcmp(again, text) == 0;
}

/* --- pushs --- */

static int add_uid(struct params_pushs *pushs, struct map64 *seen, size_t max, int64_t uid,
                   struct params_error *err)
{
    if (map64_get(seen, (uint64_t)uid) != NULL)
        return 0;
    if (pushs->n == max)
        return REFUSE(err, "u: more than %zu uids", max);
    map64_set(seen, (uint64_t)uid, 1);
    pushs->uids[pushs->n++] = uid;
    return 0;
}

static int uids_from_array(struct params_pushs *pushs, struct map64 *seen, const json_t *array,
                           size_t max, struct params_error *err)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        if (!json_is_integer(item))
            return REFUSE(err, "u: item %zu is not an integer", i);
        int failed = add_uid(pushs, seen, max, json_integer_value(item), err);
        if (failed != 0)
            return failed;
    }
    return 0;
}

static int uids_from_text(struct params_pushs *pushs, struct map64 *seen, const char *text,
                          size_t max, struct params_error *err)
{
    char number[24];

    for (size_t i = 0; *text != '\0'; i++) {
        size_t len = strcspn(text, ",");
        int64_t uid;
        snprintf(number, sizeof number, "%.*s", (int)len, text);
        if (len >= sizeof number || digits_to_int64(number, &uid) != 0)
            return REFUSE(err, "u: item %zu is not an integer", i);
        int failed = add_uid(pushs, seen, max, uid, err);
        if (failed != 0)
            return failed;
        text += len;
        if (*text == ',' && *++text == '\0')
            return REFUSE(err, "u: ends in a comma");
    }
    return 0;
}

static int parse_uids(struct params_pushs *pushs, const json_t *u, size_t max,
                      struct params_error *err)
{
    struct map64 *seen = map64_new();
    int failed;

    pushs->uids = mem_alloc((max + 1) * sizeof *pushs->uids);
    if (json_is_array(u))
        failed = uids_from_array(pushs, seen, u, max, err);
    else if (json_is_string(u))
        failed = uids_from_text(pushs, seen, json_string_value(u), max, err);
    else
        failed = REFUSE(err, "u: neither a list nor a string of uids");
    if (failed == 0 && pushs->n == 0)
        failed = REFUSE(err, "u: no uid");
    map64_free(seen);
    return failed;
}

/* Finds member NAME, in quotes, of BODY, a JSON object. 1: found; 0: absent; -EINVAL: it comes
 * twice. A name that is written with escapes is not found. */
static int find_member(struct json_span body, const char *name, struct json_span *found)
{
    struct json_walk walk = json_walk_begin(body);
    struct json_span key, value;
    int n = 0;

    while (json_walk_member(&walk, &key, &value)) {
        if (key.len != strlen(name) || memcmp(key.at, name, key.len) != 0)
            continue;
        if (n++ > 0)
            return -EINVAL;
        *found = value;
    }
    return n;
}

static int parse_members(struct json_span body, size_t max_uids, struct params_pushs *pushs,
                         struct params_error *err)
{
    struct json_span u, m;
    json_error_t why;
    int uids = find_member(body, "\"u\"", &u), message = find_member(body, "\"m\"", &m);

    if (uids <= 0)
        return REFUSE(err, uids == 0 ? "u: missing" : "u: given twice");
    if (message <= 0)
        return REFUSE(err, message == 0 ? "m: missing" : "m: given twice");
    pushs->message = m.at; /* as it stands, so that no number of it loses digits in a parser */
    pushs->len = m.len;
    json_t *list = json_load(u.at, u.len, JSON_DECODE_ANY, &why);
    if (list == NULL)
        return REFUSE(err, "u: %s", why.text);
    int failed = parse_uids(pushs, list, max_uids, err);
    json_decref(list);
    return failed;
}

int params_pushs(const uint8_t *body, size_t len, size_t max_uids, struct params_pushs *pushs,
                 struct params_error *err)
{
    size_t mark = json_mark(body, len);

    *pushs = (struct params_pushs){0};
    body += mark;
    len -= mark;
    if (len == 0)
        return REFUSE(err, "body: empty");
    if (!json_is_value(body, len) || *json_span_of(body, len).at != '{')
        return REFUSE(err, "body: not a JSON object {\"u\":[1,2],\"m\":…}");
    int failed = parse_members(json_span_of(body, len), max_uids, pushs, err);
    if (failed != 0)
        params_pushs_free(pushs);
    return failed;
}

void params_pushs_free(struct params_pushs *pushs)
{
    free(pushs->uids);
    *pushs = (struct params_pushs){0};
}

/* --- answers --- */

size_t params_end_in_text(const char *text, char *out, size_t at, size_t outlen)
{
    size_t room = outlen - at - 2, len = strlen(text);

    while (json_write_string((const uint8_t *)text, len, (uint8_t *)out + at, room) > room) {
        do
            len--;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80);
    }
    at += json_write_string((const uint8_t *)text, len, (uint8_t *)out + at, room);
    out[at++] = '}';
    out[at] = '\0';
    return at;
}

size_t params_imgo_error(int ret, const char *text, char *out, size_t outlen)
{
    return params_end_in_text(text, out,
                              (size_t)snprintf(out, outlen, "{\"ret\":%d,\"error\":", ret), outlen);
}

size_t params_goim_error(int code, const char *text, char *out, size_t outlen)
{
    return params_end_in_text(
        text, out, (size_t)snprintf(out, outlen, "{\"code\":%d,\"message\":", code), outlen);
}

void params_write_string(FILE *out, const void *text, size_t len)
{
    uint8_t *buf = mem_alloc(6 * len + 2);

    fwrite(buf, 1, json_write_string(text, len, buf, 6 * len + 2), out);
    free(buf);
}

void params_write_base64(FILE *out, const void *data, size_t len)
{
    char *text = mem_alloc(base64_size(len));

    base64_encode(data, len, text);
    fprintf(out, "\"%s\"", text);
    free(text);
}

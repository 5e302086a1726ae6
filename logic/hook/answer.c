#include "logic/hook/answer.h"
#include "common/base/text.h"
#include "common/protocol/json_scan.h"
#include "common/protocol/ops.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Disconnect codes of Centrifugo: from 3500 and from 4500 clients are not to come again. */
enum {
    CENTRIFUGO_FIRST = 3000,
    CENTRIFUGO_FINAL = 500,
    CENTRIFUGO_CLASS = 1000,
    CENTRIFUGO_LAST = 4999
};

/* Says what is wrong, for hook_answer_read() to return. */
#define bad(why, ...) ((void)snprintf((why), HOOK_WHY_MAX, __VA_ARGS__), -EBADMSG)

/* The member NAME; NULL if it is missing or null. */
static const json_t *member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return json_is_null(value) ? NULL : value;
}

/* --- refusals --- */

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c != 0x7f && c != '"' && c != '\\';
}

void hook_answer_refuse(struct hook_answer *answer, uint32_t code, const char *reason)
{
    size_t len = strlen(reason);

    answer->code = code;
    if (len > HOOK_REASON_MAX) {
        len = HOOK_REASON_MAX;
        while (len > 0 && ((unsigned char)reason[len] & 0xc0) == 0x80)
            len--; /* not within a character */
    }
    for (size_t i = 0; i < len; i++)
        answer->reason[i] = reason[i];
    for (size_t i = 0; i < len; i++) {
        if (!is_plain((unsigned char)reason[i]))
            answer->reason[i] = ' ';
    }
    answer->reason[len] = '\0';
}

static uint32_t code_of(json_int_t code)
{
    if (code >= CLOSE_BAD_TOKEN && code <= CLOSE_UNKNOWN_OP)
        return (uint32_t)code;
    if (code >= CENTRIFUGO_FIRST && code <= CENTRIFUGO_LAST)
        return code % CENTRIFUGO_CLASS >= CENTRIFUGO_FINAL ? CLOSE_KICKED : CLOSE_UNAVAILABLE;
    return CLOSE_NONE;
}

/* OBJECT says in NAME why the client is refused. */
static int read_reason(const json_t *object, const char *name, uint32_t code,
                       struct hook_answer *answer, char *why)
{
    const json_t *reason = member(object, name);

    if (reason != NULL && !json_is_string(reason))
        return bad(why, "%s is not a string", name);
    hook_answer_refuse(answer, code, reason != NULL ? json_string_value(reason) : "refused");
    return 0;
}

static int read_disconnect(const json_t *object, struct hook_answer *answer, char *why)
{
    const json_t *code = member(object, "code");

    if (!json_is_object(object))
        return bad(why, "disconnect is not an object");
    if (code != NULL && !json_is_integer(code))
        return bad(why, "disconnect.code is not an integer");
    uint32_t close = code == NULL ? CLOSE_BAD_TOKEN : code_of(json_integer_value(code));
    if (close == CLOSE_NONE)
        return bad(why, "disconnect.code is neither 1 to 13 nor 3000 to 4999");
    return read_reason(object, "reason", close, answer, why);
}

static int read_error(const json_t *object, struct hook_answer *answer, char *why)
{
    if (!json_is_object(object))
        return bad(why, "error is not an object");
    const json_t *temporary = member(object, "temporary");
    uint32_t code =
        temporary != NULL && json_is_true(temporary) ? CLOSE_UNAVAILABLE : CLOSE_BAD_TOKEN;
    return read_reason(object, "message", code, answer, why);
}

/* --- a user --- */

/* A decimal number as this program would write it. */
static bool parse_int64(const char *text, int64_t *out)
{
    char again[24];

    errno = 0;
    long long value = strtoll(text, NULL, 10);
    (void)snprintf(again, sizeof again, "%lld", value);
    *out = value;
    return errno == 0 && strcmp(again, text) == 0;
}

static int read_uid(const json_t *object, const char *name, struct hook_answer *answer, char *why)
{
    const json_t *uid = member(object, name);

    if (uid == NULL)
        return bad(why, "%s is missing", name);
    if (json_is_integer(uid))
        answer->uid = json_integer_value(uid);
    else if (!json_is_string(uid) || !parse_int64(json_string_value(uid), &answer->uid))
        return bad(why, "%s is no integer of 64 bits, nor a string with one", name);
    return 0;
}

static int read_text(const json_t *object, const char *name, size_t max, char *out, char *why)
{
    const json_t *value = member(object, name);
    size_t len = json_string_length(value);

    if (value == NULL)
        return 0;
    if (!json_is_string(value) || len > max || text_has_control(json_string_value(value), len))
        return bad(why, "%s is no string of at most %zu bytes without control characters", name,
                   max);
    memcpy(out, json_string_value(value), len + 1);
    return 0;
}

static bool is_room(const json_t *value)
{
    size_t len = json_string_length(value);

    return json_is_string(value) && len > 0 && len <= HOOK_ROOM_MAX &&
           memchr(json_string_value(value), ',', len) == NULL &&
           !text_has_control(json_string_value(value), len);
}

static int read_rooms(const json_t *object, const char *name, struct hook_answer *answer, char *why)
{
    const json_t *list = member(object, name);
    size_t at = 0;

    if (list != NULL && !json_is_array(list))
        return bad(why, "%s is not a list", name);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *room = json_array_get(list, i);
        if (!is_room(room))
            return bad(why, "%s[%zu] is no name of 1 to %d bytes without a comma", name, i,
                       HOOK_ROOM_MAX);
        size_t len = json_string_length(room);
        if (at + (at > 0) + len > HOOK_ROOMS_MAX)
            return bad(why, "%s have more than %d bytes together", name, HOOK_ROOMS_MAX);
        if (at > 0)
            answer->rooms[at++] = ',';
        memcpy(answer->rooms + at, json_string_value(room), len);
        at += len;
    }
    answer->rooms[at] = '\0';
    return 0;
}

static int read_accepts(const json_t *object, struct hook_answer *answer, char *why)
{
    const json_t *list = member(object, "accepts");
    size_t at = 0;

    (void)snprintf(answer->accepts, sizeof answer->accepts, "*");
    if (list == NULL || (json_is_string(list) && strcmp(json_string_value(list), "*") == 0))
        return 0;
    if (!json_is_array(list) || json_array_size(list) > HOOK_ACCEPTS_MAX)
        return bad(why, "accepts is neither \"*\" nor a list of at most %d operations",
                   HOOK_ACCEPTS_MAX);
    answer->accepts[0] = '\0';
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *value = json_array_get(list, i);
        json_int_t op = json_integer_value(value);
        if (!json_is_integer(value) || op < INT32_MIN || op > INT32_MAX)
            return bad(why, "accepts[%zu] is not an operation (int32)", i);
        at += (size_t)snprintf(answer->accepts + at, sizeof answer->accepts - at,
                               "%s%" JSON_INTEGER_FORMAT, i > 0 ? "," : "", op);
    }
    return 0;
}

static int read_seconds(const json_t *object, const char *name, uint64_t *out, char *why)
{
    const json_t *value = member(object, name);

    if (value == NULL)
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > INT64_MAX / 1000)
        return bad(why, "%s is no number of seconds", name);
    *out = (uint64_t)json_integer_value(value);
    return 0;
}

/* RESULT is Centrifugo's form. */
static int read_user(const json_t *object, bool result, struct hook_answer *answer, char *why)
{
    int err = read_uid(object, result ? "user" : "uid", answer, why);

    if (err == 0 && !result)
        err = read_text(object, "key", HOOK_KEY_MAX, answer->key, why);
    if (err == 0 && !result)
        err = read_text(object, "room", HOOK_ROOM_MAX, answer->room, why);
    if (err == 0)
        err = read_rooms(object, result ? "channels" : "rooms", answer, why);
    if (err == 0)
        err = read_accepts(object, answer, why);
    if (err == 0)
        err = read_seconds(object, "expire_at", &answer->expire_at, why);
    if (err == 0)
        err = read_seconds(object, "cache", &answer->cache_s, why);
    return err;
}

static int read_object(const json_t *object, struct hook_answer *answer, char *why)
{
    const json_t *disconnect = member(object, "disconnect"), *error = member(object, "error"),
                 *result = member(object, "result");

    if (disconnect != NULL)
        return read_disconnect(disconnect, answer, why);
    if (error != NULL)
        return read_error(error, answer, why);
    if (result == NULL)
        return read_user(object, false, answer, why);
    return json_is_object(result) ? read_user(result, true, answer, why)
                                  : bad(why, "result is not an object");
}

int hook_answer_read(const void *body, size_t len, struct hook_answer *answer, char *why)
{
    json_error_t error;
    json_t *object = json_load(body, len, JSON_REJECT_DUPLICATES, &error);
    int err;

    memset(answer, 0, sizeof *answer);
    if (json_is_object(object))
        err = read_object(object, answer, why);
    else if (object != NULL)
        err = bad(why, "it is no JSON object");
    else
        err = bad(why, "it is not JSON, at byte %d", error.position);
    json_decref(object);
    return err;
}

#include "common/protocol/goim_auth.h"
#include "common/base/text.h"
#include "common/protocol/json_scan.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct goim_auth_why {
    char *text;
    size_t len;
};

/* The field NAME; NULL if it is missing or null. */
static const json_t *goim_auth_field(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return json_is_null(value) ? NULL : value;
}

static int goim_auth_text(const json_t *object, const char *name, size_t max, const char **out,
                          struct goim_auth_why *why)
{
    const json_t *value = goim_auth_field(object, name);

    *out = "";
    if (value == NULL)
        return 0;
    if (!json_is_string(value) || json_string_length(value) > max) {
        (void)snprintf(why->text, why->len, "auth: %s must be a string of at most %zu bytes", name,
                       max);
        return -EBADMSG;
    }
    *out = json_string_value(value);
    return 0;
}

static int goim_auth_mid(const json_t *object, int64_t *mid, struct goim_auth_why *why)
{
    const json_t *value = goim_auth_field(object, "mid");

    *mid = 0;
    if (value == NULL)
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        (void)snprintf(why->text, why->len, "auth: mid must be a whole number, 0 or more");
        return -EBADMSG;
    }
    *mid = json_integer_value(value);
    return 0;
}

/* Writes the rooms behind each other. No name may have a comma. */
static int goim_auth_rooms(const json_t *object, struct goim_auth *auth, struct goim_auth_why *why)
{
    const json_t *list = goim_auth_field(object, "rooms");
    size_t at = 0;

    if (list != NULL && !json_is_array(list)) {
        (void)snprintf(why->text, why->len, "auth: rooms must be a list");
        return -EBADMSG;
    }
    for (size_t i = 0; list != NULL && i < json_array_size(list); i++) {
        const json_t *value = json_array_get(list, i);
        size_t len = json_string_length(value);
        if (!json_is_string(value) || len == 0 || len > GOIM_AUTH_ROOM_MAX ||
            strchr(json_string_value(value), ',') != NULL || at + 1 + len > GOIM_AUTH_ROOMS_MAX) {
            (void)snprintf(why->text, why->len,
                           "auth: rooms[%zu] is not a name of 1 to %d bytes without a comma, or "
                           "all together have more than %d bytes",
                           i, GOIM_AUTH_ROOM_MAX, GOIM_AUTH_ROOMS_MAX);
            return -EBADMSG;
        }
        if (at > 0)
            auth->rooms[at++] = ',';
        memcpy(auth->rooms + at, json_string_value(value), len);
        at += len;
    }
    auth->rooms[at] = '\0';
    return 0;
}

static int goim_auth_accepts(const json_t *object, struct goim_auth *auth,
                             struct goim_auth_why *why)
{
    const json_t *list = goim_auth_field(object, "accepts");

    if (list == NULL)
        return 0;
    auth->has_accepts = true;
    if (!json_is_array(list) || json_array_size(list) > GOIM_AUTH_ACCEPTS_MAX) {
        (void)snprintf(why->text, why->len, "auth: accepts must be a list of at most %d operations",
                       GOIM_AUTH_ACCEPTS_MAX);
        return -EBADMSG;
    }
    for (; auth->n_accepts < json_array_size(list); auth->n_accepts++) {
        const json_t *value = json_array_get(list, auth->n_accepts);
        json_int_t op = json_integer_value(value);
        if (!json_is_integer(value) || op < INT32_MIN || op > INT32_MAX) {
            (void)snprintf(why->text, why->len, "auth: accepts[%zu] is not an operation (int32)",
                           auth->n_accepts);
            return -EBADMSG;
        }
        auth->accepts[auth->n_accepts] = (int32_t)op;
    }
    return 0;
}

static int goim_auth_bool(const json_t *object, const char *name, bool *out,
                          struct goim_auth_why *why)
{
    const json_t *value = goim_auth_field(object, name);

    *out = json_is_true(value);
    if (value == NULL || json_is_boolean(value))
        return 0;
    (void)snprintf(why->text, why->len, "auth: %s must be true or false", name);
    return -EBADMSG;
}

/* goim's clients may say anything here, so nothing is refused. */
static const char *goim_auth_platform(const json_t *object)
{
    const json_t *value = goim_auth_field(object, "platform");
    size_t len = json_string_length(value);

    if (!json_is_string(value) || len > GOIM_AUTH_PLATFORM_MAX ||
        text_has_control(json_string_value(value), len))
        return "";
    return json_string_value(value);
}

static int goim_auth_fields(const json_t *object, struct goim_auth *auth, struct goim_auth_why *why)
{
    auth->platform = goim_auth_platform(object);
    if (goim_auth_mid(object, &auth->mid, why) != 0 ||
        goim_auth_text(object, "token", GOIM_AUTH_TOKEN_MAX, &auth->token, why) != 0 ||
        goim_auth_text(object, "key", GOIM_AUTH_KEY_MAX, &auth->key, why) != 0 ||
        goim_auth_text(object, "room_id", GOIM_AUTH_ROOM_MAX, &auth->room, why) != 0 ||
        goim_auth_rooms(object, auth, why) != 0 || goim_auth_accepts(object, auth, why) != 0)
        return -EBADMSG;
    if (goim_auth_bool(object, "ack", &auth->ack, why) != 0)
        return -EBADMSG;
    return goim_auth_bool(object, "hello", &auth->hello, why);
}

/* Does TEXT nest deeper than an auth may? What is not JSON may get either answer. */
static bool goim_auth_is_deep(const char *text, size_t len)
{
    size_t depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            in_string = !in_string;
        else if (in_string)
            i += text[i] == '\\'; /* what is escaped ends no string */
        else if ((text[i] == '{' || text[i] == '[') && ++depth > GOIM_AUTH_DEPTH_MAX)
            return true;
        else if ((text[i] == '}' || text[i] == ']') && depth > 0)
            depth--;
    }
    return false;
}

int goim_auth_parse(const void *body, size_t len, struct goim_auth *auth, char *why, size_t why_len)
{
    struct goim_auth_why reason = {why, why_len};
    json_error_t error;

    auth->has_accepts = false;
    auth->n_accepts = 0;
    if (goim_auth_is_deep(body, len)) {
        (void)snprintf(why, why_len, "auth: nests deeper than %d objects and arrays",
                       GOIM_AUTH_DEPTH_MAX);
        return -EBADMSG;
    }
    json_t *object = json_load(body, len, JSON_REJECT_DUPLICATES, &error);
    if (object == NULL) {
        (void)snprintf(why, why_len, "auth: not JSON: %.80s at byte %d", error.text,
                       error.position);
        return -EBADMSG;
    }
    auth->keep = object;
    if (!json_is_object(object)) {
        (void)snprintf(why, why_len, "auth: the body must be one JSON object");
    } else if (goim_auth_fields(object, auth, &reason) == 0) {
        return 0;
    }
    goim_auth_free(auth);
    return -EBADMSG;
}

void goim_auth_free(struct goim_auth *auth)
{
    json_decref(auth->keep);
    auth->keep = NULL;
}

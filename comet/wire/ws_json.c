#include "comet/wire/ws_json.h"
#include "common/protocol/json_scan.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>

/* Integers are decoded as reals. Otherwise jansson refuses a document that has an integer beyond 64
 * bits anywhere, even in a body, which is not ours to judge. */
enum { DECODE_FLAGS = JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL };

struct ws_json_field {
    const char *name;
    double min, max;
    bool required;
};

static const struct ws_json_field field_ver = {"ver", 0, UINT16_MAX, false};
static const struct ws_json_field field_op = {"op", INT32_MIN, INT32_MAX, true};
static const struct ws_json_field field_seq = {"seq", INT32_MIN, INT32_MAX, false};

static int take_number(const json_t *object, const struct ws_json_field *field, int32_t *out,
                       char *why, size_t why_len)
{
    const json_t *value = json_object_get(object, field->name);
    if ((value == NULL || json_is_null(value)) && !field->required) {
        *out = 0;
        return 0;
    }
    if (value == NULL) {
        (void)snprintf(why, why_len, "JSON: %s is missing", field->name);
        return -EBADMSG;
    }
    double number = json_is_real(value) ? json_real_value(value) : (double)NAN;
    if (!(number >= field->min && number <= field->max) || number != floor(number)) {
        (void)snprintf(why, why_len, "JSON: %s must be a whole number from %.0f to %.0f",
                       field->name, field->min, field->max);
        return -EBADMSG;
    }
    *out = (int32_t)number;
    return 0;
}

static void take_body(const json_t *object, struct client_request *request)
{
    const json_t *body = json_object_get(object, "body");
    request->kind = BODY_OTHER;
    if (body == NULL || json_is_null(body)) {
        request->kind = BODY_NONE;
    } else if (json_is_object(body)) {
        request->kind = BODY_OBJECT;
    } else if (json_is_string(body)) {
        request->kind = BODY_STRING;
        request->body = (const uint8_t *)json_string_value(body);
        request->body_len = json_string_length(body);
    }
}

int ws_json_parse(const uint8_t *buf, size_t len, struct client_request *request, void **keep,
                  char *why, size_t why_len)
{
    json_error_t error;
    int32_t version;
    json_t *object = json_load(buf, len, DECODE_FLAGS, &error);
    if (object == NULL) {
        (void)snprintf(why, why_len, "not JSON: %.80s at byte %d", error.text, error.position);
        return -EBADMSG;
    }
    *request = (struct client_request){0};
    if (!json_is_object(object)) {
        (void)snprintf(why, why_len, "JSON: one object a message is expected, not %s",
                       json_is_array(object) ? "an array" : "another value");
        goto fail;
    }
    if (take_number(object, &field_ver, &version, why, why_len) != 0 ||
        take_number(object, &field_op, &request->op, why, why_len) != 0 ||
        take_number(object, &field_seq, &request->seq, why, why_len) != 0)
        goto fail;
    request->version = (uint16_t)version;
    take_body(object, request);
    request->json = buf;
    request->json_len = len;
    *keep = object;
    return 0;

fail:
    json_decref(object);
    return -EBADMSG;
}

char *ws_json_body_text(const struct client_request *request)
{
    json_error_t error;
    json_t *object = json_load(request->json, request->json_len, 0, &error);
    char *text = json_dumps(json_object_get(object, "body"), JSON_COMPACT);

    json_decref(object);
    return text;
}

void ws_json_free(void *keep)
{
    json_decref(keep);
}

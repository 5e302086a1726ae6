/* json_is_value() must say what jansson says, json_write_string() must write what jansson reads.
 *
 * Where they may differ: numbers too large for a double or nested deeper than 512 or than jansson's
 * own limit (jansson and we each refuse what the other takes); NUL in an object's key, which
 * jansson cannot hold; a raw NUL byte, which is never JSON, but which jansson takes for the end of
 * the text. */
#include "common/base/utf8.h"
#include "common/protocol/json_scan.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static size_t deepest(const uint8_t *data, size_t size)
{
    size_t depth = 0, most = 0;
    for (size_t i = 0; i < size; i++) { /* brackets inside strings only make it look deeper: fine */
        depth += data[i] == '[' || data[i] == '{';
        most = depth > most ? depth : most;
    }
    return most;
}

static void compare_with_jansson(const uint8_t *data, size_t size)
{
    if (size > 0 && memchr(data, 0, size) != NULL) {
        check(!json_is_value(data, size));
        return;
    }
    json_error_t error;
    json_t *value = json_loadb((const char *)data, size,
                               JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
    bool theirs = value != NULL, ours = json_is_value(data, size);
    json_decref(value);
    if (theirs == ours)
        return;
    if (theirs)
        check(deepest(data, size) > 512);
    else
        check(json_error_code(&error) == json_error_numeric_overflow ||
              json_error_code(&error) == json_error_null_byte_in_key);
}

/* The last member of that name, byte for byte what jansson read. */
static void find_member(const uint8_t *data, size_t size)
{
    size_t len = 0;
    const uint8_t *raw = json_find_member(data, size, "body", &len);
    json_error_t error;
    json_t *object = json_load(data, size, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
    const json_t *theirs = json_object_get(object, "body");
    if (object != NULL && deepest(data, size) <= 512)
        check((raw != NULL) == (theirs != NULL));
    if (raw != NULL)
        check(raw >= data && raw + len <= data + size && json_is_value(raw, len));
    if (raw != NULL && theirs != NULL) {
        json_t *again =
            json_loadb((const char *)raw, len,
                       JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
        check(json_equal(again, theirs));
        json_decref(again);
    }
    json_decref(object);
}

static void write_and_read_back(const uint8_t *data, size_t size)
{
    size_t room = 6 * size + 2;
    uint8_t *out = malloc(room);
    check(out != NULL);
    size_t len = json_write_string(data, size, out, room);
    check(len <= room && json_is_value(out, len));
    check(json_write_string(data, size, NULL, 0) == len);
    json_t *value = json_loadb((const char *)out, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    check(json_is_string(value));
    if (utf8_is_valid(data, size)) {
        check(json_string_length(value) == size);
        check(size == 0 || memcmp(json_string_value(value), data, size) == 0);
    }
    json_decref(value);
    /* Exactly enough room is enough. */
    uint8_t *tight = malloc(len);
    check(tight != NULL);
    check(json_write_string(data, size, tight, len) == len && memcmp(tight, out, len) == 0);
    free(tight);
    free(out);
}

static void split_utf8(const uint8_t *data, size_t size)
{
    uint32_t state = 0;
    bool valid = true;
    for (size_t i = 0; i < size && valid; i++)
        valid = utf8_feed(&state, data + i, 1);
    check((valid && state == 0) == utf8_is_valid(data, size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    compare_with_jansson(data, size);
    find_member(data, size);
    write_and_read_back(data, size);
    split_utf8(data, size);
    return 0;
}

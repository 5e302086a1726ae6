/* Lines of the log as JSON: whatever the values hold and however little room there is, jansson
 * reads the line, no value adds a member or changes the type of one, and a value that is UTF-8 is
 * read back as it was.
 *
 * The input: room (two bytes), a number (eight), then texts, each ended by a NUL. */
#include "common/base/log_json.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINE_MAX_SIZE = 4096, TEXTS = 4 };

static void check(bool holds)
{
    if (!holds)
        abort();
}

__attribute__((format(printf, 4, 5))) static size_t
write_line(char *out, size_t room, const struct log_json_head *head, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    size_t len = log_json_write(out, room, head, fmt, args);
    va_end(args);
    return len;
}

/* A member that is there is what was to be written, unless the line was cut. */
static void check_text(const json_t *line, const char *name, const char *want)
{
    const json_t *value = json_object_get(line, name);
    json_t *same = json_string(want); /* NULL: it is not UTF-8 */

    check(value == NULL || json_is_string(value));
    if (same != NULL && !json_is_true(json_object_get(line, "cut")))
        check(value != NULL && json_equal(value, same));
    json_decref(same);
}

static void check_line(const char *text, size_t len, const char *const texts[TEXTS], uint64_t n)
{
    json_t *line = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    bool cut = json_is_true(json_object_get(line, "cut"));

    check(json_is_object(line) && memchr(text, '\n', len) == text + len - 1);
    check_text(line, "msg", texts[0]);
    check_text(line, "server", texts[1]);
    check_text(line, "err", texts[2]);
    const json_t *i = json_object_get(line, "i"), *u = json_object_get(line, "u");
    check(i == NULL || (json_is_integer(i) && json_integer_value(i) == (int64_t)n));
    check(u == NULL || (n <= INT64_MAX ? json_is_integer(u) : json_is_string(u)));
    check(cut || (i != NULL && u != NULL));
    /* the last one: a field of a name that is its value, and what is no field */
    check(cut || json_object_size(line) == 10 + (json_object_get(line, "suppressed") != NULL));
    json_decref(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *texts[TEXTS] = {"", "", "", ""};
    uint64_t n;
    char out[LINE_MAX_SIZE];

    if (size < 10)
        return 0;
    char *copy = malloc(size + 1);
    check(copy != NULL);
    memcpy(copy, data, size);
    copy[size] = '\0';
    memcpy(&n, copy + 2, sizeof n);
    size_t room =
        LOG_JSON_LEAST + ((size_t)data[0] << 8 | data[1]) % (LINE_MAX_SIZE - LOG_JSON_LEAST + 1);
    const char *at = copy + 10;
    for (size_t i = 0; i < TEXTS && at < copy + size; at += strlen(at) + 1)
        texts[i++] = at;
    const struct log_json_head head = {.second = "2026-11-22T10:00:00",
                                       .level = "warn",
                                       .daemon = "comet",
                                       .event = texts[0],
                                       .suppressed = data[0]};
    size_t len = write_line(out, room, &head,
                            "server=%s err=\"%s\" i=%" PRId64 " u=%" PRIu64 " x%s=%d; see %s",
                            texts[1], texts[2], (int64_t)n, n, texts[3], 1, texts[3]);
    check(len > 0 && len <= room);
    check_line(out, len, texts, n);
    free(copy);
    return 0;
}

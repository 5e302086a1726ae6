#include "common/protocol/json_text.h"
#include "common/base/base64.h"
#include "common/base/mem.h"
#include "common/protocol/json_scan.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
    SIZE_FIRST = 1024, /* an event without a body */
    PUT_FIRST = 128,   /* room for most of what is formatted at once */
};

static char *room_for(struct json_text *text, size_t more)
{
    if (text->data == NULL || text->size - text->len < more) {
        size_t size = 2 * (text->len + more);
        text->size = size > SIZE_FIRST ? size : SIZE_FIRST;
        text->data = mem_wiped_realloc(text->data, text->len, text->size);
    }
    return text->data + text->len;
}

void json_text_raw(struct json_text *text, const void *bytes, size_t len)
{
    char *out = room_for(text, len);

    if (len > 0)
        memcpy(out, bytes, len);
    text->len += len;
}

void json_text_put(struct json_text *text, const char *format, ...)
{
    va_list args, again;

    va_start(args, format);
    va_copy(again, args);
    char *out = room_for(text, PUT_FIRST);
    size_t room = text->size - text->len, len = (size_t)vsnprintf(out, room, format, args);
    if (len >= room)
        (void)vsnprintf(room_for(text, len + 1), len + 1, format, again);
    text->len += len;
    va_end(again);
    va_end(args);
}

void json_text_string(struct json_text *text, const void *bytes, size_t len)
{
    size_t most = 6 * len + 2;

    text->len += json_write_string(bytes, len, (uint8_t *)room_for(text, most), most);
}

void json_text_base64(struct json_text *text, const void *bytes, size_t len)
{
    text->len += base64_encode(bytes, len, room_for(text, base64_size(len)));
}

void json_text_member(struct json_text *text, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return;
    json_text_put(text, ",\"%s\":", name);
    json_text_string(text, value, strlen(value));
}

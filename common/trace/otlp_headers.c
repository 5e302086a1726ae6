#include "common/trace/otlp_headers.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/config/config.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct lines {
    char *text; /* has room for all: an item never becomes longer by more than ": " and CR LF */
    size_t len, n;
    const char *wrong; /* NULL: all are fine so far */
    char name[48];     /* of the item that is wrong, if it is fine itself */
};

/* RFC 9110, 5.6.2 */
static bool is_token(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~' || strchr("\"(),/:;<=>?@[\\]{}", text[i]) != NULL)
            return false;
    }
    return len > 0;
}

/* Those with which a request says what it is. */
static bool is_ours(const char *name, size_t len)
{
    static const char *const ours[] = {"host",
                                       "connection",
                                       "content-type",
                                       "content-length",
                                       "transfer-encoding",
                                       "content-encoding",
                                       "expect",
                                       "upgrade"};

    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (strlen(ours[i]) == len && strncasecmp(ours[i], name, len) == 0)
            return true;
    }
    return false;
}

/* Adds VALUE with its escapes decoded. False: it has what no header may have. */
static bool add_value(struct lines *lines, const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = (uint8_t)value[i];
        if (byte == '%') {
            if (len - i < 3 || !text_from_hex(value + i + 1, &byte, 1))
                return false;
            i += 2;
        }
        if (byte < ' ' || byte > '~')
            return false;
        lines->text[lines->len++] = (char)byte;
    }
    return len > 0;
}

static const char *add_line(struct lines *lines, const char *item, size_t len)
{
    const char *equals = memchr(item, '=', len);
    size_t name = equals != NULL ? (size_t)(equals - item) : 0;

    if (!is_token(item, name))
        return "want name=value";
    (void)snprintf(lines->name, sizeof lines->name, "%.*s", (int)name, item);
    if (is_ours(item, name))
        return "is set by imc itself";
    memcpy(lines->text + lines->len, item, name);
    memcpy(lines->text + lines->len + name, ": ", 2);
    lines->len += name + 2;
    if (!add_value(lines, equals + 1, len - name - 1))
        return "its value: want printable ASCII, a percent sign as %25 and a comma as %2C";
    memcpy(lines->text + lines->len, "\r\n", 2);
    lines->len += 2;
    return NULL;
}

static void add_item(const char *item, size_t len, void *arg)
{
    struct lines *lines = arg;

    if (lines->wrong != NULL)
        return;
    lines->name[0] = '\0';
    lines->wrong = lines->n++ < OTLP_HEADERS_MOST ? add_line(lines, item, len) : "too many";
}

char *otlp_headers_make(const char *list, char *err, size_t errlen)
{
    struct lines lines = {.text = mem_zalloc(strlen(list) + (size_t)OTLP_HEADERS_MOST * 4 + 1)};

    config_list_each(list, add_item, &lines);
    lines.text[lines.len] = '\0';
    if (lines.wrong == NULL)
        return lines.text;
    (void)snprintf(err, errlen, "trace.otlp_headers: item %zu%s%s%s: %s", lines.n,
                   lines.name[0] != '\0' ? " (" : "", lines.name, lines.name[0] != '\0' ? ")" : "",
                   lines.wrong);
    mem_wiped_free_text(lines.text);
    return NULL;
}

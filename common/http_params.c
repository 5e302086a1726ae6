#include "common/http_internal.h"
#include <ctype.h>
#include <string.h>

static int hex(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

bool http_decode(char *text, bool plus)
{
    char *out = text;
    bool good = true;
    for (; *text != '\0'; text++) {
        bool escape =
            *text == '%' && isxdigit((unsigned char)text[1]) && isxdigit((unsigned char)text[2]);
        int value = escape ? hex(text[1]) * 16 + hex(text[2]) : 0;
        good = good && (*text != '%' || value != 0);
        if (escape && value != 0) {
            *out++ = (char)value;
            text += 2;
        } else {
            *out = *text;
            if (plus && *out == '+')
                *out = ' ';
            out++;
        }
    }
    *out = '\0';
    return good;
}

void http_params_add(struct http_params *params, struct arena *arena, const char *name,
                     const char *value)
{
    if (params->n == params->size) {
        size_t size = params->size == 0 ? 8 : params->size * 2;
        struct http_param *items = arena_alloc(arena, size * sizeof(*items));
        if (params->n > 0)
            memcpy(items, params->items, params->n * sizeof(*items));
        params->items = items;
        params->size = size;
    }
    params->items[params->n++] = (struct http_param){name, value};
}

void http_params_parse(struct http_params *params, struct arena *arena, const char *text,
                       size_t len)
{
    char *copy = arena_alloc(arena, len + 1), *next;
    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    for (char *pair = copy; pair != NULL; pair = next) {
        next = strchr(pair, '&');
        if (next != NULL)
            *next++ = '\0';
        char *value = strchr(pair, '=');
        if (value != NULL)
            *value++ = '\0';
        else
            value = pair + strlen(pair);
        /* A lone percent sign is taken as it stands. */
        http_decode(pair, true);
        if (value[0] != '\0')
            http_decode(value, true);
        if (pair[0] != '\0')
            http_params_add(params, arena, pair, value);
    }
}

const char *http_params_get(const struct http_params *params, const char *name, size_t index)
{
    for (size_t i = 0; i < params->n; i++) {
        if (strcmp(params->items[i].name, name) == 0 && index-- == 0)
            return params->items[i].value;
    }
    return NULL;
}

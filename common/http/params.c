#include "common/http/head.h"
#include "common/http/internal.h"
#include <ctype.h>
#include <string.h>

static int hex(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

bool http_decode(struct http_slice *slice, bool plus)
{
    uint8_t *out = (uint8_t *)slice->text;
    const char *end = slice->text + slice->len;
    bool good = true;
    for (const char *at = slice->text; at < end; at++) {
        bool escape = *at == '%' && end - at > 2 && isxdigit((unsigned char)at[1]) &&
                      isxdigit((unsigned char)at[2]);
        good = good && (*at != '%' || escape);
        if (escape) {
            *out++ = (uint8_t)(hex(at[1]) * 16 + hex(at[2]));
            at += 2;
        } else {
            *out++ = plus && *at == '+' ? ' ' : (uint8_t)*at;
        }
    }
    slice->len = (size_t)(out - (uint8_t *)slice->text);
    *out = '\0';
    return good;
}

bool http_is_text(const struct http_slice *slice)
{
    return !http_has_control(slice->text, slice->len);
}

/* Reads "a=1", from TEXT to END. A percent sign without two hexadecimal digits stays as it is.
 * False: there is a control byte. */
static bool read_pair(char *text, char *end, struct http_param *param)
{
    char *equals = memchr(text, '=', (size_t)(end - text));
    char *name_end = equals != NULL ? equals : end, *value = equals != NULL ? equals + 1 : end;
    param->name = (struct http_slice){text, (size_t)(name_end - text)};
    param->value = (struct http_slice){value, (size_t)(end - value)};
    (void)http_decode(&param->value, true);
    (void)http_decode(&param->name, true);
    return http_is_text(&param->name) && http_is_text(&param->value);
}

static size_t count_pairs(const struct http_slice *text)
{
    size_t n = text->len > 0;
    for (size_t i = 0; i < text->len; i++)
        n += text->text[i] == '&';
    return n;
}

bool http_params_parse(struct http_params *params, struct arena *arena, struct http_slice text)
{
    size_t pairs = count_pairs(&text);
    *params = (struct http_params){0};
    if (pairs == 0 || pairs > HTTP_MAX_PARAMS)
        return pairs == 0;
    char *at = text.text, *end = text.text + text.len;
    params->items = params->few;
    if (pairs > HTTP_PARAMS_FEW)
        params->items = arena_alloc(arena, pairs * sizeof(*params->items));
    while (at < end) {
        char *next = memchr(at, '&', (size_t)(end - at));
        if (!read_pair(at, next != NULL ? next : end, &params->items[params->n])) {
            params->n = 0;
            return false;
        }
        params->n += params->items[params->n].name.len > 0;
        at = next != NULL ? next + 1 : end;
    }
    return true;
}

const char *http_params_get(const struct http_params *params, const char *name, size_t index)
{
    for (size_t i = 0; i < params->n; i++) {
        if (strcmp(params->items[i].name.text, name) == 0 && index-- == 0)
            return params->items[i].value.text;
    }
    return NULL;
}

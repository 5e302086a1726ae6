#include "logic/events/fact_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ID_BYTES = 8 };

/* The letters of fact.lua. */
static const struct {
    char letter;
    enum event_type type;
    const char *why;
} kinds[] = {
    {'s', EVENT_STORED, ""},     {'d', EVENT_DELIVERED, ""},    {'a', EVENT_ACKNOWLEDGED, ""},
    {'e', EVENT_EXPIRED, "ttl"}, {'t', EVENT_EXPIRED, "limit"}, {'r', EVENT_EXPIRED, "replaced"},
};

static bool kind_read(char letter, struct fact_text *fact)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].letter == letter) {
            fact->type = kinds[i].type;
            fact->why = kinds[i].why;
            return true;
        }
    }
    return false;
}

/* A number, of which a space is the end. NULL: it is none. Else what is behind that. */
static const char *number_read(const char *at, bool negative, int64_t *out)
{
    const char *digits = at + (negative && *at == '-');
    char *end;

    errno = 0;
    *out = strtoll(at, &end, 10);
    return *digits >= '0' && *digits <= '9' && errno == 0 && *end == ' ' ? end + 1 : NULL;
}

bool fact_text_read(const char *text, size_t len, struct fact_text *out)
{
    struct fact_text fact = {0};
    int64_t at_ms;

    if (len < 1 + ID_BYTES || !kind_read(text[0], &fact))
        return false;
    for (int i = 1; i <= ID_BYTES; i++)
        fact.message = fact.message << 8 | (uint8_t)text[i];
    const char *at = number_read(text + 1 + ID_BYTES, true, &fact.uid);
    if (at == NULL || (at = number_read(at, false, &at_ms)) == NULL ||
        at + strlen(at) != text + len)
        return false;
    fact.at_ms = (uint64_t)at_ms;
    fact.session = at;
    *out = fact;
    return true;
}

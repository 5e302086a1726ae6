#include "logic/mailbox/receivers.h"
#include "common/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t receivers_token(const char *comet, uint64_t handle, char out[RECEIVERS_TOKEN_MAX])
{
    size_t n = strnlen(comet, RECEIVERS_COMET_MAX + 1), at = 0;

    out[0] = '\0';
    if (handle == 0 || n == 0 || n > RECEIVERS_COMET_MAX)
        return 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char byte = (unsigned char)comet[i];
        if (byte > ' ' && byte < 0x7f && byte != '%')
            out[at++] = (char)byte;
        else
            at += (size_t)snprintf(out + at, RECEIVERS_TOKEN_MAX - at, "%%%02X", byte);
    }
    at += (size_t)snprintf(out + at, RECEIVERS_TOKEN_MAX - at, "/%" PRIx64, handle);
    return at;
}

const char *receivers_next(const char **at, const char *end, size_t *len)
{
    const char *token = *at;

    while (token < end && *token == ' ')
        token++;
    const char *behind = token;
    while (behind < end && *behind != ' ')
        behind++;
    *at = behind;
    *len = (size_t)(behind - token);
    return *len == 0 ? NULL : token;
}

bool receivers_has(const char *list, size_t list_len, const char *token, size_t len)
{
    const char *at = list, *one;
    size_t n;

    while ((one = receivers_next(&at, list + list_len, &n)) != NULL) {
        if (n == len && memcmp(one, token, n) == 0)
            return true;
    }
    return false;
}

void receivers_add(struct receivers *owed, const char *token, size_t len)
{
    if (owed->text != NULL && (len == 0 || receivers_has(owed->text, owed->len, token, len)))
        return;
    owed->text = mem_realloc(owed->text, owed->len + len + 2);
    if (owed->len > 0)
        owed->text[owed->len++] = ' ';
    memcpy(owed->text + owed->len, token, len);
    owed->len += len;
    owed->text[owed->len] = '\0';
}

void receivers_free(struct receivers *owed)
{
    free(owed->text);
    *owed = (struct receivers){0};
}

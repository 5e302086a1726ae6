#include "logic/mailbox/receivers.h"
#include "common/base/mem.h"
#include "common/protocol/goim_key.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Writes N bytes of NAME to OUT, which has room for three times as many and a NUL. Returns how many
 * it has written. */
static size_t name_write(const char *name, size_t n, char *out)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        unsigned char byte = (unsigned char)name[i];
        if (byte > ' ' && byte < 0x7f && byte != '%')
            out[at++] = (char)byte;
        else
            at += (size_t)snprintf(out + at, 4, "%%%02X", byte);
    }
    out[at] = '\0';
    return at;
}

size_t receivers_token(const char *comet, uint64_t handle, char out[RECEIVERS_TOKEN_MAX])
{
    size_t n = strnlen(comet, RECEIVERS_COMET_MAX + 1), at;

    out[0] = '\0';
    if (handle == 0 || n == 0 || n > RECEIVERS_COMET_MAX)
        return 0;
    at = name_write(comet, n, out);
    at += (size_t)snprintf(out + at, RECEIVERS_TOKEN_MAX - at, "/%" PRIx64, handle);
    return at;
}

size_t receivers_device(const char *key, char out[RECEIVERS_DEVICE_MAX])
{
    size_t n = strnlen(key, RECEIVERS_KEY_MAX + 1);

    out[0] = '\0';
    if (n == 0 || n > RECEIVERS_KEY_MAX || goim_key_is_made(key, NULL))
        return 0;
    out[0] = '/';
    return 1 + name_write(key, n, out + 1);
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

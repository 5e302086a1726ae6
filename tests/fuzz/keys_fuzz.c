/* A file of API keys. What is taken has names and scopes that may be, no digest twice, and can be
 * written down and read again; a refusal names the file and quotes nothing of it. */
#include "common/auth/keys.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t write_key(const struct key *key, char *out, size_t len)
{
    static const enum key_scope scopes[] = {KEY_PUSH, KEY_READ, KEY_ADMIN};
    size_t used = (size_t)snprintf(out, len, "%s ", key->name);
    const char *between = "";

    for (size_t i = 0; i < 3; i++) {
        if ((key->scopes & scopes[i]) == 0)
            continue;
        used +=
            (size_t)snprintf(out + used, len - used, "%s%s", between, key_scope_name(scopes[i]));
        between = ",";
    }
    used += (size_t)snprintf(out + used, len - used, " sha256:");
    for (size_t i = 0; i < KEY_DIGEST_LEN; i++)
        used += (size_t)snprintf(out + used, len - used, "%02x", key->digest[i]);
    return used + (size_t)snprintf(out + used, len - used, "\n");
}

static void check_again(const struct keys *keys)
{
    size_t n = keys_count(keys), room = n * 256, used = 0;
    char *text = malloc(room), err[KEYS_ERROR_MAX];
    struct keys *again = keys_new();

    for (size_t i = 0; i < n; i++) {
        const struct key *key = keys_at(keys, i);
        assert(key_name_is_fine(key->name, strlen(key->name)));
        assert(key->scopes != 0 && (key->scopes & ~7u) == 0);
        used += write_key(key, text + used, room - used);
    }
    assert(keys_parse(again, "again", text, used, err, sizeof(err)) == 0);
    assert(keys_count(again) == n);
    for (size_t i = 0; i < n; i++)
        assert(memcmp(keys_at(again, i), keys_at(keys, i), sizeof(struct key)) == 0);
    keys_free(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct keys *keys = keys_new();
    char err[KEYS_ERROR_MAX] = "";

    if (keys_parse(keys, "file", (const char *)data, size, err, sizeof(err)) == 0)
        check_again(keys);
    else
        assert(strncmp(err, "file:", 5) == 0 && strchr(err, '\n') == NULL);
    keys_free(keys);
    return 0;
}

#include "common/auth/new_key.h"
#include "common/auth/keys.h"
#include "common/base/random.h"

#include <errno.h>
#include <string.h>

void new_key_make(char key[NEW_KEY_MAX])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    static const char prefix[] = "imc_";
    uint8_t bytes[NEW_KEY_BYTES];
    char *at = mempcpy(key, prefix, sizeof(prefix) - 1);
    unsigned bits = 0, have = 0;

    random_wait(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bits = bits << 8 | bytes[i];
        for (have += 8; have >= 6; have -= 6)
            *at++ = digits[bits >> (have - 6) & 63];
    }
    *at++ = digits[bits << (6 - have) & 63]; /* 32 bytes end within a digit */
    *at = '\0';
    explicit_bzero(bytes, sizeof(bytes));
}

int new_key_print(const char *name, const char *scopes, FILE *out)
{
    char key[NEW_KEY_MAX];
    uint8_t digest[KEY_DIGEST_LEN];

    if (!key_name_is_fine(name, strlen(name))) {
        fprintf(stderr, "--new-key NAME: want 1 to %d letters, digits, dots, - and _\n",
                KEY_NAME_MAX - 1);
        return -EINVAL;
    }
    if (key_scopes_parse(scopes, strlen(scopes)) == 0) {
        fprintf(stderr, "--new-key NAME SCOPES: want some of push, read and admin, with commas\n");
        return -EINVAL;
    }
    new_key_make(key);
    key_digest(key, strlen(key), digest);
    fprintf(out, "%s\n%s %s sha256:", key, name, scopes);
    for (size_t i = 0; i < sizeof(digest); i++)
        fprintf(out, "%02x", digest[i]);
    fputc('\n', out);
    explicit_bzero(key, sizeof(key));
    return 0;
}

#include "common/protocol/goim_key.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void goim_key_make(int64_t uid, const char *random, char out[GOIM_KEY_MADE_MAX + 1])
{
    (void)snprintf(out, GOIM_KEY_MADE_MAX + 1, "~%" PRId64 "~%.*s", uid, GOIM_KEY_RANDOM, random);
}

bool goim_key_is_made(const char *key, int64_t *uid)
{
    char again[GOIM_KEY_MADE_MAX + 1], *end;

    if (key[0] != '~')
        return false;
    long long number = strtoll(key + 1, &end, 10);
    if (*end != '~' || strlen(end + 1) != GOIM_KEY_RANDOM ||
        strspn(end + 1, "0123456789abcdef") != GOIM_KEY_RANDOM)
        return false;
    /* "+1", "01" and what is out of range are read as numbers, too. */
    (void)snprintf(again, sizeof again, "~%lld%s", number, end);
    if (strcmp(key, again) != 0)
        return false;
    if (uid != NULL)
        *uid = number;
    return true;
}

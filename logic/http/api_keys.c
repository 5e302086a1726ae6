#include "logic/http/api_keys.h"
#include "common/base/mem.h"
#include "common/config/config.h"
#include "common/http/http.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Only digests of keys are kept and compared. So all have the same length, and no key is in
 * memory. */
struct api_keys {
    size_t n;
    uint8_t (*digests)[SHA256_DIGEST_LENGTH];
};

static void add_key(const char *item, size_t len, void *arg)
{
    struct api_keys *keys = arg;

    keys->digests = mem_realloc(keys->digests, (keys->n + 1) * sizeof *keys->digests);
    SHA256((const uint8_t *)item, len, keys->digests[keys->n++]);
}

struct api_keys *api_keys_open(const char *list)
{
    struct api_keys *keys = mem_zalloc(sizeof *keys);

    config_list_each(list, add_key, keys);
    if (keys->n > 0)
        return keys;
    free(keys);
    return NULL;
}

void api_keys_close(struct api_keys *keys)
{
    if (keys == NULL)
        return;
    free(keys->digests);
    free(keys);
}

/* Does PRESENTED match a key? The time depends only on its length, not on whether it is right. */
static bool api_keys_match(const struct api_keys *keys, const char *presented)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    unsigned found = 0;

    SHA256((const uint8_t *)presented, strlen(presented), digest);
    for (size_t i = 0; i < keys->n; i++)
        found |= CRYPTO_memcmp(digest, keys->digests[i], sizeof digest) == 0;
    return found != 0;
}

/* The key in the value of an Authorization header: "Bearer KEY", "Bearer" in any case. NULL:
 * another scheme. */
static const char *api_bearer(const char *authorization)
{
    enum { SCHEME = sizeof "Bearer" - 1 };

    if (strncasecmp(authorization, "Bearer", SCHEME) != 0 || authorization[SCHEME] != ' ')
        return NULL;
    return authorization + SCHEME + strspn(authorization + SCHEME, " ");
}

const char *api_keys_refusal(const struct api_keys *keys, const struct http_request *request)
{
    const char *authorization = http_header(request, "authorization");
    const char *key = authorization != NULL ? api_bearer(authorization) : NULL;

    if (key == NULL)
        key = http_header(request, "x-api-key");
    if (key == NULL)
        return "key missing: send Authorization: Bearer KEY, or X-API-Key: KEY";
    return api_keys_match(keys, key) ? NULL : "wrong key";
}

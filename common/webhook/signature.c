#include "common/webhook/signature.h"
#include "common/base/base64.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
    SHA256_BYTES = 32,
    ID_BYTES = 16,
    DECODED_MOST = WEBHOOK_KEY_MOST + 8, /* what is longer is not decoded */
};

struct webhook_keys {
    size_t n;
    struct webhook_key {
        uint8_t bytes[WEBHOOK_KEY_MOST];
        size_t len;
    } list[WEBHOOK_KEYS_MOST];
};

/* --- the file --- */

/* TEXT is LEN bytes: "whsec_" and base64. */
static bool read_key(const char *text, size_t len, struct webhook_key *key)
{
    static const char prefix[] = "whsec_";
    char copy[DECODED_MOST / 3 * 4 + 1];
    uint8_t bytes[DECODED_MOST];
    ssize_t n = -1;

    if (len < sizeof prefix - 1 || memcmp(text, prefix, sizeof prefix - 1) != 0)
        return false;
    text += sizeof prefix - 1;
    len -= sizeof prefix - 1;
    if (len < sizeof copy) {
        memcpy(copy, text, len);
        copy[len] = '\0';
        n = base64_decode(copy, len, bytes);
        explicit_bzero(copy, sizeof copy);
    }
    bool good = n >= WEBHOOK_KEY_LEAST && n <= WEBHOOK_KEY_MOST;
    if (good) {
        memcpy(key->bytes, bytes, (size_t)n);
        key->len = (size_t)n;
    }
    explicit_bzero(bytes, sizeof bytes);
    return good;
}

/* Without blanks around it. */
static void trim(const char **text, size_t *len)
{
    while (*len > 0 && strchr(" \t\r", **text) != NULL) {
        ++*text;
        --*len;
    }
    while (*len > 0 && strchr(" \t\r", (*text)[*len - 1]) != NULL)
        --*len;
}

/* NULL, or why not. */
static const char *read_line(struct webhook_keys *keys, const char *text, size_t len)
{
    trim(&text, &len);
    if (len == 0 || *text == '#')
        return NULL;
    if (keys->n == WEBHOOK_KEYS_MOST)
        return "it has more than two keys";
    if (!read_key(text, len, &keys->list[keys->n]))
        return "a line is not whsec_ and the base64 of 24 to 64 bytes";
    keys->n++;
    return NULL;
}

static const char *read_lines(struct webhook_keys *keys, const char *text, size_t len)
{
    const char *why = NULL, *end = text + len;

    while (why == NULL && text < end) {
        const char *eol = memchr(text, '\n', (size_t)(end - text));
        size_t n = eol != NULL ? (size_t)(eol - text) : (size_t)(end - text);
        why = memchr(text, '\0', n) != NULL ? "it is not text" : read_line(keys, text, n);
        text += n + 1;
    }
    return why == NULL && keys->n == 0 ? "it has no key" : why;
}

int webhook_keys_read(const char *path, struct webhook_keys **out, char *err, size_t errlen)
{
    struct webhook_keys *keys = mem_zalloc(sizeof *keys);
    char *text;
    ssize_t len = file_read(path, WEBHOOK_KEYS_FILE_MAX, &text);
    const char *why = len >= 0        ? read_lines(keys, text, (size_t)len)
                      : len == -EFBIG ? "it is too long for a file of keys"
                                      : strerrordesc_np((int)-len);

    mem_wiped_free(text, len > 0 ? (size_t)len : 0);
    if (why == NULL) {
        *out = keys;
        return 0;
    }
    webhook_keys_free(keys);
    (void)snprintf(err, errlen, "%s: %s", path, why);
    return len < 0 ? (int)len : -EINVAL;
}

void webhook_keys_free(struct webhook_keys *keys)
{
    mem_wiped_free(keys, keys != NULL ? sizeof *keys : 0);
}

/* --- what is sent with a body --- */

void webhook_id(const void *body, size_t len, char out[WEBHOOK_ID_MAX])
{
    uint8_t digest[EVP_MAX_MD_SIZE] = {0};

    (void)EVP_Digest(body, len, digest, NULL, EVP_sha256(), NULL);
    (void)snprintf(out, sizeof "msg_", "msg_");
    text_to_hex(digest, ID_BYTES, out + 4);
}

static bool hmac(EVP_MAC_CTX *ctx, const struct webhook_key *key, const char *head,
                 const void *body, size_t len, uint8_t out[SHA256_BYTES])
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    size_t n = 0;

    return EVP_MAC_init(ctx, key->bytes, key->len, params) == 1 &&
           EVP_MAC_update(ctx, (const uint8_t *)head, strlen(head)) == 1 &&
           EVP_MAC_update(ctx, body, len) == 1 && EVP_MAC_final(ctx, out, &n, SHA256_BYTES) == 1 &&
           n == SHA256_BYTES;
}

int webhook_sign(const struct webhook_keys *keys, const char *id, int64_t unix_s, const void *body,
                 size_t len, char out[WEBHOOK_SIGNATURE_MAX])
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
    bool good = ctx != NULL;
    char head[WEBHOOK_ID_MAX + 24];
    uint8_t digest[SHA256_BYTES];
    char *at = out;

    (void)snprintf(head, sizeof head, "%s.%" PRId64 ".", id, unix_s);
    for (size_t i = 0; good && i < keys->n; i++) {
        good = hmac(ctx, &keys->list[i], head, body, len, digest);
        if (i > 0)
            *at++ = ' ';
        at += snprintf(at, sizeof "v1,", "v1,");
        at += base64_encode(digest, sizeof digest, at);
    }
    *at = '\0';
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    return good ? 0 : -EIO;
}

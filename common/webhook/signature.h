/* signature.h - the keys by which we sign what we post, and the signature.
 *
 * Source of the form: Standard Webhooks (standardwebhooks.com), symmetric signatures "v1": base64
 * of HMAC-SHA256 over "ID.TIMESTAMP.BODY". A key is written "whsec_" and base64. Any thread. */
#ifndef IMC_COMMON_WEBHOOK_SIGNATURE_H
#define IMC_COMMON_WEBHOOK_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

enum {
    WEBHOOK_KEYS_MOST = 2, /* the other one while they are changed */
    WEBHOOK_KEY_LEAST = 24,
    WEBHOOK_KEY_MOST = 64, /* bytes: what Standard Webhooks asks for */
    WEBHOOK_KEYS_FILE_MAX = 4096,
    WEBHOOK_ID_MAX = 40,
    WEBHOOK_SIGNATURE_MAX = WEBHOOK_KEYS_MOST * 48 + 1,
};

struct webhook_keys;

/* Reads the file PATH: a key on a line, one or two of them; empty lines and lines that begin with #
 * do not count. 0; or -E…, and ERR says what is wrong, without anything of the file. Blocks. */
int webhook_keys_read(const char *path, struct webhook_keys **out, char *err, size_t errlen);
void webhook_keys_free(struct webhook_keys *keys); /* overwrites them; NULL is fine */
/* The id of BODY, "msg_…": the same for the same bytes, so it is the same when they are sent
 * again. */
void webhook_id(const void *body, size_t len, char out[WEBHOOK_ID_MAX]);
/* "v1,… v1,…": a signature by each key. 0, or -EIO: OpenSSL failed. */
int webhook_sign(const struct webhook_keys *keys, const char *id, int64_t unix_s, const void *body,
                 size_t len, char out[WEBHOOK_SIGNATURE_MAX]);

#endif

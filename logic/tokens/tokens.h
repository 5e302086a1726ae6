/* tokens.h - who a token stands for: which uid, room and operations. A JSON Web Token says so
 * itself, and is verified (jwt/verifier.h) where keys for that are configured. Of all others
 * imc:token:TOKEN in Redis says so. Main loop only, except the encoding (pure).
 *
 * A uid has one token, which is in imc:ut:UID. A new token revokes the older one. */
#ifndef IMC_LOGIC_TOKENS_TOKENS_H
#define IMC_LOGIC_TOKENS_TOKENS_H

#include "common/protocol/name.h"
#include "logic/base/logic.h"
#include <string.h>
#include <sys/types.h>

enum {
    TOKEN_MAX = 512,
    TOKEN_ROOM_MAX = ROOM_NAME_MAX,
    TOKEN_ROOMS_MAX = 1024, /* 1,000 connects have one reply */
    TOKEN_ACCEPTS_MAX = 4096,
};

enum { TOKEN_HASH = 16 }; /* bytes of SHA-256 that are kept */

/* Which token it was, for revoked.h. */
struct token_identity {
    bool jwt; /* a JSON Web Token; the rest but found_ms is of those only */
    bool has_id;
    uint8_t token[TOKEN_HASH], id[TOKEN_HASH]; /* hashes of the token, and of its jti */
    int64_t issued_s;                          /* iat; INT64_MIN: it does not say */
    uint64_t found_ms;                         /* by logic_now_ms() */
};
/* A hash as comets know it, never 0. */
static inline uint64_t token_number(const uint8_t hash[TOKEN_HASH])
{
    uint64_t number;

    memcpy(&number, hash, sizeof number);
    return number != 0 ? number : 1;
}
/* The hash of a token or an id. */
void token_hash(const void *text, size_t len, uint8_t out[TOKEN_HASH]);

struct token_value {
    int64_t uid;
    const char *room; /* main room; empty: none. Borrowed */
    size_t room_len;
    const char *rooms; /* beside the main one, separated by commas; empty: none. Borrowed */
    size_t rooms_len;
    const char *accepts; /* operations, separated by commas; "*": all. Borrowed */
    size_t accepts_len;
    /* Of a JSON Web Token only; not in Redis. */
    const char *key;  /* the device's, of goim's clients; NULL or empty: it names none. Borrowed */
    uint64_t ends_ms; /* Unix time; 0: never, or Redis drops it */
    /* Of what tokens_find() found. */
    struct token_identity identity;
};

/* The value of a token's key: "1 UID ACCEPTS ROOM", and if there are rooms beside the main one, a
 * line feed and these. token_encode() returns the bytes written; OUTLEN has to be at least
 * token_value_size(). */
size_t token_value_size(const struct token_value *value);
size_t token_encode(const struct token_value *value, char *out, size_t outlen);
/* 0 or -EBADMSG. VALUE borrows from TEXT. */
int token_decode(const char *text, size_t len, struct token_value *value);

struct token_ref {
    const void *data;
    size_t len;
};
/* Called once per token. INDEX is its place in REFS. ERR is 0, and VALUE set; or WHY says for the
 * client why not: -ENOENT, the token is not good; -EAGAIN, Redis did not answer; -EBUSY, too many
 * tokens are being verified. Both are valid during the call. */
typedef void (*token_fn)(void *arg, size_t index, int err, const struct token_value *value,
                         const char *why);
/* Looks up N tokens, by one MGET per shard, or verifies them. REFS are copied. FN never runs before
 * this returns. */
void tokens_find(struct logic *logic, const struct token_ref *refs, size_t n, token_fn fn,
                 void *arg);

enum { TOKEN_RANDOM = 16 }; /* bytes */
/* Makes a token that nobody can guess: TOKEN_RANDOM bytes as hexadecimal digits. */
void token_make(char out[2 * TOKEN_RANDOM + 1]);
/* ERR is 0, or -EAGAIN if Redis did not answer: then the change may or may not have happened. Of
 * del also -ENOENT. */
typedef void (*token_done_fn)(void *arg, int err);
/* EXPIRE_MS 0: the token never expires. Everything is copied. */
void tokens_new(struct logic *logic, const char *token, const struct token_value *value,
                uint64_t expire_ms, token_done_fn fn, void *arg);
void tokens_del(struct logic *logic, const char *token, token_done_fn fn, void *arg);
void tokens_del_uid(struct logic *logic, int64_t uid, token_done_fn fn, void *arg);

#endif

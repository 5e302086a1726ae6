/* tokens.h - who a token stands for: imc:token:TOKEN in Redis → uid, room, accepts. Main loop only,
 * except the encoding (pure).
 *
 * A uid has one token: imc:ut:UID names it, and making another one takes the older back. */
#ifndef IMC_LOGIC_TOKENS_TOKENS_H
#define IMC_LOGIC_TOKENS_TOKENS_H

#include "logic/base/logic.h"
#include <sys/types.h>

enum { TOKEN_MAX = 512, TOKEN_ROOM_MAX = 128, TOKEN_ACCEPTS_MAX = 4096 };

struct token_value {
    int64_t uid;
    const char *room; /* main room, borrowed; empty = none */
    size_t room_len;
    const char *accepts; /* comma-separated operations, "*" = all; borrowed */
    size_t accepts_len;
};

/* "1 UID ACCEPTS ROOM"; the room is last and may contain anything but NUL. Bytes written; OUTLEN of
 * token_value_size() suffices. */
size_t token_value_size(const struct token_value *value);
size_t token_encode(const struct token_value *value, char *out, size_t outlen);
/* VALUE borrows from TEXT. 0 or -EBADMSG. */
int token_decode(const char *text, size_t len, struct token_value *value);

struct token_ref {
    const void *data;
    size_t len;
};
/* Once per token, INDEX into REFS: 0 and the value, -ENOENT, or -EAGAIN when Redis did not answer.
 * VALUE is borrowed. */
typedef void (*token_fn)(void *arg, size_t index, int err, const struct token_value *value);
/* REFS are copied. One MGET per shard; FN never runs before this returns. */
void tokens_find(struct logic *logic, const struct token_ref *refs, size_t n, token_fn fn,
                 void *arg);

/* 0 or -EAGAIN when Redis did not answer (then nothing is certain); del: -ENOENT. */
typedef void (*token_done_fn)(void *arg, int err);
/* EXPIRE_MS 0 = for ever. Everything is copied. */
void tokens_new(struct logic *logic, const char *token, const struct token_value *value,
                uint64_t expire_ms, token_done_fn fn, void *arg);
void tokens_del(struct logic *logic, const char *token, token_done_fn fn, void *arg);
void tokens_del_uid(struct logic *logic, int64_t uid, token_done_fn fn, void *arg);

#endif

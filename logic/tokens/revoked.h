/* revoked.h - what the business has taken back: tokens, and all of a user. Main loop only.
 *
 *   imc:revoked:UID    a hash; each value ends in UNTIL, Unix time in ms, when it is over
 *     u        UNTIL            nobody may be this user
 *     b        SECONDS:UNTIL    no JWT that was issued before SECONDS
 *     d        MS:UNTIL         opaque tokens were deleted at MS: one that was found before is none;
 *                               kept for revoked_judge()
 *     t:HASH   UNTIL            the JWT with this hash
 *     j:HASH   UNTIL            JWTs whose id (jti) has this hash
 *
 * Whoever revokes writes here first, and then asks the router for the user's sessions, to end them.
 * A connect asks the other way round: the router has its session before it looks here. So one of
 * the two always sees the other, and no session slips through. The same holds for a comet that
 * others took for dead and that registers its sessions again: the router has them before
 * revoked_judge() looks here. */
#ifndef IMC_LOGIC_TOKENS_REVOKED_H
#define IMC_LOGIC_TOKENS_REVOKED_H

#include "logic/tokens/tokens.h"

/* CODE is a close code: 0, nothing is revoked. WHY is for the client, and constant. */
typedef void (*revoked_fn)(void *arg, uint32_t code, const char *why);
/* May UID be let in by the token of IDENTITY (NULL: by none)? One HMGET. FN never runs before this
 * returns. */
void revoked_check(struct logic *logic, int64_t uid, const struct token_identity *identity,
                   revoked_fn fn, void *arg);

/* What is known of a session that was let in earlier. */
struct revoked_session {
    uint64_t token, id; /* token_number() of its JSON Web Token and of that's jti; 0: none */
    int64_t issued_s;   /* of that; 0: it does not say */
};
/* ERR is 0, and CODE a close code; or -EAGAIN: Redis did not answer. */
typedef void (*revoked_judged_fn)(void *arg, int err, uint32_t code, const char *why);
/* May the session stay? One HGETALL. One without a JWT, whose user had an opaque token revoked
 * within revoke.keep_opaque, is told to connect again (CLOSE_UNAVAILABLE), because nobody knows
 * which token it had. FN never runs before this returns. */
void revoked_judge(struct logic *logic, int64_t uid, const struct revoked_session *session,
                   revoked_judged_fn fn, void *arg);

enum revoked_kind {
    REVOKED_USER,   /* until UNTIL_MS */
    REVOKED_BEFORE, /* JWTs issued before BEFORE_S, and opaque tokens that exist */
    REVOKED_OPAQUE, /* opaque tokens that were deleted just now */
    REVOKED_TOKEN,
    REVOKED_ID,
};
struct revoked {
    enum revoked_kind kind;
    int64_t uid;
    uint64_t until_ms; /* Unix time */
    int64_t before_s;
    uint8_t hash[TOKEN_HASH]; /* of token or id */
};
/* ERR is 0; -EAGAIN: Redis did not answer; -E2BIG: so much is revoked of this user already
 * (revoke.per_uid). COUNT: of revoked_drop(), how many there were. */
typedef void (*revoked_done_fn)(void *arg, int err, int64_t count);
void revoked_add(struct logic *logic, const struct revoked *revoked, revoked_done_fn fn, void *arg);
/* Takes back REVOKED_USER and REVOKED_BEFORE (both at once), REVOKED_TOKEN or REVOKED_ID. */
void revoked_drop(struct logic *logic, const struct revoked *revoked, revoked_done_fn fn,
                  void *arg);

#endif

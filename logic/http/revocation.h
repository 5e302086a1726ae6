/* revocation.h - takes back a token, tokens or a user, or undoes that: what is revoked lets nobody
 * in, and its sessions end. Of whichever face. Main loop only.
 *
 *   whose token? ─► opaque: deleted ─► revoked_add ─► room_order: the sessions end
 *                                                        │ not all: again, until
 *               fn(sessions) ◄──────────────────────────┴─ revoke.timeout, then a refusal
 *
 * What is written is in force even if the end is a refusal. */
#ifndef IMC_LOGIC_HTTP_REVOCATION_H
#define IMC_LOGIC_HTTP_REVOCATION_H

#include "logic/http/routes.h"
#include "logic/peers/room_orders.h"
#include "logic/tokens/revoked.h"

enum { REVOKE_JTI_MAX = 256, REVOKE_TOKEN_MAX = 16384, REVOKE_UNTIL_MOST_S = 3660 * 86400 };

struct revocation {
    bool undo;
    const char *token;   /* that token; NULL: what WHAT says. Stays valid until FN */
    struct revoked what; /* by revocation_of_…() */
    struct session_close close;
};

/* REFUSAL is NULL if all went well. SESSIONS were ended. */
typedef void (*revocation_fn)(void *arg, const struct api_refusal *refusal, size_t sessions);
/* REVOCATION is copied. FN runs once, never before this returns. */
void revocation_begin(struct logic *logic, const struct revocation *revocation, revocation_fn fn,
                      void *arg);

/* All that was issued to UID up to now. */
struct revocation revocation_of_tokens(const struct logic *logic, int64_t uid);
/* TOKEN itself. */
struct revocation revocation_of_token(const struct logic *logic, const char *token);
/* JSON Web Tokens of UID with the id JTI. */
struct revocation revocation_of_id(const struct logic *logic, int64_t uid, const char *jti);
/* UID as a whole, for SECONDS. REASON is for the client; NULL: ours. */
struct revocation revocation_of_user(const struct logic *logic, int64_t uid, int64_t seconds,
                                     const char *reason);

#endif

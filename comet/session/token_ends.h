/* token_ends.h - ends sessions when their tokens expire. Owner loop only.
 *
 * Only a session whose token expires has something here: an entry of a map by its handle. The
 * others cost nothing. */
#ifndef IMC_COMET_SESSION_TOKEN_ENDS_H
#define IMC_COMET_SESSION_TOKEN_ENDS_H

#include <stdint.h>

struct conn;
struct worker;
struct token_ends;

struct token_ends *token_ends_open(struct worker *worker);
/* Call it when all sessions have ended. */
void token_ends_close(struct token_ends *ends);
/* The session's token is good for LIFETIME_MS from now: then the session ends with code 1. In place
 * of what was set before. */
void token_ends_set(struct conn *conn, uint64_t lifetime_ms);
/* The session ends, or its token expires no more. Only where conn->expires. */
void token_ends_forget(struct conn *conn);

#endif

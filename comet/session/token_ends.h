/* token_ends.h - which JSON Web Token a session was let in by, and ends the session when that
 * expires. Owner loop only.
 *
 * Only such a session has something here: an entry of a map by its handle. The others cost
 * nothing. */
#ifndef IMC_COMET_SESSION_TOKEN_ENDS_H
#define IMC_COMET_SESSION_TOKEN_ENDS_H

#include "comet/logic/logic_request.h"

#include <stdint.h>

struct conn;
struct worker;
struct token_ends;

struct token_ends *token_ends_open(struct worker *worker);
/* Call it when all sessions have ended. */
void token_ends_close(struct token_ends *ends);
/* The session's token is good for LIFETIME_MS from now (0: for ever): then the session ends with
 * code 1. In place of what was set before. A token without marks that does not expire leaves
 * nothing here. */
void token_ends_set(struct conn *conn, struct token_marks marks, uint64_t lifetime_ms);
struct token_marks token_ends_marks(const struct conn *conn);
/* The session ends. Only where conn->expires. */
void token_ends_forget(struct conn *conn);

#endif

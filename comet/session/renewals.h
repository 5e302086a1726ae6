/* renewals.h - a client sends another token in its open session, before the one that let it in
 * expires. Owner loop only.
 *
 *   auth (op 7) ─► renewals_take ─► Renew ══ logic ══► good: the session ends with the new token,
 *                      ▲                       │       auth reply (op 8)
 *                      │                       ├─────► refused: the session ends, with logic's code
 *                      └─ a second later ◄─────┴─ nobody can say now
 *
 * One token at a time, and not sooner than session.renew_interval after the one before: so a client
 * that sends nothing but auths costs logic no more than one token in that time. Meanwhile the
 * session goes on. If its old token expires before logic has answered, it ends with code 12, not 1:
 * its client has a good token, perhaps. */
#ifndef IMC_COMET_SESSION_RENEWALS_H
#define IMC_COMET_SESSION_RENEWALS_H

struct client_request;
struct conn;
struct renewals;
struct worker;

struct renewals *renewals_open(struct worker *worker);
/* Call it when all sessions have ended. */
void renewals_close(struct renewals *renewals);
/* An auth came in CONN_OPEN, with TOKEN's body, which is not empty and is copied. */
void renewals_take(struct conn *conn, const struct client_request *token);
/* The session ends. Only where conn->renews. */
void renewals_forget(struct conn *conn);

#endif

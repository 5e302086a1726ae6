/* receivers.h - to which of a user's sessions a message in the mailbox is owed: a list of tokens,
 * one per session, separated by blanks. Pure.
 *
 *   comet-1/1000001 comet-2/2000007
 *
 * A token is the comet's lease id and the session's handle. The comet's epoch is not part of it: a
 * comet that lost its lease for a while still has its sessions. Bytes of an id that are no visible
 * ASCII (or %) are written %XX, so whatever holds no '/' is no token: in Redis '+' stands among
 * them (confirm.c). */
#ifndef IMC_LOGIC_MAILBOX_RECEIVERS_H
#define IMC_LOGIC_MAILBOX_RECEIVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RECEIVERS_COMET_MAX = 63, RECEIVERS_TOKEN_MAX = 3 * RECEIVERS_COMET_MAX + 1 + 16 + 1 };

/* The token's length; 0, and "": HANDLE is 0 or COMET can be no lease's id. */
size_t receivers_token(const char *comet, uint64_t handle, char out[RECEIVERS_TOKEN_MAX]);

/* A list that grows; zeroed is empty. TEXT is never NULL after the first receivers_add(). */
struct receivers {
    char *text;
    size_t len;
};
/* Unless it is there. */
void receivers_add(struct receivers *owed, const char *token, size_t len);
void receivers_free(struct receivers *owed);
bool receivers_has(const char *list, size_t list_len, const char *token, size_t len);
/* The token at *AT or behind it and its length, *AT behind it; NULL at END. */
const char *receivers_next(const char **at, const char *end, size_t *len);

#endif

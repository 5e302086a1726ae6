/* receivers.h - the sessions, or devices, that a message in a mailbox is owed to: a list of tokens,
 * separated by spaces. Pure; any thread.
 *
 *   comet-1/1000001 comet-2/2000007         sessions
 *   /phone-1 /tablet                        devices
 *
 * The token of a session consists of the comet's lease id and the session's handle. It does not
 * have the comet's epoch, because a comet that lost its lease for a while still has its sessions.
 * The token of a device is its key. In ids and keys, '%' and bytes that are not visible ASCII are
 * written as %XX. Each token has a '/'. So the '+' that stands among tokens in Redis (confirm.c) is
 * not a token. */
#ifndef IMC_LOGIC_MAILBOX_RECEIVERS_H
#define IMC_LOGIC_MAILBOX_RECEIVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RECEIVERS_COMET_MAX = 63,
    RECEIVERS_TOKEN_MAX = 3 * RECEIVERS_COMET_MAX + 1 + 16 + 1,
    RECEIVERS_KEY_MAX = 128, /* DEVICE_KEY_MAX of logic/tokens/device_keys.h */
    RECEIVERS_DEVICE_MAX = 1 + 3 * RECEIVERS_KEY_MAX + 1,
};

/* Writes the token of a session and returns its length. 0 and "": HANDLE is 0, or COMET cannot be
 * the id of a lease. */
size_t receivers_token(const char *comet, uint64_t handle, char out[RECEIVERS_TOKEN_MAX]);

/* Writes the token of the device with KEY, and returns its length. 0 and "": KEY is "", was made up
 * for one connection (common/protocol/goim_key.h), or is longer than a key may be. */
size_t receivers_device(const char *key, char out[RECEIVERS_DEVICE_MAX]);

/* A list that grows; zeroed it is empty. TEXT is not NULL after the first receivers_add(). */
struct receivers {
    char *text;
    size_t len;
};
/* Adds TOKEN, unless the list has it. */
void receivers_add(struct receivers *owed, const char *token, size_t len);
void receivers_free(struct receivers *owed);
bool receivers_has(const char *list, size_t list_len, const char *token, size_t len);
/* The next token from *AT on, and its length. Moves *AT behind it. NULL: there is none before
 * END. */
const char *receivers_next(const char **at, const char *end, size_t *len);

#endif

/* goim_key.h - keys of goim v2's devices. A client names its own at auth, or logic makes one up:
 *
 *   ~1234~0123456789abcdef0123456789abcdef
 *
 * A key that was made up names its uid. So whoever is asked to push to it knows the user, and
 * nobody has to remember the keys of all who ever connected. The random part keeps it from being
 * guessed. Pure; any thread. */
#ifndef IMC_COMMON_PROTOCOL_GOIM_KEY_H
#define IMC_COMMON_PROTOCOL_GOIM_KEY_H

#include <stdbool.h>
#include <stdint.h>

enum {
    GOIM_KEY_RANDOM = 32,                             /* hexadecimal digits */
    GOIM_KEY_MADE_MAX = 1 + 20 + 1 + GOIM_KEY_RANDOM, /* bytes */
};

/* Makes up a key for a device of UID. RANDOM has GOIM_KEY_RANDOM digits. */
void goim_key_make(int64_t uid, const char *random, char out[GOIM_KEY_MADE_MAX + 1]);
/* Has KEY the form of one that was made up? Then *UID, unless UID is NULL, is its user. A uid has
 * one form only. */
bool goim_key_is_made(const char *key, int64_t *uid);

#endif

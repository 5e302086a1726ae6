/* mailbox_key.h - the name of a user's mailbox in Redis. logic keeps the mailbox there; job works
 * out from the name on which shard that is. Pure. */
#ifndef IMC_COMMON_PROTOCOL_MAILBOX_KEY_H
#define IMC_COMMON_PROTOCOL_MAILBOX_KEY_H

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

enum { MAILBOX_KEY_MAX = 32 };

/* Writes the name of UID's mailbox. Its length. */
static inline size_t mailbox_key_write(int64_t uid, char text[MAILBOX_KEY_MAX])
{
    return (size_t)snprintf(text, MAILBOX_KEY_MAX, "imc:mb:%" PRId64, uid);
}

#endif

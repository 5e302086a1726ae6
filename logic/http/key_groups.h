/* key_groups.h - keys of devices by the user they belong to: each user of a push gets one message,
 * for all keys that are his. Pure; main loop only. */
#ifndef IMC_LOGIC_HTTP_KEY_GROUPS_H
#define IMC_LOGIC_HTTP_KEY_GROUPS_H

#include "logic/push/push.h"
#include "logic/tokens/device_keys.h"

struct key_set {
    const char *const *keys;
    const struct device_key_owner *owners; /* of each key */
    size_t n;
};

struct key_groups {
    size_t n;               /* users */
    int64_t *uids;          /* ascending */
    struct push_keys *keys; /* of each user */
    size_t unknown;         /* keys, repeated ones included, that nobody has */
    size_t longest;         /* bytes that the keys of one user take in an envelope, at most */
    const char *list[];
};

/* Groups the keys of those users for whom WANTS is true. The texts are borrowed from SET. */
struct key_groups *key_groups_new(const struct key_set *set,
                                  bool (*wants)(const void *arg, int64_t uid), const void *arg);
/* NULL is fine. */
void key_groups_free(struct key_groups *groups);

#endif

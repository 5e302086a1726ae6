/* device_keys.h - which user a device's key belongs to. goim v2's clients have a key each, and are
 * pushed to by it. Main loop only.
 *
 *   imc:key:KEY = UID      keys.ttl (PX), renewed as long as a session with it lives
 *
 * A client may name any key. It belongs to the user who connected with it last, also after that
 * session has ended: then messages wait in this user's mailbox. Keys that logic has made up name
 * their uid (common/protocol/goim_key.h), and are not in Redis. */
#ifndef IMC_LOGIC_TOKENS_DEVICE_KEYS_H
#define IMC_LOGIC_TOKENS_DEVICE_KEYS_H

#include "logic/base/logic.h"

enum { DEVICE_KEY_MAX = 128 }; /* bytes, of goim_auth.h too */

/* ERR is 0, or -EAGAIN: Redis did not answer or refused. */
typedef void (*device_key_fn)(void *arg, int err);
/* A session of UID connects with KEY: it belongs to UID from now on. FN runs once, never before
 * this returns. */
void device_keys_take(struct logic *logic, const char *key, int64_t uid, device_key_fn fn,
                      void *arg);
/* A session of UID with KEY, of a client of goim's, is still open: its key stays for another
 * keys.ttl, unless it belongs to another user now. There is nothing to wait for. KEY may be "". */
void device_keys_keep(struct logic *logic, const char *key, int64_t uid);
/* How often an open session has to be told again, in milliseconds: four times before its key
 * expires. */
uint64_t device_keys_refresh_ms(const struct logic *logic);

struct device_key_owner {
    bool known; /* false: nobody has had the key within keys.ttl */
    int64_t uid;
};
/* ERR is 0, or -EAGAIN: a Redis did not answer. OWNERS, one for each key, are set if ERR is 0, and
 * valid during the call. */
typedef void (*device_keys_fn)(void *arg, int err, const struct device_key_owner *owners);
/* Looks up the uids of N keys, by one MGET per shard. KEYS have at most DEVICE_KEY_MAX bytes each,
 * and are needed only during the call. FN runs once, never before this returns. N may be 0. */
void device_keys_find(struct logic *logic, const char *const *keys, size_t n, device_keys_fn fn,
                      void *arg);

#endif

/* user.h - the user that a call is about: named by uid, or by the key of a device. Main loop only.
 */
#ifndef IMC_LOGIC_HTTP_V1_USER_H
#define IMC_LOGIC_HTTP_V1_USER_H

#include "logic/http/v1/call.h"

/* KNOWN false: nobody has had the key. KEY is NULL if only the uid was named; otherwise only
 * devices with this key are meant. */
struct v1_user {
    bool known;
    int64_t uid;
    const char *key;
};
typedef void (*v1_user_fn)(struct v1_call *call, const struct v1_user *user);

/* UID and KEY are those of CALL; either may be NULL. FN runs once, unless the call ends before it:
 * with neither, or because Redis does not answer. */
void v1_user_find(struct v1_call *call, const struct schema_value *uid,
                  const struct schema_value *key, v1_user_fn fn);

#endif

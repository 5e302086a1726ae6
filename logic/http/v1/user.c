#include "logic/http/v1/user.h"
#include "common/base/mem.h"
#include "logic/tokens/device_keys.h"

#include <stdlib.h>

struct find {
    struct v1_call *call;
    const char *key;
    v1_user_fn fn;
};

static void on_owner(void *arg, int err, const struct device_key_owner *owner)
{
    struct find find = *(struct find *)arg;

    free(arg);
    if (err != 0)
        v1_no_redis(find.call);
    else
        find.fn(find.call, &(struct v1_user){owner->known, owner->uid, find.key});
}

void v1_user_find(struct v1_call *call, const struct schema_value *uid,
                  const struct schema_value *key, v1_user_fn fn)
{
    const char *text = key != NULL ? key->text : NULL;

    if (uid != NULL) {
        fn(call, &(struct v1_user){true, uid->number, text});
        return;
    }
    if (key == NULL) {
        struct schema_errors errors = {0};
        schema_error_add(&errors, call->body.schema != NULL ? SCHEMA_IN_BODY : SCHEMA_IN_QUERY,
                         call->body.schema != NULL ? "/uid" : "uid",
                         "missing: name a uid, a key, or both");
        v1_refuse_errors(call, &errors);
        return;
    }
    struct find *find = mem_alloc(sizeof *find);
    *find = (struct find){call, text, fn};
    device_keys_find(call->logic, &text, 1, on_owner, find);
}

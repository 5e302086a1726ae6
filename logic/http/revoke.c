/* POST /1/admin/revoke and /1/admin/unrevoke: what is revoked lets nobody in, and its sessions end.
 *
 *   token             that token: an opaque one is deleted
 *   uid, until        the user is refused for UNTIL seconds
 *   uid, before       JWTs issued before that Unix time (default: now), and the opaque token it has
 *   uid, jti          JWTs with that id
 *
 *   parse ─► revocation_begin ─► {"ret":1,"data":{"sessions":2}}, or 503
 *
 * The request owns all text until it is answered. */
#include "common/base/mem.h"
#include "logic/http/revocation.h"

#include <errno.h>
#include <stdlib.h>

struct revoke_request {
    struct logic *logic;
    struct http_request *request;
    struct revocation revocation;
};

static void on_end(void *arg, const struct api_refusal *refusal, size_t sessions)
{
    struct revoke_request *call = arg;
    char body[96];

    if (refusal != NULL) {
        api_refuse(call->logic, call->request, refusal);
    } else if (call->revocation.undo) {
        api_ok(call->logic, call->request);
    } else {
        int n = snprintf(body, sizeof body, "{\"ret\":1,\"data\":{\"sessions\":%zu}}", sessions);
        api_json(call->logic, call->request, body, (size_t)n);
    }
    free(call);
}

/* --- parameters --- */

/* From the query, or a form. *VALUE NULL: it is absent. */
static int text_of(const struct revoke_request *call, const char *name, const char **value,
                   struct params_error *err)
{
    if (api_query(call->request, name, value, err) != 0)
        return -EINVAL;
    if (*value == NULL)
        *value = http_form(call->request, name, 0);
    return 0;
}

static int parse_before(struct revoke_request *call, const char *before, int64_t uid,
                        struct params_error *err)
{
    call->revocation = revocation_of_tokens(call->logic, uid);
    return before == NULL ? 0
                          : params_int64("before", before, 0, INT64_C(253402300799),
                                         &call->revocation.what.before_s, err);
}

/* What is revoked of uid. */
static int parse_uid(struct revoke_request *call, const char *text, struct params_error *err)
{
    const char *until, *before, *jti;
    int64_t seconds = 0, uid = 0;

    if (params_int64("uid", text, INT64_MIN, INT64_MAX, &uid, err) != 0 ||
        text_of(call, "until", &until, err) != 0 || text_of(call, "before", &before, err) != 0 ||
        text_of(call, "jti", &jti, err) != 0)
        return -EINVAL;
    if ((until != NULL) + (before != NULL) + (jti != NULL) > 1) {
        snprintf(err->text, sizeof err->text, "until, before, jti: one of them");
        return -EINVAL;
    }
    if (jti != NULL) {
        if (params_text("jti", jti, REVOKE_JTI_MAX, err) != 0)
            return -EINVAL;
        call->revocation = revocation_of_id(call->logic, uid, jti);
        return 0;
    }
    if (until == NULL)
        return parse_before(call, before, uid, err);
    if (params_int64("until", until, 1, REVOKE_UNTIL_MOST_S, &seconds, err) != 0)
        return -EINVAL;
    call->revocation = revocation_of_user(call->logic, uid, seconds, NULL);
    return 0;
}

static int parse(struct revoke_request *call, struct params_error *err)
{
    const char *token, *uid;

    if (text_of(call, "token", &token, err) != 0 || text_of(call, "uid", &uid, err) != 0)
        return -EINVAL;
    if ((token != NULL) == (uid != NULL)) {
        snprintf(err->text, sizeof err->text, "token, uid: exactly one of them");
        return -EINVAL;
    }
    if (token == NULL)
        return parse_uid(call, uid, err);
    call->revocation = revocation_of_token(call->logic, token);
    return params_text("token", token, REVOKE_TOKEN_MAX, err);
}

static void revoke_handle(struct logic *logic, struct http_request *request, bool undo)
{
    struct revoke_request *call = mem_zalloc(sizeof *call);
    struct params_error err;

    call->logic = logic;
    call->request = request;
    if (parse(call, &err) != 0) {
        api_error(logic, request, API_PARAMETER, err.text);
        free(call);
        return;
    }
    call->revocation.undo = undo;
    revocation_begin(logic, &call->revocation, on_end, call);
}

void api_revoke(struct logic *logic, struct http_request *request)
{
    revoke_handle(logic, request, false);
}

void api_unrevoke(struct logic *logic, struct http_request *request)
{
    revoke_handle(logic, request, true);
}

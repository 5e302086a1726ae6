#include "logic/peers/renew.h"
#include "common/protocol/ops.h"
#include "logic/base/pb.h"
#include "logic/hook/hook.h"
#include "logic/peers/connect.h"
#include "logic/peers/goim_connect.h"
#include "logic/tokens/revoked.h"
#include "logic/tokens/tokens.h"

#include <errno.h>
#include <string.h>

struct renew {
    struct session_batch *sb;
    const Imc__V1__Renew *in;
    Imc__V1__RenewResult *result;
    Imc__V1__ConnectResult said; /* what goim's auth says beside; of no use here, but for hello */
    struct goim_connect goim;
    struct token_identity identity;
    bool has_token;
    uint64_t ends_ms; /* Unix time; 0: never */
};

static void renew_end(struct renew *renew, uint32_t code, const char *reason)
{
    renew->result->code = code;
    renew->result->reason = pb_text(reason);
    logic_count(renew->sb->logic,
                code == CLOSE_NONE          ? LOGIC_RENEWED
                : code == CLOSE_UNAVAILABLE ? LOGIC_RENEW_UNAVAILABLE
                                            : LOGIC_RENEW_REFUSED,
                1);
    session_batch_drop(renew->sb);
}

static void on_revoked(void *arg, uint32_t code, const char *why)
{
    struct renew *renew = arg;
    Imc__V1__RenewResult *result = renew->result;

    if (code == CLOSE_NONE && renew->ends_ms != 0) {
        uint64_t now = logic_now_ms(renew->sb->logic);
        result->lifetime_ms = renew->ends_ms > now ? renew->ends_ms - now : 1;
    }
    if (code == CLOSE_NONE && renew->identity.jwt) {
        result->token = token_number(renew->identity.token);
        result->issued_s = renew->identity.issued_s > 0 ? renew->identity.issued_s : 0;
    }
    if (code == CLOSE_NONE && renew->identity.has_id)
        result->token_id = token_number(renew->identity.id);
    result->hello = renew->said.hello;
    renew_end(renew, code, why);
}

/* KEY of the device is what the token or the business says; NULL or "": nothing. */
static void renew_known(struct renew *renew, int64_t uid, const char *key)
{
    const char *own = renew->in->key;
    bool other_key =
        renew->goim.is_goim && ((key != NULL && key[0] != '\0' && strcmp(key, own) != 0) ||
                                (renew->goim.key != NULL && strcmp(renew->goim.key, own) != 0));

    if (uid != renew->in->uid)
        renew_end(renew, CLOSE_BAD_TOKEN, "auth: the new token is that of another user");
    else if (other_key)
        renew_end(renew, CLOSE_BAD_TOKEN, "auth: the new token is that of another key");
    else
        revoked_check(renew->sb->logic, uid, renew->has_token ? &renew->identity : NULL, on_revoked,
                      renew);
}

/* ARG: those whose token is looked up, in the order of the question. */
static void on_token(void *arg, size_t index, int err, const struct token_value *value,
                     const char *why)
{
    struct renew *renew = ((struct renew **)arg)[index];

    if (err != 0) {
        renew_end(renew, err == -ENOENT ? CLOSE_BAD_TOKEN : CLOSE_UNAVAILABLE, why);
    } else if (renew->goim.mid != 0 && renew->goim.mid != value->uid) {
        renew_end(renew, CLOSE_BAD_TOKEN, "auth: the token is not that of mid");
    } else {
        renew->ends_ms = value->ends_ms;
        renew->identity = value->identity;
        renew->has_token = true;
        renew_known(renew, value->uid, value->key);
    }
}

static void on_business(void *arg, const struct hook_answer *answer)
{
    struct renew *renew = arg;

    if (answer->code != CLOSE_NONE) {
        renew_end(renew, answer->code, arena_strdup(&renew->sb->batch->arena, answer->reason));
    } else if (renew->goim.mid != 0 && renew->goim.mid != answer->uid) {
        renew_end(renew, CLOSE_BAD_TOKEN, "auth: mid is not the user whom the business named");
    } else {
        renew->ends_ms = answer->expire_at * 1000;
        renew_known(renew, answer->uid, answer->key);
    }
}

/* True: its token has to be looked up. False: it needs none, was refused, or the business is
 * asked. */
static bool renew_begin(struct renew *renew)
{
    struct session_batch *sb = renew->sb;
    const Imc__V1__Renew *in = renew->in;
    struct goim_connect *goim = &renew->goim;
    const char *why;

    if (in->goim) {
        uint32_t code = goim_connect_read(sb, &in->token, &renew->said, goim, &why);
        if (code != CLOSE_NONE) {
            renew_end(renew, code, why);
            return false;
        }
    }
    if (sb->logic->hook != NULL) {
        struct hook_question question = {.client = in->handle,
                                         .renew = true,
                                         .goim = in->goim,
                                         .address = in->address,
                                         .token = in->token.data,
                                         .token_len = in->token.len};
        connect_asks_business(sb, &question, in->wire, on_business, renew);
        return false;
    }
    if (in->goim && goim->token.len == 0) { /* auth.trust_mid */
        renew_known(renew, goim->mid != 0 ? goim->mid : in->uid, NULL);
        return false;
    }
    return true;
}

void renews_start(struct session_batch *sb)
{
    struct arena *arena = &sb->batch->arena;
    size_t n = sb->in->n_renews, n_asked = 0;

    if (n == 0)
        return;
    struct token_ref *refs = arena_alloc(arena, n * sizeof *refs);
    struct renew **asked = arena_alloc(arena, n * sizeof(struct renew *));
    for (size_t i = 0; i < n; i++) {
        struct renew *renew = arena_alloc(arena, sizeof *renew);
        *renew = (struct renew){.sb = sb, .in = sb->in->renews[i], .result = sb->reply.renews[i]};
        imc__v1__connect_result__init(&renew->said);
        if (!renew_begin(renew))
            continue;
        asked[n_asked] = renew;
        refs[n_asked++] = renew->in->goim
                              ? renew->goim.token
                              : (struct token_ref){renew->in->token.data, renew->in->token.len};
    }
    if (n_asked > 0)
        tokens_find(sb->logic, refs, n_asked, on_token, asked);
}

/* POST /v1/tokens: makes one. POST /v1/tokens/revoke, /v1/users/block and /v1/users/unblock: takes
 * back tokens, or refuses a user for a time (revocation.h). */
#include "logic/tokens/tokens.h"
#include "logic/http/revocation.h"
#include "logic/http/v1/call.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- new --- */

/* The items of LIST, if it is there, with commas between them. In the call's arena. */
static const char *join(struct v1_call *call, const struct schema_value *list, const char *none)
{
    size_t room = 1, at = 0;

    if (list == NULL)
        return none;
    bool numbers = list->schema->items->type == SCHEMA_INTEGER;
    for (size_t i = 0; i < list->n; i++)
        room += (numbers ? 0 : list->items[i].len) + 24;
    char *text = arena_alloc(&call->arena, room);
    text[0] = '\0';
    for (size_t i = 0; i < list->n; i++) {
        const char *comma = i > 0 ? "," : "";
        if (numbers)
            at += (size_t)snprintf(text + at, room - at, "%s%" PRId64, comma, list->numbers[i]);
        else
            at += (size_t)snprintf(text + at, room - at, "%s%s", comma, list->items[i].text);
    }
    return text;
}

static const char *make_token(struct v1_call *call)
{
    char *token = arena_alloc(&call->arena, 2 * TOKEN_RANDOM + 1);

    token_make(token);
    return token;
}

struct new_token {
    struct v1_call *call;
    const char *token;
    int64_t uid, expire_s;
};

static void on_new(void *arg, int err)
{
    struct new_token *new = arg;
    struct v1_call *call = new->call;

    if (err != 0) {
        v1_no_redis(call);
        return;
    }
    FILE *out = v1_begin(call);
    fputs("{\"token\":", out);
    params_write_string(out, new->token, strlen(new->token));
    fprintf(out, ",\"uid\":%" PRId64 ",\"expire\":%" PRId64 "}", new->uid, new->expire_s);
    v1_end(call, 201, NULL);
}

/* Rooms with commas in their names cannot stand in a list of rooms. */
static bool rooms_fit(struct v1_call *call, const struct schema_value *rooms)
{
    struct schema_errors errors = {0};
    size_t bytes = 0;

    for (size_t i = 0; rooms != NULL && i < rooms->n; i++) {
        bytes += rooms->items[i].len + 1;
        if (strchr(rooms->items[i].text, ',') != NULL)
            schema_error_add(&errors, SCHEMA_IN_BODY, "/rooms", "item %zu has a comma", i);
    }
    if (bytes > TOKEN_ROOMS_MAX + 1)
        schema_error_add(&errors, SCHEMA_IN_BODY, "/rooms", "must have at most %d bytes in all",
                         TOKEN_ROOMS_MAX);
    if (errors.n > 0)
        v1_refuse_errors(call, &errors);
    return errors.n == 0;
}

void v1_tokens_new(struct v1_call *call)
{
    const struct schema_value *token = schema_get(&call->body, "token"),
                              *expire = schema_get(&call->body, "expire"),
                              *room = schema_get(&call->body, "room"),
                              *rooms = schema_get(&call->body, "rooms");
    struct new_token *new = arena_alloc(&call->arena, sizeof *new);

    if (!rooms_fit(call, rooms))
        return;
    *new = (struct new_token){call, token != NULL ? token->text : make_token(call),
                              schema_get(&call->body, "uid")->number,
                              expire != NULL ? expire->number
                                             : (call->logic->config->tokens_ttl_ms + 999) / 1000};
    struct token_value value = {.uid = new->uid,
                                .room = room != NULL ? room->text : "",
                                .rooms = join(call, rooms, ""),
                                .accepts = join(call, schema_get(&call->body, "accepts"), "*")};
    value.room_len = strlen(value.room);
    value.rooms_len = strlen(value.rooms);
    value.accepts_len = strlen(value.accepts);
    tokens_new(call->logic, new->token, &value, (uint64_t) new->expire_s * 1000, on_new, new);
}

/* --- revoke, block --- */

static void on_revoked(void *arg, const struct api_refusal *refusal, size_t sessions)
{
    struct v1_call *call = arg;

    if (refusal != NULL) {
        v1_refuse(call, refusal);
        return;
    }
    fprintf(v1_begin(call), "{\"sessions\":%zu}", sessions);
    v1_end(call, 200, NULL);
}

void v1_tokens_revoke(struct v1_call *call)
{
    const struct schema_value *token = schema_get(&call->body, "token"),
                              *uid = schema_get(&call->body, "uid"),
                              *jti = schema_get(&call->body, "jti"),
                              *before = schema_get(&call->body, "before");
    struct schema_errors errors = {0};
    struct revocation revocation;

    if ((jti != NULL || before != NULL) && (uid == NULL || (jti != NULL && before != NULL))) {
        schema_error_add(&errors, SCHEMA_IN_BODY, jti != NULL ? "/jti" : "/before",
                         "goes with uid, and not both with jti and before");
        v1_refuse_errors(call, &errors);
        return;
    }
    if (token != NULL)
        revocation = revocation_of_token(call->logic, token->text);
    else if (jti != NULL)
        revocation = revocation_of_id(call->logic, uid->number, jti->text);
    else
        revocation = revocation_of_tokens(call->logic, uid->number);
    if (before != NULL)
        revocation.what.before_s = before->number;
    revocation_begin(call->logic, &revocation, on_revoked, call);
}

void v1_tokens_delete(struct v1_call *call)
{
    const struct revocation revocation =
        revocation_of_token(call->logic, v1_query(call, "token")->text);

    revocation_begin(call->logic, &revocation, on_revoked, call);
}

void v1_users_block(struct v1_call *call)
{
    const struct schema_value *reason = schema_get(&call->body, "reason");
    const struct revocation revocation = revocation_of_user(
        call->logic, schema_get(&call->body, "uid")->number,
        schema_get(&call->body, "seconds")->number, reason != NULL ? reason->text : NULL);

    revocation_begin(call->logic, &revocation, on_revoked, call);
}

void v1_users_unblock(struct v1_call *call)
{
    struct revocation revocation =
        revocation_of_user(call->logic, schema_get(&call->body, "uid")->number, 0, NULL);

    revocation.undo = true;
    revocation_begin(call->logic, &revocation, on_revoked, call);
}

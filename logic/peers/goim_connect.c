#include "logic/peers/goim_connect.h"
#include "common/base/hash.h"
#include "common/base/random.h"
#include "common/protocol/goim_auth.h"
#include "common/protocol/goim_key.h"
#include "common/protocol/op_list.h"
#include "common/protocol/ops.h"
#include "logic/base/logic.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { WHY_MAX = 160 };

static int32_t *accepts_alloc(struct session_batch *sb)
{
    return arena_alloc(&sb->batch->arena, GOIM_AUTH_ACCEPTS_MAX * sizeof(int32_t));
}

const char *goim_connect_key(struct session_batch *sb, const struct goim_connect *connect,
                             int64_t uid)
{
    char text[GOIM_KEY_MADE_MAX + 1];
    int64_t made_for;

    if (connect->key != NULL)
        return goim_key_is_made(connect->key, &made_for) && made_for != uid ? NULL : connect->key;
    goim_key_make(uid, connect->random, text);
    return arena_strdup(&sb->batch->arena, text);
}

static const char *random_digits(struct session_batch *sb)
{
    char text[GOIM_KEY_RANDOM + 1];

    (void)snprintf(text, sizeof text, "%016" PRIx64 "%016" PRIx64, random_number(),
                   random_number());
    return arena_strdup(&sb->batch->arena, text);
}

/* goim lets clients be nobody (mid 0): they get pushes to their key, their rooms and to all. Here
 * each of them is a user of its own, whom no business names: the uid is negative and follows from
 * the key. So what is pushed to the key waits while the client is away. From a key that was made up
 * only the random part counts: the client may have been told its key, and name it next time. */
static int64_t uid_of_nobody(const struct goim_connect *connect)
{
    const char *text = connect->key;

    if (text == NULL)
        text = connect->random;
    else if (goim_key_is_made(text, NULL))
        text += strlen(text) - GOIM_KEY_RANDOM;
    uint64_t hash = hash_fnv1a(HASH_FNV1A_BEGIN, text, strlen(text));
    return -1 - (int64_t)(hash_mix64(hash) >> 1);
}

static uint32_t refuse(struct session_batch *sb, uint32_t code, const char *text, const char **why)
{
    *why = arena_strdup(&sb->batch->arena, text);
    return code;
}

uint32_t goim_connect_read(struct session_batch *sb, const ProtobufCBinaryData *body,
                           Imc__V1__ConnectResult *result, struct goim_connect *connect,
                           const char **why)
{
    struct goim_auth auth;
    char text[WHY_MAX];

    if (goim_auth_parse(body->data, body->len, &auth, text, sizeof text) != 0)
        return refuse(sb, CLOSE_MALFORMED, text, why);
    *connect = (struct goim_connect){
        .is_goim = true, .mid = auth.mid, .acked = auth.ack, .accepts_said = auth.has_accepts};
    if (auth.key[0] != '\0')
        connect->key = arena_strdup(&sb->batch->arena, auth.key);
    else
        connect->random = random_digits(sb);
    connect->uid = auth.mid != 0 ? auth.mid : uid_of_nobody(connect);
    connect->room = arena_strdup(&sb->batch->arena, auth.room);
    connect->rooms = arena_strdup(&sb->batch->arena, auth.rooms);
    connect->token =
        (struct token_ref){arena_strdup(&sb->batch->arena, auth.token), strlen(auth.token)};
    result->hello = auth.hello;
    if (auth.platform[0] != '\0')
        result->platform = arena_strdup(&sb->batch->arena, auth.platform);
    if (auth.has_accepts) {
        result->accepts = accepts_alloc(sb);
        result->n_accepts = auth.n_accepts;
        memcpy(result->accepts, auth.accepts, auth.n_accepts * sizeof *auth.accepts);
    }
    goim_auth_free(&auth);
    if (connect->token.len == 0 && !sb->logic->config->auth_trust_mid && sb->logic->hook == NULL)
        return refuse(sb, CLOSE_BAD_TOKEN,
                      "auth: token is missing, and a mid alone is not believed (auth.trust_mid)",
                      why);
    return CLOSE_NONE;
}

static void token_accepts(struct session_batch *sb, const struct token_value *token,
                          Imc__V1__ConnectResult *result)
{
    result->accepts_all = token->accepts_len == 1 && token->accepts[0] == '*';
    if (result->accepts_all || token->accepts_len == 0)
        return;
    result->accepts = accepts_alloc(sb);
    for (size_t at = 0; at < token->accepts_len && result->n_accepts < GOIM_AUTH_ACCEPTS_MAX;) {
        int32_t op;
        if (op_list_next(token->accepts, token->accepts_len, &at, &op) != 0)
            break;
        result->accepts[result->n_accepts++] = op;
    }
}

const char *goim_connect_token(struct session_batch *sb, struct goim_connect *connect,
                               const struct token_value *token, const char **room,
                               Imc__V1__ConnectResult *result)
{
    if (connect->mid != 0 && connect->mid != token->uid)
        return "auth: the token is not that of mid";
    if (connect->is_goim && token->key != NULL && token->key[0] != '\0') {
        if (connect->key != NULL && strcmp(connect->key, token->key) != 0)
            return "auth: the token is not that of key";
        connect->key = arena_strdup(&sb->batch->arena, token->key);
    }
    if ((*room)[0] == '\0')
        *room = arena_strndup(&sb->batch->arena, token->room, token->room_len);
    if (result->rooms[0] == '\0')
        result->rooms = arena_strndup(&sb->batch->arena, token->rooms, token->rooms_len);
    if (!connect->accepts_said)
        token_accepts(sb, token, result);
    return NULL;
}

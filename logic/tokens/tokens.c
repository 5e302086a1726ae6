/* Tokens in Redis. Every arrow is one round trip, because the keys may be on different shards.
 *
 *   new:  SET imc:token:T ─► SET imc:ut:UID T GET ─► delete imc:token:OLD if it is still of UID
 *   del:  GETDEL imc:token:T ─► delete imc:ut:UID if it still says T
 *   uid:  GETDEL imc:ut:UID ─► delete imc:token:T if it is still of UID
 *
 * Two new() for one uid may run at once. Each sets its token before it swaps imc:ut, and then
 * deletes the token that it swapped out. So exactly the last token stays. */
#include "logic/tokens/tokens.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/random.h"
#include "common/base/text.h"
#include "logic/jwt/token.h"
#include "logic/jwt/verifier.h"
#include "logic/tokens/token_delete_if_equal.lua.h"
#include "logic/tokens/token_delete_if_of_uid.lua.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* --- encoding --- */

size_t token_value_size(const struct token_value *value)
{
    return sizeof "1 -9223372036854775808  \n" + value->accepts_len + value->room_len +
           value->rooms_len;
}

size_t token_encode(const struct token_value *value, char *out, size_t outlen)
{
    assert(outlen >= token_value_size(value));
    size_t at = (size_t)snprintf(out, outlen, "1 %" PRId64 " ", value->uid);

    memcpy(out + at, value->accepts, value->accepts_len);
    at += value->accepts_len;
    out[at++] = ' ';
    memcpy(out + at, value->room, value->room_len);
    at += value->room_len;
    if (value->rooms_len == 0)
        return at;
    out[at++] = '\n';
    memcpy(out + at, value->rooms, value->rooms_len);
    return at + value->rooms_len;
}

int token_decode(const char *text, size_t len, struct token_value *value)
{
    char number[24];
    const char *end = text + len;

    if (len < 2 || memcmp(text, "1 ", 2) != 0)
        return -EBADMSG;
    const char *uid = text + 2;
    const char *accepts = memchr(uid, ' ', (size_t)(end - uid));
    if (accepts == NULL || accepts == uid || (size_t)(accepts - uid) >= sizeof number)
        return -EBADMSG;
    memcpy(number, uid, (size_t)(accepts - uid));
    number[accepts - uid] = '\0';
    char *rest;
    errno = 0;
    int64_t parsed = strtoll(number, &rest, 10);
    if (errno != 0 || rest != number + (accepts - uid))
        return -EBADMSG;
    accepts++;
    const char *room = memchr(accepts, ' ', (size_t)(end - accepts));
    if (room == NULL || memchr(accepts, '\0', (size_t)(end - accepts)) != NULL)
        return -EBADMSG;
    room++;
    const char *line = memchr(room, '\n', (size_t)(end - room));
    size_t room_len = (size_t)((line == NULL ? end : line) - room);
    const char *rooms = line == NULL ? end : line + 1;
    if (room_len > TOKEN_ROOM_MAX || end - rooms > TOKEN_ROOMS_MAX)
        return -EBADMSG;
    *value = (struct token_value){.uid = parsed,
                                  .accepts = accepts,
                                  .accepts_len = (size_t)(room - 1 - accepts),
                                  .room = room,
                                  .room_len = room_len,
                                  .rooms = rooms,
                                  .rooms_len = (size_t)(end - rooms)};
    return 0;
}

void token_hash(const void *text, size_t len, uint8_t out[TOKEN_HASH])
{
    uint8_t digest[EVP_MAX_MD_SIZE] = {0};

    EVP_Digest(text, len, digest, NULL, EVP_sha256(), NULL);
    memcpy(out, digest, TOKEN_HASH);
}

/* --- keys --- */

#define TOKEN_PREFIX "imc:token:"
#define UID_PREFIX   "imc:ut:"

struct token_key {
    char text[sizeof TOKEN_PREFIX + TOKEN_MAX];
    size_t len;
};

static struct token_key key_of(const void *token, size_t len)
{
    struct token_key key;

    assert(len <= TOKEN_MAX);
    memcpy(key.text, TOKEN_PREFIX, sizeof TOKEN_PREFIX - 1);
    if (len > 0)
        memcpy(key.text + sizeof TOKEN_PREFIX - 1, token, len);
    key.len = sizeof TOKEN_PREFIX - 1 + len;
    key.text[key.len] = '\0';
    return key;
}

static struct token_key key_of_uid(int64_t uid)
{
    struct token_key key;

    key.len = (size_t)snprintf(key.text, sizeof key.text, UID_PREFIX "%" PRId64, uid);
    return key;
}

static size_t shard_of(struct logic *logic, const struct token_key *key)
{
    return redis_shard_of(logic->redis, key->text, key->len);
}

/* --- find --- */

struct find {
    struct logic *logic;
    uint64_t asked_ms;
    token_fn fn;
    void *arg;
    size_t n;
    size_t index[];
};

static const char unknown[] = "unknown or expired token";
static const char away[] = "service unavailable";

static void find_one(const struct find *find, size_t index, const redisReply *value)
{
    struct token_value token;

    if (value->type == REDIS_REPLY_NIL) {
        find->fn(find->arg, index, -ENOENT, NULL, unknown);
        return;
    }
    if (value->type == REDIS_REPLY_STRING &&
        token_decode(value->str, (size_t)value->len, &token) == 0) {
        token.identity.found_ms = find->asked_ms;
        find->fn(find->arg, index, 0, &token, "");
        return;
    }
    log_error("token value is not ours", "keys=" TOKEN_PREFIX "* hint=\"only logic writes them\"");
    find->fn(find->arg, index, -ENOENT, NULL, unknown);
}

static void find_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    struct find *find = arg;
    bool good = reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == find->n;

    (void)redis;
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        log_error("redis refused MGET", "err=\"%s\"", reply->str);
    for (size_t i = 0; i < find->n; i++) {
        if (good)
            find_one(find, find->index[i], reply->element[i]);
        else
            find->fn(find->arg, find->index[i], -EAGAIN, NULL, away);
    }
    free(find);
}

/* --- those that are verified --- */

/* Tokens of one tokens_find(). */
struct verify {
    struct logic *logic;
    token_fn fn;
    void *arg;
    size_t left; /* without an answer, plus 1 while they are begun */
};

static void verify_drop(struct verify *verify)
{
    if (--verify->left == 0)
        free(verify);
}

static void verify_on_claims(void *arg, size_t index, int err, const struct jwt_claims *claims,
                             const char *why)
{
    struct verify *verify = arg;
    struct token_value value;

    if (err == 0) {
        value = (struct token_value){
            .identity = {.jwt = true,
                         .has_id = claims->has_id,
                         .issued_s = claims->issued_s,
                         .found_ms = logic_now_ms(verify->logic)},
            .uid = claims->uid,
            .room = claims->room,
            .room_len = strlen(claims->room),
            .rooms = claims->rooms,
            .rooms_len = strlen(claims->rooms),
            .accepts = claims->accepts,
            .accepts_len = strlen(claims->accepts),
            .key = claims->key,
            .ends_ms = claims->expires_s == INT64_MAX ? 0 : (uint64_t)claims->expires_s * 1000,
        };
        memcpy(value.identity.token, claims->hash, TOKEN_HASH);
        if (claims->has_id)
            token_hash(claims->id, strlen(claims->id), value.identity.id);
    }
    verify->fn(verify->arg, index, err, err == 0 ? &value : NULL, why);
    verify_drop(verify);
}

static bool is_verified(const struct logic *logic, const struct token_ref *ref)
{
    return logic->jwts != NULL && jwt_token_is_one(ref->data, ref->len);
}

static void verify_all(struct logic *logic, const struct token_ref *refs, size_t n, token_fn fn,
                       void *arg)
{
    struct verify *verify = mem_alloc(sizeof *verify);

    *verify = (struct verify){logic, fn, arg, 1};
    for (size_t i = 0; i < n; i++) {
        if (!is_verified(logic, &refs[i]))
            continue;
        verify->left++;
        jwts_verify(logic->jwts, &(struct jwt_ask){.text = refs[i].data,
                                                   .len = refs[i].len,
                                                   .index = i,
                                                   .fn = verify_on_claims,
                                                   .arg = verify});
    }
    verify_drop(verify);
}

/* --- those in Redis --- */

/* Looks up all tokens on SHARD by one MGET. */
static void find_on_shard(struct logic *logic, size_t shard, const size_t *shards,
                          const struct token_key *keys, struct find *like)
{
    struct find *find = mem_alloc(sizeof *find + like->n * sizeof find->index[0]);
    const char **argv = mem_alloc((like->n + 1) * sizeof *argv);
    size_t *argvlen = mem_alloc((like->n + 1) * sizeof *argvlen);

    *find = *like;
    find->n = 0;
    argv[0] = "MGET";
    argvlen[0] = 4;
    for (size_t i = 0; i < like->n; i++) {
        if (shards[i] != shard)
            continue;
        find->index[find->n++] = i;
        argv[find->n] = keys[i].text;
        argvlen[find->n] = keys[i].len;
    }
    if (find->n > 0)
        redis_command(logic->redis, shard, (int)find->n + 1, argv, argvlen, find_on_reply, find);
    else
        free(find);
    free(argvlen);
    free(argv);
}

void tokens_find(struct logic *logic, const struct token_ref *refs, size_t n, token_fn fn,
                 void *arg)
{
    struct find like = {
        .logic = logic, .asked_ms = logic_now_ms(logic), .fn = fn, .arg = arg, .n = n};
    struct token_key *keys = mem_alloc(n * sizeof *keys);
    size_t *shards = mem_alloc(n * sizeof *shards);

    loop_assert_owner(logic->loop);
    for (size_t i = 0; i < n; i++) {
        /* A longer token is not one of ours. In its place look up the empty token, which does not
         * exist. */
        size_t len = refs[i].len <= TOKEN_MAX ? refs[i].len : 0;
        keys[i] = key_of(refs[i].data, len);
        shards[i] = is_verified(logic, &refs[i]) ? SIZE_MAX : shard_of(logic, &keys[i]);
    }
    if (logic->jwts != NULL)
        verify_all(logic, refs, n, fn, arg);
    for (size_t shard = 0; shard < redis_shards(logic->redis); shard++)
        find_on_shard(logic, shard, shards, keys, &like);
    free(shards);
    mem_wiped_free(keys, n * sizeof *keys);
}

/* --- new, del --- */

/* One call of new, del or uid. It goes through the steps that are drawn at the top. */
struct token_change {
    struct logic *logic;
    token_done_fn fn;
    void *arg;
    int64_t uid;
    uint64_t expire_ms;
    size_t token_len;
    char token[TOKEN_MAX + 1];
};

static struct redis_script delete_if_of_uid = {.source = token_delete_if_of_uid_lua};
static struct redis_script delete_if_equal = {.source = token_delete_if_equal_lua};

static void change_done(struct token_change *change, int err)
{
    change->fn(change->arg, err);
    mem_wiped_free(change, sizeof *change);
}

/* True: REPLY is good and the change goes on. False: the change is over. */
static bool change_goes_on(struct token_change *change, const redisReply *reply)
{
    if (reply != NULL && reply->type != REDIS_REPLY_ERROR)
        return true;
    if (reply != NULL)
        log_error("redis refused a token command", "err=\"%s\"", reply->str);
    change_done(change, -EAGAIN);
    return false;
}

static void on_deleted(struct redis *redis, const redisReply *reply, void *arg)
{
    struct token_change *change = arg;

    (void)redis;
    if (!change_goes_on(change, reply))
        return;
    if (reply->type == REDIS_REPLY_INTEGER && reply->integer > 0)
        logic_count(change->logic, LOGIC_TOKENS_REVOKED, 1);
    change_done(change, 0);
}

/* Runs SCRIPT, which deletes KEY if its value is WANTED, or begins with that. */
static void delete_if(struct token_change *change, struct redis_script *script,
                      const struct token_key *key, struct token_ref wanted, redis_fn fn)
{
    const char *argv[] = {key->text, wanted.data};
    size_t argvlen[] = {key->len, wanted.len};

    redis_eval(change->logic->redis,
               &(struct redis_eval){.script = script,
                                    .shard = shard_of(change->logic, key),
                                    .keys = 1,
                                    .argc = 2,
                                    .argv = argv,
                                    .argvlen = argvlen},
               fn, change);
}

static void delete_token_of_uid(struct token_change *change, const char *token, size_t len)
{
    struct token_key key = key_of(token, len <= TOKEN_MAX ? len : TOKEN_MAX);
    char owner[32];
    int owner_len = snprintf(owner, sizeof owner, "1 %" PRId64 " ", change->uid);

    delete_if(change, &delete_if_of_uid, &key, (struct token_ref){owner, (size_t)owner_len},
              on_deleted);
}

static void new_on_swapped(struct redis *redis, const redisReply *reply, void *arg)
{
    struct token_change *change = arg;

    (void)redis;
    if (!change_goes_on(change, reply))
        return;
    logic_count(change->logic, LOGIC_TOKENS_NEW, 1);
    bool same = reply->type == REDIS_REPLY_STRING && (size_t)reply->len == change->token_len &&
                memcmp(reply->str, change->token, change->token_len) == 0;
    if (reply->type != REDIS_REPLY_STRING || same) {
        change_done(change, 0);
        return;
    }
    delete_token_of_uid(change, reply->str, (size_t)reply->len);
}

/* Sends SET KEY VALUE [PX expire] [GET]. */
static void set_key(struct token_change *change, const struct token_key *key,
                    struct token_ref value, bool get, redis_fn fn)
{
    char px[24];
    int argc = 3;
    const char *argv[6] = {"SET", key->text, value.data};
    size_t argvlen[6] = {3, key->len, value.len};

    if (change->expire_ms != 0) {
        argv[argc] = "PX";
        argvlen[argc++] = 2;
        argv[argc] = px;
        argvlen[argc++] = (size_t)snprintf(px, sizeof px, "%" PRIu64, change->expire_ms);
    }
    if (get) {
        argv[argc] = "GET";
        argvlen[argc++] = 3;
    }
    redis_command(change->logic->redis, shard_of(change->logic, key), argc, argv, argvlen, fn,
                  change);
}

static void new_on_set(struct redis *redis, const redisReply *reply, void *arg)
{
    struct token_change *change = arg;

    (void)redis;
    if (!change_goes_on(change, reply))
        return;
    struct token_key key = key_of_uid(change->uid);
    set_key(change, &key, (struct token_ref){change->token, change->token_len}, true,
            new_on_swapped);
}

static struct token_change *change_new(struct logic *logic, const char *token, token_done_fn fn,
                                       void *arg)
{
    struct token_change *change = mem_zalloc(sizeof *change);

    change->logic = logic;
    change->fn = fn;
    change->arg = arg;
    change->token_len = strlen(token);
    assert(change->token_len <= TOKEN_MAX);
    memcpy(change->token, token, change->token_len);
    return change;
}

void token_make(char out[2 * TOKEN_RANDOM + 1])
{
    uint8_t random[TOKEN_RANDOM];

    random_wait(random, sizeof random);
    text_to_hex(random, sizeof random, out);
}

void tokens_new(struct logic *logic, const char *token, const struct token_value *value,
                uint64_t expire_ms, token_done_fn fn, void *arg)
{
    struct token_change *change = change_new(logic, token, fn, arg);
    struct token_key key = key_of(token, change->token_len);
    char *text = mem_alloc(token_value_size(value));

    loop_assert_owner(logic->loop);
    change->uid = value->uid;
    change->expire_ms = expire_ms;
    size_t len = token_encode(value, text, token_value_size(value));
    set_key(change, &key, (struct token_ref){text, len}, false, new_on_set);
    free(text);
}

static void getdel(struct token_change *change, const struct token_key *key, redis_fn fn)
{
    const char *argv[] = {"GETDEL", key->text};
    size_t argvlen[] = {6, key->len};

    redis_command(change->logic->redis, shard_of(change->logic, key), 2, argv, argvlen, fn, change);
}

static void del_on_unnamed(struct redis *redis, const redisReply *reply, void *arg)
{
    struct token_change *change = arg;

    (void)redis;
    if (change_goes_on(change, reply))
        change_done(change, 0);
}

static void del_on_taken(struct redis *redis, const redisReply *reply, void *arg)
{
    struct token_change *change = arg;
    struct token_value value;

    (void)redis;
    if (!change_goes_on(change, reply))
        return;
    if (reply->type != REDIS_REPLY_STRING) {
        change_done(change, -ENOENT);
        return;
    }
    logic_count(change->logic, LOGIC_TOKENS_REVOKED, 1);
    if (token_decode(reply->str, (size_t)reply->len, &value) != 0) {
        change_done(change, 0);
        return;
    }
    struct token_key key = key_of_uid(value.uid);
    delete_if(change, &delete_if_equal, &key, (struct token_ref){change->token, change->token_len},
              del_on_unnamed);
}

void tokens_del(struct logic *logic, const char *token, token_done_fn fn, void *arg)
{
    struct token_change *change = change_new(logic, token, fn, arg);
    struct token_key key = key_of(token, change->token_len);

    loop_assert_owner(logic->loop);
    getdel(change, &key, del_on_taken);
}

static void del_on_uid_taken(struct redis *redis, const redisReply *reply, void *arg)
{
    struct token_change *change = arg;

    (void)redis;
    if (!change_goes_on(change, reply))
        return;
    if (reply->type == REDIS_REPLY_STRING)
        delete_token_of_uid(change, reply->str, (size_t)reply->len);
    else
        change_done(change, -ENOENT);
}

void tokens_del_uid(struct logic *logic, int64_t uid, token_done_fn fn, void *arg)
{
    struct token_change *change = change_new(logic, "", fn, arg);
    struct token_key key = key_of_uid(uid);

    loop_assert_owner(logic->loop);
    change->uid = uid;
    getdel(change, &key, del_on_uid_taken);
}

#include "logic/tokens/revoked.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/protocol/mailbox_key.h"
#include "common/protocol/ops.h"
#include "logic/tokens/revoked_add.lua.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIELD_MAX = 2 + 2 * TOKEN_HASH + 1,
    VALUE_MAX = 48,
    /* Logics go by Redis's clock, which each knows to some milliseconds. */
    CLOCK_SLACK_MS = 1000,
    OPAQUE_MIN_MS = 120 * 1000, /* longer than any connect takes */
};

struct revoked_key {
    char text[48];
    size_t len, shard;
};

/* On the shard of the user's mailbox: whoever connects needs that one in any case, and no other. */
static struct revoked_key key_of(const struct logic *logic, int64_t uid)
{
    char mailbox[MAILBOX_KEY_MAX];
    struct revoked_key key;

    key.shard = redis_shard_of(logic->redis, mailbox, mailbox_key_write(uid, mailbox));

    key.len = (size_t)snprintf(key.text, sizeof key.text, "imc:revoked:%" PRId64, uid);
    return key;
}

static void field_of(char kind, const uint8_t hash[TOKEN_HASH], char out[FIELD_MAX])
{
    out[0] = kind;
    out[1] = ':';
    text_to_hex(hash, TOKEN_HASH, out + 2);
}

/* --- check --- */

enum { HAS_USER, HAS_BEFORE, HAS_DELETED, HAS_TOKEN, HAS_ID, HAS };

struct revoked_check {
    struct logic *logic;
    revoked_fn fn;
    void *arg;
    bool has_token, jwt;
    int64_t issued_s;
    uint64_t found_ms;
};

/* Reads "NUMBER:UNTIL" or "UNTIL". False: there is none, or it is over. */
static bool value_holds(const redisReply *value, uint64_t now_ms, int64_t *number)
{
    char *end;

    if (value->type != REDIS_REPLY_STRING)
        return false;
    *number = strtoll(value->str, &end, 10);
    return (*end == ':' ? strtoull(end + 1, NULL, 10) : (uint64_t)*number) > now_ms;
}

static uint32_t judge(const struct revoked_check *check, redisReply *const *values, size_t n,
                      const char **why)
{
    uint64_t now_ms = logic_now_ms(check->logic);
    int64_t number;

    *why = "the business refuses this user for now";
    if (value_holds(values[HAS_USER], now_ms, &number))
        return CLOSE_KICKED;
    *why = "the token was revoked";
    if (check->jwt && value_holds(values[HAS_BEFORE], now_ms, &number) && check->issued_s < number)
        return CLOSE_BAD_TOKEN;
    for (size_t i = HAS_TOKEN; i < n; i++) {
        if (value_holds(values[i], now_ms, &number))
            return CLOSE_BAD_TOKEN;
    }
    /* Its token may have been deleted since it was found: the next connect knows. */
    *why = "tokens of this user are being revoked, try again";
    if (check->has_token && !check->jwt && value_holds(values[HAS_DELETED], now_ms, &number) &&
        check->found_ms <= (uint64_t)number + CLOCK_SLACK_MS)
        return CLOSE_UNAVAILABLE;
    *why = "";
    return CLOSE_NONE;
}

static void on_fields(struct redis *redis, const redisReply *reply, void *arg)
{
    struct revoked_check *check = arg;
    const char *why = "service unavailable";
    uint32_t code = CLOSE_UNAVAILABLE;

    (void)redis;
    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements >= HAS_TOKEN)
        code = judge(check, reply->element, reply->elements, &why);
    else if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        log_error("redis refused HMGET", "err=\"%s\"", reply->str);
    if (code != CLOSE_NONE)
        logic_count(check->logic, LOGIC_REVOKED_REFUSED, 1);
    check->fn(check->arg, code, why);
    free(check);
}

void revoked_check(struct logic *logic, int64_t uid, const struct token_identity *identity,
                   revoked_fn fn, void *arg)
{
    struct revoked_check *check = mem_zalloc(sizeof *check);
    struct revoked_key key = key_of(logic, uid);
    char token[FIELD_MAX], id[FIELD_MAX];
    const char *argv[2 + HAS] = {"HMGET", key.text, "u", "b", "d"};
    size_t argvlen[2 + HAS] = {5, key.len, 1, 1, 1};
    int argc = 2 + HAS_TOKEN;

    loop_assert_owner(logic->loop);
    *check = (struct revoked_check){.logic = logic, .fn = fn, .arg = arg};
    if (identity != NULL) {
        check->has_token = true;
        check->jwt = identity->jwt;
        check->issued_s = identity->issued_s;
        check->found_ms = identity->found_ms;
    }
    if (identity != NULL && identity->jwt) {
        field_of('t', identity->token, token);
        argv[argc] = token;
        argvlen[argc++] = FIELD_MAX - 1;
    }
    if (identity != NULL && identity->has_id) {
        field_of('j', identity->id, id);
        argv[argc] = id;
        argvlen[argc++] = FIELD_MAX - 1;
    }
    redis_command(logic->redis, key.shard, argc, argv, argvlen, on_fields, check);
}

/* --- sessions that others took for gone --- */

struct revoked_judgement {
    struct logic *logic;
    revoked_judged_fn fn;
    void *arg;
    struct revoked_session session;
};

/* Does FIELD, "t:HASH" or "j:HASH", stand for NUMBER of a session (0: it has none)? */
static bool field_is(const char *field, size_t len, char kind, uint64_t number)
{
    uint8_t hash[TOKEN_HASH];

    if (number == 0 || len != FIELD_MAX - 1 || field[0] != kind || field[1] != ':')
        return false;
    return text_from_hex(field + 2, hash, TOKEN_HASH) && token_number(hash) == number;
}

/* The code for which a session has to go because of one field. */
static uint32_t judge_field(const struct revoked_judgement *judgement, const redisReply *field,
                            const redisReply *value)
{
    const struct revoked_session *session = &judgement->session;
    bool jwt = session->token != 0;
    int64_t number;

    if (field->type != REDIS_REPLY_STRING ||
        !value_holds(value, logic_now_ms(judgement->logic), &number))
        return CLOSE_NONE;
    if (strcmp(field->str, "u") == 0)
        return CLOSE_KICKED;
    if (strcmp(field->str, "b") == 0)
        return jwt && session->issued_s < number ? CLOSE_BAD_TOKEN : CLOSE_NONE;
    if (strcmp(field->str, "d") == 0)
        return jwt ? CLOSE_NONE : CLOSE_UNAVAILABLE;
    return field_is(field->str, field->len, 't', session->token) ||
                   field_is(field->str, field->len, 'j', session->id)
               ? CLOSE_BAD_TOKEN
               : CLOSE_NONE;
}

/* A user who is refused is so whatever else there is. */
static uint32_t judge_fields(const struct revoked_judgement *judgement, const redisReply *reply)
{
    uint32_t worst = CLOSE_NONE;

    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        uint32_t code = judge_field(judgement, reply->element[i], reply->element[i + 1]);
        if (code != CLOSE_NONE && worst != CLOSE_KICKED)
            worst = code;
    }
    return worst;
}

static void on_all_fields(struct redis *redis, const redisReply *reply, void *arg)
{
    struct revoked_judgement *judgement = arg;
    bool good = reply != NULL && reply->type == REDIS_REPLY_ARRAY;
    uint32_t code = good ? judge_fields(judgement, reply) : CLOSE_NONE;

    (void)redis;
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        log_error("redis refused HGETALL", "err=\"%s\"", reply->str);
    judgement->fn(judgement->arg, good ? 0 : -EAGAIN, code,
                  code == CLOSE_NONE          ? ""
                  : code == CLOSE_KICKED      ? "the business refuses this user for now"
                  : code == CLOSE_UNAVAILABLE ? "tokens of this user were revoked, connect again"
                                              : "the token was revoked");
    free(judgement);
}

void revoked_judge(struct logic *logic, int64_t uid, const struct revoked_session *session,
                   revoked_judged_fn fn, void *arg)
{
    struct revoked_judgement *judgement = mem_alloc(sizeof *judgement);
    struct revoked_key key = key_of(logic, uid);
    const char *argv[] = {"HGETALL", key.text};
    const size_t argvlen[] = {7, key.len};

    loop_assert_owner(logic->loop);
    *judgement = (struct revoked_judgement){logic, fn, arg, *session};
    redis_command(logic->redis, key.shard, 2, argv, argvlen, on_all_fields, judgement);
}

/* --- add, drop --- */

struct revoked_change {
    struct logic *logic;
    revoked_done_fn fn;
    void *arg;
};

static void on_changed(struct redis *redis, const redisReply *reply, void *arg)
{
    struct revoked_change *change = arg;
    bool good = reply != NULL && reply->type == REDIS_REPLY_INTEGER;

    (void)redis;
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        log_error("redis refused a revocation", "err=\"%s\"", reply->str);
    change->fn(change->arg,
               !good                ? -EAGAIN
               : reply->integer < 0 ? -E2BIG
                                    : 0,
               good ? reply->integer : 0);
    free(change);
}

static struct revoked_change *change_new(struct logic *logic, revoked_done_fn fn, void *arg)
{
    struct revoked_change *change = mem_alloc(sizeof *change);

    *change = (struct revoked_change){logic, fn, arg};
    return change;
}

/* Field and value pairs of one script call. */
struct revoked_args {
    char now[24], most[24];
    char field[2][FIELD_MAX], value[2][VALUE_MAX];
    int n;
};

static void args_add(struct revoked_args *args, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void args_add(struct revoked_args *args, const char *field, const char *format, ...)
{
    va_list list;

    (void)snprintf(args->field[args->n], FIELD_MAX, "%s", field);
    va_start(list, format);
    (void)vsnprintf(args->value[args->n++], VALUE_MAX, format, list);
    va_end(list);
}

/* OPAQUE_MS: how long it is known that opaque tokens were deleted. */
static void args_fill(struct revoked_args *args, const struct revoked *revoked, uint64_t now_ms,
                      uint64_t opaque_ms)
{
    char field[FIELD_MAX];

    switch (revoked->kind) {
    case REVOKED_USER:
        args_add(args, "u", "%" PRIu64, revoked->until_ms);
        break;
    case REVOKED_BEFORE:
        args_add(args, "b", "%" PRId64 ":%" PRIu64, revoked->before_s, revoked->until_ms);
        args_add(args, "d", "%" PRIu64 ":%" PRIu64, now_ms, now_ms + opaque_ms);
        break;
    case REVOKED_OPAQUE:
        args_add(args, "d", "%" PRIu64 ":%" PRIu64, now_ms, now_ms + opaque_ms);
        break;
    case REVOKED_TOKEN:
    case REVOKED_ID:
        field_of(revoked->kind == REVOKED_TOKEN ? 't' : 'j', revoked->hash, field);
        args_add(args, field, "%" PRIu64, revoked->until_ms);
        break;
    }
}

void revoked_add(struct logic *logic, const struct revoked *revoked, revoked_done_fn fn, void *arg)
{
    static struct redis_script script = {.source = revoked_add_lua};
    struct revoked_key key = key_of(logic, revoked->uid);
    uint64_t now_ms = logic_now_ms(logic);
    uint64_t keep_ms = (uint64_t)logic->config->revoke_keep_opaque_ms;
    uint64_t opaque_ms = keep_ms > OPAQUE_MIN_MS ? keep_ms : OPAQUE_MIN_MS;
    struct revoked_args args = {.n = 0};
    const char *argv[7] = {key.text, args.now, args.most};
    size_t argvlen[7] = {key.len};
    int argc = 3;

    loop_assert_owner(logic->loop);
    (void)snprintf(args.now, sizeof args.now, "%" PRIu64, now_ms);
    (void)snprintf(args.most, sizeof args.most, "%" PRId64, logic->config->revoke_per_uid);
    args_fill(&args, revoked, now_ms, opaque_ms);
    for (int i = 0; i < args.n; i++) {
        argv[argc++] = args.field[i];
        argv[argc++] = args.value[i];
    }
    for (int i = 1; i < argc; i++)
        argvlen[i] = strlen(argv[i]);
    redis_eval(logic->redis,
               &(struct redis_eval){.script = &script,
                                    .shard = key.shard,
                                    .keys = 1,
                                    .argc = argc,
                                    .argv = argv,
                                    .argvlen = argvlen},
               on_changed, change_new(logic, fn, arg));
}

void revoked_drop(struct logic *logic, const struct revoked *revoked, revoked_done_fn fn, void *arg)
{
    struct revoked_key key = key_of(logic, revoked->uid);
    char field[FIELD_MAX];
    const char *argv[4] = {"HDEL", key.text, "u", "b"};
    size_t argvlen[4] = {4, key.len, 1, 1};
    int argc = 4;

    loop_assert_owner(logic->loop);
    if (revoked->kind == REVOKED_TOKEN || revoked->kind == REVOKED_ID) {
        field_of(revoked->kind == REVOKED_TOKEN ? 't' : 'j', revoked->hash, field);
        argv[2] = field;
        argvlen[2] = FIELD_MAX - 1;
        argc = 3;
    }
    redis_command(logic->redis, key.shard, argc, argv, argvlen, on_changed,
                  change_new(logic, fn, arg));
}

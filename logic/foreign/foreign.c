#include "logic/foreign/foreign.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "logic/foreign/foreign_del.lua.h"
#include "logic/foreign/foreign_put.lua.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REDIS_KEY_MAX = 40, SERVER_KEY_MAX = FOREIGN_SERVER_MAX + 16, NUMBER_MAX = 24 };

struct foreign_redis_key {
    char text[REDIS_KEY_MAX];
    size_t shard;
};

static struct foreign_redis_key key_of(struct logic *logic, int64_t uid)
{
    struct foreign_redis_key key;
    int len = snprintf(key.text, sizeof key.text, "imc:goim:%" PRId64, uid);

    key.shard = redis_shard_of(logic->redis, key.text, (size_t)len);
    return key;
}

/* --- comets that are heard of --- */

struct server_key {
    char text[SERVER_KEY_MAX];
    size_t len, shard;
};

static struct server_key server_key_of(struct logic *logic, const char *server)
{
    struct server_key key;

    key.len =
        (size_t)snprintf(key.text, sizeof key.text, "imc:goim:at:%.*s", FOREIGN_SERVER_MAX, server);
    key.shard = redis_shard_of(logic->redis, key.text, key.len);
    return key;
}

/* If it fails, the next word is soon. */
static void heard_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    (void)redis;
    (void)arg;
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        log_error("redis refused to note a goim comet", "err=\"%s\"", reply->str);
}

void foreign_heard(struct logic *logic, const char *server)
{
    struct server_key key = server_key_of(logic, server);
    char ttl[NUMBER_MAX];
    size_t ttl_len = (size_t)snprintf(ttl, sizeof ttl, "%d", FOREIGN_SILENT_MS);
    const char *argv[] = {"SET", key.text, "1", "PX", ttl};
    size_t argvlen[] = {3, key.len, 1, 2, ttl_len};

    loop_assert_owner(logic->loop);
    redis_command(logic->redis, key.shard, 5, argv, argvlen, heard_on_reply, NULL);
}

/* --- put, del --- */

struct change {
    foreign_fn fn;
    void *arg;
};

static void change_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    struct change *change = arg;
    int result = -EAGAIN;

    (void)redis;
    if (reply != NULL && reply->type == REDIS_REPLY_INTEGER)
        result = reply->integer < 0 ? -EUSERS : (int)reply->integer;
    else if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        log_error("redis refused a session of a goim comet", "err=\"%s\"", reply->str);
    change->fn(change->arg, result);
    free(change);
}

static void change_begin(struct logic *logic, struct redis_eval *eval, foreign_fn fn, void *arg)
{
    struct change *change = mem_alloc(sizeof *change);

    *change = (struct change){fn, arg};
    redis_eval(logic->redis, eval, change_on_reply, change);
}

void foreign_put(struct logic *logic, const struct foreign_session *session, bool connects,
                 foreign_fn fn, void *arg)
{
    static struct redis_script script = {.source = foreign_put_lua};
    struct foreign_redis_key key = key_of(logic, session->uid);
    char now[NUMBER_MAX], ttl[NUMBER_MAX], most[NUMBER_MAX];
    const char *argv[] = {key.text, session->key, session->server,     now,
                          ttl,      most,         connects ? "1" : "0"};
    struct redis_eval eval = {
        .script = &script, .shard = key.shard, .keys = 1, .argc = 7, .argv = argv};

    loop_assert_owner(logic->loop);
    foreign_heard(logic, session->server);
    (void)snprintf(now, sizeof now, "%" PRIu64, logic_now_ms(logic));
    (void)snprintf(ttl, sizeof ttl, "%" PRId64, logic->config->goim_session_ttl_ms);
    (void)snprintf(most, sizeof most, "%" PRId64, logic->config->sessions_max_per_uid);
    change_begin(logic, &eval, fn, arg);
}

void foreign_del(struct logic *logic, const struct foreign_session *session, foreign_fn fn,
                 void *arg)
{
    static struct redis_script script = {.source = foreign_del_lua};
    struct foreign_redis_key key = key_of(logic, session->uid);
    const char *argv[] = {key.text, session->key, session->server};
    struct redis_eval eval = {
        .script = &script, .shard = key.shard, .keys = 1, .argc = 3, .argv = argv};

    loop_assert_owner(logic->loop);
    change_begin(logic, &eval, fn, arg);
}

/* --- find --- */

struct find {
    struct logic *logic;
    int64_t uid;
    foreign_find_fn fn;
    void *arg;
    struct arena arena;
    struct foreign_session *sessions;
    size_t n;
    size_t pending; /* comets that were asked for, and one more while they are */
    int err;
};

/* Sessions of one comet. */
struct find_server {
    struct find *find;
    size_t from, to;
};

static int by_server(const void *a, const void *b)
{
    return strcmp(((const struct foreign_session *)a)->server,
                  ((const struct foreign_session *)b)->server);
}

/* False: the session has expired, or nobody of ours wrote it. */
static bool session_take(struct find *find, const redisReply *key, const redisReply *value,
                         struct foreign_session *session)
{
    char *end = NULL;

    if (key->type != REDIS_REPLY_STRING || value->type != REDIS_REPLY_STRING)
        return false;
    uint64_t expires_ms = strtoull(value->str, &end, 10);
    if (end == value->str || *end != ' ' || end[1] == '\0' || value->str[0] == '-' ||
        expires_ms <= logic_now_ms(find->logic))
        return false;
    *session = (struct foreign_session){.uid = find->uid,
                                        .key = arena_strdup(&find->arena, key->str),
                                        .server = arena_strdup(&find->arena, end + 1)};
    return true;
}

static void find_drop(struct find *find)
{
    if (--find->pending > 0)
        return;
    find->fn(find->arg, find->err, find->sessions, find->n);
    arena_free(&find->arena);
    free(find);
}

static void server_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    const struct find_server *server = arg;
    bool lives = reply != NULL && reply->type == REDIS_REPLY_INTEGER && reply->integer == 1;

    (void)redis;
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        log_error("redis refused EXISTS", "err=\"%s\"", reply->str);
    for (size_t i = server->from; i < server->to; i++)
        server->find->sessions[i].lives = lives;
    find_drop(server->find);
}

/* Asks for the comet of the session FROM. Returns the first session of another one. */
static size_t server_ask(struct find *find, size_t from)
{
    const char *name = find->sessions[from].server;
    struct server_key key = server_key_of(find->logic, name);
    const char *argv[] = {"EXISTS", key.text};
    size_t argvlen[] = {6, key.len}, to = from + 1;
    struct find_server *server = arena_alloc(&find->arena, sizeof *server);

    while (to < find->n && strcmp(find->sessions[to].server, name) == 0)
        to++;
    *server = (struct find_server){find, from, to};
    find->pending++;
    redis_command(find->logic->redis, key.shard, 2, argv, argvlen, server_on_reply, server);
    return to;
}

static void find_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    struct find *find = arg;
    bool good = reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements % 2 == 0 &&
                reply->elements <= 2 * (size_t)FOREIGN_SESSIONS_MAX;
    size_t most = good ? reply->elements / 2 : 0;

    (void)redis;
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        log_error("redis refused HGETALL", "err=\"%s\"", reply->str);
    find->err = good ? 0 : -EAGAIN;
    find->sessions = arena_alloc(&find->arena, (most + 1) * sizeof *find->sessions);
    for (size_t i = 0; i < most; i++)
        find->n += session_take(find, reply->element[2 * i], reply->element[2 * i + 1],
                                &find->sessions[find->n]);
    if (find->n > 1)
        qsort(find->sessions, find->n, sizeof *find->sessions, by_server);
    for (size_t i = 0; i < find->n;)
        i = server_ask(find, i);
    find_drop(find);
}

void foreign_find(struct logic *logic, int64_t uid, foreign_find_fn fn, void *arg)
{
    struct foreign_redis_key key = key_of(logic, uid);
    const char *argv[] = {"HGETALL", key.text};
    size_t argvlen[] = {7, strlen(key.text)};
    struct find *find = mem_alloc(sizeof *find);

    loop_assert_owner(logic->loop);
    *find = (struct find){.logic = logic, .uid = uid, .fn = fn, .arg = arg, .pending = 1};
    arena_init(&find->arena);
    redis_command(logic->redis, key.shard, 2, argv, argvlen, find_on_reply, find);
}

#include "logic/tokens/device_keys.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/protocol/goim_key.h"
#include "logic/tokens/device_key_keep.lua.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define KEY_PREFIX "imc:key:"

enum { REFRESHES = 4 };

struct redis_key {
    char text[sizeof KEY_PREFIX + DEVICE_KEY_MAX];
    size_t len, shard;
};

struct number {
    char text[24];
    size_t len;
};

static struct redis_key key_of(struct logic *logic, const char *key)
{
    struct redis_key out;

    assert(strlen(key) <= DEVICE_KEY_MAX);
    out.len = (size_t)snprintf(out.text, sizeof out.text, KEY_PREFIX "%s", key);
    out.shard = redis_shard_of(logic->redis, out.text, out.len);
    return out;
}

static struct number number_of(int64_t value)
{
    struct number out;

    out.len = (size_t)snprintf(out.text, sizeof out.text, "%" PRId64, value);
    return out;
}

uint64_t device_keys_refresh_ms(const struct logic *logic)
{
    return (uint64_t)logic->config->keys_ttl_ms / REFRESHES;
}

/* --- take, keep --- */

struct take {
    device_key_fn fn;
    void *arg;
};

static void take_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    struct take *take = arg;
    bool good = reply != NULL && reply->type != REDIS_REPLY_ERROR;

    (void)redis;
    if (reply != NULL && !good)
        log_error("redis refused a device's key", "err=\"%s\"", reply->str);
    take->fn(take->arg, good ? 0 : -EAGAIN);
    free(take);
}

void device_keys_take(struct logic *logic, const char *key, int64_t uid, device_key_fn fn,
                      void *arg)
{
    struct redis_key at = key_of(logic, key);
    struct number owner = number_of(uid), ttl = number_of(logic->config->keys_ttl_ms);
    const char *argv[] = {"SET", at.text, owner.text, "PX", ttl.text};
    size_t argvlen[] = {3, at.len, owner.len, 2, ttl.len};
    struct take *take = mem_alloc(sizeof *take);

    loop_assert_owner(logic->loop);
    *take = (struct take){fn, arg};
    redis_command(logic->redis, at.shard, 5, argv, argvlen, take_on_reply, take);
}

static struct redis_script keep_script = {.source = device_key_keep_lua};

/* If it fails, there are other times before the key expires. */
static void keep_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    (void)redis;
    (void)arg;
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        log_error("redis refused to keep a device's key", "err=\"%s\"", reply->str);
}

void device_keys_keep(struct logic *logic, const char *key, int64_t uid)
{
    loop_assert_owner(logic->loop);
    if (key[0] == '\0' || strlen(key) > DEVICE_KEY_MAX || goim_key_is_made(key, NULL))
        return;
    struct redis_key at = key_of(logic, key);
    struct number owner = number_of(uid), ttl = number_of(logic->config->keys_ttl_ms);
    const char *argv[] = {at.text, owner.text, ttl.text};
    size_t argvlen[] = {at.len, owner.len, ttl.len};

    redis_eval(logic->redis,
               &(struct redis_eval){.script = &keep_script,
                                    .shard = at.shard,
                                    .keys = 1,
                                    .argc = 3,
                                    .argv = argv,
                                    .argvlen = argvlen},
               keep_on_reply, NULL);
}

/* --- find --- */

struct find {
    struct logic *logic;
    device_keys_fn fn;
    void *arg;
    struct loop_task done; /* tells the caller */
    size_t pending;        /* shards that have not answered */
    int err;
    struct device_key_owner owners[];
};

/* The keys of one shard. */
struct asked {
    struct find *find;
    size_t n;
    size_t index[]; /* of each in OWNERS */
};

static void find_on_done(struct loop *loop, struct loop_task *task)
{
    struct find *find = container_of(task, struct find, done);

    (void)loop;
    find->fn(find->arg, find->err, find->err == 0 ? find->owners : NULL);
    free(find);
}

static void find_take(struct find *find, size_t index, const redisReply *value)
{
    struct device_key_owner *owner = &find->owners[index];
    char *end = NULL;

    if (value->type == REDIS_REPLY_NIL)
        return;
    errno = 0;
    if (value->type == REDIS_REPLY_STRING && value->len > 0)
        owner->uid = strtoll(value->str, &end, 10);
    owner->known = end != NULL && end == value->str + value->len && errno == 0;
    if (!owner->known)
        log_error("value of a device's key is not ours",
                  "keys=" KEY_PREFIX "* hint=\"only logic writes them\"");
}

static void find_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    struct asked *asked = arg;
    struct find *find = asked->find;
    bool good = reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == asked->n;

    (void)redis;
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        log_error("redis refused MGET", "err=\"%s\"", reply->str);
    if (!good)
        find->err = -EAGAIN;
    for (size_t i = 0; good && i < asked->n; i++)
        find_take(find, asked->index[i], reply->element[i]);
    free(asked);
    if (--find->pending == 0)
        loop_defer(find->logic->loop, &find->done);
}

/* Asks for all keys that are on SHARD. */
static void find_on_shard(struct find *find, size_t shard, const struct redis_key *keys, size_t n)
{
    struct asked *asked = mem_alloc(sizeof *asked + n * sizeof asked->index[0]);
    const char **argv = mem_alloc((n + 1) * sizeof *argv);
    size_t *argvlen = mem_alloc((n + 1) * sizeof *argvlen);

    *asked = (struct asked){.find = find};
    argv[0] = "MGET";
    argvlen[0] = 4;
    for (size_t i = 0; i < n; i++) {
        if (keys[i].len == 0 || keys[i].shard != shard)
            continue;
        asked->index[asked->n++] = i;
        argv[asked->n] = keys[i].text;
        argvlen[asked->n] = keys[i].len;
    }
    if (asked->n > 0) {
        find->pending++;
        redis_command(find->logic->redis, shard, (int)asked->n + 1, argv, argvlen, find_on_reply,
                      asked);
    } else {
        free(asked);
    }
    free(argvlen);
    free(argv);
}

void device_keys_find(struct logic *logic, const char *const *keys, size_t n, device_keys_fn fn,
                      void *arg)
{
    struct find *find = mem_zalloc(sizeof *find + n * sizeof find->owners[0]);
    struct redis_key *named = mem_alloc((n + 1) * sizeof *named);

    loop_assert_owner(logic->loop);
    find->logic = logic;
    find->fn = fn;
    find->arg = arg;
    find->done.run = find_on_done;
    for (size_t i = 0; i < n; i++) {
        struct device_key_owner *owner = &find->owners[i];
        owner->known = goim_key_is_made(keys[i], &owner->uid);
        if (owner->known)
            named[i].len = 0;
        else
            named[i] = key_of(logic, keys[i]);
    }
    for (size_t shard = 0; shard < redis_shards(logic->redis); shard++)
        find_on_shard(find, shard, named, n);
    free(named);
    if (find->pending == 0)
        loop_defer(logic->loop, &find->done);
}

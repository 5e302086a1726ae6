/* redis.h - asynchronous Redis on a loop: shards by ketama, reconnects, bounds waiting. Owner loop
 * only.
 *
 * Commands are pipelined on one connection per shard. While a shard is down, commands to it fail at
 * once with NULL; a command unanswered after the timeout breaks the connection (its commands fail
 * with NULL). Lua scripts are sent by EVALSHA and loaded on demand. */
#ifndef IMC_COMMON_REDIS_H
#define IMC_COMMON_REDIS_H

#include "common/loop.h"
#include <hiredis/hiredis.h>

struct redis;

/* REPLY is NULL when Redis did not answer, is borrowed, and may be a REDIS_REPLY_ERROR. */
typedef void (*redis_fn)(struct redis *redis, const redisReply *reply, void *arg);
/* Every shard answers (up) or some shard does not (down). */
typedef void (*redis_state_fn)(struct redis *redis, bool up, const char *why, void *arg);

struct redis_options {
    const char *servers;  /* CONFIG_LIST of host:port, each a shard */
    const char *password; /* NULL or "" = none */
    int64_t database;
    int64_t timeout_ms;
};

/* Connects in the background. -EINVAL for a bad server list (empty, not host:port, the same twice).
 * STATE is called on every change, first when all shards have answered PING or one could not be
 * reached; WHY names the server. */
int redis_open(struct loop *loop, const struct redis_options *options, redis_state_fn state,
               void *arg, struct redis **redis);
/* Outstanding commands get NULL before this returns, and so do commands that these callbacks issue.
 * NULL is fine. */
void redis_close(struct redis *redis);
bool redis_is_up(const struct redis *redis);
size_t redis_shards(const struct redis *redis);
/* The shard that owns KEY. */
size_t redis_shard_of(const struct redis *redis, const char *key, size_t len);
/* Fire one command. FN may be NULL. It is called exactly once, never before this returns. */
void redis_command(struct redis *redis, size_t shard, int argc, const char **argv,
                   const size_t *argvlen, redis_fn fn, void *arg);

/* Since redis_open(), over all shards. */
struct redis_stats {
    int64_t commands; /* sent, scripts included */
    int64_t failed;   /* answered with NULL */
    int64_t timeouts; /* connections broken because an answer did not come */
    int64_t connects; /* times that a shard came up */
};
const struct redis_stats *redis_stats(const struct redis *redis);

/* A Lua script; define it static, used on one thread. */
struct redis_script {
    const char *source;
    char sha1[41]; /* filled on first use */
};
/* KEYS first, then ARGV; all in args. A script that Redis does not know (yet, or no more) is loaded
 * and run again: only then it may run after commands that were issued later. */
void redis_eval(struct redis *redis, size_t shard, struct redis_script *script, int nkeys, int argc,
                const char **argv, const size_t *argvlen, redis_fn fn, void *arg);

#endif

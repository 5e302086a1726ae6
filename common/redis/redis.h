/* redis.h - asynchronous Redis on a loop: shards by ketama, reconnects, bounds waiting. Owner loop
 * only.
 *
 * Commands are pipelined on one connection per shard. While a shard is down, commands to it fail at
 * once with NULL; a command unanswered after the timeout breaks the connection (its commands fail
 * with NULL), and so does an error that says that this is not the primary (any more): the next
 * connection looks the name up again, or asks Sentinel. Lua scripts are sent by EVALSHA and loaded
 * on demand. */
#ifndef IMC_COMMON_REDIS_REDIS_H
#define IMC_COMMON_REDIS_REDIS_H

#include "common/base/loop.h"
#include <hiredis/hiredis.h>

struct redis;

/* REPLY is NULL when Redis did not answer, is borrowed, and may be a REDIS_REPLY_ERROR. */
typedef void (*redis_fn)(struct redis *redis, const redisReply *reply, void *arg);
/* Every shard answers (up) or some shard does not (down). */
typedef void (*redis_state_fn)(struct redis *redis, bool up, const char *why, void *arg);

/* The clock of Redis was asked: OFFSET_US is how far this machine's own is ahead of it. */
typedef void (*redis_clock_fn)(struct redis *redis, int64_t offset_us, void *arg);

struct redis_memory {
    int64_t used, max; /* bytes; max 0: no limit is set; both 0: not known yet */
    int level;         /* 0, 80 or 90: so many percent at least */
    bool evicts;       /* at the limit Redis drops keys instead of refusing writes */
};
/* Level or policy of the shard NAME have changed. */
typedef void (*redis_memory_fn)(struct redis *redis, const char *name,
                                const struct redis_memory *memory, void *arg);

struct redis_options {
    const char *servers;   /* CONFIG_LIST of host:port, each a shard */
    const char *sentinels; /* the same, of Sentinels; NULL or "" = none */
    const char *masters;   /* with Sentinels, instead of SERVERS: names, each a shard */
    const char *user;      /* NULL or "" = the default user */
    const char *password, *sentinel_password; /* NULL or "" = none */
    int64_t database;
    int64_t timeout_ms;
    /* Every shard takes writes, or (with WHY, on each change) some shard does not; may be NULL. */
    redis_state_fn write_state;
    redis_memory_fn memory_state; /* NULL: nobody asks how full it is */
    redis_clock_fn clock_state;   /* when connected, and every second; may be NULL */
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
/* Every shard is up and has taken a write not long ago. */
bool redis_is_writable(const struct redis *redis);
/* NULL: SHARD takes writes. Else why not; valid until the loop turns. */
const char *redis_trouble(const struct redis *redis, size_t shard);
size_t redis_shards(const struct redis *redis);
/* The shard that owns KEY. */
size_t redis_shard_of(const struct redis *redis, const char *key, size_t len);
/* Fire one command. FN may be NULL. It is called exactly once, never before this returns. */
void redis_command(struct redis *redis, size_t shard, int argc, const char **argv,
                   const size_t *argvlen, redis_fn fn, void *arg);

/* Unix time by the clock of the first shard, as far as it is known, which it is once that shard has
 * been up; before that, by the own one. Does not jump when the own one is set. */
uint64_t redis_now_us(const struct redis *redis);
bool redis_clock_is_known(const struct redis *redis);
/* How far the own clock is ahead of it, now; 0 while that is not known. */
int64_t redis_clock_offset_us(const struct redis *redis);

/* How full SHARD was when it was asked last, within ten seconds; NAME is its name. */
const struct redis_memory *redis_memory(const struct redis *redis, size_t shard, const char **name);

/* What an answer means. */
enum redis_class {
    REDIS_ANSWERED,   /* no error */
    REDIS_AWAY,       /* NULL */
    REDIS_DISPLACED,  /* READONLY, MASTERDOWN, LOADING …: not the primary; the connection goes */
    REDIS_UNWRITABLE, /* OOM, MISCONF, NOREPLICAS: reads work */
    REDIS_OCCUPIED,   /* BUSY …: later */
    REDIS_FORBIDDEN,  /* NOPERM …: the user lacks a right */
    REDIS_REFUSED,    /* anything else: the command is wrong */
};
enum redis_class redis_class_of(const redisReply *reply);
/* For messages, inside a redis_fn that was given something else than it wants (and inside what that
 * calls): "Redis does not answer (WHY)" or "Redis says: OOM command not allowed …". One line; WHY
 * names the server. */
const char *redis_said(const struct redis *redis);

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

/* redis.h - an asynchronous Redis client on a loop, with shards by ketama, reconnects and timeouts.
 * Owner loop only.
 *
 * Commands are pipelined, on one connection per shard. While a shard is down, commands to it fail
 * at once with NULL. If no byte comes for the timeout while commands wait, or one answer is
 * missing for five timeouts, the connection is broken, and all commands on it fail with NULL. So
 * does an error that says that this Redis is not the primary (any more). The next connection looks
 * the name up again, or asks Sentinel. Lua scripts are sent by EVALSHA, and loaded when Redis does
 * not know them. */
#ifndef IMC_COMMON_REDIS_REDIS_H
#define IMC_COMMON_REDIS_REDIS_H

#include "common/base/loop.h"
#include "common/base/time.h"
#include <hiredis/hiredis.h>

struct redis;
struct tls_client; /* common/tls/tls.h */

/* REPLY is NULL if Redis did not answer. It may be a REDIS_REPLY_ERROR. It is valid during the
 * call. */
typedef void (*redis_fn)(struct redis *redis, const redisReply *reply, void *arg);
/* UP: every shard answers. Not UP: some shard does not, and WHY says why. */
typedef void (*redis_state_fn)(struct redis *redis, bool up, const char *why, void *arg);

/* Redis was asked for its time. OFFSET_US says how far this machine's clock is ahead of Redis's, in
 * microseconds. */
typedef void (*redis_clock_fn)(struct redis *redis, int64_t offset_us, void *arg);

struct redis_memory {
    int64_t used, max; /* bytes; max 0: no limit is set; both 0: not known yet */
    int level;         /* 0, 80 or 90: at least so many percent are used */
    bool evicts;       /* at the limit Redis drops keys instead of refusing writes */
};
/* The level or the policy of the shard NAME has changed. */
typedef void (*redis_memory_fn)(struct redis *redis, const char *name,
                                const struct redis_memory *memory, void *arg);

struct redis_options {
    const char *servers;   /* CONFIG_LIST of host:port, each a shard */
    const char *sentinels; /* CONFIG_LIST of host:port of the Sentinels; NULL or "" = none */
    const char *masters;   /* with Sentinels, instead of SERVERS: names, each a shard */
    const char *user;      /* NULL or "" = the default user */
    const char *password, *sentinel_password; /* NULL or "" = none */
    int64_t database;
    int64_t timeout_ms;
    struct tls_client *tls; /* of connections to servers and Sentinels; has to outlive the struct
                             * redis. NULL: they are plain */
    const char *tls_name;   /* what the certificates of all are for; NULL or "": the host that each
                             * connection is to */
    /* UP: every shard takes writes. Not UP: some shard does not; called again when WHY changes. May
     * be NULL. */
    redis_state_fn write_state;
    redis_memory_fn memory_state; /* NULL: Redis is not asked how full it is */
    redis_clock_fn clock_state;   /* called on connecting, then every second; may be NULL */
};

/* Connects in the background. 0, or -EINVAL for a bad list of servers (empty, not host:port, one
 * twice). STATE is called on every change; the first time when all shards are up, or one could not
 * be reached. WHY names the server. */
int redis_open(struct loop *loop, const struct redis_options *options, redis_state_fn state,
               void *arg, struct redis **redis);
/* Commands without an answer get NULL before this returns. So do commands that their callbacks
 * send. NULL is fine. */
void redis_close(struct redis *redis);
bool redis_is_up(const struct redis *redis);
size_t redis_shards(const struct redis *redis);
/* Its address, or the name of its master. */
const char *redis_shard_name(const struct redis *redis, size_t shard);
/* The shard that owns KEY. */
size_t redis_shard_of(const struct redis *redis, const char *key, size_t len);
/* Sends a command. FN is called exactly once, never before this returns; it may be NULL. The
 * arguments are copied. */
void redis_command(struct redis *redis, size_t shard, int argc, const char **argv,
                   const size_t *argvlen, redis_fn fn, void *arg);

/* What is known of Redis's clock (clock.c). A struct redis begins with it. */
struct redis_clock {
    struct loop *loop;
    int64_t ahead_us; /* Redis's clock less CLOCK_BOOTTIME */
    int64_t sent_us;  /* CLOCK_BOOTTIME when TIME was sent last */
    bool known, asking;
    unsigned narrow; /* so many more times TIME is sent at once */
};
/* Unix time in microseconds, by the clock of the first shard. Before that shard was up, by this
 * machine's clock. It does not jump when this machine's clock is set. */
static inline uint64_t redis_now_us(const struct redis *redis)
{
    const struct redis_clock *clock = (const struct redis_clock *)(const void *)redis;

    loop_assert_owner(clock->loop);
    return (uint64_t)(time_boot_us() + clock->ahead_us);
}
/* How far this machine's clock is ahead of Redis's now, in microseconds; 0 while that is not
 * known. */
int64_t redis_clock_offset_us(const struct redis *redis);

/* How full SHARD was when it was asked last, at most ten seconds ago. *NAME is its name. */
const struct redis_memory *redis_memory(const struct redis *redis, size_t shard, const char **name);

/* What an answer means. */
enum redis_class {
    REDIS_ANSWERED,   /* no error */
    REDIS_AWAY,       /* NULL */
    REDIS_DISPLACED,  /* READONLY, MASTERDOWN, LOADING …: not the primary; the connection ends */
    REDIS_UNWRITABLE, /* OOM, MISCONF, NOREPLICAS: reads work */
    REDIS_OCCUPIED,   /* BUSY …: later */
    REDIS_FORBIDDEN,  /* NOPERM …: the user lacks a right */
    REDIS_REFUSED,    /* any other error: the command is wrong */
};
enum redis_class redis_class_of(const redisReply *reply);
/* The last answer in words, for a log line or an error: "Redis does not answer (WHY)" or "Redis
 * says: OOM command not allowed …". One line; WHY names the server. Only valid inside a
 * redis_fn. */
const char *redis_said(const struct redis *redis);

/* Counted since redis_open(), over all shards. */
struct redis_stats {
    int64_t commands; /* sent, scripts included */
    int64_t failed;   /* commands whose callback got NULL */
    int64_t timeouts; /* connections broken because an answer did not come */
    int64_t connects; /* times that a shard came up */
};
const struct redis_stats *redis_stats(const struct redis *redis);

/* A Lua script. Define it static; only one thread may use it. */
struct redis_script {
    const char *source;
    char sha1[41]; /* filled on first use */
};
struct redis_eval {
    struct redis_script *script;
    size_t shard;
    int keys, argc; /* ARGV has ARGC items: first the script's KEYS, then what is its ARGV */
    const char **argv;
    const size_t *argvlen; /* NULL: every item ends with NUL */
};
/* Runs a script; copies the arguments. FN as of redis_command(). If Redis does not know the script,
 * it is loaded and sent again. Only then may it run after commands that were sent later. */
void redis_eval(struct redis *redis, const struct redis_eval *what, redis_fn fn, void *arg);

#endif

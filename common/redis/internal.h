/* internal.h - what the parts of redis.h share: redis.c (shards, commands, scripts),
 * connection.c (one connection), error.c (what errors mean), probe.c (writes), clock.c (its time),
 * memory.c (how full it is), sentinel.c (where the primary is). Owner loop only. */
#ifndef IMC_COMMON_REDIS_INTERNAL_H
#define IMC_COMMON_REDIS_INTERNAL_H

#include "common/redis/redis.h"

#include <string.h>

/* Who waits for an answer. */
struct redis_call {
    redis_fn fn; /* may be NULL */
    void *arg;
    uint64_t sent_ms;
};

/* First in, first out, in a ring that grows: no allocation per command. */
struct redis_calls {
    struct redis_call *ring;
    size_t slots, head, count;
};

void redis_calls_push(struct redis_calls *calls, struct redis_call call);
struct redis_call redis_calls_pop(struct redis_calls *calls);

/* A key, a token or a password may be in what is sent and received here, and it is not looked at
 * which: whatever goes is overwritten first. What hiredis outgrows while it reads a large answer is
 * its own. */
static inline void redis_command_free(char *cmd, size_t len)
{
    explicit_bzero(cmd, len);
    redisFreeCommand(cmd);
}

struct redis_bytes {
    char *data;
    size_t len, size;
};

enum redis_shard_state {
    REDIS_WAITING, /* for the next attempt */
    REDIS_ASKING,  /* a Sentinel */
    REDIS_RESOLVING,
    REDIS_CONNECTING,
    REDIS_GREETING, /* connected; not up before it answers PING, and has been written to */
    REDIS_UP,
};

struct redis_connection;

enum { REDIS_TEXT = 384, REDIS_WHY = 512 };

struct redis_shard {
    struct redis *redis;
    char *name;     /* host:port, or a master's name, as configured */
    char host[256]; /* without brackets; of a master: the last that a Sentinel told */
    char port[6];
    enum redis_shard_state state;
    struct redis_connection *link; /* from CONNECTING on */
    uv_timer_t retry;              /* WAITING: connect; GREETING: ask again */
    uv_getaddrinfo_t resolve;      /* in use while RESOLVING */
    uint64_t backoff_ms, connect_due_ms;
    unsigned attempts;
    unsigned loadings;       /* answers LOADING to this connection's PING */
    bool suspect;            /* was overdue at the last tick; see on_tick */
    bool ponged;             /* GREETING: PING is answered, the first write is not */
    bool probing;            /* a write is under way */
    bool asking, led;        /* a Sentinel is asked; its last answer has not led to a primary yet */
    size_t sentinel;         /* the one to ask */
    char trouble[REDIS_WHY]; /* why it takes no writes, or lacks a right; "" = it does */
    uint64_t trouble_until_ms;
    struct redis_memory memory;
    unsigned memory_asked; /* times that it could have been */
    struct redis_bytes out;
    struct redis_calls pending; /* answers come in this order */
};

struct redis_clock {
    int64_t ahead_us; /* of CLOCK_BOOTTIME is Redis's */
    int64_t sent_us;  /* CLOCK_BOOTTIME when it was asked last */
    bool known, asking;
    unsigned narrow; /* so many more questions at once */
};

struct redis {
    struct loop *loop;
    char *user, *password;
    int64_t database;
    uint64_t timeout_ms;
    redis_state_fn state, write_state;
    redis_clock_fn clock_state;
    redis_memory_fn memory_state;
    struct redis_clock clock;
    void *arg;
    struct redis *sentinels; /* NULL = none: shards are addresses */
    bool is_sentinels;       /* these are Sentinels: nothing to write */
    struct ring *ring;
    size_t n_shards;
    struct redis_shard *shards;
    struct redis_calls failed; /* get NULL at the end of the turn */
    struct loop_task task;     /* fails those, writes what was put */
    uv_timer_t tick;           /* while something is waited for */
    uv_timer_t probe;
    enum redis_told { REDIS_UNTOLD, REDIS_TOLD_DOWN, REDIS_TOLD_UP } told, write_told;
    char why[REDIS_WHY];       /* a shard broke last: "" = none yet */
    char write_why[REDIS_WHY]; /* told last */
    char said[REDIS_WHY + 64]; /* see redis_said() */
    bool closed;
    unsigned handles; /* of libuv's, that still refer to us */
    struct redis_stats stats;
    char read_buffer[64 * 1024];
};

/* redis.c: */
/* The state of a shard changed. WHY: of a shard that is not up. */
void redis_report(struct redis *redis, const char *why);
/* The shard's pending calls get NULL at the end of the turn. */
void redis_fail_pending(struct redis_shard *shard);
void redis_tick_start(struct redis *redis);
/* Once less of what .handles counts. */
void redis_handle_gone(struct redis *redis);

/* error.c: */
/* The connection is no good: see redis_class. */
bool redis_error_breaks(const redisReply *reply);
/* Of an error: one line, with what to do. */
void redis_error_text(const redisReply *reply, char *buf, size_t len);
/* REPLY, or NULL, is about to be handed out: for redis_said(). */
void redis_note_said(struct redis *redis, const redisReply *reply);

/* probe.c: */
void redis_probe_start(struct redis *redis);
/* Asks the time and writes; the shard is up when that is answered. */
void redis_probe_put(struct redis_shard *shard);
/* Looks at what any command was answered. */
void redis_probe_take(struct redis_shard *shard, const redisReply *reply);
void redis_report_write(struct redis *redis);

/* memory.c: */
/* Each tenth time. */
void redis_memory_ask(struct redis_shard *shard);
/* INFO: the answer's text. Pure. */
void redis_memory_read(struct redis_memory *memory, const char *info);

/* clock.c: */
int64_t redis_clock_boot_us(void);
/* TIME was sent and answered at these CLOCK_BOOTTIMEs. Pure. */
void redis_clock_take(struct redis_clock *clock, int64_t sent_us, int64_t came_us,
                      int64_t redis_us);
void redis_clock_start(struct redis *redis);

/* sentinel.c: */
/* Ends in redis_shard_connect(), a retry or a break. */
void redis_sentinel_find(struct redis_shard *shard);
/* Breaks the connection of a shard that is up if the primary is another one. */
void redis_sentinel_follow(struct redis_shard *shard);

/* connection.c: */
/* To shard->host and port. */
void redis_shard_connect(struct redis_shard *shard);
/* The greeting is over. */
void redis_shard_up(struct redis_shard *shard);
/* Queues one of our own. */
void redis_shard_put_command(struct redis_shard *shard, int argc, const char **argv, redis_fn fn);
/* Connects in DELAY_MS. */
void redis_shard_retry(struct redis_shard *shard, uint64_t delay_ms);
/* Queues a command that is encoded already, in whatever state; written by redis_shard_flush(). */
void redis_shard_put(struct redis_shard *shard, const char *cmd, size_t len,
                     struct redis_call call);
void redis_shard_flush(struct redis_shard *shard);
/* Ends the connection, WHY goes to the state callback, and tries again later. */
void redis_shard_break(struct redis_shard *shard, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* For good; the handles are counted in redis->handles. */
void redis_shard_close(struct redis_shard *shard);

#endif

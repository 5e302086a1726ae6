/* redis_internal.h - what redis.c (shards, commands, scripts) and redis_link.c (one connection)
 * share. Owner loop only. */
#ifndef IMC_COMMON_REDIS_INTERNAL_H
#define IMC_COMMON_REDIS_INTERNAL_H

#include "common/redis.h"

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

struct redis_bytes {
    char *data;
    size_t len, size;
};

enum redis_shard_state {
    REDIS_WAITING, /* for the next attempt */
    REDIS_RESOLVING,
    REDIS_CONNECTING,
    REDIS_GREETING, /* connected; not up before it answers PING */
    REDIS_UP,
};

struct redis_link;

struct redis_shard {
    struct redis *redis;
    char *name;     /* host:port, as configured */
    char host[256]; /* without brackets */
    char port[6];
    enum redis_shard_state state;
    struct redis_link *link;  /* from CONNECTING on */
    uv_timer_t retry;         /* WAITING: connect; GREETING: ask again */
    uv_getaddrinfo_t resolve; /* in use while RESOLVING */
    uint64_t backoff_ms, connect_due_ms;
    unsigned attempts;
    bool suspect; /* was overdue at the last tick; see on_tick */
    struct redis_bytes out;
    struct redis_calls pending; /* answers come in this order */
};

struct redis {
    struct loop *loop;
    char *password;
    int64_t database;
    uint64_t timeout_ms;
    redis_state_fn state;
    void *arg;
    struct ring *ring;
    size_t n_shards;
    struct redis_shard *shards;
    struct redis_calls failed; /* get NULL at the end of the turn */
    struct loop_task task;     /* fails those, writes what was put */
    uv_timer_t tick;           /* while something is waited for */
    enum { REDIS_UNTOLD, REDIS_TOLD_DOWN, REDIS_TOLD_UP } told;
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

/* redis_link.c: */
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

/* internal.h - what the parts of redis.h share. redis.c has shards, commands and scripts;
 * connection.c has one connection, with TLS or without; greeting.c begins it; error.c knows what
 * errors mean; probe.c tests writes; clock.c estimates Redis's clock; memory.c asks how full Redis
 * is; sentinel.c finds the primary. Owner loop only. */
#ifndef IMC_COMMON_REDIS_INTERNAL_H
#define IMC_COMMON_REDIS_INTERNAL_H

#include "common/redis/redis.h"

#include <string.h>

/* A command that waits for its answer. */
struct redis_call {
    redis_fn fn; /* may be NULL */
    void *arg;
    const struct redis_script *script; /* NULL: it is a command of its own */
    uint64_t sent_ms;
    int64_t sent_us; /* by time_mono_us() */
};

/* A queue in a ring that grows. So a command needs no allocation. */
struct redis_calls {
    struct redis_call *ring;
    size_t slots, head, count;
};

void redis_calls_push(struct redis_calls *calls, struct redis_call call);
struct redis_call redis_calls_pop(struct redis_calls *calls);

/* Commands and answers may hold keys, tokens and passwords. We do not look which do: all such
 * memory is overwritten before it is freed. The exception is memory that hiredis outgrows while it
 * reads a large answer. */
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
    REDIS_WAITING, /* until the next attempt */
    REDIS_ASKING,  /* a Sentinel */
    REDIS_RESOLVING,
    REDIS_CONNECTING, /* until TCP and TLS are ready */
    REDIS_GREETING,   /* connected; up only when Redis has answered PING and the first write */
    REDIS_UP,
};

struct redis_connection;

enum { REDIS_TEXT = 384, REDIS_WHY = 512 };

struct redis_shard {
    struct redis *redis;
    char *name;     /* host:port, or a master's name, as configured */
    char host[256]; /* without brackets; for a master: what a Sentinel said last */
    char port[6];
    enum redis_shard_state state;
    struct redis_connection *link; /* set from CONNECTING on */
    uv_timer_t retry;              /* WAITING: connect; GREETING: ask again */
    uv_getaddrinfo_t resolve;      /* in use while RESOLVING */
    uint64_t backoff_ms, connect_due_ms;
    uint64_t heard_ms; /* when bytes came last; 0: none on this connection */
    uint64_t connected_ms;
    unsigned attempts;
    unsigned loadings;       /* answers LOADING to this connection's PING */
    bool shaking;            /* CONNECTING, with TLS: connected, the handshake has not ended */
    bool suspect;            /* an answer was overdue at the last tick; see on_tick() */
    bool ponged;             /* GREETING: Redis has answered PING, but not the first write yet */
    bool probing;            /* a probing write is unanswered */
    bool asking, led;        /* ASKING: a Sentinel has not answered; LED: its last answer has not
                              * led to a primary yet */
    size_t sentinel;         /* index of the Sentinel to ask */
    char trouble[REDIS_WHY]; /* why Redis takes no writes, or which right we lack; "": no trouble */
    uint64_t trouble_until_ms;
    struct redis_memory memory;
    unsigned memory_asked; /* probes so far; each tenth one asks for the memory */
    struct redis_bytes out;
    struct redis_calls pending; /* Redis answers in this order */
};

struct redis {
    struct redis_clock clock; /* first: redis_now_us() finds it there */
    struct loop *loop;
    char *user, *password;
    struct tls_client *tls; /* NULL: without */
    char *tls_name;         /* "": the shard's host */
    int64_t database;
    uint64_t timeout_ms;
    redis_state_fn state, write_state;
    redis_clock_fn clock_state;
    redis_memory_fn memory_state;
    void *arg;
    struct redis *sentinels; /* NULL = none: shards are addresses */
    bool is_sentinels;       /* the shards are Sentinels, which take no writes */
    struct ring *ring;
    size_t n_shards;
    struct redis_shard *shards;
    struct redis_calls failed; /* calls that get NULL at the end of the turn */
    struct loop_task task;     /* fails those calls, writes queued commands */
    uv_timer_t tick;           /* runs while an answer is awaited */
    uv_timer_t probe;
    enum redis_told { REDIS_UNTOLD, REDIS_TOLD_DOWN, REDIS_TOLD_UP } told, write_told;
    char why[REDIS_WHY];       /* why a shard's connection broke last; "": none has */
    char write_why[REDIS_WHY]; /* the reason that write_state was given last */
    char said[REDIS_WHY + 64]; /* the text that redis_said() returns */
    bool closed;
    unsigned handles; /* handles of libuv that still refer to this struct */
    struct redis_stats stats;
    char read_buffer[64 * 1024];
};

/* redis.c: */
/* The state of a shard has changed. WHY: if it is not up, the reason. */
void redis_report(struct redis *redis, const char *why);
/* The shard's pending calls get NULL at the end of the turn. */
void redis_fail_pending(struct redis_shard *shard);
void redis_tick_start(struct redis *redis);
/* One of the handles in redis->handles has closed. The last one frees REDIS. */
void redis_handle_gone(struct redis *redis);

/* error.c: */
/* Does this error end the connection? See redis_class. */
bool redis_error_breaks(const redisReply *reply);
/* If REPLY of SCRIPT is an error that says in which line the user lacks a right, its text names the
 * command instead. */
void redis_error_name_right(redisReply *reply, const struct redis_script *script);
/* Writes an error as one line, with advice. */
void redis_error_text(const redisReply *reply, char *buf, size_t len);
/* Remembers REPLY (NULL: no answer) for redis_said(), before a callback gets it. */
void redis_note_said(struct redis *redis, const redisReply *reply);

/* probe.c: */
void redis_probe_start(struct redis *redis);
/* Asks for the time and writes a key. When both are answered, a greeting shard is up. */
void redis_probe_put(struct redis_shard *shard);
/* Looks at the answer to any command: an error may say that Redis takes no writes. */
void redis_probe_take(struct redis_shard *shard, const redisReply *reply);
void redis_report_write(struct redis *redis);

/* memory.c: */
/* Called at each probe; asks Redis at each tenth one. */
void redis_memory_ask(struct redis_shard *shard);
/* Reads the text of an answer to INFO. Pure. */
void redis_memory_read(struct redis_memory *memory, const char *info);

/* clock.c: */
/* TIME was sent at SENT_US and answered at CAME_US (both CLOCK_BOOTTIME) with REDIS_US. Pure. */
void redis_clock_take(struct redis_clock *clock, int64_t sent_us, int64_t came_us,
                      int64_t redis_us);
void redis_clock_start(struct redis *redis);

/* sentinel.c: */
/* Asks a Sentinel for the primary. Ends in redis_shard_connect(), redis_shard_retry() or
 * redis_shard_break(). */
void redis_sentinel_find(struct redis_shard *shard);
/* Asks who the primary is, for a shard that is up. If it is another Redis, breaks the
 * connection. */
void redis_sentinel_follow(struct redis_shard *shard);

/* greeting.c: */
/* Says who we are and asks for a PONG, in state GREETING. */
void redis_greeting_put(struct redis_shard *shard);

/* connection.c: */
/* Connects to shard->host and port. */
void redis_shard_connect(struct redis_shard *shard);
/* The greeting is over: SHARD is up. */
void redis_shard_up(struct redis_shard *shard);
/* Queues a command of this folder's own. */
void redis_shard_put_command(struct redis_shard *shard, int argc, const char **argv, redis_fn fn);
/* Connects in DELAY_MS. */
void redis_shard_retry(struct redis_shard *shard, uint64_t delay_ms);
/* Queues a command that is encoded already, in any state. redis_shard_flush() writes it. */
void redis_shard_put(struct redis_shard *shard, const char *cmd, size_t len,
                     struct redis_call call);
void redis_shard_flush(struct redis_shard *shard);
/* Ends the connection and tries again later. The text goes to the state callback. */
void redis_shard_break(struct redis_shard *shard, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Ends SHARD for good. redis->handles counts its handles until they are closed. */
void redis_shard_close(struct redis_shard *shard);

#endif

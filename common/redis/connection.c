/* The connection to one Redis, opened again whenever it ends. hiredis encodes commands and parses
 * answers, but we use a socket of libuv. hiredis' own asynchronous part would resolve names with a
 * blocking call, and free itself when we do not expect it.
 *
 *   WAITING ─on_retry─► RESOLVING ─on_resolved─► CONNECTING ─on_connected─► GREETING ───────► UP
 *      ▲                    │ (names only)           │                       ▲ │   │  on_pong,   │
 *      │                    │                        │    LOADING, on_retry: └─┘   │  on_probed  │
 *      └────────────────────┴──── redis_shard_break: an error, no answer in time ──┴─────────────┘
 *
 * With Sentinels, ASKING is between WAITING and the rest: sentinel.c. */
#include "common/base/loop_metrics.h"
#include "common/base/mem.h"
#include "common/base/random.h"
#include "common/base/time.h"
#include "common/net/address.h"
#include "common/redis/internal.h"
#include "common/tls/engine.h"

#include <assert.h>
#include <errno.h>
#include <hiredis/sds.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BACKOFF_MIN_MS = 50,
    BACKOFF_MAX_MS = 1000,
    READER_KEEP = 1 << 20, /* bytes that hiredis may keep for the next answers */
    OUT_KEEP = 1 << 20,    /* an empty output buffer larger than this is freed */
};

/* Exists from connecting to its close callback, so the shard may have dropped it before. */
struct redis_connection {
    uv_tcp_t tcp;
    struct redis *redis;
    struct redis_shard *shard; /* NULL: the shard has dropped it */
    redisReader *reader;
    uv_connect_t connect;
    uv_write_t write;
    struct redis_bytes writing; /* bytes that the socket did not take at once */
    bool busy;                  /* `write` is in use */
    struct tls_engine *tls;     /* NULL: without */
    size_t dirty; /* bytes of the reader's buffer that were used since it was overwritten last */
};

static void on_retry(uv_timer_t *timer);

/* --- buffers --- */

static void append(struct redis_bytes *bytes, const char *data, size_t len)
{
    if (bytes->len + len > bytes->size) {
        size_t size = bytes->size == 0 ? 4096 : bytes->size;
        while (size < bytes->len + len)
            size *= 2;
        bytes->data = mem_wiped_realloc(bytes->data, bytes->len, size);
        bytes->size = size;
    }
    memcpy(bytes->data + bytes->len, data, len);
    bytes->len += len;
}

static void clear(struct redis_bytes *bytes)
{
    if (bytes->len > 0)
        explicit_bzero(bytes->data, bytes->len);
    bytes->len = 0;
    if (bytes->size <= OUT_KEEP)
        return;
    free(bytes->data);
    *bytes = (struct redis_bytes){0};
}

/* Overwrites the reader's buffer, after all answers in it were taken or the connection has
 * ended. */
static void reader_wipe(struct redis_connection *link)
{
    char *buf = link->reader->buf;
    size_t size = buf != NULL ? sdsalloc(buf) : 0;
    if (size > 0)
        explicit_bzero(buf, link->dirty < size ? link->dirty : size);
    link->dirty = 0;
}

static void reply_wipe(redisReply *reply)
{
    if (reply->str != NULL)
        explicit_bzero(reply->str, (size_t)reply->len);
    for (size_t i = 0; reply->element != NULL && i < reply->elements; i++)
        reply_wipe(reply->element[i]);
}

/* --- letting go --- */

static void on_link_closed(uv_handle_t *handle)
{
    struct redis_connection *link = container_of(handle, struct redis_connection, tcp);
    struct redis *redis = link->redis;
    reader_wipe(link);
    redisReaderFree(link->reader);
    mem_wiped_free(link->writing.data, link->writing.len);
    free(link);
    redis_handle_gone(redis);
}

static void drop_link(struct redis_shard *shard)
{
    if (shard->link == NULL)
        return;
    shard->link->shard = NULL;
    tls_engine_free(shard->link->tls);
    shard->link->tls = NULL;
    uv_close((uv_handle_t *)&shard->link->tcp, on_link_closed);
    shard->link = NULL;
    shard->shaking = false;
    clear(&shard->out);
}

static uint64_t next_backoff(struct redis_shard *shard)
{
    uint64_t backoff = shard->backoff_ms == 0 ? BACKOFF_MIN_MS : shard->backoff_ms * 2;
    shard->backoff_ms = backoff < BACKOFF_MAX_MS ? backoff : BACKOFF_MAX_MS;
    /* Shorter by up to a quarter, at random. Otherwise all daemons would connect to a restarted
     * Redis at once. */
    return shard->backoff_ms - random_number() % (shard->backoff_ms / 4);
}

void redis_shard_break(struct redis_shard *shard, const char *fmt, ...)
{
    char what[256], why[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    (void)snprintf(why, sizeof why, "%s: %s", shard->name, what);
    (void)snprintf(shard->redis->why, sizeof shard->redis->why, "%s", why);
    drop_link(shard);
    shard->state = REDIS_WAITING;
    shard->suspect = shard->probing = false;
    shard->trouble[0] = '\0';
    redis_shard_retry(shard, next_backoff(shard));
    redis_fail_pending(shard);
    redis_report_write(shard->redis);
    redis_report(shard->redis, why);
}

static void on_retry_closed(uv_handle_t *handle)
{
    struct redis_shard *shard = handle->data;
    redis_handle_gone(shard->redis);
}

void redis_shard_close(struct redis_shard *shard)
{
    if (shard->state == REDIS_RESOLVING)
        uv_cancel((uv_req_t *)&shard->resolve); /* on_resolved() still comes */
    drop_link(shard);
    shard->state = REDIS_WAITING;
    uv_close((uv_handle_t *)&shard->retry, on_retry_closed);
    redis_fail_pending(shard);
}

/* --- reading --- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct redis_connection *link = container_of(handle, struct redis_connection, tcp);
    (void)suggested;
    *buf = uv_buf_init(link->redis->read_buffer, sizeof link->redis->read_buffer);
}

/* NOW_US: of the bytes that brought it. */
static void take_reply(struct redis_connection *link, redisReply *reply, int64_t now_us)
{
    struct redis_shard *shard = link->shard;
    struct redis_call call = redis_calls_pop(&shard->pending);
    loop_observe(link->redis->loop, LOOP_REDIS, now_us - call.sent_us);
    bool error = reply->type == REDIS_REPLY_ERROR;
    shard->suspect = false;
    if (error && call.script != NULL)
        redis_error_name_right(reply, call.script);
    redis_note_said(link->redis, reply);
    if (call.fn != NULL)
        call.fn(link->redis, reply, call.arg);
    if (!error || link->shard == NULL || shard->state != REDIS_UP)
        return;
    redis_probe_take(shard, reply);
    if (link->shard == NULL || !redis_error_breaks(reply))
        return;
    char text[REDIS_TEXT];
    redis_error_text(reply, text, sizeof text);
    redis_shard_break(shard, "%s", text);
}

/* A call of FN may end the connection or close the whole client. Then link->shard is NULL. */
static void take_replies(struct redis_connection *link)
{
    int64_t now_us = time_mono_us();
    while (link->shard != NULL) {
        struct redis_shard *shard = link->shard;
        void *reply = NULL;
        if (redisReaderGetReply(link->reader, &reply) != REDIS_OK) {
            redis_shard_break(shard, "speaks no Redis (%s)", link->reader->errstr);
            return;
        }
        if (reply == NULL) {
            if (link->reader->pos == link->reader->len)
                reader_wipe(link);
            return;
        }
        if (shard->pending.count == 0) {
            reply_wipe(reply);
            freeReplyObject(reply);
            redis_shard_break(shard, "sent an answer that nobody asked for");
            return;
        }
        take_reply(link, reply, now_us);
        reply_wipe(reply);
        freeReplyObject(reply);
    }
}

/* Takes LEN bytes of answers, and overwrites them. */
static void take_bytes(struct redis_connection *link, char *bytes, size_t len)
{
    int fed = redisReaderFeed(link->reader, bytes, len);
    explicit_bzero(bytes, len);
    if (link->reader->len > link->dirty)
        link->dirty = link->reader->len;
    if (fed != REDIS_OK)
        redis_shard_break(link->shard, "answer too large (%s)", link->reader->errstr);
    else
        take_replies(link);
}

static void greet(struct redis_shard *shard)
{
    shard->state = REDIS_GREETING;
    shard->shaking = false;
    shard->loadings = 0;
    redis_greeting_put(shard);
}

static void tls_failed(struct redis_connection *link)
{
    redis_shard_flush(link->shard); /* our alert */
    if (link->shard == NULL)
        return;
    if (tls_engine_peer_is_plain(link->tls))
        redis_shard_break(link->shard, "does not speak TLS on this port, check redis.tls");
    else
        redis_shard_break(link->shard,
                          "no TLS (%s), check redis.ca, redis.tls_name, redis.certificate",
                          tls_engine_error(link->tls));
}

/* Takes LEN bytes of TLS. */
static void take_tls(struct redis_connection *link, const char *bytes, size_t len)
{
    char plain[16 * 1024];
    size_t at = 0, got;
    do {
        at += tls_engine_feed(link->tls, bytes + at, len - at);
        got = tls_engine_read(link->tls, plain, sizeof plain);
        enum tls_state state = tls_engine_state(link->tls);
        if (state == TLS_FAILED) {
            tls_failed(link);
            return;
        }
        if (state == TLS_OPEN && link->shard->shaking)
            greet(link->shard);
        if (got > 0)
            take_bytes(link, plain, got);
    } while (link->shard != NULL && (got > 0 || at < len));
    if (link->shard != NULL)
        redis_shard_flush(link->shard); /* the handshake's next part */
}

static void say_ended(struct redis_connection *link, int err)
{
    const struct redis_shard *shard = link->shard;
    if (err != UV_EOF && err != UV_ECONNRESET)
        redis_shard_break(link->shard, "%s", uv_strerror(err));
    else if (shard->shaking)
        redis_shard_break(link->shard, "closed the connection in the handshake of TLS, check "
                                       "redis.tls: does it speak TLS on this port?");
    else if (shard->state == REDIS_GREETING && shard->heard_ms < shard->connected_ms)
        redis_shard_break(link->shard, "closed the connection without an answer, check redis.tls: "
                                       "does it want TLS?");
    else
        redis_shard_break(link->shard, "%s",
                          err == UV_EOF ? "closed the connection" : uv_strerror(err));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct redis_connection *link = container_of(stream, struct redis_connection, tcp);
    if (n == 0 || link->shard == NULL)
        return;
    if (n < 0) {
        say_ended(link, (int)n);
        return;
    }
    link->shard->heard_ms = loop_now_ms(link->redis->loop);
    if (link->tls != NULL)
        take_tls(link, buf->base, (size_t)n);
    else
        take_bytes(link, buf->base, (size_t)n);
}

/* --- writing --- */

void redis_shard_put(struct redis_shard *shard, const char *cmd, size_t len, struct redis_call call)
{
    struct redis *redis = shard->redis;
    append(&shard->out, cmd, len);
    call.sent_ms = loop_now_ms(redis->loop);
    call.sent_us = time_mono_us();
    redis_calls_push(&shard->pending, call);
    redis_tick_start(redis);
    loop_defer(redis->loop, &redis->task);
}

void redis_shard_put_command(struct redis_shard *shard, int argc, const char **argv, redis_fn fn)
{
    char *cmd;
    int len = redisFormatCommandArgv(&cmd, argc, argv, NULL);
    assert(len > 0);
    redis_shard_put(shard, cmd, (size_t)len, (struct redis_call){.fn = fn, .arg = shard});
    redis_command_free(cmd, (size_t)len);
}

static void on_written(uv_write_t *write, int status)
{
    struct redis_connection *link = container_of(write, struct redis_connection, write);
    link->busy = false;
    clear(&link->writing);
    if (link->shard == NULL)
        return;
    if (status != 0)
        redis_shard_break(link->shard, "%s", uv_strerror(status));
    else
        redis_shard_flush(link->shard);
}

/* Writes what is in link->writing, from AT on. */
static void write_rest(struct redis_connection *link, size_t at)
{
    uv_buf_t buf = uv_buf_init(link->writing.data + at, (unsigned)(link->writing.len - at));
    link->busy = true;
    int err = uv_write(&link->write, (uv_stream_t *)&link->tcp, &buf, 1, on_written);
    if (err != 0) {
        link->busy = false;
        redis_shard_break(link->shard, "%s", uv_strerror(err));
    }
}

/* Encrypts what waits, once the handshake is over, and puts what there is of TLS into
 * link->writing. */
static void encrypt_waiting(struct redis_connection *link)
{
    struct redis_bytes *out = &link->shard->out;
    const uint8_t *bytes;
    size_t at = 0, done, n;
    do {
        done = at < out->len ? tls_engine_write(link->tls, out->data + at, out->len - at) : 0;
        at += done;
        n = tls_engine_output(link->tls, &bytes);
        if (n > 0)
            append(&link->writing, (const char *)bytes, n);
        tls_engine_sent(link->tls, n);
    } while (done > 0 && at < out->len);
    if (at > 0)
        clear(out);
}

static void flush_tls(struct redis_connection *link)
{
    encrypt_waiting(link);
    size_t len = link->writing.len;
    if (len == 0)
        return;
    uv_buf_t buf = uv_buf_init(link->writing.data, (unsigned)len);
    int taken = uv_try_write((uv_stream_t *)&link->tcp, &buf, 1);
    if (taken < 0 && taken != UV_EAGAIN)
        redis_shard_break(link->shard, "%s", uv_strerror(taken));
    else if (taken > 0 && (size_t)taken == len)
        clear(&link->writing);
    else
        write_rest(link, taken > 0 ? (size_t)taken : 0);
}

void redis_shard_flush(struct redis_shard *shard)
{
    struct redis_connection *link = shard->link;
    if (link == NULL || link->busy)
        return;
    if (link->tls != NULL) {
        flush_tls(link);
        return;
    }
    if (shard->out.len == 0)
        return;
    uv_stream_t *stream = (uv_stream_t *)&link->tcp;
    size_t len = shard->out.len;
    uv_buf_t buf = uv_buf_init(shard->out.data, (unsigned)(len < INT32_MAX ? len : INT32_MAX));
    int taken = uv_try_write(stream, &buf, 1);
    if (taken < 0 && taken != UV_EAGAIN) {
        redis_shard_break(shard, "%s", uv_strerror(taken));
        return;
    }
    if (taken > 0 && (size_t)taken == len) {
        clear(&shard->out);
        return;
    }
    size_t at = taken > 0 ? (size_t)taken : 0;
    append(&link->writing, shard->out.data + at, len - at);
    clear(&shard->out);
    write_rest(link, 0);
}

/* --- connecting --- */

static void on_connected(uv_connect_t *connect, int status)
{
    struct redis_connection *link = container_of(connect, struct redis_connection, connect);
    struct redis_shard *shard = link->shard;
    if (shard == NULL)
        return;
    if (status != 0) {
        redis_shard_break(shard, "%s", uv_strerror(status));
        return;
    }
    uv_tcp_nodelay(&link->tcp, 1);
    uv_tcp_keepalive(&link->tcp, 1, 15);
    shard->connected_ms = loop_now_ms(shard->redis->loop);
    shard->heard_ms = 0;
    uv_read_start((uv_stream_t *)&link->tcp, on_alloc, on_read);
    shard->shaking = link->tls != NULL;
    if (link->tls != NULL)
        redis_shard_flush(shard); /* the handshake begins; take_tls() goes on */
    else
        greet(shard);
}

/* False: there should be TLS, and cannot be. */
static bool begin_tls(struct redis_connection *link)
{
    const struct redis *redis = link->redis;
    if (redis->tls == NULL)
        return true;
    const char *name = redis->tls_name[0] != '\0' ? redis->tls_name : link->shard->host;
    link->tls = tls_engine_connect(redis->tls, name, NULL);
    return link->tls != NULL;
}

static void connect_to(struct redis_shard *shard, const struct sockaddr *address)
{
    struct redis *redis = shard->redis;
    struct redis_connection *link = mem_zalloc(sizeof *link);
    link->redis = redis;
    link->shard = shard;
    link->reader = redisReaderCreate();
    if (link->reader == NULL)
        abort(); /* fails only without memory */
    link->reader->maxbuf = READER_KEEP;
    uv_tcp_init(&redis->loop->uv, &link->tcp);
    redis->handles++;
    shard->link = link;
    shard->state = REDIS_CONNECTING;
    if (!begin_tls(link)) {
        redis_shard_break(shard, "no TLS: its name can be no host's, check redis.tls_name");
        return;
    }
    shard->connect_due_ms = loop_now_ms(redis->loop) + redis->timeout_ms;
    int err = uv_tcp_connect(&link->connect, &link->tcp, address, on_connected);
    if (err != 0)
        redis_shard_break(shard, "%s", uv_strerror(err));
    else
        redis_tick_start(redis);
}

static void on_resolved(uv_getaddrinfo_t *resolve, int status, struct addrinfo *found)
{
    struct redis_shard *shard = resolve->data;
    if (shard->redis->closed) {
        uv_freeaddrinfo(found);
        redis_handle_gone(shard->redis);
        return;
    }
    shard->redis->handles--;
    if (status != 0 || found == NULL) {
        redis_shard_break(shard, "name not found (%s)", uv_strerror(status));
        return;
    }
    /* If the name has several addresses, each attempt takes the next one. */
    unsigned n = 0;
    for (struct addrinfo *a = found; a != NULL; a = a->ai_next)
        n++;
    struct addrinfo *chosen = found;
    for (unsigned i = shard->attempts++ % n; i > 0; i--)
        chosen = chosen->ai_next;
    connect_to(shard, chosen->ai_addr);
    uv_freeaddrinfo(found);
}

void redis_shard_connect(struct redis_shard *shard)
{
    struct redis *redis = shard->redis;
    union endpoint endpoint;
    if (endpoint_parse(shard->host, (int)strtol(shard->port, NULL, 10), &endpoint)) {
        connect_to(shard, &endpoint.any);
        return;
    }
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    shard->resolve.data = shard;
    int err = uv_getaddrinfo(&redis->loop->uv, &shard->resolve, on_resolved, shard->host,
                             shard->port, &hints);
    if (err != 0) {
        redis_shard_break(shard, "name not found (%s)", uv_strerror(err));
        return;
    }
    shard->state = REDIS_RESOLVING;
    redis->handles++;
}

static void on_retry(uv_timer_t *timer)
{
    struct redis_shard *shard = timer->data;
    if (shard->state == REDIS_WAITING && shard->redis->sentinels != NULL)
        redis_sentinel_find(shard);
    else if (shard->state == REDIS_WAITING)
        redis_shard_connect(shard);
    else if (shard->state == REDIS_GREETING)
        redis_greeting_put(shard);
}

void redis_shard_retry(struct redis_shard *shard, uint64_t delay_ms)
{
    uv_timer_start(&shard->retry, on_retry, delay_ms, 0);
}

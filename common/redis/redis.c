/* Commands wait in their shard until the end of the turn, and are written at once. Redis answers in
 * the order of the commands. connection.c has the connection.
 *
 *   redis_command ──► shard.out ──(end of turn)──► socket
 *        │            shard.pending ◄── answers ── socket
 *        └─ shard is down ──► failed ──(end of turn)──► fn(NULL)
 *
 * redis_eval does the same with EVALSHA. If the answer is NOSCRIPT: SCRIPT LOAD, EVALSHA again. */
#include "common/redis/redis.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/config/config.h"
#include "common/containers/ring.h"
#include "common/net/address.h"
#include "common/redis/internal.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE = 5 }; /* timeouts, for an answer behind others */

/* --- calls --- */

void redis_calls_push(struct redis_calls *calls, struct redis_call call)
{
    if (calls->count == calls->slots) {
        size_t slots = calls->slots == 0 ? 16 : calls->slots * 2;
        struct redis_call *ring = mem_alloc(slots * sizeof *ring);
        for (size_t i = 0; i < calls->count; i++)
            ring[i] = calls->ring[(calls->head + i) & (calls->slots - 1)];
        free(calls->ring);
        *calls = (struct redis_calls){.ring = ring, .slots = slots, .count = calls->count};
    }
    calls->ring[(calls->head + calls->count++) & (calls->slots - 1)] = call;
}

struct redis_call redis_calls_pop(struct redis_calls *calls)
{
    assert(calls->count > 0);
    struct redis_call call = calls->ring[calls->head];
    calls->head = (calls->head + 1) & (calls->slots - 1);
    calls->count--;
    return call;
}

static void fail_call(struct redis *redis)
{
    struct redis_call call = redis_calls_pop(&redis->failed);
    redis->stats.failed++;
    redis_note_said(redis, NULL);
    if (call.fn != NULL)
        call.fn(redis, NULL, call.arg);
}

void redis_fail_pending(struct redis_shard *shard)
{
    struct redis *redis = shard->redis;
    while (shard->pending.count > 0)
        redis_calls_push(&redis->failed, redis_calls_pop(&shard->pending));
    if (redis->failed.count > 0)
        loop_defer(redis->loop, &redis->task);
}

/* --- life --- */

static void maybe_free(struct redis *redis)
{
    if (!redis->closed || redis->handles > 0 || redis->task.queued)
        return;
    for (size_t i = 0; i < redis->n_shards; i++) {
        struct redis_shard *shard = &redis->shards[i];
        free(shard->name);
        mem_wiped_free(shard->out.data, shard->out.len);
        free(shard->pending.ring);
    }
    free(redis->shards);
    ring_free(redis->ring);
    free(redis->failed.ring);
    free(redis->user);
    mem_wiped_free_text(redis->password);
    free(redis->tls_name);
    free(redis);
}

void redis_handle_gone(struct redis *redis)
{
    redis->handles--;
    maybe_free(redis);
}

/* At the end of the turn: fails what has to fail, and writes what is queued. */
static void on_task(struct loop *loop, struct loop_task *task)
{
    struct redis *redis = container_of(task, struct redis, task);
    (void)loop;
    /* Calls that fail from here on wait for the next turn. */
    for (size_t n = redis->failed.count; n > 0 && !redis->closed; n--)
        fail_call(redis);
    for (size_t i = 0; i < redis->n_shards && !redis->closed; i++)
        redis_shard_flush(&redis->shards[i]);
    if (redis->failed.count > 0 && !redis->closed)
        loop_defer(redis->loop, &redis->task);
    maybe_free(redis);
}

/* Has the oldest answer that SHARD waits for been missing for too long? While bytes come, Redis
 * lives: large answers to other commands may be before that one. If we broke the connection, Redis
 * would have to make all of them again. */
static bool is_overdue(const struct redis_shard *shard)
{
    uint64_t now = loop_now_ms(shard->redis->loop);
    if (shard->state == REDIS_CONNECTING)
        return now > shard->connect_due_ms;
    const struct redis_calls *pending = &shard->pending;
    if (pending->count == 0)
        return false;
    uint64_t sent = pending->ring[pending->head].sent_ms, timeout = shard->redis->timeout_ms;
    uint64_t since = shard->heard_ms > sent ? shard->heard_ms : sent;
    return now > since + timeout || now > sent + PATIENCE * timeout;
}

static void on_tick(uv_timer_t *timer)
{
    struct redis *redis = timer->data;
    bool waiting = false, suspects = false;
    for (size_t i = 0; i < redis->n_shards && !redis->closed; i++) {
        struct redis_shard *shard = &redis->shards[i];
        bool overdue = is_overdue(shard);
        if (overdue && shard->suspect) {
            redis->stats.timeouts++;
            redis_shard_break(shard, "no answer within %llu ms%s",
                              (unsigned long long)redis->timeout_ms,
                              shard->shaking ? " to TLS, check redis.tls: does it speak TLS on "
                                               "this port?"
                                             : "");
            overdue = false;
        }
        /* Break only if it is still overdue at the next tick, after the sockets were read. Perhaps
         * this loop was held up, not Redis. */
        shard->suspect = overdue;
        suspects = suspects || overdue;
        waiting = waiting || shard->state == REDIS_CONNECTING || shard->pending.count > 0;
    }
    if (redis->closed || !waiting)
        return;
    uint64_t period = redis->timeout_ms / 4;
    uv_timer_start(timer, on_tick, suspects ? 1 : period < 250 ? period + 1 : 250, 0);
}

void redis_tick_start(struct redis *redis)
{
    if (!uv_is_active((uv_handle_t *)&redis->tick))
        on_tick(&redis->tick);
}

static int parse_server(struct redis_shard *shard, const char *item, size_t len)
{
    struct address address;
    shard->name = mem_strndup(item, len);
    if (address_parse(item, len, &address) != 0 || address.host[0] == '\0' || address.port == 0)
        return -EINVAL;
    (void)snprintf(shard->host, sizeof shard->host, "%s", address.host);
    (void)snprintf(shard->port, sizeof shard->port, "%s", address.port_text);
    return 0;
}

struct parsing {
    struct redis *redis;
    bool names; /* the items are names of masters, not addresses */
    int err;
};

static void add_server(const char *item, size_t len, void *arg)
{
    struct parsing *parsing = arg;
    struct redis *redis = parsing->redis;
    redis->shards = mem_realloc(redis->shards, (redis->n_shards + 1) * sizeof *redis->shards);
    struct redis_shard *shard = &redis->shards[redis->n_shards++];
    memset(shard, 0, sizeof *shard);
    shard->redis = redis;
    if (parsing->names)
        shard->name = mem_strndup(item, len);
    else if (parse_server(shard, item, len) != 0)
        parsing->err = -EINVAL;
    for (size_t i = 0; i + 1 < redis->n_shards; i++) {
        if (strcmp(redis->shards[i].name, shard->name) == 0)
            parsing->err = -EINVAL;
    }
}

static struct ring *ring_of(const struct redis *redis)
{
    struct ring_node *nodes = mem_zalloc(redis->n_shards * sizeof *nodes);
    for (size_t i = 0; i < redis->n_shards; i++)
        nodes[i] = (struct ring_node){.name = redis->shards[i].name, .weight = 1};
    struct ring *ring = ring_new(nodes, redis->n_shards);
    free(nodes);
    return ring;
}

static void open_handle(struct redis *redis, uv_timer_t *timer, void *data)
{
    uv_timer_init(&redis->loop->uv, timer);
    timer->data = data;
    redis->handles++;
}

static bool is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static char *copy(const char *text)
{
    return mem_strdup(text != NULL ? text : "");
}

static int parse_servers(struct redis *redis, const struct redis_options *options)
{
    bool names = is_given(options->sentinels);
    struct parsing parsing = {.redis = redis, .names = names};
    config_list_each(names ? options->masters : options->servers, add_server, &parsing);
    return parsing.err != 0 || redis->n_shards == 0 ? -EINVAL : 0;
}

static void open_shards(struct redis *redis, const struct redis_options *options)
{
    redis->user = copy(options->user);
    redis->password = copy(options->password);
    redis->tls = options->tls;
    redis->tls_name = copy(options->tls_name);
    redis->database = options->database;
    redis->timeout_ms = (uint64_t)options->timeout_ms;
    redis->ring = ring_of(redis);
    redis_clock_start(redis);
    redis->task.run = on_task;
    open_handle(redis, &redis->tick, redis);
    open_handle(redis, &redis->probe, redis);
    redis_probe_start(redis);
    for (size_t i = 0; i < redis->n_shards; i++) {
        open_handle(redis, &redis->shards[i].retry, &redis->shards[i]);
        redis_shard_retry(&redis->shards[i], 0);
    }
}

static int open_sentinels(struct redis *redis, const struct redis_options *options)
{
    const struct redis_options of_sentinels = {
        .servers = options->sentinels,
        .password = options->sentinel_password,
        .timeout_ms = options->timeout_ms,
        .tls = options->tls,
        .tls_name = options->tls_name,
    };
    if (!is_given(options->sentinels))
        return 0;
    struct redis *opened = mem_zalloc(sizeof *opened);
    opened->loop = redis->loop;
    opened->is_sentinels = true;
    if (parse_servers(opened, &of_sentinels) != 0) {
        opened->closed = true;
        maybe_free(opened);
        return -EINVAL;
    }
    open_shards(opened, &of_sentinels);
    redis->sentinels = opened;
    return 0;
}

int redis_open(struct loop *loop, const struct redis_options *options, redis_state_fn state,
               void *arg, struct redis **redis)
{
    loop_assert_owner(loop);
    struct redis *opened = mem_zalloc(sizeof *opened);
    opened->loop = loop;
    if (parse_servers(opened, options) != 0 || open_sentinels(opened, options) != 0) {
        opened->closed = true;
        maybe_free(opened);
        return -EINVAL;
    }
    opened->state = state;
    opened->write_state = options->write_state;
    opened->clock_state = options->clock_state;
    opened->memory_state = options->memory_state;
    opened->arg = arg;
    open_shards(opened, options);
    *redis = opened;
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    redis_handle_gone(handle->data);
}

void redis_close(struct redis *redis)
{
    if (redis == NULL)
        return;
    loop_assert_owner(redis->loop);
    assert(!redis->closed);
    redis->closed = true;
    redis_close(redis->sentinels);
    for (size_t i = 0; i < redis->n_shards; i++)
        redis_shard_close(&redis->shards[i]);
    uv_close((uv_handle_t *)&redis->tick, on_timer_closed);
    uv_close((uv_handle_t *)&redis->probe, on_timer_closed);
    while (redis->failed.count > 0)
        fail_call(redis);
}

bool redis_is_up(const struct redis *redis)
{
    loop_assert_owner(redis->loop);
    for (size_t i = 0; i < redis->n_shards; i++) {
        if (redis->shards[i].state != REDIS_UP)
            return false;
    }
    return true;
}

void redis_report(struct redis *redis, const char *why)
{
    bool up = redis_is_up(redis);
    int now = up ? REDIS_TOLD_UP : REDIS_TOLD_DOWN;
    /* Before the first state is known, one of several shards may come up. That is not reported. */
    if ((int)redis->told == now || (!up && why[0] == '\0'))
        return;
    redis->told = up ? REDIS_TOLD_UP : REDIS_TOLD_DOWN;
    if (up)
        redis->why[0] = '\0';
    if (redis->state != NULL)
        redis->state(redis, up, why, redis->arg);
}

size_t redis_shards(const struct redis *redis)
{
    return redis->n_shards;
}

const char *redis_shard_name(const struct redis *redis, size_t shard)
{
    return redis->shards[shard].name;
}

size_t redis_shard_of(const struct redis *redis, const char *key, size_t len)
{
    return (size_t)ring_find(redis->ring, key, len);
}

const struct redis_stats *redis_stats(const struct redis *redis)
{
    return &redis->stats;
}

/* --- commands --- */

static void issue(struct redis_shard *shard, const char *cmd, size_t len, struct redis_call call)
{
    struct redis *redis = shard->redis;
    if (shard->state == REDIS_UP && !redis->closed) {
        redis->stats.commands++;
        redis_shard_put(shard, cmd, len, call);
        return;
    }
    redis_calls_push(&redis->failed, call);
    if (!redis->closed)
        loop_defer(redis->loop, &redis->task);
}

/* These are the parts of a command. NOLINTNEXTLINE(readability-function-size) */
void redis_command(struct redis *redis, size_t shard, int argc, const char **argv,
                   const size_t *argvlen, redis_fn fn, void *arg)
{
    loop_assert_owner(redis->loop);
    assert(shard < redis->n_shards && argc > 0);
    char *cmd;
    int len = redisFormatCommandArgv(&cmd, argc, argv, argvlen);
    assert(len > 0);
    issue(&redis->shards[shard], cmd, (size_t)len, (struct redis_call){.fn = fn, .arg = arg});
    redis_command_free(cmd, (size_t)len);
}

/* --- scripts --- */

/* A script that runs. Keeps the encoded EVALSHA until Redis has answered. */
struct eval {
    struct redis_shard *shard;
    const struct redis_script *script;
    redis_fn fn;
    void *arg;
    char *cmd;
    size_t len;
    bool loaded; /* SCRIPT LOAD was sent, and EVALSHA a second time */
};

static void sha1_hex(const char *source, char out[41])
{
    uint8_t digest[20];
    unsigned int len = sizeof digest;
    if (EVP_Digest(source, strlen(source), digest, &len, EVP_sha1(), NULL) != 1)
        abort(); /* only for want of memory */
    text_to_hex(digest, sizeof digest, out);
}

static void on_eval(struct redis *redis, const redisReply *reply, void *arg);

static void issue_eval(struct eval *eval)
{
    struct redis_call call = {.fn = on_eval, .arg = eval, .script = eval->script};
    issue(eval->shard, eval->cmd, eval->len, call);
}

static bool is_error(const redisReply *reply, const char *code)
{
    return reply != NULL && reply->type == REDIS_REPLY_ERROR &&
           strncmp(reply->str, code, strlen(code)) == 0;
}

static void on_eval(struct redis *redis, const redisReply *reply, void *arg)
{
    struct eval *eval = arg;
    if (is_error(reply, "NOSCRIPT") && !eval->loaded) {
        const char *load[] = {"SCRIPT", "LOAD", eval->script->source};
        eval->loaded = true;
        redis_command(redis, (size_t)(eval->shard - redis->shards), 3, load, NULL, NULL, NULL);
        issue_eval(eval);
        return;
    }
    if (eval->fn != NULL)
        eval->fn(redis, reply, eval->arg);
    redis_command_free(eval->cmd, eval->len);
    free(eval);
}

void redis_eval(struct redis *redis, const struct redis_eval *what, redis_fn fn, void *arg)
{
    struct redis_script *script = what->script;

    loop_assert_owner(redis->loop);
    assert(what->shard < redis->n_shards && what->keys <= what->argc);
    if (script->sha1[0] == '\0')
        sha1_hex(script->source, script->sha1);
    char keys[12];
    int keys_len = snprintf(keys, sizeof keys, "%d", what->keys);
    size_t n = (size_t)what->argc;
    const char **all = mem_alloc((n + 3) * sizeof(const char *));
    size_t *lens = mem_alloc((n + 3) * sizeof *lens);
    all[0] = "EVALSHA";
    lens[0] = 7;
    all[1] = script->sha1;
    lens[1] = 40;
    all[2] = keys;
    lens[2] = (size_t)keys_len;
    for (size_t i = 0; i < n; i++) {
        all[i + 3] = what->argv[i];
        lens[i + 3] = what->argvlen != NULL ? what->argvlen[i] : strlen(what->argv[i]);
    }
    struct eval *eval = mem_zalloc(sizeof *eval);
    eval->shard = &redis->shards[what->shard];
    eval->script = script;
    eval->fn = fn;
    eval->arg = arg;
    int len = redisFormatCommandArgv(&eval->cmd, what->argc + 3, all, lens);
    assert(len > 0);
    eval->len = (size_t)len;
    free((void *)all);
    free(lens);
    issue_eval(eval);
}

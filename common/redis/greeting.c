/* What is said first on a connection: who we are, which database, and PING. */
#include "common/redis/internal.h"

#include <stdio.h>
#include <string.h>

enum {
    LOADING_RETRY_MS = 100,
    LOADINGS_MAX = 20, /* then the name is looked up again: another Redis may have taken over */
};

static void on_auth(struct redis *redis, const redisReply *reply, void *arg)
{
    struct redis_shard *shard = arg;
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        redis_shard_break(shard, "refused the password, check redis.%s (%s)",
                          redis->user[0] != '\0' ? "user and redis.password" : "password",
                          reply->str);
}

static void on_select(struct redis *redis, const redisReply *reply, void *arg)
{
    struct redis_shard *shard = arg;
    /* PING reports NOAUTH as well, with advice. */
    if (reply == NULL || reply->type != REDIS_REPLY_ERROR ||
        strncmp(reply->str, "NOAUTH", 6) == 0 || strncmp(reply->str, "LOADING", 7) == 0)
        return;
    redis_shard_break(shard, "refused database %lld, check redis.database (%s)",
                      (long long)redis->database, reply->str);
}

void redis_shard_up(struct redis_shard *shard)
{
    struct redis *redis = shard->redis;
    shard->state = REDIS_UP;
    shard->backoff_ms = 0;
    shard->led = false;
    redis->stats.connects++;
    redis_report(redis, "");
}

static void on_loading(struct redis_shard *shard, const char *text)
{
    char why[REDIS_WHY];
    if (++shard->loadings > LOADINGS_MAX) {
        redis_shard_break(shard, "%s", text);
        return;
    }
    (void)snprintf(why, sizeof why, "%s: %s", shard->name, text);
    (void)snprintf(shard->redis->why, sizeof shard->redis->why, "%s", why);
    redis_shard_retry(shard, LOADING_RETRY_MS);
    redis_report(shard->redis, why);
}

static void on_pong(struct redis *redis, const redisReply *reply, void *arg)
{
    struct redis_shard *shard = arg;
    if (reply == NULL || shard->state != REDIS_GREETING)
        return;
    if (reply->type == REDIS_REPLY_STATUS) {
        shard->ponged = true; /* on_probed() goes on from here */
        if (redis->is_sentinels)
            redis_shard_up(shard);
    } else if (reply->type != REDIS_REPLY_ERROR) {
        redis_shard_break(shard, "does not answer PING as Redis does");
    } else if (strncmp(reply->str, "LOADING", 7) == 0) {
        on_loading(shard, reply->str);
    } else if (strncmp(reply->str, "NOAUTH", 6) == 0) {
        redis_shard_break(shard, "wants a password, set redis.password");
    } else {
        redis_shard_break(shard, "answers PING with an error: %s", reply->str);
    }
}

void redis_greeting_put(struct redis_shard *shard)
{
    const struct redis *redis = shard->redis;
    if (redis->user[0] != '\0')
        redis_shard_put_command(shard, 3, (const char *[]){"AUTH", redis->user, redis->password},
                                on_auth);
    else if (redis->password[0] != '\0')
        redis_shard_put_command(shard, 2, (const char *[]){"AUTH", redis->password}, on_auth);
    if (redis->database != 0) {
        char database[24];
        (void)snprintf(database, sizeof database, "%lld", (long long)redis->database);
        redis_shard_put_command(shard, 2, (const char *[]){"SELECT", database}, on_select);
    }
    shard->ponged = false;
    redis_shard_put_command(shard, 1, (const char *[]){"PING"}, on_pong);
    if (!redis->is_sentinels)
        redis_probe_put(shard);
}

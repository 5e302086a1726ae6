/* Asks Sentinels where the primary of a master name is. The Sentinels are a `struct redis` of their
 * own, in which each Sentinel is a shard. So the same code connects to them, resolves their names
 * and watches timeouts.
 *
 *   WAITING ─redis_sentinel_find─► ASKING ─on_address─► CONNECTING …  UP ─redis_sentinel_follow─┐
 *      ▲                             │ nobody knows                    ▲                        │
 *      └─────────────────────────────┴──── another address ────────────┼──on_address────────────┘
 *                                                              the same └────────┘
 *
 * A shard asks the same Sentinel as long as that one answers. Otherwise it would go back and forth
 * when Sentinels disagree. If an answer leads nowhere (to a replica, or to no server), the shard
 * asks the next Sentinel. */
#include "common/redis/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Chooses the Sentinel to ask, the present one first. False: none is connected. */
static bool choose(struct redis_shard *shard)
{
    const struct redis *sentinels = shard->redis->sentinels;
    for (size_t i = 0; i < sentinels->n_shards; i++) {
        size_t at = (shard->sentinel + i) % sentinels->n_shards;
        if (sentinels->shards[at].state == REDIS_UP) {
            shard->sentinel = at;
            return true;
        }
    }
    return false;
}

static bool is_address(const redisReply *reply, const struct redis_shard *shard)
{
    return reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
           reply->element[0]->type == REDIS_REPLY_STRING && reply->element[0]->len > 0 &&
           reply->element[1]->type == REDIS_REPLY_STRING && reply->element[1]->len > 0 &&
           strlen(reply->element[0]->str) < sizeof shard->host &&
           strlen(reply->element[1]->str) < sizeof shard->port &&
           strspn(reply->element[1]->str, "0123456789") == strlen(reply->element[1]->str);
}

static void not_told(struct redis_shard *shard, const redisReply *reply, const char *who)
{
    if (reply == NULL)
        redis_shard_break(shard, "Sentinel %s does not answer", who);
    else if (reply->type == REDIS_REPLY_ERROR)
        redis_shard_break(shard, "Sentinel %s says: %s", who, reply->str);
    else
        redis_shard_break(shard, "Sentinel %s knows no such master, check redis.master", who);
}

static void on_address(struct redis *sentinels, const redisReply *reply, void *arg)
{
    struct redis_shard *shard = arg;
    const char *who = sentinels->shards[shard->sentinel].name;
    shard->asking = false;
    if (shard->redis->closed)
        return;
    if (!is_address(reply, shard)) {
        if (shard->state == REDIS_ASKING)
            not_told(shard, reply, who);
        shard->sentinel = (shard->sentinel + 1) % sentinels->n_shards;
        return;
    }
    const char *host = reply->element[0]->str, *port = reply->element[1]->str;
    bool same = strcmp(host, shard->host) == 0 && strcmp(port, shard->port) == 0;
    if (shard->state == REDIS_UP && !same) {
        redis_shard_break(shard, "Sentinel %s says that the primary is %s port %s now", who, host,
                          port);
        return;
    }
    if (shard->state != REDIS_ASKING)
        return;
    (void)snprintf(shard->host, sizeof shard->host, "%s", host);
    (void)snprintf(shard->port, sizeof shard->port, "%s", port);
    shard->led = true;
    redis_shard_connect(shard);
}

static void ask(struct redis_shard *shard)
{
    const char *args[] = {"SENTINEL", "get-master-addr-by-name", shard->name};
    shard->asking = true;
    redis_command(shard->redis->sentinels, shard->sentinel, 3, args, NULL, on_address, shard);
}

void redis_sentinel_find(struct redis_shard *shard)
{
    enum { SOON_MS = 20 };
    struct redis *sentinels = shard->redis->sentinels;
    if (shard->led) /* the last answer led nowhere */
        shard->sentinel = (shard->sentinel + 1) % sentinels->n_shards;
    shard->led = false;
    if (shard->asking || (!choose(shard) && sentinels->told == REDIS_UNTOLD)) {
        redis_shard_retry(shard, SOON_MS); /* we are still connecting to the Sentinels */
    } else if (!choose(shard)) {
        redis_shard_break(shard, "no Sentinel answers, check redis.sentinels (%s)", sentinels->why);
    } else {
        shard->state = REDIS_ASKING;
        ask(shard);
    }
}

void redis_sentinel_follow(struct redis_shard *shard)
{
    if (!shard->asking && choose(shard))
        ask(shard);
}

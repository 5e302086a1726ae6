/* Asks each shard how full it is, by INFO memory: when it is connected, and then every ten seconds.
 * So operators are warned before Redis is full. When it is full, probe.c notices. */
#include "common/redis/internal.h"

#include <stdlib.h>
#include <string.h>

enum { EVERY = 10 /* probes */, FULL_80 = 80, FULL_90 = 90, LESS = 5 };

/* The value of the line "NAME:VALUE" in INFO; NULL: there is no such line. */
static const char *line_of(const char *info, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = info; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, name, len) == 0 && at[len] == ':')
            return at + len + 1;
    }
    return NULL;
}

static int64_t number_of(const char *info, const char *name)
{
    const char *value = line_of(info, name);
    return value != NULL ? strtoll(value, NULL, 10) : 0;
}

/* The level by used memory. BEFORE is left only when LESS percent below its mark. */
static int level_of(const struct redis_memory *memory, int before)
{
    int64_t percent = memory->max > 0 ? memory->used / (memory->max / 100 + 1) : 0;
    for (int level = FULL_90; level >= FULL_80; level -= FULL_90 - FULL_80) {
        if (percent >= level - (before >= level ? LESS : 0))
            return level;
    }
    return 0;
}

void redis_memory_read(struct redis_memory *memory, const char *info)
{
    const char *policy = line_of(info, "maxmemory_policy");
    memory->used = number_of(info, "used_memory");
    memory->max = number_of(info, "maxmemory");
    memory->evicts = memory->max > 0 && policy != NULL && strncmp(policy, "noeviction", 10) != 0;
    memory->level = level_of(memory, memory->level);
}

static void on_info(struct redis *redis, const redisReply *reply, void *arg)
{
    struct redis_shard *shard = arg;
    struct redis_memory before = shard->memory;
    if (reply == NULL || redis->closed || reply->type != REDIS_REPLY_STRING)
        return;
    redis_memory_read(&shard->memory, reply->str);
    if (shard->memory.level != before.level || shard->memory.evicts != before.evicts)
        redis->memory_state(redis, shard->name, &shard->memory, redis->arg);
}

void redis_memory_ask(struct redis_shard *shard)
{
    if (shard->redis->memory_state == NULL || shard->memory_asked++ % EVERY != 0)
        return;
    redis_shard_put_command(shard, 2, (const char *[]){"INFO", "memory"}, on_info);
}

const struct redis_memory *redis_memory(const struct redis *redis, size_t shard, const char **name)
{
    *name = redis->shards[shard].name;
    return &redis->shards[shard].memory;
}

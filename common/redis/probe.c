/* Asks a shard, when it is connected and then every second, whether it takes writes. Asks the first
 * shard for the time as well.
 *
 * Only a write proves that writes work. A shard counts as up after the first one. An error of any
 * command counts as trouble at once. Trouble is over when a write has worked and the error has not
 * come again for a while. Otherwise a Redis that is nearly full, which takes one write and refuses
 * the next, would be reported each time. */
#include "common/base/time.h"
#include "common/redis/internal.h"

#include <stdio.h>
#include <string.h>

enum {
    PROBE_MS = 1000,
    UNWRITABLE_MS = 2000, /* trouble lasts at least so long */
    FORBIDDEN_MS = 10000, /* longer, since the command that lacks the right may be rare */
};

static const char PROBE_KEY[] = "imc:probe";

/* The first shard that takes no writes; NULL: all take writes. */
static const struct redis_shard *find_trouble(const struct redis *redis)
{
    for (size_t i = 0; i < redis->n_shards; i++) {
        const struct redis_shard *shard = &redis->shards[i];
        if (shard->state != REDIS_UP || shard->trouble[0] != '\0')
            return shard;
    }
    return NULL;
}

void redis_report_write(struct redis *redis)
{
    const struct redis_shard *troubled = find_trouble(redis);
    const char *why = troubled == NULL               ? ""
                      : troubled->trouble[0] != '\0' ? troubled->trouble
                                                     : redis->why;
    if (redis->write_state == NULL || redis->closed || (troubled != NULL && why[0] == '\0'))
        return;
    int now = troubled == NULL ? REDIS_TOLD_UP : REDIS_TOLD_DOWN;
    if ((int)redis->write_told == now && strcmp(redis->write_why, why) == 0)
        return;
    redis->write_told = troubled == NULL ? REDIS_TOLD_UP : REDIS_TOLD_DOWN;
    (void)snprintf(redis->write_why, sizeof redis->write_why, "%s", why);
    redis->write_state(redis, troubled == NULL, redis->write_why, redis->arg);
}

static void note_trouble(struct redis_shard *shard, const redisReply *reply)
{
    enum redis_class class = redis_class_of(reply);
    char text[REDIS_TEXT];
    redis_error_text(reply, text, sizeof text);
    (void)snprintf(shard->trouble, sizeof shard->trouble, "%s: %s", shard->name, text);
    shard->trouble_until_ms =
        loop_now_ms(shard->redis->loop) + (class == REDIS_FORBIDDEN ? FORBIDDEN_MS : UNWRITABLE_MS);
    redis_report_write(shard->redis);
}

void redis_probe_take(struct redis_shard *shard, const redisReply *reply)
{
    enum redis_class class = redis_class_of(reply);
    if (class == REDIS_UNWRITABLE || class == REDIS_FORBIDDEN || class == REDIS_OCCUPIED)
        note_trouble(shard, reply);
}

static void on_probed(struct redis *redis, const redisReply *reply, void *arg)
{
    struct redis_shard *shard = arg;
    bool greeted = shard->state == REDIS_GREETING && shard->ponged;
    shard->probing = false;
    if (reply == NULL || redis->closed || (!greeted && shard->state != REDIS_UP))
        return;
    if (redis_class_of(reply) == REDIS_DISPLACED) {
        char text[REDIS_TEXT];
        redis_error_text(reply, text, sizeof text);
        redis_shard_break(shard, "%s", text);
        return;
    }
    if (redis_class_of(reply) != REDIS_ANSWERED)
        note_trouble(shard, reply);
    else if (loop_now_ms(redis->loop) >= shard->trouble_until_ms)
        shard->trouble[0] = '\0';
    if (greeted && !redis->closed)
        redis_shard_up(shard);
    if (!redis->closed)
        redis_report_write(redis);
}

/* --- the clock --- */

/* Unix time in microseconds; -1: REPLY is no answer to TIME. */
static int64_t time_of(const redisReply *reply)
{
    int64_t parts[2];
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
        return -1;
    for (int i = 0; i < 2; i++) {
        const redisReply *part = reply->element[i];
        if (part->type != REDIS_REPLY_STRING || part->len == 0 || part->len > 12)
            return -1;
        parts[i] = 0;
        for (size_t k = 0; k < part->len; k++) {
            if (part->str[k] < '0' || part->str[k] > '9')
                return -1;
            parts[i] = parts[i] * 10 + (part->str[k] - '0');
        }
    }
    return parts[1] < 1000000 ? parts[0] * 1000000 + parts[1] : -1;
}

static void clock_ask(struct redis_shard *shard);

static void on_time(struct redis *redis, const redisReply *reply, void *arg)
{
    struct redis_shard *shard = arg;
    int64_t redis_us = time_of(reply);
    redis->clock.asking = false;
    if (redis_us < 0 || redis->closed)
        return;
    redis_clock_take(&redis->clock, redis->clock.sent_us, time_boot_us(), redis_us);
    if (redis->clock_state != NULL)
        redis->clock_state(redis, redis_clock_offset_us(redis), redis->arg);
    if (redis->clock.narrow == 0 || redis->closed)
        return;
    redis->clock.narrow--;
    clock_ask(shard);
}

static void clock_ask(struct redis_shard *shard)
{
    struct redis *redis = shard->redis;
    if (shard != &redis->shards[0] || redis->clock.asking)
        return;
    redis->clock.asking = true;
    redis->clock.sent_us = time_boot_us();
    redis_shard_put_command(shard, 1, (const char *[]){"TIME"}, on_time);
}

/* --- asking --- */

void redis_probe_put(struct redis_shard *shard)
{
    /* The key expires after an hour, so that it goes when no daemon writes it any more. */
    const char *set[] = {"SET", PROBE_KEY, "1", "PX", "3600000"};
    clock_ask(shard);
    shard->probing = true;
    redis_shard_put_command(shard, 5, set, on_probed);
}

/* --- every second --- */

static void on_probe_timer(uv_timer_t *timer)
{
    struct redis *redis = timer->data;
    for (size_t i = 0; i < redis->n_shards && !redis->closed; i++) {
        struct redis_shard *shard = &redis->shards[i];
        if (shard->state != REDIS_UP || shard->probing)
            continue;
        redis_probe_put(shard);
        redis_memory_ask(shard);
        if (redis->sentinels != NULL)
            redis_sentinel_follow(shard);
    }
}

void redis_probe_start(struct redis *redis)
{
    if (redis->is_sentinels)
        return;
    uv_timer_start(&redis->probe, on_probe_timer, PROBE_MS, PROBE_MS);
}

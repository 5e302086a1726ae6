#include "logic/push/partition_count.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/membership/membership.h"
#include "common/protocol/fence.h"
#include "common/redis/redis.h"
#include "logic/push/partitions_agree.lua.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOWER_MS = 30000 /* if the topic has fewer partitions than agreed for so long, it was created
                      * anew */
};

static struct redis_script agree_script = {.source = partitions_agree_lua};

struct partition_count {
    struct partition_permit permit;
    struct logic *logic;
    const struct partition_count_events *on; /* NULL: closed */
    void *arg;
    char key[PARTITION_COUNT_KEY_MAX];
    uv_timer_t timer;
    bool asking, closed, asked_once;
    int64_t hold; /* since when producing is stopped for a change, by Redis's time; 0: it is not */
    int n;        /* the agreed number; 0: not known */
    int64_t version;
    int count;                    /* the number that Kafka has; 0: not known */
    uint64_t seen_ms;             /* when Kafka said COUNT */
    uint64_t fewer_ms;            /* since when COUNT has been below N; 0: it is not */
    uint64_t asked_ms, permit_ms; /* when Redis was asked last; until when it permits us to
                                   * produce */
    bool told, tell;              /* of the ready condition "partitions": what it is, and that it
                                   * was set */
    char why[128];
};

void partition_count_key(const char *topic, char *buf, size_t size)
{
    snprintf(buf, size, "imc:bus:%s", topic);
}

static uint64_t now_ms(const struct partition_count *agree)
{
    return loop_now_ms(agree->logic->loop);
}

/* --- may we? --- */

/* Something that the permit follows from has changed. */
static void permit_renew(struct partition_count *agree)
{
    uint64_t fresh_ms = agree->count == agree->n ? agree->seen_ms + PARTITION_COUNT_FRESH_MS : 0;
    bool agreed = agree->n > 0 && agree->n <= PARTITIONS_MAX && agree->hold == 0;

    agree->permit = (struct partition_permit){.n = agree->n};
    if (agreed && agree->count >= agree->n)
        agree->permit.until_ms = agree->permit_ms > fresh_ms ? agree->permit_ms : fresh_ms;
}

const struct partition_permit *partition_count_permit(const struct partition_count *agree)
{
    return &agree->permit;
}

const char *partition_count_refusal(const struct partition_count *agree)
{
    static char text[128];

    loop_assert_owner(agree->logic->loop);
    if (partition_permit_now(&agree->permit, now_ms(agree)) != 0)
        return NULL;
    if (agree->n == 0)
        return "how many partitions are agreed is not known: Redis has not told yet";
    if (agree->n > PARTITIONS_MAX) {
        snprintf(text, sizeof text, "%d partitions are agreed, comets take at most %d", agree->n,
                 PARTITIONS_MAX);
        return text;
    }
    if (agree->hold != 0)
        return "the number of partitions is being changed";
    if (agree->count == 0)
        return "Kafka has not told yet how many partitions there are";
    if (agree->count < agree->n) {
        snprintf(text, sizeof text, "the topic has %d partitions, agreed are %d; was it made anew?",
                 agree->count, agree->n);
        return text;
    }
    snprintf(
        text, sizeof text,
        "the topic has %d partitions, agreed were %d; Redis does not tell whether it is so yet",
        agree->count, agree->n);
    return text;
}

/* Renews the permit and sets the ready condition. A change stops producing only for a moment.
 * Pushes wait for that, and we stay ready. */
static void tell(struct partition_count *agree)
{
    permit_renew(agree);
    const char *why = partition_count_refusal(agree);

    if (agree->hold != 0)
        return;
    if (agree->told && agree->tell == (why == NULL) &&
        (why == NULL || strcmp(why, agree->why) == 0))
        return;
    agree->told = true;
    agree->tell = why == NULL;
    snprintf(agree->why, sizeof agree->why, "%s", why != NULL ? why : "");
    daemon_ready(agree->logic->daemon, "partitions", agree->tell, agree->why);
    if (agree->tell)
        agree->on->opened(agree->arg);
}

/* --- asking --- */

static void take(struct partition_count *agree, int n, int64_t version, int64_t hold)
{
    if (n != agree->n || version != agree->version)
        log_info("partitions agreed", "topic=%s partitions=%d version=%lld kafka=%d",
                 agree->logic->config->bus_topic, n, (long long)version, agree->count);
    if (agree->count > n && (n != agree->n || !agree->asked_once))
        log_warn("partitions are not used",
                 "topic=%s kafka=%d agreed=%d hint=\"imc-logic --set-partitions %d\"",
                 agree->logic->config->bus_topic, agree->count, n, agree->count);
    bool opened = agree->hold != 0 && hold == 0;
    if (hold != 0 && agree->hold == 0)
        log_info("partitions are being changed", "hint=\"messages wait until it is done\"");
    agree->n = n;
    agree->version = version;
    agree->hold = hold;
    agree->asked_once = true;
    if (hold == 0)
        agree->permit_ms = agree->asked_ms + PARTITION_COUNT_PERMIT_MS;
    tell(agree);
    if (opened)
        agree->on->opened(agree->arg);
}

static bool is_answer(const redisReply *reply)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || reply->elements != 3)
        return false;
    for (size_t i = 0; i < 3; i++) {
        if (reply->element[i]->type != REDIS_REPLY_INTEGER)
            return false;
    }
    return reply->element[0]->integer > 0 && reply->element[0]->integer <= INT32_MAX;
}

static void agree_free(uv_handle_t *handle)
{
    free(container_of((uv_timer_t *)handle, struct partition_count, timer));
}

static void on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    struct partition_count *agree = arg;

    agree->asking = false;
    if (agree->closed) {
        uv_close((uv_handle_t *)&agree->timer, agree_free);
        return;
    }
    if (is_answer(reply))
        take(agree, (int)reply->element[0]->integer, reply->element[1]->integer,
             reply->element[2]->integer);
    else
        log_warn("partitions not agreed", "key=%s err=\"%s\"", agree->key, redis_said(redis));
}

static void ask(struct partition_count *agree)
{
    struct redis *redis = agree->logic->redis;
    char n[16], version[24], hold[24], count[16], forget[16];
    bool idle = agree->hold != 0 && agree->on->idle(agree->arg);
    bool lower = agree->fewer_ms != 0 && now_ms(agree) >= agree->fewer_ms + LOWER_MS;
    const char *argv[] = {agree->key,
                          membership_self(agree->logic->membership)->id,
                          n,
                          version,
                          hold,
                          count,
                          lower ? "1" : "0",
                          forget};

    snprintf(n, sizeof n, "%d", agree->n);
    snprintf(version, sizeof version, "%lld", (long long)agree->version);
    snprintf(hold, sizeof hold, "%lld", idle ? (long long)agree->hold : 0);
    snprintf(count, sizeof count, "%d", agree->count);
    snprintf(forget, sizeof forget, "%d", agree->asked_once ? 0 : PARTITION_COUNT_FORGET_MS);
    agree->asking = true;
    agree->asked_ms = now_ms(agree);
    redis_eval(redis,
               &(struct redis_eval){.script = &agree_script,
                                    .shard = redis_shard_of(redis, agree->key, strlen(agree->key)),
                                    .keys = 1,
                                    .argc = sizeof argv / sizeof argv[0],
                                    .argv = argv},
               on_reply, agree);
}

static void on_timer(uv_timer_t *timer)
{
    struct partition_count *agree = container_of(timer, struct partition_count, timer);
    bool afoot = agree->hold != 0 || agree->n == 0 || agree->count != agree->n;
    uint64_t every = afoot ? PARTITION_COUNT_ASK_SOON_MS : PARTITION_COUNT_ASK_MS;

    tell(agree);
    if (agree->asking || agree->count == 0 || agree->logic->redis == NULL ||
        agree->logic->membership == NULL || now_ms(agree) < agree->asked_ms + every)
        return;
    ask(agree);
}

void partition_count_saw(struct partition_count *agree, int partitions, uint64_t seen_ms)
{
    loop_assert_owner(agree->logic->loop);
    if (partitions != agree->count && agree->n != 0 && partitions > agree->n)
        log_warn("partitions are not used",
                 "topic=%s kafka=%d agreed=%d hint=\"imc-logic --set-partitions %d\"",
                 agree->logic->config->bus_topic, partitions, agree->n, partitions);
    agree->count = partitions;
    agree->seen_ms = seen_ms;
    if (agree->n == 0 || partitions >= agree->n)
        agree->fewer_ms = 0;
    else if (agree->fewer_ms == 0)
        agree->fewer_ms = now_ms(agree);
    tell(agree);
}

/* --- life --- */

struct partition_count *partition_count_open(struct logic *logic,
                                             const struct partition_count_events *events, void *arg)
{
    struct partition_count *agree = mem_zalloc(sizeof *agree);

    *agree = (struct partition_count){.logic = logic, .on = events, .arg = arg};
    partition_count_key(logic->config->bus_topic, agree->key, sizeof agree->key);
    uv_timer_init(&logic->loop->uv, &agree->timer);
    uv_timer_start(&agree->timer, on_timer, PARTITION_COUNT_ASK_SOON_MS,
                   PARTITION_COUNT_ASK_SOON_MS);
    return agree;
}

void partition_count_close(struct partition_count *agree)
{
    struct redis *redis;
    char field[160];

    if (agree == NULL)
        return;
    loop_assert_owner(agree->logic->loop);
    redis = agree->logic->redis;
    agree->closed = true;
    uv_timer_stop(&agree->timer);
    if (agree->asked_once && redis != NULL) {
        const char *argv[] = {"HDEL", agree->key, field};
        snprintf(field, sizeof field, "l:%s", membership_self(agree->logic->membership)->id);
        redis_command(redis, redis_shard_of(redis, agree->key, strlen(agree->key)), 3, argv, NULL,
                      NULL, NULL);
    }
    if (!agree->asking)
        uv_close((uv_handle_t *)&agree->timer, agree_free);
}

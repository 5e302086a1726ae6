/* tokens_redis.c - a million tokens by the API take minutes; these go straight into Redis, in the
 * form that logic/tokens/tokens.c gives them:
 *
 *   imc:token:TOKEN = "1 UID ACCEPTS ROOM"     imc:ut:UID = TOKEN     both for a day */
#include "bench/base/net.h"
#include "bench/load/tokens.h"
#include "common/net/address.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

enum { PIPELINE = 500, EXPIRE_S = 86400, ANSWER_S = 60 };

size_t tokens_value(const struct people *people, size_t i, char *out, size_t size)
{
    char room[PEOPLE_NAME_MAX];

    people_room_of(people, i, room);
    return (size_t)snprintf(out, size, "1 %" PRIu64 " * %s", people->uid_base + i, room);
}

static int append(redisContext *redis, const struct people *people, size_t i)
{
    char token[PEOPLE_NAME_MAX], value[TOKENS_VALUE_MAX];
    size_t len = tokens_value(people, i, value, sizeof value);
    unsigned long long uid = people->uid_base + i;

    people_token(people, i, token);
    if (redisAppendCommand(redis, "SET imc:token:%s %b EX %d", token, value, len, EXPIRE_S) != 0 ||
        redisAppendCommand(redis, "SET imc:ut:%llu %s EX %d", uid, token, EXPIRE_S) != 0)
        return -EIO;
    return 0;
}

static int take_answer(redisContext *redis, char *err, size_t errlen)
{
    redisReply *reply;
    void *out = NULL;
    int failed = 0;

    if (redisGetReply(redis, &out) != REDIS_OK || out == NULL) {
        snprintf(err, errlen, "tokens: Redis: %s", redis->errstr);
        return -EIO;
    }
    reply = out;
    if (reply->type == REDIS_REPLY_ERROR) {
        snprintf(err, errlen, "tokens: Redis: %s", reply->str);
        failed = -EIO;
    }
    freeReplyObject(reply);
    return failed;
}

/* Puts the tokens of connections FIRST … FIRST + N - 1 in one round trip. */
static int put_some(redisContext *redis, const struct people *people, size_t first, size_t n,
                    char *err, size_t errlen)
{
    int failed = 0;

    for (size_t i = 0; i < n; i++)
        if (append(redis, people, first + i) != 0) {
            snprintf(err, errlen, "tokens: Redis: out of memory");
            return -ENOMEM;
        }
    for (size_t i = 0; i < 2 * n && failed == 0; i++)
        failed = take_answer(redis, err, errlen);
    return failed;
}

static redisContext *open_redis(const char *address, char *err, size_t errlen)
{
    const struct timeval patience = {.tv_sec = ANSWER_S};
    struct address at;
    struct sockaddr_in to;
    redisContext *redis;

    if (net_address(address, &to, err, errlen) != 0 ||
        address_parse(address, strlen(address), &at) != 0)
        return NULL;
    redis = redisConnectWithTimeout(at.host, at.port, patience);
    if (redis != NULL && redis->err == 0 && redisSetTimeout(redis, patience) == REDIS_OK)
        return redis;
    snprintf(err, errlen, "tokens: Redis at %s: %s", address,
             redis != NULL ? redis->errstr : "out of memory");
    if (redis != NULL)
        redisFree(redis);
    return NULL;
}

int tokens_put(const struct tokens_order *order, struct worker_stats *stats, char *err,
               size_t errlen)
{
    redisContext *redis = open_redis(order->redis, err, errlen);
    int failed = 0;

    if (redis == NULL)
        return -EIO;
    for (size_t done = 0, n; failed == 0 && done < order->n; done += n) {
        n = order->n - done < PIPELINE ? order->n - done : PIPELINE;
        failed = put_some(redis, order->people, order->first + done, n, err, errlen);
        shared_add(&stats->tokens, failed == 0 ? n : 0);
    }
    redisFree(redis);
    return failed;
}

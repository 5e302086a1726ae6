#include "job/partition/partition_fence.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/protocol/fence.h"
#include "job/partition/fence_take.lua.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FENCE_RETRY_MS = 500, FENCE_KEY_MAX = 320 };

static struct redis_script fence_script = {.source = fence_take_lua};

/* Lives until Redis has answered the outstanding command and the timer is closed. */
struct partition_fence {
    struct redis *redis;
    char key[FENCE_KEY_MAX];
    char ours[24], heard[24], ahead[24];
    bool claim;
    partition_fence_fn fn; /* NULL: cancelled */
    void *arg;
    uv_timer_t retry;
    bool asked; /* a command is out */
};

static void partition_fence_on_closed(uv_handle_t *handle)
{
    free(container_of(handle, struct partition_fence, retry));
}

static void partition_fence_end(struct partition_fence *fence)
{
    uv_close((uv_handle_t *)&fence->retry, partition_fence_on_closed);
}

static void partition_fence_send(struct partition_fence *fence);

static void partition_fence_on_retry(uv_timer_t *timer)
{
    partition_fence_send(container_of(timer, struct partition_fence, retry));
}

static void partition_fence_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    struct partition_fence *fence = arg;

    fence->asked = false;
    if (fence->fn == NULL) {
        partition_fence_end(fence);
        return;
    }
    if (reply == NULL || reply->type != REDIS_REPLY_INTEGER || reply->integer < 0) {
        log_warn("no fence yet", "key=%s err=\"%s\"", fence->key, redis_said(redis));
        uv_timer_start(&fence->retry, partition_fence_on_retry, FENCE_RETRY_MS, 0);
        return;
    }
    fence->fn((uint64_t)reply->integer, fence->arg);
    partition_fence_end(fence);
}

static void partition_fence_send(struct partition_fence *fence)
{
    const char *argv[] = {fence->key, fence->ours, fence->heard, fence->claim ? "1" : "0",
                          fence->ahead};
    size_t shard = redis_shard_of(fence->redis, fence->key, strlen(fence->key));

    fence->asked = true;
    redis_eval(fence->redis,
               &(struct redis_eval){.script = &fence_script,
                                    .shard = shard,
                                    .keys = 1,
                                    .argc = sizeof argv / sizeof argv[0],
                                    .argv = argv},
               partition_fence_on_reply, fence);
}

struct partition_fence *partition_fence_ask(struct loop *loop, struct redis *redis,
                                            const struct partition_fence_question *question,
                                            partition_fence_fn fn, void *arg)
{
    struct partition_fence *fence = mem_zalloc(sizeof *fence);

    loop_assert_owner(loop);
    fence->redis = redis;
    fence->fn = fn;
    fence->arg = arg;
    fence->claim = question->claim;
    snprintf(fence->key, sizeof fence->key, "imc:fence:%s:%" PRId32, question->topic,
             question->partition);
    snprintf(fence->ours, sizeof fence->ours, "%" PRIu64, question->ours);
    snprintf(fence->heard, sizeof fence->heard, "%" PRIu64, question->heard);
    snprintf(fence->ahead, sizeof fence->ahead, "%d", (int)FENCE_AHEAD_MS);
    uv_timer_init(&loop->uv, &fence->retry);
    partition_fence_send(fence);
    return fence;
}

void partition_fence_cancel(struct partition_fence *fence)
{
    if (fence == NULL)
        return;
    fence->fn = NULL;
    if (!fence->asked)
        partition_fence_end(fence);
}

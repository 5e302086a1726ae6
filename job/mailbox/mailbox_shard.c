#include "job/mailbox/mailbox_shard.h"
#include "common/protocol/mailbox_key.h"
#include "common/redis/redis.h"
#include "job/base/job.h"

size_t mailbox_shard(const struct job *job, struct message *message)
{
    char key[MAILBOX_KEY_MAX];

    if (message->sharded)
        return message->shard;
    if (job->windows.n_shards > 1)
        message->shard =
            (uint8_t)(redis_shard_of(job->redis, key, mailbox_key_write(message->uid, key)) %
                      SHARDS_MOST);
    message->sharded = true;
    return message->shard;
}

const char *mailbox_shard_name(const struct job *job, size_t shard)
{
    size_t n = job->windows.n_shards;

    return n > 1 && n < SHARDS_MOST ? redis_shard_name(job->redis, shard) : "";
}

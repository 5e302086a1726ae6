/* mailbox_shard.h - on which shard of Redis a message would be stored. Main loop only. */
#ifndef IMC_JOB_MAILBOX_MAILBOX_SHARD_H
#define IMC_JOB_MAILBOX_MAILBOX_SHARD_H

#include "job/base/message.h"

struct job;

/* An index into windows.shards. Worked out once for each message that has to be stored, because it
 * takes a digest. If job's list of shards is not that of logics, the index means nothing, but all
 * messages of a user have the same one. */
size_t mailbox_shard(const struct job *job, struct message *message);
/* Its name; "" if there is only one, or several have this index. */
const char *mailbox_shard_name(const struct job *job, size_t shard);

#endif

/* partition_lag.h - how late the messages of one partition are read. Pure; owner only.
 *
 * Two things tell: the age of the messages that were read, and for how long some have been waiting
 * to be read. The first says nothing while nothing is read. The second says nothing while each
 * fetch brings all there is, however late it comes.
 *
 * No message counts as later than the time for which we have been reading. After a restart old
 * messages are read once more, and a new one has waited no longer than that. */
#ifndef IMC_JOB_PARTITION_PARTITION_LAG_H
#define IMC_JOB_PARTITION_PARTITION_LAG_H

#include <stdbool.h>
#include <stdint.h>

struct partition_lag {
    uint64_t begun_ms;     /* when reading began */
    uint64_t caught_up_ms; /* when nothing waited */
    int64_t made_ms;       /* when the newest message that was read was made; 0: none was */
    int64_t oldest_ms;     /* the greatest age since the last look */
};

/* NOW_MS is any steady clock's, UNIX_MS that by which messages are dated. */

/* Reading begins, or begins anew further back. */
void partition_lag_begin(struct partition_lag *lag, uint64_t now_ms);
static inline void partition_lag_read(struct partition_lag *lag, int64_t made_ms, int64_t unix_ms)
{
    int64_t age = unix_ms - made_ms;

    lag->made_ms = made_ms;
    if (age > lag->oldest_ms)
        lag->oldest_ms = age;
}
/* How late messages were read since the last look. WAITING: there are some that were not. */
int64_t partition_lag_look(struct partition_lag *lag, bool waiting, uint64_t now_ms,
                           int64_t unix_ms);

#endif

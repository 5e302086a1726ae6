/* applied.h - which offsets of the bus this comet has applied, so that a replay delivers nothing
 * twice, and who may speak for a partition.
 *
 * Per partition: the highest fence, the highest offset seen, and a ring of bits for the last
 * APPLIED_WINDOW offsets: set = a session here took it. Threads: applied_check() on the rpc thread
 * alone; applied_taken() on any loop. */
#ifndef IMC_COMET_APPLIED_H
#define IMC_COMET_APPLIED_H

#include <stdint.h>

/* The window is push.proto's: job never sends an offset further behind the highest one. */
enum { APPLIED_WINDOW = 262144, APPLIED_PARTITIONS_MAX = 65536 };

enum applied_verdict {
    APPLIED_NEW,    /* deliver it */
    APPLIED_REPEAT, /* a session here has it already */
    APPLIED_FENCED, /* a later owner of the partition has spoken */
};

struct applied;
struct applied *applied_new(void);
void applied_free(struct applied *applied);
/* FENCE 0: not checked, OFFSET < 0: likewise. PARTITION beyond the limit: APPLIED_FENCED. */
enum applied_verdict applied_check(struct applied *applied, uint32_t partition, uint64_t fence,
                                   int64_t offset);
void applied_taken(struct applied *applied, uint32_t partition, int64_t offset);

#endif

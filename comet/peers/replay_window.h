/* replay_window.h - which messages of the bus this comet has applied, so that a replay delivers
 * nothing twice, and who may speak for a partition.
 *
 * Per partition: the highest fence, and for the last APPLIED_WINDOW offsets that a session here
 * took a tag of 32 bits, made of the message's id and its offset. An offset alone would not do:
 * when Kafka has lost its data, or the topic was made anew, offsets start again, and what stands
 * there now is another message with another id. (That the tags of two are the same: one in
 * 4,000,000,000.) 1 MB for each partition whose offsets have gone round once.
 *
 * Threads: all on the rpc thread alone
 * but applied_taken(), on any loop. */
#ifndef IMC_COMET_PEERS_REPLAY_WINDOW_H
#define IMC_COMET_PEERS_REPLAY_WINDOW_H

#include <stdint.h>

/* The window is push.proto's: job never sends an offset further behind the highest one. */
enum { APPLIED_WINDOW = 262144 };

enum applied_verdict {
    APPLIED_NEW,    /* deliver it */
    APPLIED_REPEAT, /* a session here has it already */
};

enum applied_speaker {
    SPEAKER_HEARD,
    SPEAKER_FENCED,      /* a later owner of the partition has spoken */
    SPEAKER_IMPLAUSIBLE, /* nobody's fence, or ours is the wrong clock: see common/protocol/fence.h
                          */
};

struct applied;
struct applied *applied_new(void);
void applied_free(struct applied *applied);
/* May the owner with FENCE speak for PARTITION? The highest that may is remembered. FENCE 0: not
 * checked. PARTITION from PARTITIONS_MAX on: SPEAKER_FENCED. NOW_MS: wall clock. */
enum applied_speaker applied_speaker(struct applied *applied, uint32_t partition, uint64_t fence,
                                     uint64_t now_ms);
/* The highest fence that was heard of PARTITION; 0: none. */
uint64_t applied_fence(const struct applied *applied, uint32_t partition);
/* Of a speaker that is heard. OFFSET < 0: not checked. */
enum applied_verdict applied_check(struct applied *applied, uint32_t partition, int64_t offset,
                                   uint64_t id);
void applied_taken(struct applied *applied, uint32_t partition, int64_t offset, uint64_t id);

#endif

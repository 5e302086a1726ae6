/* replay_window.h - which messages of the bus this comet has applied, so that a replay delivers
 * nothing twice, and who may speak for a partition.
 *
 * Per partition: the highest fence, and for the last REPLAY_WINDOW offsets that a session here
 * took a tag of 32 bits, made of the message's id and its offset. An offset alone would not do:
 * when Kafka has lost its data, or the topic was made anew, offsets start again, and what stands
 * there now is another message with another id. (That the tags of two are the same: one in
 * 4,000,000,000.) 1 MB for each partition whose offsets have gone round once.
 *
 * Threads: all on the rpc thread alone
 * but replay_windows_taken(), on any loop. */
#ifndef IMC_COMET_JOB_REPLAY_WINDOW_H
#define IMC_COMET_JOB_REPLAY_WINDOW_H

#include <stdint.h>

/* The window is push.proto's: job never sends an offset further behind the highest one. */
enum { REPLAY_WINDOW = 262144 };

enum replay_verdict {
    REPLAY_NEW,    /* deliver it */
    REPLAY_REPEAT, /* a session here has it already */
};

enum replay_speaker {
    SPEAKER_HEARD,
    SPEAKER_FENCED,      /* a later owner of the partition has spoken */
    SPEAKER_IMPLAUSIBLE, /* nobody's fence, or ours is the wrong clock: see common/protocol/fence.h
                          */
};

struct replay_windows;
struct replay_windows *replay_windows_new(void);
void replay_windows_free(struct replay_windows *applied);
/* May the owner with FENCE speak for PARTITION? The highest that may is remembered. FENCE 0: not
 * checked. PARTITION from PARTITIONS_MAX on: SPEAKER_FENCED. NOW_MS: wall clock. */
enum replay_speaker replay_windows_speaker(struct replay_windows *applied, uint32_t partition,
                                           uint64_t fence, uint64_t now_ms);
/* The highest fence that was heard of PARTITION; 0: none. */
uint64_t replay_windows_fence(const struct replay_windows *applied, uint32_t partition);
/* Of a speaker that is heard. OFFSET < 0: not checked. */
enum replay_verdict replay_windows_check(struct replay_windows *applied, uint32_t partition,
                                         int64_t offset, uint64_t id);
void replay_windows_taken(struct replay_windows *applied, uint32_t partition, int64_t offset,
                          uint64_t id);

#endif

/* replay_window.h - remembers which messages of the bus this comet has applied, so that a replay
 * delivers nothing twice. Also decides which job may speak for a partition.
 *
 * For each partition it keeps the highest fence, and the last REPLAY_WINDOW offsets that a session
 * here took. For each of these offsets it keeps a tag of 32 bits, made of the message's id and
 * offset, of which one says whether it was written. The offset alone is not enough: if Kafka lost
 * its data, or the topic was made anew, offsets start again, and another message with another id
 * has the same offset. (Two messages have the same tag once in 2,000,000,000.) A partition takes 1
 * MB once its offsets have gone round.
 *
 * Threads: replay_windows_taken() on any loop, all else on the rpc thread. */
#ifndef IMC_COMET_JOB_REPLAY_WINDOW_H
#define IMC_COMET_JOB_REPLAY_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

/* As in push.proto: job never sends an offset further below the highest one. */
enum { REPLAY_WINDOW = 262144 };

enum replay_verdict {
    REPLAY_NEW,              /* deliver it */
    REPLAY_REPEAT,           /* a session here has it already */
    REPLAY_REPEAT_UNWRITTEN, /* it was taken here already, but not written */
};

enum replay_speaker {
    SPEAKER_HEARD,
    SPEAKER_FENCED,      /* a later owner of the partition was heard before */
    SPEAKER_IMPLAUSIBLE, /* no fence can be so high, or our clock is wrong: common/protocol/fence.h
                          */
};

struct replay_windows;
struct replay_windows *replay_windows_new(void);
void replay_windows_free(struct replay_windows *applied);
/* Whether the owner with FENCE may speak for PARTITION. Remembers the highest fence that may. FENCE
 * 0 is not checked. If PARTITION is PARTITIONS_MAX or more: SPEAKER_FENCED. NOW_MS: wall clock. */
enum replay_speaker replay_windows_speaker(struct replay_windows *applied, uint32_t partition,
                                           uint64_t fence, uint64_t now_ms);
/* The highest fence that was heard for PARTITION; 0: none. */
uint64_t replay_windows_fence(const struct replay_windows *applied, uint32_t partition);
/* Whether a message is new. The speaker must have been SPEAKER_HEARD. OFFSET < 0 is not checked. */
enum replay_verdict replay_windows_check(struct replay_windows *applied, uint32_t partition,
                                         int64_t offset, uint64_t id);
/* Messages to rooms and to all come in the order of their offsets, but for those that job left out
 * (room_grants.h). A later owner of the partition may send one of these, because the room has
 * members by now. They came after the message was accepted, and may have had newer ones. True: a
 * newer one has passed, and this one is not to be delivered. Offsets alone do not tell, because
 * they may start again, so the id has to be lower, too. ID 0 (goim's pushes): false. rpc thread. */
bool replay_windows_passed(const struct replay_windows *applied, uint32_t partition, int64_t offset,
                           uint64_t id);
/* A new message to a room or to all is being delivered. */
void replay_windows_pass(struct replay_windows *applied, uint32_t partition, int64_t offset,
                         uint64_t id);
/* WRITTEN: to a session. If not, it is safe elsewhere. */
void replay_windows_taken(struct replay_windows *applied, uint32_t partition, int64_t offset,
                          uint64_t id, bool written);

#endif

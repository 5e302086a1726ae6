/* log_identity.h - finds out that the log of a partition is not the one that was read so far: its
 * data was lost, or the topic was made anew. Its offsets start again then, and a reader that goes
 * on where it was misses what is below. Pure; owner only.
 *
 * Kafka tells a reader only if the new log ends before the reader's position: the reader begins
 * anew, and offsets go back. Otherwise nothing tells. So we read an older message (an anchor) again
 * now and then: when nothing comes, and after every pause, because a log does not change without a
 * pause. Another message at the anchor's place means another log. What has come since the pause is
 * read twice by that. So if much comes after the pause, we look soon.
 *
 * The log may also change while nobody reads, and may reach beyond the offset at which the group
 * goes on. So an anchor travels with each commit. Before the first message after an assignment is
 * taken, we read what stands at the anchor:
 *
 *   log_identity_expect() ─► first message: LOG_SEEK ─► look at the anchor's place
 *                             the same message ─► LOG_SEEN … LOG_NEW ◄──┤
 *                             another one ─► LOG_OTHER ◄────────────────┘ */
#ifndef IMC_JOB_PARTITION_LOG_IDENTITY_H
#define IMC_JOB_PARTITION_LOG_IDENTITY_H

#include "job/partition/log_anchors.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOG_PAUSE_MS = 200,  /* without a message: the log may have changed meanwhile */
    LOG_IDLE_MS = 1000,  /* without a message: time to look */
    LOG_LOOK_MS = 5000,  /* between two looks, */
    LOG_BURST = 32,      /* but after a pause not later than so many messages */
    LOG_SHORT_MS = 1000, /* the end may be behind us for a moment when a broker takes over */
};

struct log_identity {
    struct log_anchors anchors;
    struct log_anchor suspect;  /* the last one before a pause; .offset -1: none */
    struct log_anchor sought;   /* being read again; likewise */
    struct log_anchor expected; /* to be looked for when the first message comes; likewise */
    bool untaken;               /* .next came first, and waits for what stands at the anchor */
    int64_t next;               /* the offset after the newest; -1: nothing was read */
    int64_t reread;             /* the newest that was read again; INT64_MAX: none may be */
    uint64_t read_ms;           /* when the newest came */
    uint64_t looked_ms, short_ms;
};

void log_identity_init(struct log_identity *identity);
/* ANCHOR was committed along with the offset where reading goes on. .offset -1: none was. */
void log_identity_expect(struct log_identity *identity, struct log_anchor anchor);
/* Messages from OFFSET on are going to be read once more, and are to be taken once more. */
void log_identity_rewind(struct log_identity *identity, int64_t offset);
/* Something was wrong with the brokers: look soon. */
void log_identity_alarm(struct log_identity *identity);

enum log_verdict {
    LOG_NEW,   /* take it */
    LOG_SEEN,  /* was read before */
    LOG_SEEK,  /* not taken: read on from identity->sought.offset; it comes again */
    LOG_OTHER, /* another log: start with an initialised check, from its beginning */
};
enum log_verdict log_identity_message(struct log_identity *identity, int64_t offset, uint64_t mark,
                                      uint64_t now_ms);

/* Much has come since a pause: log_identity_due() has something to say at once. */
static inline bool log_identity_is_burst(const struct log_identity *identity)
{
    return identity->suspect.offset >= 0 && identity->next - identity->suspect.offset > LOG_BURST;
}

enum { LOG_NOTHING = -1, LOG_IS_OTHER = -2 };
/* Now and then. END: the log's, as the brokers told last; -1: unknown. The offset to read on from,
 * or one of the above. */
int64_t log_identity_due(struct log_identity *identity, int64_t end, uint64_t now_ms);

/* For an anchor. */
uint64_t log_identity_mark(int64_t timestamp, const void *payload, size_t len);

#endif

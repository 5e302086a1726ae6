/* log_anchors.h - what stood at some offsets of a log, so that it can be told from another log that
 * has the same offsets. Pure.
 *
 *   level 0: the latest 16 that were added       level 2: of those divisible by 256 the latest 16
 *   level 1: of those divisible by 16 …          … so there are some near and some far behind */
#ifndef IMC_JOB_PARTITION_LOG_ANCHORS_H
#define IMC_JOB_PARTITION_LOG_ANCHORS_H

#include <stddef.h>
#include <stdint.h>

enum { ANCHOR_LEVELS = 6, ANCHOR_SLOTS = 16, ANCHOR_TEXT_MAX = 64 };

struct log_anchor {
    int64_t offset; /* -1: none */
    uint64_t mark;  /* of the message there; two logs do not have the same one at one offset */
};

struct log_anchors {
    struct log_anchor at[ANCHOR_LEVELS][ANCHOR_SLOTS];
};

void log_anchors_init(struct log_anchors *anchors);
/* OFFSET is not below those that were added before. */
void log_anchors_add(struct log_anchors *anchors, int64_t offset, uint64_t mark);
/* The highest that is remembered below OFFSET; .offset is -1 if there is none. */
struct log_anchor log_anchors_below(const struct log_anchors *anchors, int64_t offset);

/* As text, for the metadata of a commit. It starts with the version of the form and of the mark, so
 * that no job takes another version's mark for its own. Its length; 0: ANCHOR is none. */
size_t log_anchor_write(struct log_anchor anchor, char text[ANCHOR_TEXT_MAX]);
/* .offset is -1 if TEXT, of LEN bytes, is no such text. TEXT may be NULL. */
struct log_anchor log_anchor_read(const char *text, size_t len);

#endif

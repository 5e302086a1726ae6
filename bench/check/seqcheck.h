/* seqcheck.h - judges the numbers 0, 1, 2 … that one receiver gets of one stream: what is missing,
 * what comes late, what comes twice. Pure, no allocation; 16 bytes a stream. */
#ifndef IMC_BENCH_CHECK_SEQCHECK_H
#define IMC_BENCH_CHECK_SEQCHECK_H

#include <stdint.h>

enum seq_verdict {
    SEQ_NEXT,  /* right in order */
    SEQ_GAP,   /* new, but numbers before it have not come */
    SEQ_LATE,  /* new, after a higher one: out of order */
    SEQ_TWICE, /* had come before (also taken for it: late by more than 64) */
};

struct seqcheck {
    uint64_t seen; /* bit i: number next - 1 - i has come */
    uint32_t next;
    uint32_t taken : 31;   /* different numbers that came */
    uint32_t anywhere : 1; /* the first number that comes is the start */
};

/* Zeroed memory is a stream that starts at 0. ANYWHERE: a receiver that joins while the stream
 * runs. */
void seqcheck_init(struct seqcheck *check, int anywhere);
enum seq_verdict seqcheck_take(struct seqcheck *check, uint32_t number);

#endif

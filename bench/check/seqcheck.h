/* seqcheck.h - judges the numbers 0, 1, 2 … that one receiver gets from one stream: which are
 * missing, late, or come twice. Pure, allocates nothing; 16 bytes a stream. */
#ifndef IMC_BENCH_CHECK_SEQCHECK_H
#define IMC_BENCH_CHECK_SEQCHECK_H

#include <stdint.h>

enum seq_verdict {
    SEQ_NEXT,  /* in order */
    SEQ_GAP,   /* new, but lower numbers have not come */
    SEQ_LATE,  /* new, after a higher one: out of order */
    SEQ_TWICE, /* has come before, or is late by more than 64 */
};

struct seqcheck {
    uint64_t seen; /* bit i: number next - 1 - i has come */
    uint32_t next;
    uint32_t taken : 31;   /* how many different numbers came */
    uint32_t anywhere : 1; /* the stream starts with the first number that comes */
};

/* ANYWHERE: the receiver joins while the stream runs. Zeroed memory is a stream that starts at
 * 0. */
void seqcheck_init(struct seqcheck *check, int anywhere);
enum seq_verdict seqcheck_take(struct seqcheck *check, uint32_t number);

#endif

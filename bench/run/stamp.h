/* stamp.h - what a message of the benchmark says: its run, stream and number, and when it was due.
 * It is valid JSON of fixed width, so that both wire forms carry it unchanged:
 *
 *   {"t":"RRRRRRRRSSSSSSSSNNNNNNNNTTTTTTTTTTTTTTTT"}     hexadecimal
 *
 * With a larger size, ,"p":"xxx" follows the first member. Pure functions. */
#ifndef IMC_BENCH_RUN_STAMP_H
#define IMC_BENCH_RUN_STAMP_H

#include <stddef.h>
#include <stdint.h>

enum stream_kind { STREAM_UID, STREAM_ROOM, STREAM_ALL, STREAM_KINDS };

enum {
    STAMP_SIZE = 48, /* the smallest message */
    STAMP_SIZE_MAX = 65536,
    STAMP_NUMBERS = 1 << 20, /* streams of a kind */
    STAMP_LANES = 256,
};

struct stamp {
    uint32_t run;
    enum stream_kind kind;
    uint32_t lane;   /* of a room: independent streams, each in order */
    uint32_t number; /* which uid, which room */
    uint32_t seq;
    uint64_t time_ns; /* when it was due, CLOCK_MONOTONIC */
};

/* Writes a message of SIZE bytes and returns its size. Possible are STAMP_SIZE, and STAMP_SIZE + 7
 * or more; other sizes are rounded up. */
size_t stamp_write(const struct stamp *stamp, char *out, size_t size);
/* 0, or -EINVAL: not ours. */
int stamp_read(const uint8_t *body, size_t len, struct stamp *stamp);

#endif

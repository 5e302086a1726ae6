/* people.h - who is who in a run: connection I of N has a uid, a token, a room, and gets certain
 * streams. Pure functions of the run's numbers, so that workers and driver agree without talking.
 *
 *   uid streams    one per GROUP neighbouring connections: a push reaches all of them
 *   room streams   LANES per room, each in order; connection I is in room I % ROOMS
 *   all streams    LANES of them */
#ifndef IMC_BENCH_RUN_PEOPLE_H
#define IMC_BENCH_RUN_PEOPLE_H

#include "bench/run/stamp.h"

#include <stddef.h>
#include <stdint.h>

enum { PEOPLE_NAME_MAX = 64 };

struct people {
    uint32_t run;      /* random: tells our messages and rooms from those of other runs */
    uint64_t uid_base; /* connection I is uid uid_base + I */
    size_t count;      /* connections */
    size_t rooms;      /* 0: nobody is in a room */
    size_t group;      /* uids that one uid push is for, at least 1 */
    size_t lanes[STREAM_KINDS];
    const char *plain; /* body of every message, which then carries no stamp; NULL: it does */
};

/* Streams of a kind, lanes included. */
size_t people_streams(const struct people *people, enum stream_kind kind);
/* Of these, which one; NUMBER is of the uid group or room. */
size_t people_stream(const struct people *people, enum stream_kind kind, size_t number,
                     size_t lane);
/* The number connection I gets messages with; SIZE_MAX: gets none of the kind. */
size_t people_number(const struct people *people, enum stream_kind kind, size_t i);
/* Connections that get a message of that number. */
size_t people_members(const struct people *people, enum stream_kind kind, size_t number);
void people_token(const struct people *people, size_t i, char out[PEOPLE_NAME_MAX]);
void people_room(const struct people *people, size_t room, char out[PEOPLE_NAME_MAX]);

#endif

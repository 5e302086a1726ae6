/* people.h - who is who in a run: connection I of N has a uid, a token and a room, and gets certain
 * streams. All are pure functions of the run's numbers, so workers and driver agree without
 * talking.
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
    uint32_t run;      /* random; distinguishes our messages and rooms from those of other runs */
    uint64_t uid_base; /* connection I is uid uid_base + I */
    size_t count;      /* connections */
    size_t rooms;      /* 0: nobody is in a room */
    size_t group;      /* uids that one uid push is for, at least 1 */
    size_t unpushed;   /* the last connections whose uids get no pushes; then group is 1 */
    size_t lanes[STREAM_KINDS];
    const char *plain; /* body of every message, instead of a stamp; NULL: they carry stamps */
};

/* The number of streams of KIND, lanes included. */
size_t people_streams(const struct people *people, enum stream_kind kind);
/* The index of one of these streams; NUMBER is that of the uid group or room. */
size_t people_stream(const struct people *people, enum stream_kind kind, size_t number,
                     size_t lane);
/* The number under which connection I gets messages of KIND; SIZE_MAX: it gets none. */
size_t people_number(const struct people *people, enum stream_kind kind, size_t i);
/* How many connections get a message with that number. */
size_t people_members(const struct people *people, enum stream_kind kind, size_t number);
void people_token(const struct people *people, size_t i, char out[PEOPLE_NAME_MAX]);
void people_room(const struct people *people, size_t room, char out[PEOPLE_NAME_MAX]);
/* The room of connection I; "": it is in none. */
void people_room_of(const struct people *people, size_t i, char out[PEOPLE_NAME_MAX]);

#endif

/* comet_rooms.h - which rooms have members on a comet, as the comet says (proto/push.proto,
 * RoomNews), and whether we may leave out items to other rooms for it. Main loop only.
 *
 *   comet_rooms_ask ─► question ═══► comet ═══► news, grant ─► comet_rooms_take
 *                                                                 │ until the grant is over, or
 *                                                                 ▼ the stream breaks
 *   an item to a room ─► comet_rooms_leaves_out: no grant? sent. Has members? sent. Else left out
 *
 * We ask only while there are messages to rooms. */
#ifndef IMC_JOB_COMETS_COMET_ROOMS_H
#define IMC_JOB_COMETS_COMET_ROOMS_H

#include "proto/push.pb-c.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job;
struct map64;

struct comet_rooms {
    struct job *job;
    struct map64 *hashes; /* what the comet has told us of; NULL: nothing */
    uint64_t number;      /* of the last news; 0: none that we can use */
    bool ask_due, answer_due, give_up_due;
    int64_t first_us, last_us; /* boot time: when we asked on this stream, first and last; 0: not */
    int64_t granted_us;        /* boot time until which we may leave out items */
    int64_t wait_us;           /* boot time until which we do not ask: there are too many rooms */
};

void comet_rooms_open(struct comet_rooms *rooms, struct job *job);
/* Also when the stream has broken: what was told and granted is void. */
void comet_rooms_reset(struct comet_rooms *rooms);
/* It is time for the next question. False: none is to be sent. */
bool comet_rooms_ask(struct comet_rooms *rooms);
/* Nothing is left out any more. True: the comet is to be told. */
bool comet_rooms_give_up(struct comet_rooms *rooms);
/* Is there a word for the comet? */
static inline bool comet_rooms_due(const struct comet_rooms *rooms)
{
    return rooms->ask_due || rooms->answer_due || rooms->give_up_due;
}
/* What is due, as it goes into a batch now. */
void comet_rooms_describe(struct comet_rooms *rooms, Imc__V1__RoomsQuestion *out);
/* True: an answer is due. */
bool comet_rooms_take(struct comet_rooms *rooms, const Imc__V1__RoomNews *news);
/* May an item to the room with HASH be left out, at NOW_US (boot time, of right now)? */
bool comet_rooms_leaves_out(const struct comet_rooms *rooms, uint64_t hash, int64_t now_us);
static inline bool comet_rooms_granted(const struct comet_rooms *rooms, int64_t now_us)
{
    return now_us < rooms->granted_us;
}
size_t comet_rooms_count(const struct comet_rooms *rooms);

#endif

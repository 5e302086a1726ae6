/* announced_rooms.h - the rooms that jobs are told of: those that some loop claims. And how far
 * each job has been told. Pure. Main loop only.
 *
 *   oldest ─── told ─── reader->next ─── to be told ─── newest
 *      └ removed: reader->left, to be told            └ removed: never was
 *
 * A room is known by its hash. Rooms stand in the order in which they came, so what a reader has
 * been told is a part of the list from its beginning. A reader that begins anew reads the whole
 * list, in as many pieces as it likes, while rooms come and go. */
#ifndef IMC_COMET_JOB_ANNOUNCED_ROOMS_H
#define IMC_COMET_JOB_ANNOUNCED_ROOMS_H

#include "common/base/list.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct announced_room;
struct map64;

struct announced_reader {
    LIST_ENTRY(announced_reader) link;
    const struct announced_room *next; /* NULL: it has been told of all */
    uint64_t *left;                    /* it was told of them, and they are gone */
    size_t n_left, cap_left;
};

struct announced_rooms {
    struct map64 *by_hash;
    TAILQ_HEAD(announced_list, announced_room) list;
    LIST_HEAD(, announced_reader) readers;
    uint64_t serial; /* of the newest: 1, 2, 3 … */
};

void announced_rooms_open(struct announced_rooms *rooms);
/* Every reader has been closed. */
void announced_rooms_close(struct announced_rooms *rooms);
size_t announced_rooms_count(const struct announced_rooms *rooms);
/* One more loop claims the room. Returns its serial. */
uint64_t announced_rooms_add(struct announced_rooms *rooms, uint64_t hash);
/* One loop less; it has claimed it. */
void announced_rooms_remove(struct announced_rooms *rooms, uint64_t hash);

/* READER is zeroed, or was closed; it has been told of nothing. */
void announced_reader_open(struct announced_rooms *rooms, struct announced_reader *reader);
void announced_reader_close(struct announced_reader *reader);
/* It has been told of nothing. */
void announced_reader_restart(struct announced_rooms *rooms, struct announced_reader *reader);
/* Takes the next of what is to be told: up to MAX hashes into OUT; returns how many. */
size_t announced_reader_take(struct announced_reader *reader, uint64_t *out, size_t max);
size_t announced_reader_take_left(struct announced_reader *reader, uint64_t *out, size_t max);
/* Every room up to this serial has been told. */
uint64_t announced_reader_upto(const struct announced_rooms *rooms,
                               const struct announced_reader *reader);
static inline bool announced_reader_is_done(const struct announced_reader *reader)
{
    return reader->next == NULL && reader->n_left == 0;
}

#endif

#include "comet/job/announced_rooms.h"
#include "common/base/array.h"
#include "common/base/mem.h"
#include "common/containers/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct announced_room {
    TAILQ_ENTRY(announced_room) link;
    uint64_t hash, serial;
    uint32_t loops; /* that claim it */
};

void announced_rooms_open(struct announced_rooms *rooms)
{
    *rooms = (struct announced_rooms){.by_hash = map64_new()};
    TAILQ_INIT(&rooms->list);
}

void announced_rooms_close(struct announced_rooms *rooms)
{
    struct announced_room *room;

    assert(LIST_EMPTY(&rooms->readers));
    while ((room = TAILQ_FIRST(&rooms->list)) != NULL) {
        TAILQ_REMOVE(&rooms->list, room, link);
        free(room);
    }
    map64_free(rooms->by_hash);
}

size_t announced_rooms_count(const struct announced_rooms *rooms)
{
    return map64_count(rooms->by_hash);
}

static struct announced_room *room_find(struct announced_rooms *rooms, uint64_t hash)
{
    const uint64_t *found = map64_get(rooms->by_hash, hash);

    /* NOLINTNEXTLINE(performance-no-int-to-ptr): the map holds numbers */
    return found == NULL ? NULL : (struct announced_room *)(uintptr_t)*found;
}

uint64_t announced_rooms_add(struct announced_rooms *rooms, uint64_t hash)
{
    struct announced_room *room = room_find(rooms, hash);
    struct announced_reader *reader;

    if (room == NULL) {
        room = mem_alloc(sizeof *room);
        *room = (struct announced_room){.hash = hash, .serial = ++rooms->serial};
        map64_set(rooms->by_hash, hash, (uintptr_t)room);
        TAILQ_INSERT_TAIL(&rooms->list, room, link);
        LIST_FOREACH(reader, &rooms->readers, link) {
            if (reader->next == NULL)
                reader->next = room;
        }
    }
    room->loops++;
    return room->serial;
}

static void reader_loses(struct announced_reader *reader, struct announced_room *room)
{
    if (reader->next == room) {
        reader->next = TAILQ_NEXT(room, link);
    } else if (reader->next == NULL || reader->next->serial > room->serial) {
        ARRAY_ROOM(reader->left, reader->n_left, reader->cap_left, 16);
        reader->left[reader->n_left++] = room->hash;
    }
}

void announced_rooms_remove(struct announced_rooms *rooms, uint64_t hash)
{
    struct announced_room *room = room_find(rooms, hash);
    struct announced_reader *reader;

    assert(room != NULL && room->loops > 0);
    if (--room->loops > 0)
        return;
    LIST_FOREACH(reader, &rooms->readers, link)
        reader_loses(reader, room);
    TAILQ_REMOVE(&rooms->list, room, link);
    map64_del(rooms->by_hash, hash);
    free(room);
}

/* --- readers --- */

void announced_reader_open(struct announced_rooms *rooms, struct announced_reader *reader)
{
    *reader = (struct announced_reader){.next = TAILQ_FIRST(&rooms->list)};
    LIST_INSERT_HEAD(&rooms->readers, reader, link);
}

void announced_reader_close(struct announced_reader *reader)
{
    LIST_REMOVE(reader, link);
    free(reader->left);
}

void announced_reader_restart(struct announced_rooms *rooms, struct announced_reader *reader)
{
    reader->next = TAILQ_FIRST(&rooms->list);
    reader->n_left = 0;
}

size_t announced_reader_take(struct announced_reader *reader, uint64_t *out, size_t max)
{
    size_t n = 0;

    for (; n < max && reader->next != NULL; reader->next = TAILQ_NEXT(reader->next, link))
        out[n++] = reader->next->hash;
    return n;
}

/* The last ones: their order does not matter. */
size_t announced_reader_take_left(struct announced_reader *reader, uint64_t *out, size_t max)
{
    size_t n = reader->n_left < max ? reader->n_left : max;

    reader->n_left -= n;
    if (n > 0)
        memcpy(out, reader->left + reader->n_left, n * sizeof *out);
    if (reader->n_left == 0) {
        free(reader->left);
        reader->left = NULL;
        reader->cap_left = 0;
    }
    return n;
}

uint64_t announced_reader_upto(const struct announced_rooms *rooms,
                               const struct announced_reader *reader)
{
    return reader->next == NULL ? rooms->serial : reader->next->serial - 1;
}

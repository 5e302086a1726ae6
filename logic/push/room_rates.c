#include "logic/push/room_rates.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/containers/map.h"
#include "logic/base/recent.h"

#include <stdlib.h>
#include <string.h>

struct rated_room {
    TAILQ_ENTRY(rated_room) link;
    struct recent pushes;
    size_t len;
    char name[];
};

struct room_rates {
    struct strmap *by_name;
    TAILQ_HEAD(, rated_room) rooms; /* the one that was pushed to last stands last */
};

struct room_rates *room_rates_new(void)
{
    struct room_rates *rates = mem_zalloc(sizeof *rates);

    rates->by_name = strmap_new();
    TAILQ_INIT(&rates->rooms);
    return rates;
}

static void drop(struct room_rates *rates, struct rated_room *room)
{
    TAILQ_REMOVE(&rates->rooms, room, link);
    (void)strmap_del(rates->by_name, room->name, room->len);
    free(room);
}

void room_rates_free(struct room_rates *rates)
{
    struct rated_room *room, *next;

    if (rates == NULL)
        return;
    for (room = TAILQ_FIRST(&rates->rooms); room != NULL; room = next) {
        next = TAILQ_NEXT(room, link);
        drop(rates, room);
    }
    strmap_free(rates->by_name);
    free(rates);
}

static struct rated_room *room_new(struct room_rates *rates, const char *name, size_t len)
{
    if (strmap_count(rates->by_name) == ROOM_RATES_MOST)
        drop(rates, TAILQ_FIRST(&rates->rooms));
    struct rated_room *room = mem_zalloc(sizeof *room + len + 1);
    room->len = len;
    memcpy(room->name, name, len);
    strmap_set(rates->by_name, room->name, len, room);
    return room;
}

void room_rates_count(struct room_rates *rates, const char *name, uint64_t now_ms)
{
    size_t len = strlen(name);

    if (rates == NULL)
        return;
    struct rated_room *room = strmap_get(rates->by_name, name, len);
    if (room != NULL)
        TAILQ_REMOVE(&rates->rooms, room, link);
    else
        room = room_new(rates, name, len);
    TAILQ_INSERT_TAIL(&rates->rooms, room, link);
    recent_add(&room->pushes, now_ms / ROOM_RATES_STEP_MS, 1);
}

static int most_first(const void *a, const void *b)
{
    const struct room_rate *left = a, *right = b;

    return (left->pushes < right->pushes) - (left->pushes > right->pushes);
}

size_t room_rates_top(const struct room_rates *rates, uint64_t now_ms, struct room_rate *out,
                      size_t n)
{
    uint64_t step = now_ms / ROOM_RATES_STEP_MS;
    struct room_rate all[ROOM_RATES_MOST];
    const struct rated_room *room;
    size_t found = 0;

    TAILQ_FOREACH(room, &rates->rooms, link) {
        uint64_t pushes = step > 0 ? recent_count(&room->pushes, step - 1, ROOM_RATES_STEPS) : 0;
        if (pushes > 0)
            all[found++] = (struct room_rate){room->name, pushes};
    }
    qsort(all, found, sizeof all[0], most_first);
    if (found > n)
        found = n;
    if (found > 0)
        memcpy(out, all, found * sizeof all[0]);
    return found;
}

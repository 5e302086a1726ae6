#include "router/room_counts.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/containers/map.h"
#include "router/interned_strings.h"

#include <stdlib.h>
#include <string.h>
#include <uv/tree.h>

struct room_share {
    uint32_t comet; /* interned */
    uint32_t loop;
    uint32_t sessions;
    uint64_t epoch, number;
    uint64_t said_ms;
};

struct counted_room {
    TAILQ_ENTRY(counted_room) link;
    RB_ENTRY(counted_room) node;
    struct room_share *shares;
    uint32_t n, cap;
    size_t len;
    char name[];
};

struct room_counts {
    const struct completeness *completeness;
    struct strmap *by_name;
    struct interned_strings *comets;
    TAILQ_HEAD(, counted_room) rooms;
    RB_HEAD(rooms_tree, counted_room) tree; /* by name */
    struct counted_room *swept; /* the sweep goes on with this one; NULL: from the first */
    size_t bytes;
};

/* A red-black tree, OpenBSD's macros as libuv has them. */
static int compare_names(const struct counted_room *a, const struct counted_room *b)
{
    return strcmp(a->name, b->name);
}

RB_GENERATE_STATIC(rooms_tree, counted_room, node, compare_names)

struct room_counts *room_counts_new(const struct completeness *completeness)
{
    struct room_counts *counts = mem_zalloc(sizeof *counts);

    counts->completeness = completeness;
    counts->by_name = strmap_new();
    counts->comets = interned_new(true);
    TAILQ_INIT(&counts->rooms);
    RB_INIT(&counts->tree);
    return counts;
}

static size_t room_bytes(const struct counted_room *room)
{
    return sizeof *room + room->len + 1 + room->cap * sizeof *room->shares;
}

static void share_drop(struct room_counts *counts, struct counted_room *room, uint32_t i)
{
    interned_unref(counts->comets, room->shares[i].comet);
    room->shares[i] = room->shares[--room->n];
}

static void room_drop(struct room_counts *counts, struct counted_room *room)
{
    if (counts->swept == room)
        counts->swept = TAILQ_NEXT(room, link);
    counts->bytes -= room_bytes(room);
    TAILQ_REMOVE(&counts->rooms, room, link);
    RB_REMOVE(rooms_tree, &counts->tree, room);
    strmap_del(counts->by_name, room->name, room->len);
    while (room->n > 0)
        share_drop(counts, room, 0);
    free(room->shares);
    free(room);
}

void room_counts_free(struct room_counts *counts)
{
    if (counts == NULL)
        return;
    while (!TAILQ_EMPTY(&counts->rooms))
        room_drop(counts, TAILQ_FIRST(&counts->rooms));
    strmap_free(counts->by_name);
    interned_free(counts->comets);
    free(counts);
}

/* --- shares --- */

static struct counted_room *room_of(struct room_counts *counts, const char *name)
{
    size_t len = strlen(name);
    struct counted_room *room = strmap_get(counts->by_name, name, len);

    if (room != NULL)
        return room;
    room = mem_zalloc(sizeof *room + len + 1);
    room->len = len;
    memcpy(room->name, name, len);
    strmap_set(counts->by_name, room->name, len, room);
    TAILQ_INSERT_TAIL(&counts->rooms, room, link);
    RB_INSERT(rooms_tree, &counts->tree, room);
    counts->bytes += room_bytes(room);
    return room;
}

static struct room_share *share_of(struct room_counts *counts, struct counted_room *room,
                                   const struct room_word *word)
{
    for (uint32_t i = 0; i < room->n; i++) {
        struct room_share *share = &room->shares[i];
        if (share->epoch == word->epoch && share->loop == word->loop &&
            strcmp(interned_text(counts->comets, share->comet), word->comet) == 0)
            return share;
    }
    counts->bytes -= room_bytes(room);
    if (room->n == room->cap) {
        room->cap = room->cap == 0 ? 1 : 2 * room->cap;
        room->shares = mem_realloc(room->shares, room->cap * sizeof *room->shares);
    }
    counts->bytes += room_bytes(room);
    room->shares[room->n] = (struct room_share){.comet = interned_ref(counts->comets, word->comet),
                                                .loop = word->loop,
                                                .epoch = word->epoch};
    return &room->shares[room->n++];
}

void room_counts_set(struct room_counts *counts, const struct room_word *word, uint64_t now_ms)
{
    struct room_share *share = share_of(counts, room_of(counts, word->room), word);

    if (word->number < share->number)
        return;
    share->number = word->number;
    share->sessions = word->sessions;
    share->said_ms = now_ms;
}

static bool share_lives(const struct room_counts *counts, const struct room_share *share)
{
    if (share->epoch == 0)
        return true;
    const struct known_comet *comet = comets_find(
        counts->completeness->comets, interned_text(counts->comets, share->comet), share->epoch);

    return comet != NULL && comet->state != COMET_GONE;
}

/* COMET NULL: all that hold a lease. */
static bool share_is_of(const struct room_counts *counts, const struct room_share *share,
                        const char *comet)
{
    if (comet == NULL)
        return share->epoch != 0;
    return strcmp(interned_text(counts->comets, share->comet), comet) == 0;
}

static void room_forget(struct room_counts *counts, struct counted_room *room, const char *comet)
{
    for (uint32_t i = 0; i < room->n;) {
        if (share_is_of(counts, &room->shares[i], comet))
            share_drop(counts, room, i);
        else
            i++;
    }
    if (room->n == 0)
        room_drop(counts, room);
}

void room_counts_forget(struct room_counts *counts, const char *comet)
{
    for (struct counted_room *room = TAILQ_FIRST(&counts->rooms), *next; room != NULL;
         room = next) {
        next = TAILQ_NEXT(room, link);
        room_forget(counts, room, comet);
    }
}

void room_counts_lost(struct room_counts *counts)
{
    room_counts_forget(counts, NULL);
}

/* --- reading --- */

static uint64_t room_total(const struct room_counts *counts, const struct counted_room *room)
{
    uint64_t total = 0;

    if (!completeness_owns_room(counts->completeness, room->name))
        return 0;
    for (uint32_t i = 0; i < room->n; i++) {
        if (room->shares[i].sessions > 0 && share_lives(counts, &room->shares[i]))
            total += room->shares[i].sessions;
    }
    return total;
}

uint64_t room_counts_total(const struct room_counts *counts, const char *room)
{
    const struct counted_room *found = strmap_get(counts->by_name, room, strlen(room));

    return found == NULL ? 0 : room_total(counts, found);
}

/* What costs little comes first: most rooms of a long list do not get to the ring. */
static bool room_passes(const struct room_counts *counts, const struct counted_room *room,
                        const struct room_filter *filter, struct room_total *total)
{
    uint64_t most = 0;

    for (uint32_t i = 0; i < room->n; i++)
        most += room->shares[i].sessions;
    if (most < filter->least || strncmp(room->name, filter->prefix, strlen(filter->prefix)) != 0)
        return false;
    *total = (struct room_total){room->name, room_total(counts, room)};
    return total->sessions >= filter->least;
}

const struct counted_room *room_counts_next(const struct room_counts *counts,
                                            const struct counted_room *room,
                                            const struct room_filter *filter,
                                            struct room_total *total)
{
    room = room == NULL ? TAILQ_FIRST(&counts->rooms) : TAILQ_NEXT(room, link);
    while (room != NULL && !room_passes(counts, room, filter, total))
        room = TAILQ_NEXT(room, link);
    return room;
}

static const struct counted_room *room_with_total(const struct room_counts *counts,
                                                  const struct counted_room *room,
                                                  struct room_total *total)
{
    if (room != NULL)
        *total = (struct room_total){room->name, room_total(counts, room)};
    return room;
}

/* The path down the tree; RB_NFIND would need a whole room with NAME in it. */
const struct counted_room *room_counts_from(const struct room_counts *counts, const char *name,
                                            bool included, struct room_total *total)
{
    const struct counted_room *found = NULL, *room = RB_ROOT(&counts->tree);

    while (room != NULL) {
        int order = strcmp(room->name, name);
        if (order > 0 || (order == 0 && included)) {
            found = room;
            room = RB_LEFT(room, node);
        } else {
            room = RB_RIGHT(room, node);
        }
    }
    return room_with_total(counts, found, total);
}

const struct counted_room *room_counts_by_name(const struct room_counts *counts,
                                               const struct counted_room *room,
                                               struct room_total *total)
{
    return room_with_total(counts, rooms_tree_RB_NEXT(mem_unconst(room)), total);
}

/* --- the sweep --- */

static void room_sweep(struct room_counts *counts, struct counted_room *room, uint64_t now_ms)
{
    bool ours = completeness_owns_room(counts->completeness, room->name);

    for (uint32_t i = 0; ours && i < room->n;) {
        const struct room_share *share = &room->shares[i];
        uint64_t keep = share->sessions == 0 ? ROOM_COUNTS_KEEP_MS : ROOM_COUNTS_FOREIGN_MS;
        bool old = (share->sessions == 0 || share->epoch == 0) && now_ms - share->said_ms >= keep;
        if (old || !share_lives(counts, share))
            share_drop(counts, room, i);
        else
            i++;
    }
    if (!ours || room->n == 0)
        room_drop(counts, room);
}

void room_counts_moved(struct room_counts *counts)
{
    counts->swept = NULL;
}

bool room_counts_sweep(struct room_counts *counts, uint32_t n, uint64_t now_ms)
{
    struct counted_room *room = counts->swept;

    if (room == NULL)
        room = TAILQ_FIRST(&counts->rooms);
    for (; room != NULL && n > 0; n--) {
        struct counted_room *next = TAILQ_NEXT(room, link);
        room_sweep(counts, room, now_ms);
        room = next;
    }
    counts->swept = room;
    return room != NULL;
}

size_t room_counts_kept(const struct room_counts *counts)
{
    return strmap_count(counts->by_name);
}

size_t room_counts_bytes(const struct room_counts *counts)
{
    return counts->bytes + interned_bytes(counts->comets);
}

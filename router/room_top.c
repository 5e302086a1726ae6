/* The walk keeps the best rooms that it has seen in a heap, whose root is the last of them. When
 * the heap is full, only rooms that are better than its root get in. */
#include "router/room_top.h"

#include <stdlib.h>
#include <string.h>

/* Below 0: A stands before B in the list. */
static int total_compare(const void *a_, const void *b_)
{
    const struct room_total *a = a_, *b = b_;

    if (a->sessions != b->sessions)
        return a->sessions > b->sessions ? -1 : 1;
    return strcmp(a->name, b->name);
}

static void swap(struct room_total *a, struct room_total *b)
{
    struct room_total kept = *a;

    *a = *b;
    *b = kept;
}

static void heap_rise(struct room_total *heap, size_t i)
{
    for (size_t parent; i > 0; i = parent) {
        parent = (i - 1) / 2;
        if (total_compare(&heap[i], &heap[parent]) <= 0)
            return;
        swap(&heap[i], &heap[parent]);
    }
}

static void heap_sink(struct room_total *heap, size_t n)
{
    for (size_t i = 0, last; 2 * i + 1 < n; i = last) {
        last = 2 * i + 1;
        if (last + 1 < n && total_compare(&heap[last + 1], &heap[last]) > 0)
            last++;
        if (total_compare(&heap[i], &heap[last]) >= 0)
            return;
        swap(&heap[i], &heap[last]);
    }
}

size_t room_top(const struct room_counts *counts, const char *prefix, struct room_total *out,
                size_t limit)
{
    struct room_filter filter = {.prefix = prefix, .least = 1};
    const struct counted_room *room = NULL;
    struct room_total total;
    size_t n = 0;

    while (limit > 0 && (room = room_counts_next(counts, room, &filter, &total)) != NULL) {
        if (n < limit) {
            out[n] = total;
            heap_rise(out, n++);
        } else if (total_compare(&total, &out[0]) < 0) {
            out[0] = total;
            heap_sink(out, n);
        }
        if (n == limit)
            filter.least = out[0].sessions;
    }
    qsort(out, n, sizeof *out, total_compare);
    return n;
}

size_t room_page(const struct room_counts *counts, const char *prefix, const char *after,
                 struct room_total *out, size_t limit)
{
    const struct counted_room *room;
    bool begins = strcmp(after, prefix) < 0; /* then those before PREFIX are passed over at once */
    size_t n = 0, len = strlen(prefix);

    if (limit == 0)
        return 0;
    room = room_counts_from(counts, begins ? prefix : after, begins, &out[0]);
    for (; room != NULL && strncmp(out[n].name, prefix, len) == 0;
         room = room_counts_by_name(counts, room, &out[n])) {
        if (out[n].sessions > 0 && ++n == limit)
            break;
    }
    return n;
}

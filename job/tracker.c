#include "job/tracker.h"
#include "common/mem.h"

#include <assert.h>
#include <stdlib.h>

enum { TRACKER_FIRST = 64 };

static struct tracker_slot *tracker_slot(const struct tracker *tracker, uint64_t index)
{
    return &tracker->slots[index & (tracker->size - 1)];
}

void tracker_init(struct tracker *tracker)
{
    *tracker = (struct tracker){.next = -1, .first = -1};
}

void tracker_free(struct tracker *tracker)
{
    free(tracker->slots);
    tracker_init(tracker);
}

static void tracker_grow(struct tracker *tracker)
{
    uint64_t size = tracker->size == 0 ? TRACKER_FIRST : tracker->size * 2;
    struct tracker_slot *slots = mem_alloc(size * sizeof *slots);

    for (uint64_t i = tracker->head; i != tracker->tail; i++)
        slots[i & (size - 1)] = *tracker_slot(tracker, i);
    free(tracker->slots);
    tracker->slots = slots;
    tracker->size = size;
}

uint64_t tracker_add(struct tracker *tracker, int64_t offset, void *owner)
{
    assert(owner != NULL);
    if (tracker->tail - tracker->head == tracker->size)
        tracker_grow(tracker);
    *tracker_slot(tracker, tracker->tail) = (struct tracker_slot){offset, owner};
    tracker->next = offset + 1;
    if (tracker->first < 0)
        tracker->first = offset;
    return tracker->tail++;
}

void tracker_resolve(struct tracker *tracker, uint64_t ticket)
{
    assert(ticket - tracker->head < tracker->tail - tracker->head);
    struct tracker_slot *slot = tracker_slot(tracker, ticket);
    assert(slot->owner != NULL);
    slot->owner = NULL;
    while (tracker->head != tracker->tail && tracker_slot(tracker, tracker->head)->owner == NULL)
        tracker->head++;
}

void tracker_skip(struct tracker *tracker, int64_t offset)
{
    tracker_resolve(tracker, tracker_add(tracker, offset, tracker));
}

int64_t tracker_position(const struct tracker *tracker)
{
    if (tracker->head == tracker->tail)
        return tracker->next;
    return tracker_slot(tracker, tracker->head)->offset;
}

void tracker_restart(struct tracker *tracker)
{
    for (uint64_t i = tracker->head; i != tracker->tail; i++)
        tracker_slot(tracker, i)->offset = -1;
    tracker->next = tracker->first = -1;
}

int64_t tracker_replay(const struct tracker *tracker)
{
    int64_t position = tracker_position(tracker);

    return position >= 0 ? position : tracker->first;
}

int64_t tracker_span(const struct tracker *tracker)
{
    if (tracker->head == tracker->tail || tracker->next < 0)
        return 0;
    return tracker->next - tracker_replay(tracker);
}

bool tracker_pop(struct tracker *tracker, void **owner)
{
    if (tracker->head == tracker->tail)
        return false;
    tracker->tail--;
    struct tracker_slot *slot = tracker_slot(tracker, tracker->tail);
    *owner = slot->owner;
    tracker->next = slot->offset;
    return true;
}

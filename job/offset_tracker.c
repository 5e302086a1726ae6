#include "job/offset_tracker.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum { TRACKER_FIRST = 64 };
#define PLACE_MASK ((UINT64_C(1) << 62) - 1)

static int64_t slot_offset(const struct tracker_slot *slot)
{
    return (int64_t)slot->place - 1;
}

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
    *tracker_slot(tracker, tracker->tail) = (struct tracker_slot){
        .place = ((uint64_t)offset + 1) & PLACE_MASK, .state = TRACKER_OPEN, .owner = owner};
    tracker->next = offset + 1;
    if (tracker->first < 0)
        tracker->first = offset;
    return tracker->tail++;
}

static struct tracker_slot *tracker_at(struct tracker *tracker, uint64_t ticket)
{
    assert(ticket - tracker->head < tracker->tail - tracker->head);
    return tracker_slot(tracker, ticket);
}

void tracker_resolve(struct tracker *tracker, uint64_t ticket)
{
    struct tracker_slot *slot = tracker_at(tracker, ticket);

    assert(slot->state != TRACKER_DONE);
    tracker->parked -= slot->state == TRACKER_PARKED;
    slot->state = TRACKER_DONE;
    while (tracker->head != tracker->tail &&
           tracker_slot(tracker, tracker->head)->state == TRACKER_DONE)
        tracker->head++;
}

void tracker_skip(struct tracker *tracker, int64_t offset)
{
    tracker_resolve(tracker, tracker_add(tracker, offset, tracker));
}

void tracker_park(struct tracker *tracker, uint64_t ticket, int64_t uid)
{
    struct tracker_slot *slot = tracker_at(tracker, ticket);

    assert(slot->state == TRACKER_OPEN);
    slot->state = TRACKER_PARKED;
    slot->uid = uid;
    if (tracker->parked++ == 0 || ticket < tracker->cursor)
        tracker->cursor = ticket;
}

bool tracker_parked(struct tracker *tracker, uint64_t *ticket, int64_t *offset, int64_t *uid)
{
    if (tracker->parked == 0)
        return false;
    if (tracker->cursor < tracker->head)
        tracker->cursor = tracker->head;
    while (tracker_slot(tracker, tracker->cursor)->state != TRACKER_PARKED)
        tracker->cursor++;
    const struct tracker_slot *slot = tracker_at(tracker, tracker->cursor);
    *ticket = tracker->cursor;
    *offset = slot_offset(slot);
    *uid = slot->uid;
    return true;
}

void tracker_unpark(struct tracker *tracker, uint64_t ticket, void *owner)
{
    struct tracker_slot *slot = tracker_at(tracker, ticket);

    assert(slot->state == TRACKER_PARKED && owner != NULL);
    slot->state = TRACKER_OPEN;
    slot->owner = owner;
    tracker->parked--;
}

int64_t tracker_position(const struct tracker *tracker)
{
    if (tracker->head == tracker->tail)
        return tracker->next;
    return slot_offset(tracker_slot(tracker, tracker->head));
}

void tracker_restart(struct tracker *tracker)
{
    assert(tracker->parked == 0);
    for (uint64_t i = tracker->head; i != tracker->tail; i++)
        tracker_slot(tracker, i)->place = 0;
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

bool tracker_pop(struct tracker *tracker, struct tracker_slot *slot)
{
    if (tracker->head == tracker->tail)
        return false;
    tracker->tail--;
    *slot = *tracker_slot(tracker, tracker->tail);
    tracker->parked -= slot->state == TRACKER_PARKED;
    tracker->next = slot_offset(slot);
    return true;
}

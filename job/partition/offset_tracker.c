#include "job/partition/offset_tracker.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum { OFFSET_TRACKER_FIRST = 64 };
#define PLACE_MASK ((UINT64_C(1) << 56) - 1)
#define SHARD_MASK 63

static int64_t slot_offset(const struct offset_slot *slot)
{
    return (int64_t)slot->place - 1;
}

static struct offset_slot *offset_tracker_slot(const struct offset_tracker *tracker, uint64_t index)
{
    return &tracker->slots[index & (tracker->size - 1)];
}

void offset_tracker_init(struct offset_tracker *tracker)
{
    *tracker = (struct offset_tracker){.next = -1, .first = -1};
}

void offset_tracker_free(struct offset_tracker *tracker)
{
    free(tracker->slots);
    offset_tracker_init(tracker);
}

static void offset_tracker_grow(struct offset_tracker *tracker)
{
    uint64_t size = tracker->size == 0 ? OFFSET_TRACKER_FIRST : tracker->size * 2;
    struct offset_slot *slots = mem_alloc(size * sizeof *slots);

    for (uint64_t i = tracker->head; i != tracker->tail; i++)
        slots[i & (size - 1)] = *offset_tracker_slot(tracker, i);
    free(tracker->slots);
    tracker->slots = slots;
    tracker->size = size;
}

uint64_t offset_tracker_add(struct offset_tracker *tracker, int64_t offset, void *owner)
{
    assert(owner != NULL);
    if (tracker->tail - tracker->head == tracker->size)
        offset_tracker_grow(tracker);
    *offset_tracker_slot(tracker, tracker->tail) = (struct offset_slot){
        .place = ((uint64_t)offset + 1) & PLACE_MASK, .state = OFFSET_OPEN, .owner = owner};
    tracker->next = offset + 1;
    if (tracker->first < 0)
        tracker->first = offset;
    return tracker->tail++;
}

static struct offset_slot *offset_tracker_at(struct offset_tracker *tracker, uint64_t ticket)
{
    assert(ticket - tracker->head < tracker->tail - tracker->head);
    return offset_tracker_slot(tracker, ticket);
}

void offset_tracker_resolve(struct offset_tracker *tracker, uint64_t ticket)
{
    struct offset_slot *slot = offset_tracker_at(tracker, ticket);

    assert(slot->state != OFFSET_DONE);
    tracker->parked -= slot->state == OFFSET_PARKED;
    slot->state = OFFSET_DONE;
    while (tracker->head != tracker->tail &&
           offset_tracker_slot(tracker, tracker->head)->state == OFFSET_DONE)
        tracker->head++;
}

void offset_tracker_skip(struct offset_tracker *tracker, int64_t offset)
{
    offset_tracker_resolve(tracker, offset_tracker_add(tracker, offset, tracker));
}

void offset_tracker_park(struct offset_tracker *tracker, uint64_t ticket, size_t shard, int64_t uid)
{
    struct offset_slot *slot = offset_tracker_at(tracker, ticket);

    assert(slot->state == OFFSET_OPEN);
    slot->state = OFFSET_PARKED;
    slot->shard = shard & SHARD_MASK;
    slot->uid = uid;
    if (tracker->parked++ == 0 || ticket < tracker->cursor)
        tracker->cursor = ticket;
}

bool offset_tracker_parked(struct offset_tracker *tracker, uint64_t passed,
                           struct offset_parked *parked)
{
    if (tracker->parked == 0)
        return false;
    if (tracker->cursor < tracker->head || (tracker->passed & ~passed) != 0)
        tracker->cursor = tracker->head;
    tracker->passed = passed;
    for (; tracker->cursor < tracker->tail; tracker->cursor++) {
        const struct offset_slot *slot = offset_tracker_slot(tracker, tracker->cursor);
        if (slot->state != OFFSET_PARKED || (passed >> slot->shard & 1) != 0)
            continue;
        *parked =
            (struct offset_parked){tracker->cursor, slot_offset(slot), slot->uid, slot->shard};
        return true;
    }
    return false;
}

void offset_tracker_unpark(struct offset_tracker *tracker, uint64_t ticket, void *owner)
{
    struct offset_slot *slot = offset_tracker_at(tracker, ticket);

    assert(slot->state == OFFSET_PARKED && owner != NULL);
    slot->state = OFFSET_OPEN;
    slot->owner = owner;
    tracker->parked--;
}

int64_t offset_tracker_position(const struct offset_tracker *tracker)
{
    if (tracker->head == tracker->tail)
        return tracker->next;
    return slot_offset(offset_tracker_slot(tracker, tracker->head));
}

void offset_tracker_restart(struct offset_tracker *tracker)
{
    assert(tracker->parked == 0);
    for (uint64_t i = tracker->head; i != tracker->tail; i++)
        offset_tracker_slot(tracker, i)->place = 0;
    tracker->next = tracker->first = -1;
}

int64_t offset_tracker_replay(const struct offset_tracker *tracker)
{
    int64_t position = offset_tracker_position(tracker);

    return position >= 0 ? position : tracker->first;
}

int64_t offset_tracker_span(const struct offset_tracker *tracker)
{
    if (tracker->head == tracker->tail || tracker->next < 0)
        return 0;
    return tracker->next - offset_tracker_replay(tracker);
}

bool offset_tracker_pop(struct offset_tracker *tracker, struct offset_slot *slot)
{
    if (tracker->head == tracker->tail)
        return false;
    tracker->tail--;
    *slot = *offset_tracker_slot(tracker, tracker->tail);
    tracker->parked -= slot->state == OFFSET_PARKED;
    tracker->next = slot_offset(slot);
    return true;
}

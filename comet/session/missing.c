#include "comet/session/missing.h"
#include "common/base/array.h"
#include "common/base/loop.h"
#include "common/base/mem.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { DROPPED_LATE_MS = 1000 }; /* a running loop is never so late */

static void held_list_init(struct held_list *list)
{
    list->head = NULL;
    list->tail = &list->head;
    list->n = 0;
}

void missing_init(struct missing *missing)
{
    *missing = (struct missing){0};
    held_list_init(&missing->fetched);
    held_list_init(&missing->held);
}

void held_free(struct held *held)
{
    backing_unref(held->push.backing);
    free(held);
}

static void held_list_drop(struct held_list *list, struct conn *conn)
{
    struct held *held = list->head;

    held_list_init(list);
    while (held != NULL) {
        struct held *next = held->next;
        ticket_done(&held->ticket, conn, TICKET_DROPPED);
        held_free(held);
        held = next;
    }
}

void missing_clear(struct missing *missing, struct conn *conn)
{
    held_list_drop(&missing->fetched, conn);
    held_list_drop(&missing->held, conn);
    free(missing->storing);
    free(missing->wanted);
    free(missing->dropped);
}

/* The place of a message in the list: the end, unless a replay brings an older one. */
static struct held **held_list_find(struct held_list *list, uint64_t id)
{
    struct held **at = &list->head;

    if (list->n == 0 || container_of(list->tail, struct held, next)->push.id <= id)
        return list->tail;
    while ((*at)->push.id <= id)
        at = &(*at)->next;
    return at;
}

void missing_add(struct held_list *list, const struct push *push, struct ticket ticket)
{
    struct held *held = mem_alloc(sizeof *held), **at = held_list_find(list, push->id);

    held->next = *at;
    held->push = *push;
    backing_ref(push->backing);
    held->ticket = ticket;
    *at = held;
    if (held->next == NULL)
        list->tail = &held->next;
    list->n++;
}

static struct held *held_list_pop(struct held_list *list)
{
    struct held *held = list->head;

    list->head = held->next;
    if (list->head == NULL)
        list->tail = &list->head;
    list->n--;
    return held;
}

struct held *missing_pop(struct missing *missing)
{
    const struct held *fetched = missing->fetched.head, *held = missing->held.head;

    if (fetched != NULL && (held == NULL || fetched->push.id <= held->push.id))
        return held_list_pop(&missing->fetched);
    return held != NULL ? held_list_pop(&missing->held) : NULL;
}

/* Id 0 means none, here and below: no accepted message has it. */
void missing_put(struct missing *missing, uint64_t id)
{
    if (id != 0 && (missing->stale == 0 || id < missing->stale))
        missing->stale = id;
}

static void storing_make_room(struct missing *missing)
{
    if (missing->first_storing + missing->n_storing < missing->cap_storing)
        return;
    if (missing->first_storing > missing->n_storing) {
        memmove(missing->storing, missing->storing + missing->first_storing,
                missing->n_storing * sizeof *missing->storing);
        missing->first_storing = 0;
        return;
    }
    ARRAY_ROOM(missing->storing, missing->first_storing + missing->n_storing, missing->cap_storing,
               4);
}

/* Ids are nearly always added and answered in rising order, so adding at the end and removing at
 * the front are quick. */
void missing_storing(struct missing *missing, uint64_t id)
{
    storing_make_room(missing);
    uint64_t *ids = missing->storing + missing->first_storing;
    uint32_t at = missing->n_storing++;
    for (; at > 0 && ids[at - 1] > id; at--)
        ids[at] = ids[at - 1];
    ids[at] = id;
}

void missing_stored(struct missing *missing, uint64_t id)
{
    uint64_t *ids = missing->storing + missing->first_storing;
    uint32_t at = 0;

    while (at < missing->n_storing && ids[at] != id)
        at++;
    assert(at < missing->n_storing);
    missing->n_storing--;
    if (at == 0)
        missing->first_storing++;
    else
        memmove(ids + at, ids + at + 1, (missing->n_storing - at) * sizeof *ids);
}

uint64_t missing_behind(const struct missing *missing, uint64_t id)
{
    uint32_t first = missing->first_storing, end = first + missing->n_storing;
    uint64_t newest = 0;

    while (end > first && missing->storing[end - 1] >= id)
        end--;
    if (end > first)
        newest = missing->storing[end - 1];
    for (uint32_t i = 0; i < missing->n_dropped; i++) {
        uint64_t dropped = missing->dropped[i].id;
        if (dropped < id && dropped > newest)
            newest = dropped;
    }
    return newest;
}

bool missing_is_dropped(const struct missing *missing, uint64_t id)
{
    for (uint32_t i = 0; i < missing->n_dropped; i++) {
        if (missing->dropped[i].id == id)
            return true;
    }
    return false;
}

bool missing_awaits(const struct missing *missing, uint64_t id)
{
    for (uint32_t i = 0; i < missing->n_dropped; i++) {
        if (missing->dropped[i].id < id)
            return true;
    }
    return false;
}

bool missing_blocks(const struct missing *missing, uint64_t id)
{
    return (missing->stale != 0 && missing->stale <= id) ||
           (missing->n_storing > 0 && missing->storing[missing->first_storing] <= id) ||
           missing_awaits(missing, id);
}

bool missing_has_next(const struct missing *missing)
{
    const struct held *fetched = missing->fetched.head, *held = missing->held.head;
    bool fetched_first = fetched != NULL && (held == NULL || fetched->push.id <= held->push.id);
    const struct held *next = fetched_first ? fetched : held;

    if (next == NULL || missing_blocks(missing, next->push.id))
        return false;
    if (fetched_first)
        return true;
    /* All older messages in the mailbox must have been read. */
    return missing->more ? held->push.id <= missing->page_last : !missing->fetch_asked;
}

struct held *missing_next(struct missing *missing)
{
    return missing_has_next(missing) ? missing_pop(missing) : NULL;
}

void missing_put_back(struct missing *missing, struct held *held)
{
    /* It goes first again. For the order it no longer matters from which list it came. */
    struct held_list *list = &missing->fetched;

    held->next = list->head;
    if (list->head == NULL)
        list->tail = &held->next;
    list->head = held;
    list->n++;
}

void missing_unfetch(struct missing *missing)
{
    while (missing->fetched.head != NULL) {
        struct held *held = held_list_pop(&missing->fetched);
        missing_want_again(missing, held->push.id);
        held_free(held);
    }
}

struct held *missing_unhold(struct missing *missing, uint64_t id)
{
    struct held_list *list = &missing->held;

    for (struct held **at = &list->head; *at != NULL; at = &(*at)->next) {
        struct held *held = *at;
        if (held->push.id != id)
            continue;
        *at = held->next;
        if (held->next == NULL)
            list->tail = at;
        list->n--;
        return held;
    }
    return NULL;
}

void missing_want_all(struct missing *missing)
{
    missing->everything = missing->whole = true;
    missing->after = 0;
}

void missing_want(struct missing *missing, uint64_t id)
{
    if (id == 0)
        return;
    if (missing->everything) {
        if (id <= missing->after)
            missing->after = id - 1;
        return;
    }
    if (missing->n_wanted == MISSING_WANTED_MAX) {
        /* Too many to list: wants the whole mailbox from the oldest of them on. */
        missing->after = missing_fetch_after(missing);
        missing->everything = true;
        missing->n_wanted = 0;
        return;
    }
    ARRAY_ROOM(missing->wanted, missing->n_wanted, missing->cap_wanted, 4);
    missing->wanted[missing->n_wanted++] = id;
}

void missing_want_again(struct missing *missing, uint64_t id)
{
    if (id > missing->others_upto)
        missing->others_upto = id;
    missing_want(missing, id);
}

bool missing_take(struct missing *missing, uint64_t id)
{
    if (missing->everything)
        return true;
    for (uint32_t i = 0; i < missing->n_wanted; i++) {
        if (missing->wanted[i] == id) {
            missing->wanted[i] = missing->wanted[--missing->n_wanted];
            return true;
        }
    }
    return false;
}

void missing_drop(struct missing *missing, uint64_t id, uint64_t until_ms)
{
    if (missing->n_dropped == MISSING_WANTED_MAX)
        return;
    /* Grows by one, not doubling: this is rare, and the list is short. */
    missing->dropped =
        mem_realloc(missing->dropped, (missing->n_dropped + 1) * sizeof *missing->dropped);
    missing->dropped[missing->n_dropped++] = (struct dropped){id, until_ms};
}

uint64_t missing_drops_due(struct missing *missing, uint64_t now_ms, uint64_t wait_ms)
{
    uint64_t due = 0;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < missing->n_dropped; i++) {
        struct dropped dropped = missing->dropped[i];
        if (dropped.until_ms + DROPPED_LATE_MS <= now_ms)
            dropped.until_ms = now_ms + wait_ms;
        if (dropped.until_ms <= now_ms)
            continue;
        missing->dropped[kept++] = dropped;
        if (due == 0 || dropped.until_ms < due)
            due = dropped.until_ms;
    }
    missing->n_dropped = kept;
    return due;
}

void missing_undrop(struct missing *missing, uint64_t id)
{
    for (uint32_t i = 0; i < missing->n_dropped; i++) {
        if (missing->dropped[i].id == id) {
            missing->dropped[i] = missing->dropped[--missing->n_dropped];
            return;
        }
    }
}

bool missing_wants(const struct missing *missing)
{
    return missing->everything || missing->n_wanted > 0;
}

void missing_spare_fetch(struct missing *missing)
{
    if (!missing->more && !missing_wants(missing))
        missing->stale = 0;
}

/* With a list of wanted ids nothing else is taken anyway. */
bool missing_leaves_others(const struct missing *missing)
{
    return missing->everything && missing_fetch_after(missing) >= missing->others_upto;
}

uint64_t missing_fetch_after(const struct missing *missing)
{
    if (missing->more)
        return missing->page_last;
    if (missing->everything || missing->n_wanted == 0)
        return missing->after;
    uint64_t lowest = UINT64_MAX;
    for (uint32_t i = 0; i < missing->n_wanted; i++) {
        if (missing->wanted[i] < lowest)
            lowest = missing->wanted[i];
    }
    assert(lowest > 0);
    return lowest - 1;
}

static void held_list_check(const struct held_list *list)
{
    struct held *const *at = &list->head;
    size_t n = 0;

    for (; *at != NULL; at = &(*at)->next, n++)
        assert((*at)->next == NULL || (*at)->push.id <= (*at)->next->push.id);
    assert(n == list->n && at == list->tail);
}

void missing_check(const struct missing *missing)
{
    held_list_check(&missing->fetched);
    held_list_check(&missing->held);
    assert(missing->first_storing + missing->n_storing <= missing->cap_storing);
    for (uint32_t i = 1; i < missing->n_storing; i++)
        assert(missing->storing[missing->first_storing + i - 1] <=
               missing->storing[missing->first_storing + i]);
    assert(missing->n_wanted <= MISSING_WANTED_MAX && missing->n_dropped <= MISSING_WANTED_MAX);
    assert(!missing->whole || missing->everything);
}

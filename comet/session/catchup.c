#include "comet/session/catchup.h"
#include "common/base/mem.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { DROPPED_LATE_MS = 1000 }; /* no loop is so late that runs */

static void held_list_init(struct held_list *list)
{
    list->head = NULL;
    list->tail = &list->head;
    list->n = 0;
}

struct catchup *catchup_new(struct conn *conn, enum catchup_mode mode)
{
    struct catchup *catchup = mem_zalloc(sizeof *catchup);

    catchup->conn = conn;
    catchup->mode = mode;
    held_list_init(&catchup->fetched);
    held_list_init(&catchup->held);
    return catchup;
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

void catchup_free(struct catchup *catchup)
{
    if (catchup == NULL)
        return;
    held_list_drop(&catchup->fetched, catchup->conn);
    held_list_drop(&catchup->held, catchup->conn);
    free(catchup->storing);
    free(catchup->wanted);
    free(catchup->dropped);
    free(catchup);
}

/* Where a message belongs: at the end, unless a replay brings an older one. */
static struct held **held_list_find(struct held_list *list, uint64_t id)
{
    struct held **at = &list->head;

    if (list->n == 0 || container_of(list->tail, struct held, next)->push.id <= id)
        return list->tail;
    while ((*at)->push.id <= id)
        at = &(*at)->next;
    return at;
}

void catchup_add(struct held_list *list, const struct push *push, struct ticket ticket)
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

struct held *catchup_pop(struct catchup *catchup)
{
    const struct held *fetched = catchup->fetched.head, *held = catchup->held.head;

    if (fetched != NULL && (held == NULL || fetched->push.id <= held->push.id))
        return held_list_pop(&catchup->fetched);
    return held != NULL ? held_list_pop(&catchup->held) : NULL;
}

/* Id 0 stands for nothing throughout: no accepted message has it. */
void catchup_put(struct catchup *catchup, uint64_t id)
{
    if (id != 0 && (catchup->stale == 0 || id < catchup->stale))
        catchup->stale = id;
}

static void storing_make_room(struct catchup *catchup)
{
    if (catchup->first_storing + catchup->n_storing < catchup->cap_storing)
        return;
    if (catchup->first_storing > catchup->n_storing) {
        memmove(catchup->storing, catchup->storing + catchup->first_storing,
                catchup->n_storing * sizeof *catchup->storing);
        catchup->first_storing = 0;
        return;
    }
    catchup->cap_storing = catchup->cap_storing == 0 ? 4 : catchup->cap_storing * 2;
    catchup->storing =
        mem_realloc(catchup->storing, catchup->cap_storing * sizeof *catchup->storing);
}

/* They come in the order of their ids and are answered so, but for rare cases: both ends are quick.
 */
void catchup_storing(struct catchup *catchup, uint64_t id)
{
    storing_make_room(catchup);
    uint64_t *ids = catchup->storing + catchup->first_storing;
    uint32_t at = catchup->n_storing++;
    for (; at > 0 && ids[at - 1] > id; at--)
        ids[at] = ids[at - 1];
    ids[at] = id;
}

void catchup_stored(struct catchup *catchup, uint64_t id)
{
    uint64_t *ids = catchup->storing + catchup->first_storing;
    uint32_t at = 0;

    while (at < catchup->n_storing && ids[at] != id)
        at++;
    assert(at < catchup->n_storing);
    catchup->n_storing--;
    if (at == 0)
        catchup->first_storing++;
    else
        memmove(ids + at, ids + at + 1, (catchup->n_storing - at) * sizeof *ids);
}

bool catchup_awaits(const struct catchup *catchup, uint64_t id)
{
    for (uint32_t i = 0; i < catchup->n_dropped; i++) {
        if (catchup->dropped[i].id < id)
            return true;
    }
    return false;
}

bool catchup_blocks(const struct catchup *catchup, uint64_t id)
{
    return (catchup->stale != 0 && catchup->stale <= id) ||
           (catchup->n_storing > 0 && catchup->storing[catchup->first_storing] <= id) ||
           catchup_awaits(catchup, id);
}

bool catchup_has_next(const struct catchup *catchup)
{
    const struct held *fetched = catchup->fetched.head, *held = catchup->held.head;
    bool fetched_first = fetched != NULL && (held == NULL || fetched->push.id <= held->push.id);
    const struct held *next = fetched_first ? fetched : held;

    if (next == NULL || catchup_blocks(catchup, next->push.id))
        return false;
    if (fetched_first)
        return true;
    /* Everything older that is in the mailbox must have been read. */
    return catchup->more ? held->push.id <= catchup->page_last : !catchup->fetch_asked;
}

struct held *catchup_next(struct catchup *catchup)
{
    return catchup_has_next(catchup) ? catchup_pop(catchup) : NULL;
}

void catchup_put_back(struct catchup *catchup, struct held *held)
{
    /* Whether it was fetched no longer matters for the order: it goes first again. */
    struct held_list *list = &catchup->fetched;

    held->next = list->head;
    if (list->head == NULL)
        list->tail = &held->next;
    list->head = held;
    list->n++;
}

void catchup_unfetch(struct catchup *catchup)
{
    while (catchup->fetched.head != NULL) {
        struct held *held = held_list_pop(&catchup->fetched);
        catchup_want_again(catchup, held->push.id);
        held_free(held);
    }
}

struct held *catchup_unhold(struct catchup *catchup, uint64_t id)
{
    struct held_list *list = &catchup->held;

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

void catchup_want(struct catchup *catchup, uint64_t id)
{
    if (id == 0)
        return;
    if (catchup->everything) {
        if (id <= catchup->after)
            catchup->after = id - 1;
        return;
    }
    if (catchup->n_wanted == CATCHUP_WANTED_MAX) {
        /* Too many to list: the mailbox from the oldest of them on is ours. */
        catchup->after = catchup_fetch_after(catchup);
        catchup->everything = true;
        catchup->n_wanted = 0;
        return;
    }
    if (catchup->n_wanted == catchup->cap_wanted) {
        catchup->cap_wanted = catchup->cap_wanted == 0 ? 4 : catchup->cap_wanted * 2;
        catchup->wanted =
            mem_realloc(catchup->wanted, catchup->cap_wanted * sizeof *catchup->wanted);
    }
    catchup->wanted[catchup->n_wanted++] = id;
}

void catchup_want_again(struct catchup *catchup, uint64_t id)
{
    if (id > catchup->others_upto)
        catchup->others_upto = id;
    catchup_want(catchup, id);
}

bool catchup_take(struct catchup *catchup, uint64_t id)
{
    if (catchup->everything)
        return true;
    for (uint32_t i = 0; i < catchup->n_wanted; i++) {
        if (catchup->wanted[i] == id) {
            catchup->wanted[i] = catchup->wanted[--catchup->n_wanted];
            return true;
        }
    }
    return false;
}

void catchup_drop(struct catchup *catchup, uint64_t id, uint64_t until_ms)
{
    if (catchup->n_dropped == CATCHUP_WANTED_MAX)
        return;
    /* Rare and short: grown by one, not doubled. */
    catchup->dropped =
        mem_realloc(catchup->dropped, (catchup->n_dropped + 1) * sizeof *catchup->dropped);
    catchup->dropped[catchup->n_dropped++] = (struct dropped){id, until_ms};
}

uint64_t catchup_drops_due(struct catchup *catchup, uint64_t now_ms, uint64_t wait_ms)
{
    uint64_t due = 0;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < catchup->n_dropped; i++) {
        struct dropped dropped = catchup->dropped[i];
        if (dropped.until_ms + DROPPED_LATE_MS <= now_ms)
            dropped.until_ms = now_ms + wait_ms;
        if (dropped.until_ms <= now_ms)
            continue;
        catchup->dropped[kept++] = dropped;
        if (due == 0 || dropped.until_ms < due)
            due = dropped.until_ms;
    }
    catchup->n_dropped = kept;
    return due;
}

void catchup_undrop(struct catchup *catchup, uint64_t id)
{
    for (uint32_t i = 0; i < catchup->n_dropped; i++) {
        if (catchup->dropped[i].id == id) {
            catchup->dropped[i] = catchup->dropped[--catchup->n_dropped];
            return;
        }
    }
}

bool catchup_wants(const struct catchup *catchup)
{
    return catchup->everything || catchup->n_wanted > 0;
}

/* With a list of what is wanted nothing else is taken anyway. */
bool catchup_leaves_others(const struct catchup *catchup)
{
    return catchup->everything && catchup_fetch_after(catchup) >= catchup->others_upto;
}

uint64_t catchup_fetch_after(const struct catchup *catchup)
{
    if (catchup->more)
        return catchup->page_last;
    if (catchup->everything || catchup->n_wanted == 0)
        return catchup->after;
    uint64_t lowest = UINT64_MAX;
    for (uint32_t i = 0; i < catchup->n_wanted; i++) {
        if (catchup->wanted[i] < lowest)
            lowest = catchup->wanted[i];
    }
    assert(lowest > 0);
    return lowest - 1;
}

/* user_order.c - the drawing is in user_order.h. */
#include "job/base/user_order.h"
#include "common/base/mem.h"
#include "common/containers/map.h"

#include <assert.h>
#include <stdlib.h>

struct user_order {
    const struct user_order_ops *ops;
    void *arg;
    struct map64 *users;
    struct map64 *parked; /* uid → messages */
};

struct ordered_user {
    int64_t uid;
    struct user_order_entry *first, *last;
    struct user_order_entry *waiting; /* the first WAITING entry */
    uint64_t orders;                  /* given out */
    uint64_t aimed;                   /* where the SENT entries went, while there are any */
    size_t sent, settling;
    size_t unstored; /* of those settling */
};

struct user_order *user_order_open(const struct user_order_ops *ops, void *arg)
{
    struct user_order *order = mem_zalloc(sizeof *order);

    order->ops = ops;
    order->arg = arg;
    order->users = map64_new();
    order->parked = map64_new();
    return order;
}

void user_order_close(struct user_order *order)
{
    if (order == NULL)
        return;
    assert(map64_count(order->users) == 0 && map64_count(order->parked) == 0);
    map64_free(order->users);
    map64_free(order->parked);
    free(order);
}

size_t user_order_users(const struct user_order *order)
{
    return map64_count(order->users);
}

static struct ordered_user *user_find(struct user_order *order, int64_t uid)
{
    uint64_t *found = map64_get(order->users, (uint64_t)uid);

    /* NOLINTNEXTLINE(performance-no-int-to-ptr): the map holds numbers */
    return found == NULL ? NULL : (struct ordered_user *)(uintptr_t)*found;
}

static struct ordered_user *user_new(struct user_order *order, int64_t uid)
{
    struct ordered_user *user = mem_zalloc(sizeof *user);

    user->uid = uid;
    map64_set(order->users, (uint64_t)uid, (uintptr_t)user);
    return user;
}

static struct user_order_entry *next_waiting(struct user_order_entry *entry)
{
    while (entry != NULL && entry->state != ORDER_WAITING)
        entry = entry->next;
    return entry;
}

static void entry_stall(struct user_order *order, struct user_order_entry *entry)
{
    if (entry->stalled)
        return;
    entry->stalled = true;
    order->ops->stall(entry, order->arg);
}

/* All entries behind the SETTLING ones wait for the mailbox now: tells the owners of those that do
 * not know. Whoever knows is before all who do not. */
static void user_stall(struct user_order *order, struct ordered_user *user)
{
    struct user_order_entry *entry = user->last;

    while (entry != NULL && entry->state == ORDER_WAITING && !entry->stalled) {
        entry_stall(order, entry);
        entry = entry->prev;
    }
}

/* Is some entry before ENTRY SETTLING? After a divert such entries are not only at the head. */
static bool settles_before(const struct ordered_user *user, const struct user_order_entry *entry)
{
    const struct user_order_entry *at = user->settling > 0 ? user->first : entry;

    while (at != entry && at->state != ORDER_SETTLING)
        at = at->next;
    return at != entry;
}

static void user_send(struct user_order *order, struct ordered_user *user,
                      struct user_order_entry *entry, uint64_t aimed)
{
    entry->state = ORDER_SENT;
    user->sent++;
    user->aimed = aimed;
    user->waiting = next_waiting(entry->next);
    order->ops->send(entry, order->arg);
}

/* Moves the first WAITING entry on if it may go. Nothing behind it may go before it. */
static bool user_step(struct user_order *order, struct ordered_user *user, bool may_settle)
{
    struct user_order_entry *entry = user->waiting;

    if (entry == NULL)
        return false;
    uint64_t aimed = 0;
    if (!entry->nowhere && !settles_before(user, entry)) {
        aimed = order->ops->aim(entry, order->arg);
        if (aimed != 0 && user->sent > 0 && aimed != user->aimed)
            return false;
    }
    if (aimed != 0) {
        user_send(order, user, entry, aimed);
        return true;
    }
    bool only_settling_before = entry->prev == NULL || entry->prev->state == ORDER_SETTLING;
    if (!may_settle || !only_settling_before ||
        (!entry->nowhere && order->ops->aim(entry, order->arg) != 0))
        return false;
    entry_stall(order, entry);
    entry->state = ORDER_SETTLING;
    user->settling++;
    user->unstored++;
    user->waiting = next_waiting(entry->next);
    order->ops->settle(entry, order->arg);
    return true;
}

static void user_advance(struct user_order *order, struct ordered_user *user)
{
    bool may_settle = user->unstored == 0;

    while (user_step(order, user, may_settle))
        continue;
    if (user->settling > 0)
        user_stall(order, user);
}

static void user_link(struct ordered_user *user, struct user_order_entry *entry)
{
    assert(entry->state == ORDER_NONE);
    entry->user = user;
    entry->order = user->orders++;
    entry->state = ORDER_WAITING;
    entry->nowhere = false;
    entry->stalled = false;
    entry->stored = false;
    entry->next = NULL;
    entry->prev = user->last;
    if (user->last != NULL)
        user->last->next = entry;
    else
        user->first = entry;
    user->last = entry;
}

static void user_append(struct user_order *order, struct ordered_user *user,
                        struct user_order_entry *entry)
{
    user_link(user, entry);
    if (user->waiting == NULL) {
        user->waiting = entry;
        user_advance(order, user);
    } else if (user->settling > 0) {
        entry_stall(order, entry);
    }
}

/* BY more messages of UID are parked. False: BY is negative, and none is. */
static bool parked_add(struct user_order *order, int64_t uid, int by)
{
    uint64_t *found = map64_get(order->parked, (uint64_t)uid);

    if (found == NULL && by < 0)
        return false;
    if (found == NULL)
        map64_set(order->parked, (uint64_t)uid, 1);
    else if (by < 0 && *found == 1)
        map64_del(order->parked, (uint64_t)uid);
    else
        *found += (uint64_t)by;
    return true;
}

bool user_order_add(struct user_order *order, struct user_order_entry *entry, int64_t uid)
{
    bool behind = map64_count(order->parked) > 0 && map64_get(order->parked, (uint64_t)uid) != NULL;
    struct ordered_user *user = behind ? NULL : user_find(order, uid);
    uint64_t aimed = behind || user != NULL ? 0 : order->ops->aim(entry, order->arg);
    /* A message that waits for comets may have to be stored in the end, but then it is among those
     * that were out for delivery. */
    bool needs_mailbox = user != NULL ? user->settling > 0 : aimed == 0;

    if (behind || (needs_mailbox && !order->ops->room(entry, order->arg))) {
        parked_add(order, uid, 1);
        return false;
    }
    if (aimed == 0) {
        user_append(order, user != NULL ? user : user_new(order, uid), entry);
        return true;
    }
    user = user_new(order, uid);
    user_link(user, entry);
    user_send(order, user, entry, aimed);
    return true;
}

void user_order_return(struct user_order *order, struct user_order_entry *entry, int64_t uid)
{
    struct ordered_user *user = user_find(order, uid);

    user_order_unpark(order, uid);
    user_append(order, user != NULL ? user : user_new(order, uid), entry);
}

void user_order_unpark(struct user_order *order, int64_t uid)
{
    bool known = parked_add(order, uid, -1);

    assert(known);
    (void)known;
}

void user_order_settle(struct user_order *order, struct user_order_entry *entry)
{
    struct ordered_user *user = entry->user;

    assert(entry->state == ORDER_SENT);
    user->sent--;
    entry->state = ORDER_WAITING;
    entry->nowhere = true;
    entry_stall(order, entry);
    if (user->waiting == NULL || user->waiting->order > entry->order)
        user->waiting = entry;
    user_advance(order, user);
}

void user_order_divert(struct user_order *order, struct user_order_entry *entry, bool nowhere)
{
    struct ordered_user *user = entry->user;

    assert(entry->state == ORDER_SETTLING && !entry->stored && !settles_before(user, entry));
    user->settling--;
    user->unstored--;
    entry->state = ORDER_WAITING;
    entry->nowhere = nowhere;
    if (user->waiting == NULL || user->waiting->order > entry->order)
        user->waiting = entry;
    user_advance(order, user);
}

void user_order_stored(struct user_order *order, struct user_order_entry *entry)
{
    assert(entry->state == ORDER_SETTLING && !entry->stored);
    entry->stored = true;
    if (--entry->user->unstored == 0)
        user_advance(order, entry->user);
}

static void user_unlink(struct ordered_user *user, struct user_order_entry *entry)
{
    if (entry->prev != NULL)
        entry->prev->next = entry->next;
    else
        user->first = entry->next;
    if (entry->next != NULL)
        entry->next->prev = entry->prev;
    else
        user->last = entry->prev;
}

void user_order_remove(struct user_order *order, struct user_order_entry *entry)
{
    struct ordered_user *user = entry->user;

    assert(entry->state != ORDER_NONE);
    if (entry == user->waiting)
        user->waiting = next_waiting(entry->next);
    user->sent -= entry->state == ORDER_SENT;
    user->settling -= entry->state == ORDER_SETTLING;
    user->unstored -= entry->state == ORDER_SETTLING && !entry->stored;
    user_unlink(user, entry);
    entry->state = ORDER_NONE;
    entry->user = NULL;
    entry->prev = entry->next = NULL;
    if (user->first == NULL) {
        map64_del(order->users, (uint64_t)user->uid);
        free(user);
        return;
    }
    user_advance(order, user);
}

/* user_order.c - the drawing is in user_order.h. */
#include "job/user_order.h"
#include "common/base/mem.h"
#include "common/containers/map.h"

#include <assert.h>
#include <stdlib.h>

struct hold {
    const struct hold_ops *ops;
    void *arg;
    struct map64 *users;
    struct map64 *parked; /* uid → messages */
};

struct hold_user {
    int64_t uid;
    struct hold_entry *first, *last;
    struct hold_entry *waiting; /* the first WAITING entry */
    uint64_t orders;            /* given out */
    uint64_t aimed;             /* where the SENT entries went, while there are any */
    size_t sent, settling;
    size_t unstored; /* of those settling */
};

struct hold *hold_open(const struct hold_ops *ops, void *arg)
{
    struct hold *hold = mem_zalloc(sizeof *hold);

    hold->ops = ops;
    hold->arg = arg;
    hold->users = map64_new();
    hold->parked = map64_new();
    return hold;
}

void hold_close(struct hold *hold)
{
    if (hold == NULL)
        return;
    assert(map64_count(hold->users) == 0 && map64_count(hold->parked) == 0);
    map64_free(hold->users);
    map64_free(hold->parked);
    free(hold);
}

size_t hold_users(const struct hold *hold)
{
    return map64_count(hold->users);
}

struct hold_entry *hold_before(const struct hold_entry *entry)
{
    return entry->prev;
}

static struct hold_user *user_find(struct hold *hold, int64_t uid)
{
    uint64_t *found = map64_get(hold->users, (uint64_t)uid);

    /* NOLINTNEXTLINE(performance-no-int-to-ptr): the map holds numbers */
    return found == NULL ? NULL : (struct hold_user *)(uintptr_t)*found;
}

static struct hold_user *user_new(struct hold *hold, int64_t uid)
{
    struct hold_user *user = mem_zalloc(sizeof *user);

    user->uid = uid;
    map64_set(hold->users, (uint64_t)uid, (uintptr_t)user);
    return user;
}

static struct hold_entry *next_waiting(struct hold_entry *entry)
{
    while (entry != NULL && entry->state != HOLD_WAITING)
        entry = entry->next;
    return entry;
}

static void entry_stall(struct hold *hold, struct hold_entry *entry)
{
    if (entry->stalled)
        return;
    entry->stalled = true;
    hold->ops->stall(entry, hold->arg);
}

/* The mailbox is what those behind the settling ones wait for now. Those who know are before those
 * who do not. */
static void user_stall(struct hold *hold, struct hold_user *user)
{
    struct hold_entry *entry = user->last;

    while (entry != NULL && entry->state == HOLD_WAITING && !entry->stalled) {
        entry_stall(hold, entry);
        entry = entry->prev;
    }
}

/* Moves the first WAITING entry on if it may go. Nothing behind it may go before it. */
static bool user_step(struct hold *hold, struct hold_user *user, bool may_settle)
{
    struct hold_entry *entry = user->waiting;

    if (entry == NULL)
        return false;
    uint64_t aimed = 0;
    if (!entry->nowhere && user->settling == 0) {
        aimed = hold->ops->aim(entry, hold->arg);
        if (aimed != 0 && user->sent > 0 && aimed != user->aimed)
            return false;
    }
    if (aimed != 0) {
        entry->state = HOLD_SENT;
        user->sent++;
        user->aimed = aimed;
    } else {
        bool only_settling_before = entry->prev == NULL || entry->prev->state == HOLD_SETTLING;
        if (!may_settle || !only_settling_before ||
            (!entry->nowhere && hold->ops->aim(entry, hold->arg) != 0))
            return false;
        entry_stall(hold, entry);
        entry->state = HOLD_SETTLING;
        user->settling++;
        user->unstored++;
    }
    user->waiting = next_waiting(entry->next);
    if (entry->state == HOLD_SENT)
        hold->ops->send(entry, hold->arg);
    else
        hold->ops->settle(entry, hold->arg);
    return true;
}

static void user_advance(struct hold *hold, struct hold_user *user)
{
    bool may_settle = user->unstored == 0;

    while (user_step(hold, user, may_settle))
        continue;
    if (user->settling > 0)
        user_stall(hold, user);
}

static void user_append(struct hold *hold, struct hold_user *user, struct hold_entry *entry)
{
    assert(entry->state == HOLD_NONE);
    entry->user = user;
    entry->order = user->orders++;
    entry->state = HOLD_WAITING;
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
    if (user->waiting == NULL) {
        user->waiting = entry;
        user_advance(hold, user);
    } else if (user->settling > 0) {
        entry_stall(hold, entry);
    }
}

/* Of UID; false if none is. */
static bool parked_add(struct hold *hold, int64_t uid, int by)
{
    uint64_t *found = map64_get(hold->parked, (uint64_t)uid);

    if (found == NULL && by < 0)
        return false;
    if (found == NULL)
        map64_set(hold->parked, (uint64_t)uid, 1);
    else if (by < 0 && *found == 1)
        map64_del(hold->parked, (uint64_t)uid);
    else
        *found += (uint64_t)by;
    return true;
}

/* Would ENTRY, the newest, have to wait for the mailbox? One that waits for comets may in the end
 * have to as well, but is among what is delivered then. */
static bool needs_mailbox(const struct hold *hold, const struct hold_user *user,
                          const struct hold_entry *entry)
{
    return user != NULL ? user->settling > 0 : hold->ops->aim(entry, hold->arg) == 0;
}

bool hold_add(struct hold *hold, struct hold_entry *entry, int64_t uid)
{
    bool behind = map64_count(hold->parked) > 0 && map64_get(hold->parked, (uint64_t)uid) != NULL;
    struct hold_user *user = behind ? NULL : user_find(hold, uid);

    if (behind || (needs_mailbox(hold, user, entry) && !hold->ops->room(entry, hold->arg))) {
        parked_add(hold, uid, 1);
        return false;
    }
    user_append(hold, user != NULL ? user : user_new(hold, uid), entry);
    return true;
}

void hold_return(struct hold *hold, struct hold_entry *entry, int64_t uid)
{
    struct hold_user *user = user_find(hold, uid);

    hold_unpark(hold, uid);
    user_append(hold, user != NULL ? user : user_new(hold, uid), entry);
}

void hold_unpark(struct hold *hold, int64_t uid)
{
    bool known = parked_add(hold, uid, -1);

    assert(known);
    (void)known;
}

void hold_settle(struct hold *hold, struct hold_entry *entry)
{
    struct hold_user *user = entry->user;

    assert(entry->state == HOLD_SENT);
    user->sent--;
    entry->state = HOLD_WAITING;
    entry->nowhere = true;
    entry_stall(hold, entry);
    if (user->waiting == NULL || user->waiting->order > entry->order)
        user->waiting = entry;
    user_advance(hold, user);
}

void hold_stored(struct hold *hold, struct hold_entry *entry)
{
    assert(entry->state == HOLD_SETTLING && !entry->stored);
    entry->stored = true;
    if (--entry->user->unstored == 0)
        user_advance(hold, entry->user);
}

static void user_unlink(struct hold_user *user, struct hold_entry *entry)
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

void hold_remove(struct hold *hold, struct hold_entry *entry)
{
    struct hold_user *user = entry->user;

    assert(entry->state != HOLD_NONE);
    if (entry == user->waiting)
        user->waiting = next_waiting(entry->next);
    user->sent -= entry->state == HOLD_SENT;
    user->settling -= entry->state == HOLD_SETTLING;
    user->unstored -= entry->state == HOLD_SETTLING && !entry->stored;
    user_unlink(user, entry);
    entry->state = HOLD_NONE;
    entry->user = NULL;
    entry->prev = entry->next = NULL;
    if (user->first == NULL) {
        map64_del(hold->users, (uint64_t)user->uid);
        free(user);
        return;
    }
    user_advance(hold, user);
}

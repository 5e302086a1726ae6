/* hold.c - the drawing is in hold.h. */
#include "job/hold.h"
#include "common/map.h"
#include "common/mem.h"

#include <assert.h>
#include <stdlib.h>

struct hold {
    const struct hold_ops *ops;
    void *arg;
    struct map64 *users;
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
    return hold;
}

void hold_close(struct hold *hold)
{
    if (hold == NULL)
        return;
    assert(map64_count(hold->users) == 0);
    map64_free(hold->users);
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

static struct hold_user *user_get(struct hold *hold, int64_t uid)
{
    uint64_t *found = map64_get(hold->users, (uint64_t)uid);

    /* NOLINTNEXTLINE(performance-no-int-to-ptr): the map holds numbers */
    struct hold_user *user = found == NULL ? NULL : (struct hold_user *)(uintptr_t)*found;
    if (user != NULL)
        return user;
    user = mem_zalloc(sizeof *user);
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
}

void hold_add(struct hold *hold, struct hold_entry *entry, int64_t uid)
{
    struct hold_user *user = user_get(hold, uid);

    assert(entry->state == HOLD_NONE);
    entry->user = user;
    entry->order = user->orders++;
    entry->state = HOLD_WAITING;
    entry->nowhere = false;
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
    }
}

void hold_settle(struct hold *hold, struct hold_entry *entry)
{
    struct hold_user *user = entry->user;

    assert(entry->state == HOLD_SENT);
    user->sent--;
    entry->state = HOLD_WAITING;
    entry->nowhere = true;
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

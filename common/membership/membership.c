/* What leases and a list of addresses share: our own record, the lists of members, the events.
 *
 *   lease.c         ─┐                          ┌─► changed()
 *                    ├─► membership_take_list() ┘
 *   static/static.c ─┘   membership_hold() ───────► held() */
#include "common/membership/membership.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/random.h"
#include "common/base/time.h"
#include "common/membership/internal.h"
#include "common/protocol/message_id.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t new_epoch(uint64_t now_ms, uint64_t after)
{
    uint64_t random = random_number() & ((1U << MEMBER_EPOCH_RANDOM_BITS) - 1);
    uint64_t epoch = now_ms << MEMBER_EPOCH_RANDOM_BITS | random;
    return epoch > after ? epoch : after + 1;
}

/* --- for the backends --- */

void membership_take_list(struct membership *membership, enum member_kind kind,
                          struct member_list list)
{
    struct member_list *old = &membership->lists[kind];
    membership->read |= 1U << kind;
    if (member_list_same(&list, old)) { /* users keep the pointer and see the new counts */
        for (size_t i = 0; i < list.n; i++)
            member_take_counts(&old->members[i], &list.members[i]);
        member_list_free(&list);
        return;
    }
    struct member_list gone = *old;
    *old = list;
    if (membership->events.changed != NULL)
        membership->events.changed(membership, kind, membership->arg);
    member_list_free(&gone);
}

void membership_hold(struct membership *membership, uint32_t node)
{
    if (membership->holding)
        return;
    bool lost = membership->ever_held;
    if (!lost)
        membership->held_ms = loop_now_ms(membership->loop);
    membership->holding = membership->ever_held = membership->numbered = true;
    membership->self.node = node;
    membership->lives++;
    log_info("lease held", "id=%s epoch=%" PRIu64 " node=%u lost=%s", membership->self.id,
             membership->self.epoch, node, lost ? "yes" : "no");
    if (membership->events.held != NULL)
        membership->events.held(membership, lost, membership->arg);
}

void membership_give_up(struct membership *membership)
{
    membership->holding = membership->numbered = false;
    membership->self.epoch = new_epoch(time_unix_ms(), membership->self.epoch);
}

void membership_date(struct membership *membership, uint64_t now_ms)
{
    membership->self.epoch = new_epoch(now_ms, 0);
}

void membership_tell_left(struct membership *membership)
{
    if (membership->left != NULL)
        membership->left(membership->left_arg);
}

void membership_free(struct membership *membership)
{
    for (int kind = 0; kind < MEMBER_KINDS; kind++)
        member_list_free(&membership->lists[kind]);
    free(membership);
}

/* --- the interface --- */

struct membership *membership_open(struct loop *loop, struct redis *redis,
                                   const struct membership_options *options,
                                   const struct membership_events *events, void *arg)
{
    loop_assert_owner(loop);
    assert(options->renew_ms > 0 && options->ttl_ms > 0);
    bool listed = options->addresses != NULL && options->addresses[0] != '\0';
    struct membership *membership = listed ? membership_static_new(options->addresses, options->tls)
                                           : membership_lease_new(redis);
    membership->loop = loop;
    membership->kind = options->kind;
    membership->watch = options->watch & ((1U << MEMBER_KINDS) - 1);
    membership->renew_ms = options->renew_ms;
    membership->ttl_ms = options->ttl_ms;
    membership->self = options->self;
    membership->self.epoch = new_epoch(time_unix_ms(), 0);
    membership->self.node = 0;
    membership->self.process = random_number() | 1;
    if (events != NULL)
        membership->events = *events;
    membership->arg = arg;
    membership_set_key(membership, options->key);
    membership->ops->start(membership);
    return membership;
}

const struct member_list *membership_list(const struct membership *membership,
                                          enum member_kind kind)
{
    loop_assert_owner(membership->loop);
    return &membership->lists[kind];
}

const struct member *membership_find(const struct membership *membership, enum member_kind kind,
                                     const char *id)
{
    loop_assert_owner(membership->loop);
    return member_list_find(&membership->lists[kind], id);
}

const struct member *membership_self(const struct membership *membership)
{
    return &membership->self;
}

bool membership_ready(const struct membership *membership)
{
    return membership->holding && (membership->read & membership->watch) == membership->watch;
}

bool membership_fresh(const struct membership *membership)
{
    return membership->ops->fresh(membership);
}

bool membership_known(const struct membership *membership)
{
    /* Everyone who reads the leases every renew_ms has read ours by then. */
    uint64_t known_ms = (uint64_t)membership->renew_ms * 5 / 4;
    return membership->holding && loop_now_ms(membership->loop) - membership->held_ms >= known_ms &&
           (membership->ops->known == NULL || membership->ops->known(membership));
}

void membership_set_connections(struct membership *membership, int64_t connections)
{
    loop_assert_owner(membership->loop);
    membership->self.connections = connections;
}

void membership_set_clients(struct membership *membership, const struct member_clients *clients)
{
    loop_assert_owner(membership->loop);
    struct member *self = &membership->self;
    bool is_news =
        (clients->refuses && !self->refuses_clients) || clients->draining != self->draining;
    self->client_ips = clients->ips;
    self->refuses_clients = clients->refuses;
    self->draining = clients->draining;
    if (is_news && membership->holding && membership->ops->renew != NULL)
        membership->ops->renew(membership);
}

void membership_set_unready(struct membership *membership, const char *unready)
{
    loop_assert_owner(membership->loop);
    (void)snprintf(membership->self.unready, sizeof membership->self.unready, "%s", unready);
}

void membership_set_key(struct membership *membership, const char *key)
{
    loop_assert_owner(membership->loop);
    if (membership->ops->set_key != NULL)
        membership->ops->set_key(membership, key);
}

void membership_leave(struct membership *membership, void (*done)(void *arg), void *arg)
{
    loop_assert_owner(membership->loop);
    assert(!membership->closed && !membership->leaving);
    membership->leaving = true;
    membership->left = done;
    membership->left_arg = arg;
    membership->ops->leave(membership);
}

void membership_close(struct membership *membership)
{
    if (membership == NULL)
        return;
    loop_assert_owner(membership->loop);
    assert(!membership->closed);
    membership->closed = true;
    membership->ops->close(membership);
}

void membership_stats(const struct membership *membership, struct membership_stats *stats)
{
    loop_assert_owner(membership->loop);
    *stats = (struct membership_stats){.lives = membership->lives};
    if (membership->ops->stats != NULL)
        membership->ops->stats(membership, stats);
}

#include "comet/job/broadcast_gaps.h"
#include "common/base/mem.h"
#include "common/protocol/fence.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct broadcast_owner {
    uint64_t fence, link; /* fence 0: no owner has spoken yet */
    uint64_t epoch;       /* our latest epoch for which the owner has vouched */
};

struct broadcast_gaps {
    pthread_mutex_t lock;
    uint64_t first, epoch; /* our first epoch, and the present one */
    uint64_t since_ms;
    bool doubt; /* some owner may not have vouched for the present epoch */
    struct broadcast_owner *owners;
    size_t n;
};

struct broadcast_gaps *broadcast_gaps_new(void)
{
    struct broadcast_gaps *standings = mem_zalloc(sizeof *standings);

    pthread_mutex_init(&standings->lock, NULL);
    return standings;
}

void broadcast_gaps_free(struct broadcast_gaps *standings)
{
    if (standings == NULL)
        return;
    pthread_mutex_destroy(&standings->lock);
    free(standings->owners);
    free(standings);
}

static struct broadcast_owner *owner_of(struct broadcast_gaps *standings, uint32_t partition)
{
    if (partition >= standings->n) {
        standings->owners =
            mem_realloc(standings->owners, (partition + 1) * sizeof(struct broadcast_owner));
        for (; standings->n <= partition; standings->n++)
            standings->owners[standings->n] = (struct broadcast_owner){0};
    }
    return &standings->owners[partition];
}

/* Takes all for missed: all sessions are told, so all partitions count as vouched for. */
static unsigned settle(struct broadcast_gaps *standings, uint64_t epoch)
{
    for (size_t i = 0; i < standings->n; i++)
        standings->owners[i].epoch = epoch;
    standings->doubt = false;
    return MISSED_ROOMS | MISSED_ALL;
}

/* True: messages of this partition may be missing since an owner last vouched for it. Within one
 * epoch of ours owners may change, because each replays what its predecessor had not finished.
 * Nothing can be missing before we held our first lease. */
static bool owner_gap(struct broadcast_gaps *standings, uint32_t partition,
                      const struct broadcast_owner *now)
{
    struct broadcast_owner *owner = owner_of(standings, partition);
    bool same = owner->fence == now->fence && owner->link == now->link;
    uint64_t sure = owner->fence == 0 ? standings->first : owner->epoch;

    *owner = *now;
    return !same && sure != now->epoch && standings->first != 0;
}

void broadcast_gaps_epoch(struct broadcast_gaps *standings, uint64_t epoch, uint64_t now_ms)
{
    pthread_mutex_lock(&standings->lock);
    if (standings->first == 0)
        standings->first = epoch;
    standings->epoch = epoch;
    standings->doubt = epoch != standings->first;
    standings->since_ms = now_ms;
    pthread_mutex_unlock(&standings->lock);
}

unsigned broadcast_gaps_take(struct broadcast_gaps *standings, const Imc__V1__Standing *standing)
{
    unsigned missed = (standing->missed_rooms ? MISSED_ROOMS : 0U) |
                      (standing->missed_all ? (unsigned)MISSED_ALL : 0U);
    bool gap = false;

    pthread_mutex_lock(&standings->lock);
    /* The epoch may be later than ours, because job may learn of our new epoch before we do. We
     * believe it for job's partitions, but do not take it for our epoch. */
    for (size_t i = 0; standing->epoch >= standings->epoch && i < standing->n_partitions; i++) {
        const struct broadcast_owner now = {i < standing->n_fences ? standing->fences[i] : 0,
                                            standing->link, standing->epoch};
        if (now.fence != 0 && standing->partitions[i] < PARTITIONS_MAX)
            gap |= owner_gap(standings, standing->partitions[i], &now);
    }
    if (gap)
        missed |= settle(standings, standing->epoch);
    pthread_mutex_unlock(&standings->lock);
    return missed;
}

unsigned broadcast_gaps_overdue(struct broadcast_gaps *standings, uint64_t now_ms,
                                uint64_t timeout_ms)
{
    unsigned missed = 0;

    pthread_mutex_lock(&standings->lock);
    bool due = standings->doubt && now_ms - standings->since_ms >= timeout_ms;
    for (size_t i = 0; due && missed == 0 && i < standings->n; i++) {
        const struct broadcast_owner *owner = &standings->owners[i];
        if (owner->fence != 0 && owner->epoch != standings->epoch)
            missed = settle(standings, standings->epoch);
    }
    if (due)
        standings->doubt = false;
    pthread_mutex_unlock(&standings->lock);
    return missed;
}

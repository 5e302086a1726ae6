#include "comet/standing.h"
#include "comet/applied.h"
#include "common/mem.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct owner {
    uint64_t fence, link; /* fence 0: never heard of */
    uint64_t epoch;       /* ours, until which it is vouched for */
};

struct standings {
    pthread_mutex_t lock;
    uint64_t first, epoch; /* our first epoch, and the one of now */
    uint64_t since_ms;
    bool doubt; /* some owner's epoch may be an earlier one */
    struct owner *owners;
    size_t n;
};

struct standings *standings_new(void)
{
    struct standings *standings = mem_zalloc(sizeof *standings);

    pthread_mutex_init(&standings->lock, NULL);
    return standings;
}

void standings_free(struct standings *standings)
{
    if (standings == NULL)
        return;
    pthread_mutex_destroy(&standings->lock);
    free(standings->owners);
    free(standings);
}

static struct owner *owner_of(struct standings *standings, uint32_t partition)
{
    if (partition >= standings->n) {
        standings->owners = mem_realloc(standings->owners, (partition + 1) * sizeof(struct owner));
        for (; standings->n <= partition; standings->n++)
            standings->owners[standings->n] = (struct owner){0};
    }
    return &standings->owners[partition];
}

/* Everybody is told that it may have missed something. */
static unsigned settle(struct standings *standings)
{
    for (size_t i = 0; i < standings->n; i++)
        standings->owners[i].epoch = standings->epoch;
    standings->doubt = false;
    return MISSED_ROOMS | MISSED_ALL;
}

/* True: what this partition had since we were last sure of it may not all have come. Within an
 * epoch owners may change: each replays what its predecessor had not finished with us. */
static bool owner_gap(struct standings *standings, uint32_t partition, uint64_t fence,
                      uint64_t link)
{
    struct owner *owner = owner_of(standings, partition);
    bool same = owner->fence == fence && owner->link == link;
    uint64_t sure = owner->fence == 0 ? standings->first : owner->epoch;

    if (fence < owner->fence)
        return false; /* an earlier owner is still talking */
    *owner = (struct owner){fence, link, standings->epoch};
    return !same && sure != standings->epoch;
}

static void raise_epoch(struct standings *standings, uint64_t epoch)
{
    if (standings->first == 0)
        standings->first = epoch;
    if (epoch > standings->epoch)
        standings->epoch = epoch;
}

void standings_epoch(struct standings *standings, uint64_t epoch, uint64_t now_ms)
{
    pthread_mutex_lock(&standings->lock);
    raise_epoch(standings, epoch);
    standings->doubt = epoch != standings->first;
    standings->since_ms = now_ms;
    pthread_mutex_unlock(&standings->lock);
}

unsigned standings_take(struct standings *standings, const Imc__V1__Standing *standing)
{
    unsigned missed = (standing->missed_rooms ? MISSED_ROOMS : 0U) |
                      (standing->missed_all ? (unsigned)MISSED_ALL : 0U);
    bool gap = false;

    pthread_mutex_lock(&standings->lock);
    /* Job may have read of our new epoch before we were told that it is ours. */
    raise_epoch(standings, standing->epoch);
    for (size_t i = 0; standing->epoch == standings->epoch && i < standing->n_partitions; i++) {
        if (i < standing->n_fences && standing->partitions[i] < APPLIED_PARTITIONS_MAX)
            gap |=
                owner_gap(standings, standing->partitions[i], standing->fences[i], standing->link);
    }
    if (gap)
        missed |= settle(standings);
    pthread_mutex_unlock(&standings->lock);
    return missed;
}

unsigned standings_overdue(struct standings *standings, uint64_t now_ms, uint64_t timeout_ms)
{
    unsigned missed = 0;

    pthread_mutex_lock(&standings->lock);
    bool due = standings->doubt && now_ms - standings->since_ms >= timeout_ms;
    for (size_t i = 0; due && missed == 0 && i < standings->n; i++) {
        const struct owner *owner = &standings->owners[i];
        if (owner->fence != 0 && owner->epoch != standings->epoch)
            missed = settle(standings);
    }
    if (due)
        standings->doubt = false;
    pthread_mutex_unlock(&standings->lock);
    return missed;
}

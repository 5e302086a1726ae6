/*   membership ──► shard_comets() ───► comets ──► lives die ─┐
 *              └─► shard_routers() ──► registry: ring ───────┴► shard_sweep(), slice by slice */
#include "router/map_shard.h"
#include "common/base/log.h"
#include <string.h>

enum { TELL_MS = 10000 };

static bool shard_owns(int64_t uid, void *arg)
{
    struct shard *shard = arg;

    return registry_owns(&shard->registry, uid);
}

void shard_init(struct shard *shard, const struct shard_limits *limits, int64_t *counters)
{
    *shard = (struct shard){.limits = *limits, .counters = counters};
    shard->comets = comets_new(limits->comet_grace_ms);
    registry_init(&shard->registry, shard->comets);
    shard->sessions = sessions_new(shard->comets, shard_owns, shard);
}

void shard_close(struct shard *shard)
{
    sessions_free(shard->sessions);
    registry_close(&shard->registry);
    comets_free(shard->comets);
}

void shard_comets(struct shard *shard, const struct member_list *list)
{
    if (comets_members(shard->comets, list, shard->now_ms))
        log_info("comets changed", "shown=%zu unswept=%zu", list->n, shard->comets->dead_sessions);
}

void shard_routers(struct shard *shard, const struct member_list *list, const char *self)
{
    struct ring *ring = registry_ring_of(list);

    if (shard->registry.ring != NULL && ring_hash(ring) == shard->registry.hash) {
        ring_free(ring);
        return;
    }
    /* A uid that we lost under the old ring may be ours under the new one, but what we know of it
     * is out of date: a pass that still runs for the old ring has to end under it. Rings seldom
     * change twice within a sweep. */
    sessions_sweep_moved(shard->sessions, shard->limits.sweep_slice);
    registry_set_ring(&shard->registry, ring, list, self);
    metric_add(shard->counters, ROUTER_RING_CHANGES, 1);
    /* Not shown ourselves, we own nothing, but that is about to change: shard_lost() decides then.
     */
    if (shard->registry.self >= 0)
        sessions_moved(shard->sessions);
    log_info("routers changed", "routers=%zu ring=%016llx listed=%d", list->n,
             (unsigned long long)shard->registry.hash, shard->registry.self >= 0);
}

void shard_lost(struct shard *shard)
{
    comets_forget_all(shard->comets);
    log_warn("lease lost", "sessions=%zu action=\"forgotten, comets register again\"",
             shard->comets->dead_sessions);
}

static void shard_tell(struct shard *shard)
{
    char missing[1024];

    shard->told_ms = shard->now_ms;
    if (!shard->registry.ready) {
        log_warn("map incomplete", "for_ms=%llu why=\"membership not read, or no lease yet\"",
                 (unsigned long long)(shard->now_ms - shard->incomplete_since_ms));
        return;
    }
    registry_missing(&shard->registry, missing, sizeof missing);
    log_warn("map incomplete", "for_ms=%llu missing=\"%s\"",
             (unsigned long long)(shard->now_ms - shard->incomplete_since_ms), missing);
}

static void shard_watch_complete(struct shard *shard)
{
    bool complete = registry_complete(&shard->registry);

    if (shard->incomplete_since_ms == 0) /* begins incomplete */
        shard->incomplete_since_ms = shard->told_ms = shard->now_ms;
    if (complete && !shard->was_complete) {
        log_info("map complete", "after_ms=%llu sessions=%zu",
                 (unsigned long long)(shard->now_ms - shard->incomplete_since_ms),
                 shard->comets->live_sessions);
    } else if (!complete && shard->was_complete) {
        shard->incomplete_since_ms = shard->told_ms = shard->now_ms;
    } else if (!complete && shard->now_ms - shard->told_ms >= TELL_MS) {
        shard_tell(shard);
    }
    shard->was_complete = complete;
}

void shard_tick(struct shard *shard, uint64_t now_ms, bool reading)
{
    shard->now_ms = now_ms;
    comets_tick(shard->comets, now_ms, reading);
    shard_watch_complete(shard);
}

bool shard_sweep_waits(const struct shard *shard)
{
    return sessions_sweep_waits(shard->sessions);
}

bool shard_sweep(struct shard *shard)
{
    return sessions_sweep(shard->sessions, shard->limits.sweep_slice);
}

void shard_scrape(struct shard *shard)
{
    int64_t *block = shard->counters;
    const struct session_map *sessions = shard->sessions;
    char unused[64];

    metric_set(block, ROUTER_SESSIONS, (int64_t)shard->comets->live_sessions);
    metric_set(block, ROUTER_UNSWEPT, (int64_t)shard->comets->dead_sessions);
    metric_set(block, ROUTER_UIDS, (int64_t)sessions->uids);
    metric_set(block, ROUTER_ROOMS, (int64_t)names_count(sessions->rooms));
    metric_set(block, ROUTER_COMETS, (int64_t)comets_alive(shard->comets));
    metric_set(block, ROUTER_MAP_BYTES, (int64_t)sessions_bytes(sessions));
    metric_set(block, ROUTER_INCOMPLETE, !registry_complete(&shard->registry));
    metric_set(block, ROUTER_MISSING_COMETS,
               (int64_t)registry_missing(&shard->registry, unused, sizeof unused));
    metric_set(block, ROUTER_SWEEPS, (int64_t)sessions->sweeps);
    metric_set(block, ROUTER_SWEPT_DEAD, (int64_t)sessions->swept_dead);
    metric_set(block, ROUTER_SWEPT_MOVED, (int64_t)sessions->swept_moved);
}

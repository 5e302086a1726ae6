/*   membership ─┬─► map_shard_comets() ───► comet_lives: lives die ─┬─► map_shard_sweep(),
 *               └─► map_shard_routers() ──► completeness: ring ─────┘   slice by slice */
#include "router/map_shard.h"
#include "common/base/log.h"
#include <string.h>

enum { TELL_MS = 10000 };

static bool map_shard_owns(int64_t uid, void *arg)
{
    struct map_shard *shard = arg;

    return completeness_owns(&shard->completeness, uid);
}

void map_shard_init(struct map_shard *shard, const struct map_shard_limits *limits,
                    _Atomic int64_t *counters)
{
    *shard = (struct map_shard){.limits = *limits, .counters = counters};
    shard->comets = comet_lives_new(limits->comet_grace_ms);
    completeness_init(&shard->completeness, shard->comets);
    shard->sessions = session_map_new(shard->comets, map_shard_owns, shard);
    shard->rooms = room_counts_new(&shard->completeness);
}

void map_shard_close(struct map_shard *shard)
{
    room_counts_free(shard->rooms);
    session_map_free(shard->sessions);
    completeness_close(&shard->completeness);
    comet_lives_free(shard->comets);
}

void map_shard_comets(struct map_shard *shard, const struct member_list *list)
{
    if (comet_lives_members(shard->comets, list, shard->now_ms))
        log_info("comets changed", "shown=%zu unswept=%zu", list->n, shard->comets->dead_sessions);
}

static void map_shard_sweep_rooms(struct map_shard *shard)
{
    shard->sweeps_rooms = room_counts_sweep(shard->rooms, shard->limits.sweep_slice, shard->now_ms);
    shard->rooms_moved = shard->rooms_moved && shard->sweeps_rooms;
}

void map_shard_routers(struct map_shard *shard, const struct member_list *list, const char *self)
{
    struct ring *ring = member_list_ring(list);

    if (shard->completeness.ring != NULL && ring_hash(ring) == shard->completeness.hash) {
        ring_free(ring);
        return;
    }
    /* A pass of the sweep that runs for the old ring must end before the ring is replaced. A uid
     * or room that we lost under the old ring may be ours under the new one, and what we know of it
     * is out of date. Rings seldom change twice within a sweep. */
    session_map_sweep_moved(shard->sessions, shard->limits.sweep_slice);
    while (shard->rooms_moved)
        map_shard_sweep_rooms(shard);
    completeness_set_ring(&shard->completeness, ring, list, self);
    metric_add(shard->counters, ROUTER_RING_CHANGES, 1);
    /* Membership does not show us now, so we own nothing, but that may soon change.
     * map_shard_lost() decides then. */
    if (shard->completeness.self >= 0) {
        session_map_moved(shard->sessions);
        room_counts_moved(shard->rooms);
        shard->sweeps_rooms = shard->rooms_moved = true;
    }
    log_info("routers changed", "routers=%zu ring=%016llx listed=%d", list->n,
             (unsigned long long)shard->completeness.hash, shard->completeness.self >= 0);
}

void map_shard_lost(struct map_shard *shard)
{
    comet_lives_forget_all(shard->comets);
    room_counts_lost(shard->rooms);
    log_warn("lease lost", "sessions=%zu action=\"forgotten, comets register again\"",
             shard->comets->dead_sessions);
}

static void map_shard_tell(struct map_shard *shard)
{
    char missing[1024];

    shard->told_ms = shard->now_ms;
    if (!shard->completeness.ready) {
        log_warn("map incomplete", "for_ms=%llu why=\"membership not read, or no lease yet\"",
                 (unsigned long long)(shard->now_ms - shard->incomplete_since_ms));
        return;
    }
    completeness_missing(&shard->completeness, missing, sizeof missing);
    log_warn("map incomplete", "for_ms=%llu missing=\"%s\"",
             (unsigned long long)(shard->now_ms - shard->incomplete_since_ms), missing);
}

static void map_shard_watch_complete(struct map_shard *shard)
{
    bool complete = completeness_is_reached(&shard->completeness);

    if (shard->incomplete_since_ms == 0) /* a router begins incomplete */
        shard->incomplete_since_ms = shard->told_ms = shard->now_ms;
    if (complete && !shard->was_complete) {
        log_info("map complete", "after_ms=%llu sessions=%zu",
                 (unsigned long long)(shard->now_ms - shard->incomplete_since_ms),
                 shard->comets->live_sessions);
    } else if (!complete && shard->was_complete) {
        shard->incomplete_since_ms = shard->told_ms = shard->now_ms;
    } else if (!complete && shard->now_ms - shard->told_ms >= TELL_MS) {
        map_shard_tell(shard);
    }
    shard->was_complete = complete;
}

void map_shard_tick(struct map_shard *shard, uint64_t now_ms, bool reading)
{
    shard->now_ms = now_ms;
    comet_lives_tick(shard->comets, now_ms, reading);
    if (now_ms >= shard->rooms_due_ms) {
        shard->rooms_due_ms = now_ms + ROOM_COUNTS_KEEP_MS;
        shard->sweeps_rooms = true;
    }
    map_shard_watch_complete(shard);
}

bool map_shard_sweep(struct map_shard *shard)
{
    if (session_map_sweep_waits(shard->sessions))
        (void)session_map_sweep(shard->sessions, shard->limits.sweep_slice);
    else if (shard->sweeps_rooms)
        map_shard_sweep_rooms(shard);
    return map_shard_sweep_waits(shard);
}

void map_shard_scrape(struct map_shard *shard)
{
    _Atomic int64_t *block = shard->counters;
    const struct session_map *sessions = shard->sessions;
    char unused[64];

    metric_set(block, ROUTER_SESSIONS, (int64_t)shard->comets->live_sessions);
    metric_set(block, ROUTER_UNSWEPT, (int64_t)shard->comets->dead_sessions);
    metric_set(block, ROUTER_UIDS, (int64_t)sessions->uids);
    metric_set(block, ROUTER_ROOMS, (int64_t)room_counts_kept(shard->rooms));
    metric_set(block, ROUTER_COMETS, (int64_t)comet_lives_alive(shard->comets));
    metric_set(block, ROUTER_MAP_BYTES,
               (int64_t)(session_map_bytes(sessions) + room_counts_bytes(shard->rooms)));
    metric_set(block, ROUTER_INCOMPLETE, !completeness_is_reached(&shard->completeness));
    metric_set(block, ROUTER_MISSING_COMETS,
               (int64_t)completeness_missing(&shard->completeness, unused, sizeof unused));
    metric_set(block, ROUTER_SWEEPS, (int64_t)sessions->sweeps);
    metric_set(block, ROUTER_SWEPT_DEAD, (int64_t)sessions->swept_dead);
    metric_set(block, ROUTER_SWEPT_MOVED, (int64_t)sessions->swept_moved);
}

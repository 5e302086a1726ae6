/* map_shard.h - this router's share of the map: comets, registrations and sessions, and what
 * happens to them when membership changes. Main loop only. It does no I/O and is told the time, so
 * that tests run it by hand. */
#ifndef IMC_ROUTER_MAP_SHARD_H
#define IMC_ROUTER_MAP_SHARD_H

#include "router/completeness.h"
#include "router/metrics.h"
#include "router/room_counts.h"
#include "router/session_map.h"

struct map_shard_limits {
    uint64_t comet_grace_ms; /* comet_lives.h */
    uint32_t sweep_slice;    /* slots that the sweep looks at in one turn of the loop */
    uint32_t max_counted;    /* rooms (or comets) in one reply */
};

struct map_shard {
    struct map_shard_limits limits;
    struct comet_lives *comets;
    struct completeness completeness;
    struct session_map *sessions;
    struct room_counts *rooms;
    bool sweeps_rooms;         /* a pass over the rooms is under way */
    bool rooms_moved;          /* it takes out those that others own under the present ring */
    uint64_t rooms_due_ms;     /* when the next one begins */
    _Atomic int64_t *counters; /* ROUTER_METRIC_COUNT counters, borrowed */
    uint64_t now_ms;           /* every caller sets it first */
    bool refuses;              /* memory is short: new sessions are refused */
    bool was_complete;
    uint64_t incomplete_since_ms, told_ms;
};

void map_shard_init(struct map_shard *shard, const struct map_shard_limits *limits,
                    _Atomic int64_t *counters);
void map_shard_close(struct map_shard *shard);
/* LIST is what membership shows. SELF: our id among the routers. */
void map_shard_comets(struct map_shard *shard, const struct member_list *list);
void map_shard_routers(struct map_shard *shard, const struct member_list *list, const char *self);
/* Our lease had lapsed. Comets may have registered with others meanwhile, so we forget all
 * sessions, and what comets said of rooms. */
void map_shard_lost(struct map_shard *shard);
/* To be called about twice a second. READING as in comet_lives_tick(). Logs every 10 s what keeps
 * the map incomplete. */
void map_shard_tick(struct map_shard *shard, uint64_t now_ms, bool reading);
/* True: map_shard_sweep() has something to do. */
static inline bool map_shard_sweep_waits(const struct map_shard *shard)
{
    return shard->sweeps_rooms || session_map_sweep_waits(shard->sessions);
}
/* Does a slice of the sweeps over sessions and rooms; true while there is more to do. */
bool map_shard_sweep(struct map_shard *shard);
/* Sets the gauges, and the counters that modules keep themselves. */
void map_shard_scrape(struct map_shard *shard);

#endif

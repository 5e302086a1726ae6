/* map_shard.h - this router's share of the map: comets, registrations and sessions, and what
 * membership does to them. Main loop only; no I/O, the time is an argument, so that tests run it by
 * hand. */
#ifndef IMC_ROUTER_MAP_SHARD_H
#define IMC_ROUTER_MAP_SHARD_H

#include "router/completeness.h"
#include "router/metrics.h"
#include "router/session_map.h"

struct map_shard_limits {
    uint64_t comet_grace_ms; /* comet_lives.h */
    uint32_t sweep_slice;    /* slots looked at between two looks at the network */
    uint32_t max_counted;    /* rooms (or comets) in one reply */
};

struct map_shard {
    struct map_shard_limits limits;
    struct comet_lives *comets;
    struct completeness completeness;
    struct session_map *sessions;
    int64_t *counters; /* ROUTER_METRIC_COUNT of them, borrowed */
    uint64_t now_ms;   /* whoever calls in sets it first */
    bool refuses;      /* new sessions, for want of memory */
    bool was_complete;
    uint64_t incomplete_since_ms, told_ms;
};

void map_shard_init(struct map_shard *shard, const struct map_shard_limits *limits,
                    int64_t *counters);
void map_shard_close(struct map_shard *shard);
/* What membership shows. SELF: our id among the routers. */
void map_shard_comets(struct map_shard *shard, const struct member_list *list);
void map_shard_routers(struct map_shard *shard, const struct member_list *list, const char *self);
/* Our lease had lapsed: comets may have moved on without us, so nothing that we hold can be
 * trusted. */
void map_shard_lost(struct map_shard *shard);
/* About twice a second. READING as in comet_lives_tick(). Tells, every 10 s, what keeps the map
 * incomplete. */
void map_shard_tick(struct map_shard *shard, uint64_t now_ms, bool reading);
/* A slice of the sweep; true while there is more. */
bool map_shard_sweep(struct map_shard *shard);
bool map_shard_sweep_waits(const struct map_shard *shard);
/* Gauges, and the counters that modules keep themselves. */
void map_shard_scrape(struct map_shard *shard);

#endif

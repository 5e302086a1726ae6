/* map_shard.h - this router's share of the map: comets, registrations and sessions, and what
 * membership does to them. Main loop only; no I/O, the time is an argument, so that tests run it by
 * hand. */
#ifndef IMC_ROUTER_MAP_SHARD_H
#define IMC_ROUTER_MAP_SHARD_H

#include "router/completeness.h"
#include "router/metrics.h"
#include "router/session_map.h"

struct shard_limits {
    uint64_t comet_grace_ms; /* comet_lives.h */
    uint32_t sweep_slice;    /* slots looked at between two looks at the network */
    uint32_t max_counted;    /* rooms (or comets) in one reply */
};

struct shard {
    struct shard_limits limits;
    struct comet_lives *comets;
    struct registry registry;
    struct session_map *sessions;
    int64_t *counters; /* ROUTER_METRIC_COUNT of them, borrowed */
    uint64_t now_ms;   /* whoever calls in sets it first */
    bool refuses;      /* new sessions, for want of memory */
    bool was_complete;
    uint64_t incomplete_since_ms, told_ms;
};

void shard_init(struct shard *shard, const struct shard_limits *limits, int64_t *counters);
void shard_close(struct shard *shard);
/* What membership shows. SELF: our id among the routers. */
void shard_comets(struct shard *shard, const struct member_list *list);
void shard_routers(struct shard *shard, const struct member_list *list, const char *self);
/* Our lease had lapsed: comets may have moved on without us, so nothing that we hold can be
 * trusted. */
void shard_lost(struct shard *shard);
/* About twice a second. READING as in comets_tick(). Tells, every 10 s, what keeps the map
 * incomplete. */
void shard_tick(struct shard *shard, uint64_t now_ms, bool reading);
/* A slice of the sweep; true while there is more. */
bool shard_sweep(struct shard *shard);
bool shard_sweep_waits(const struct shard *shard);
/* Gauges, and the counters that modules keep themselves. */
void shard_scrape(struct shard *shard);

#endif

/* windows.h - how many messages may be under way at a time, and who is told when there is room.
 * Pure; main loop only.
 *
 *   windows_charge ─► delivering ──windows_charge_storing──► storing ──windows_discharge─►
 *                         └──────────────windows_discharge─►
 *
 * What is to be stored has a window of its own, so that storing, which can be slow or stand still,
 * does not hold up delivering. Each shard of Redis has an equal share of that window, so that a
 * shard that takes no writes does not hold up the others. The sums are those of all partitions.
 *
 * What finds no room in its shard's share is parked. It is read again when half of the share is
 * free. A shard that stays full for a while is passed over meanwhile:
 *
 *       ┌─ windows_look: half full ever since the last look ─┐
 *   IN ORDER ─ windows_pass_if_full: its whole share is used ─┤
 *       ▲                                                     ▼
 *       └── three quarters of its share are free ── PASSED OVER: no other waits for it
 *
 * A shard that is alone is never passed over: no other waits. */
#ifndef IMC_JOB_BASE_WINDOWS_H
#define IMC_JOB_BASE_WINDOWS_H

#include "job/base/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct message;

enum { SHARDS_MOST = 64 }; /* beyond, several shards share a number */

struct window {
    size_t count, bytes;
};

/* What is to be stored on one shard of Redis. */
struct shard_window {
    struct window storing;
    size_t parked; /* to be read again later: reread.h */
    bool refill;   /* storing was more than half full, and nobody was told again() since */
    bool waited;   /* so it was at the last look */
};

struct windows_events {
    void (*room)(void *arg);  /* there is room again, after windows.full */
    void (*again)(void *arg); /* parked messages may be read */
    void (*idle)(void *arg);  /* while closing: nothing is unresolved any more */
};

struct windows {
    const struct job_config *config;
    struct window delivering, storing;
    size_t parked; /* of all shards */
    struct shard_window shards[SHARDS_MOST];
    size_t n_shards;
    uint64_t passed;                     /* a bit for each shard that is passed over */
    bool full;                           /* nothing is consumed until there is room again */
    bool short_of_memory;                /* both windows are small */
    bool closing;                        /* nothing is read any more */
    const struct windows_events *events; /* NULL: nobody is told */
    void *arg;
};

/* Where the user of a message is, as far as we know when the message comes. */
enum presence {
    USER_AWAY,    /* nobody was there */
    USER_UNKNOWN, /* no router had an answer in time: he may be there */
    USER_THERE,   /* his session is gone meanwhile: perhaps he is only moving */
};

/* N shards, at least 1. Nothing may be charged yet. */
void windows_init(struct windows *windows, const struct job_config *config, size_t n);
/* MESSAGE is unresolved from now on. */
void windows_charge(struct windows *windows, const struct message *message);
/* MESSAGE was resolved, parked or forgotten. */
void windows_discharge(struct windows *windows, const struct message *message);
/* Moves MESSAGE, whose shard is known, from delivering to storing, unless it is there already. A
 * message that has been out for delivery always finds a place there. */
void windows_charge_storing(struct windows *windows, struct message *message);
/* While memory is short, both windows are a sixteenth of their size. */
void windows_set_memory(struct windows *windows, bool is_short);
/* May a new message wait to be stored on SHARD? Each kind has a share of its window to itself. So
 * users who may be there do not wait behind those who are away. */
bool windows_may_store(const struct windows *windows, size_t shard, enum presence user);
/* May parked messages of SHARD come back? */
bool windows_may_return(const struct windows *windows, size_t shard);
/* If the whole share of SHARD is used, and there are other shards, SHARD is passed over. */
bool windows_pass_if_full(struct windows *windows, size_t shard);
/* Ten times a second: passes over the shards that have been full since the last look. */
void windows_look(struct windows *windows);
/* N more messages of SHARD are parked; N may be negative. */
void windows_park(struct windows *windows, size_t shard, int n);
static inline size_t windows_unresolved(const struct windows *windows)
{
    return windows->delivering.count + windows->storing.count;
}

#endif

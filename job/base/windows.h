/* windows.h - how many messages may be under way at a time, and who is told when there is room.
 * Pure; main loop only.
 *
 *   windows_charge ─► delivering ──windows_charge_storing──► storing ──windows_discharge─►
 *                         └──────────────windows_discharge─►
 *
 * What is to be stored has a window of its own, so that storing, which can be slow or stand still,
 * does not hold up delivering. The sums are those of all partitions. */
#ifndef IMC_JOB_BASE_WINDOWS_H
#define IMC_JOB_BASE_WINDOWS_H

#include "job/base/config.h"

#include <stdbool.h>
#include <stddef.h>

struct message;

struct window {
    size_t count, bytes;
};

struct windows_events {
    void (*room)(void *arg);  /* there is room again, after windows.full */
    void (*again)(void *arg); /* parked messages may be read */
    void (*idle)(void *arg);  /* while closing: nothing is unresolved any more */
};

struct windows {
    const struct job_config *config;
    struct window delivering, storing;
    size_t parked;        /* to be read again later: reread.h */
    bool full;            /* nothing is consumed until there is room again */
    bool short_of_memory; /* both windows are small */
    bool refill;          /* storing was more than half full, and nobody was told again() since */
    bool closing;         /* nothing is read any more */
    const struct windows_events *events; /* NULL: nobody is told */
    void *arg;
};

/* Where the user of a message is, as far as we know when the message comes. */
enum presence {
    USER_AWAY,    /* nobody was there */
    USER_UNKNOWN, /* no router had an answer in time: he may be there */
    USER_THERE,   /* his session is gone meanwhile: perhaps he is only moving */
};

/* MESSAGE is unresolved from now on. */
void windows_charge(struct windows *windows, const struct message *message);
/* MESSAGE was resolved, parked or forgotten. */
void windows_discharge(struct windows *windows, const struct message *message);
/* Moves MESSAGE from delivering to storing, unless it is there already. A message that has been out
 * for delivery always finds a place there. */
void windows_charge_storing(struct windows *windows, struct message *message);
/* While memory is short, both windows are a sixteenth of their size. */
void windows_set_memory(struct windows *windows, bool is_short);
/* May a new message wait to be stored? Each kind has a share of the window to itself. So users who
 * may be there do not wait behind those who are away. */
bool windows_may_store(const struct windows *windows, enum presence user);
/* May a parked message come back? */
bool windows_may_return(const struct windows *windows);
/* N more messages are parked; N may be negative. */
void windows_park(struct windows *windows, int n);
static inline size_t windows_unresolved(const struct windows *windows)
{
    return windows->delivering.count + windows->storing.count;
}

#endif

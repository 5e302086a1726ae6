/* wheel.h - a hashed timer wheel: O(1) set and cancel for hundreds of thousands of coarse
 * deadlines. Owner loop only.
 *
 * A timer is embedded in its owner's object (24 bytes). It fires at the first tick after it is due,
 * never early, so a tick is the accuracy. One callback serves the whole wheel, and finds the object
 * by container_of(). While no timer is set the libuv timer of the wheel is stopped, so that the
 * process can sleep. */
#ifndef IMC_COMMON_CONTAINERS_WHEEL_H
#define IMC_COMMON_CONTAINERS_WHEEL_H

#include "common/base/loop.h"

struct wheel_timer {
    struct wheel_timer *next, **prev; /* prev == NULL: not set */
    uint64_t due_tick;
};

struct wheel;
typedef void (*wheel_fire_fn)(struct wheel *wheel, struct wheel_timer *timer);

/* FIRE may set, cancel or free any timer, also the one that fires, which is no longer set then. */
struct wheel *wheel_open(struct loop *loop, unsigned tick_ms, unsigned slots, wheel_fire_fn fire);
/* Sets TIMER, or moves it if it is set. */
void wheel_set(struct wheel *wheel, struct wheel_timer *timer, uint64_t delay_ms);
void wheel_cancel(struct wheel *wheel, struct wheel_timer *timer);
/* Timers that are set never fire. Frees the wheel at the end of the turn. */
void wheel_close(struct wheel *wheel);

static inline bool wheel_is_set(const struct wheel_timer *timer)
{
    return timer->prev != NULL;
}

#endif

/* wheel.h - a hashed timer wheel: O(1) set and cancel for hundreds of thousands of coarse
 * deadlines. Owner loop only.
 *
 * Timers are embedded (24 bytes). They fire in the tick after they are due, never early; a tick is
 * the accuracy. One callback serves the whole wheel: the owner finds its object by container_of.
 * While no timer is set, the wheel's libuv timer is stopped and the process sleeps. */
#ifndef IMC_COMMON_CONTAINERS_WHEEL_H
#define IMC_COMMON_CONTAINERS_WHEEL_H

#include "common/base/loop.h"

struct wheel_timer {
    struct wheel_timer *next, **prev; /* prev == NULL: not set */
    uint64_t due_tick;
};

struct wheel;
typedef void (*wheel_fire_fn)(struct wheel *wheel, struct wheel_timer *timer);

/* The callback may set, cancel or free any timer, the fired one included (it is no longer set when
 * fired). */
struct wheel *wheel_open(struct loop *loop, unsigned tick_ms, unsigned slots, wheel_fire_fn fire,
                         void *arg);
void *wheel_arg(const struct wheel *wheel);
/* Sets or moves. */
void wheel_set(struct wheel *wheel, struct wheel_timer *timer, uint64_t delay_ms);
void wheel_cancel(struct wheel *wheel, struct wheel_timer *timer);
/* No timer may be set any more, or it is forgotten. Frees at the end of the turn. */
void wheel_close(struct wheel *wheel);

static inline bool wheel_is_set(const struct wheel_timer *timer)
{
    return timer->prev != NULL;
}

#endif

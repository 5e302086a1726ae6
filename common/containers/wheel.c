/* A timer is in the slot of the tick at which it is due. Timers of later rounds are in the same
 * slot; each timer knows its tick:
 *
 *   slots   [0] [1] [2] … [n-1]
 *                └─► timer(1) ─► timer(1 + n) ─► timer(1)
 *
 *   tick t ─► slot t mod n ─► timers due by t ─► expired ─► fire, one by one */
#include "common/containers/wheel.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

struct wheel {
    uv_timer_t tick; /* first member: libuv's close callback frees the wheel by it */
    struct loop *loop;
    wheel_fire_fn fire;
    uint64_t base_ms; /* loop time of tick 0 */
    uint64_t done;    /* the last tick that was looked at */
    size_t count;     /* timers that are set */
    unsigned tick_ms, n_slots;
    bool running, closed;
    struct wheel_timer *expired; /* taken off their slots, about to fire; can still be cancelled */
    struct wheel_timer *slots[];
};

static void link_timer(struct wheel_timer **list, struct wheel_timer *timer)
{
    timer->next = *list;
    timer->prev = list;
    if (timer->next != NULL)
        timer->next->prev = &timer->next;
    *list = timer;
}

static void unlink_timer(struct wheel_timer *timer)
{
    *timer->prev = timer->next;
    if (timer->next != NULL)
        timer->next->prev = timer->prev;
    timer->prev = NULL;
}

/* The number of ticks that have passed, rounded down. */
static uint64_t ticks_now(const struct wheel *wheel)
{
    return (loop_now_ms(wheel->loop) - wheel->base_ms) / wheel->tick_ms;
}

static void expire_slot(struct wheel *wheel, uint64_t tick, uint64_t now)
{
    struct wheel_timer *timer = wheel->slots[tick % wheel->n_slots], *next;
    for (; timer != NULL; timer = next) {
        next = timer->next;
        if (timer->due_tick > now)
            continue;
        unlink_timer(timer);
        link_timer(&wheel->expired, timer);
    }
}

static void on_tick(uv_timer_t *handle);

/* Sets the libuv timer for the next tick. libuv's repeat is not used: one late call would shift all
 * later ones. */
static void arm(struct wheel *wheel)
{
    uint64_t since = loop_now_ms(wheel->loop) - wheel->base_ms;
    uv_timer_start(&wheel->tick, on_tick, wheel->tick_ms - since % wheel->tick_ms, 0);
    wheel->running = true;
}

static void on_tick(uv_timer_t *handle)
{
    struct wheel *wheel = (struct wheel *)handle;
    uint64_t now = ticks_now(wheel), tick = wheel->done + 1;
    if (now - wheel->done > wheel->n_slots) /* the loop was held up for a whole round: look at each
                                             * slot once */
        tick = now - wheel->n_slots + 1;
    /* Set this before timers fire: a timer that is set from now on belongs to a later tick. */
    wheel->done = now;
    for (; tick <= now && !wheel->closed; tick++) {
        expire_slot(wheel, tick, now);
        while (wheel->expired != NULL && !wheel->closed) {
            struct wheel_timer *timer = wheel->expired;
            unlink_timer(timer);
            wheel->count--;
            wheel->fire(wheel, timer);
        }
    }
    wheel->running = false;
    if (wheel->count > 0 && !wheel->closed)
        arm(wheel);
}

struct wheel *wheel_open(struct loop *loop, unsigned tick_ms, unsigned slots, wheel_fire_fn fire)
{
    loop_assert_owner(loop);
    assert(tick_ms > 0 && slots > 0 && fire != NULL);
    struct wheel *wheel = mem_zalloc(sizeof *wheel + slots * sizeof(struct wheel_timer *));
    wheel->loop = loop;
    wheel->fire = fire;
    wheel->tick_ms = tick_ms;
    wheel->n_slots = slots;
    wheel->base_ms = loop_now_ms(loop);
    uv_timer_init(&loop->uv, &wheel->tick);
    return wheel;
}

void wheel_set(struct wheel *wheel, struct wheel_timer *timer, uint64_t delay_ms)
{
    loop_assert_owner(wheel->loop);
    assert(!wheel->closed);
    if (timer->prev != NULL)
        unlink_timer(timer);
    else
        wheel->count++;
    if (!wheel->running) {
        wheel->done = ticks_now(wheel); /* no timer was set, so none was missed */
        arm(wheel);
    }
    uint64_t due_ms = loop_now_ms(wheel->loop) - wheel->base_ms + delay_ms;
    timer->due_tick = due_ms / wheel->tick_ms + (due_ms % wheel->tick_ms != 0);
    if (timer->due_tick <= wheel->done)
        timer->due_tick = wheel->done + 1;
    link_timer(&wheel->slots[timer->due_tick % wheel->n_slots], timer);
}

void wheel_cancel(struct wheel *wheel, struct wheel_timer *timer)
{
    loop_assert_owner(wheel->loop);
    if (timer->prev == NULL)
        return;
    unlink_timer(timer);
    wheel->count--;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void wheel_close(struct wheel *wheel)
{
    if (wheel == NULL)
        return;
    loop_assert_owner(wheel->loop);
    wheel->closed = true;
    uv_close((uv_handle_t *)&wheel->tick, on_closed);
}

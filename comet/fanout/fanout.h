/* fanout.h - fan-out: a batch of pushes goes over an audience, a slice of it per turn of the loop.
 * Owner loop only.
 *
 * Members may come and go between any two deliveries. The audience's members lie in three zones:
 *
 *     0 ─── has it ─── done ─── shall get it ─── end ─── came since the walk began ─── n
 *
 * A member that leaves makes a hole. The last member of its zone fills the hole, the last one of
 * the next zone fills the hole that this leaves, and so on. So no member that stays moves across
 * `done`: nobody gets a batch twice or misses one. */
#ifndef IMC_COMET_FANOUT_FANOUT_H
#define IMC_COMET_FANOUT_FANOUT_H

#include "comet/wire/push.h"
#include "comet/wire/wire.h"
#include "common/base/list.h"
#include "common/base/loop.h"

struct conn;
struct worker;
struct fanout;
struct walk_trace;

/* Pushes that wait for their walk. */
struct pending_pushes {
    struct push *pushes;
    struct ticket *tickets;
    uint32_t first, n, cap; /* waiting: [first, first + n) */
    size_t bytes;
    uint64_t since_ms; /* since when the oldest of them waits */
};

/* One batch that is being delivered. */
struct walk {
    struct push *pushes;
    size_t n;
    struct walk_trace *trace;   /* NULL: none of them is traced */
    int64_t begun_us;           /* by time_mono_us() */
    struct msg *encoded[WIRES]; /* made when the first member with that wire form is met */
};

struct audience {
    STAILQ_ENTRY(audience) link; /* of those with something to send, or of those that rest */
    bool queued, walking;
    bool everybody;     /* all sessions of the loop: done and end are slots of the table */
    int32_t speed;      /* deliveries per second; 0: no limit */
    uint32_t n, cap;    /* members */
    uint32_t done, end; /* zones; both 0 while no walk is under way */
    struct conn **members;
    struct pending_pushes backlog;
    struct walk walk;
    uint64_t begun_ms, sent; /* the walk under way; SENT only with a speed */
    uint64_t rested_ms;      /* the next walk over a large audience begins no sooner */
    /* Called when nothing waits any more and no walk is under way: the audience may be freed. */
    void (*idle)(struct fanout *fanout, struct audience *audience);
};

STAILQ_HEAD(audience_queue, audience);

struct fanout {
    struct worker *worker;
    struct audience_queue queue; /* served in turn */
    struct loop_task task;
    struct audience_queue resting; /* audiences whose next walk may not begin yet */
    uv_timer_t rest;               /* runs while there are any */
    uint64_t behind_ms;            /* since when too many sockets are behind; 0: they are not */
    struct audience everybody;
    struct audience_queue limited; /* broadcasts with a speed; each is an audience of its own */
    size_t n_limited;
    uv_timer_t timer; /* runs while there are any */
    int open_timers;  /* how many of the two timers are not closed yet */
    void (*closed)(struct fanout *fanout);
};

void fanout_open(struct fanout *fanout, struct worker *worker);
/* To be called when every connection has left. Drops what waits. CLOSED is called in a later turn,
 * when the timers are gone. */
void fanout_close(struct fanout *fanout, void (*closed)(struct fanout *fanout));

/* PUSH waits in the backlog; the next walk over the audience takes it. */
void audience_push(struct fanout *fanout, struct audience *audience, const struct push *push,
                   struct ticket ticket);
/* Begins a broadcast at SPEED deliveries per second. */
void fanout_push_limited(struct fanout *fanout, const struct push *push, int32_t speed,
                         struct ticket ticket);
/* AUDIENCE is the beginning of a struct room, and CONN has a seat in that room: they set and
 * use its index. */
void audience_add(struct audience *audience, struct conn *conn);
void audience_remove(struct audience *audience, struct conn *conn);
/* Ends the tickets as dropped, and frees the memory. */
void audience_clear(struct audience *audience);

#endif

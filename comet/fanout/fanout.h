/* fanout.h - fan-out: a batch of pushes goes over an audience, a slice of it per turn of the loop.
 * Owner loop only.
 *
 * Members may come and go between any two deliveries. The audience's members lie in three zones:
 *
 *     0 ─── has it ─── done ─── shall get it ─── end ─── came since the walk began ─── n
 *
 * A hole is filled with the last of its own zone, and the hole that leaves with the last of the
 * next: nobody who is there all the time moves across `done`, so nobody gets a batch twice or not
 * at all. */
#ifndef IMC_COMET_FANOUT_FANOUT_H
#define IMC_COMET_FANOUT_FANOUT_H

#include "comet/wire/push.h"
#include "comet/wire/wire.h"
#include "common/base/loop.h"

struct conn;
struct worker;
struct fanout;

/* Pushes that wait for their walk. */
struct pending_pushes {
    struct push *pushes;
    struct ticket *tickets;
    uint32_t first, n, cap; /* waiting: [first, first + n) */
    size_t bytes;
    uint64_t since_ms; /* the oldest of them */
};

/* One batch on its way. */
struct walk {
    struct push *pushes;
    size_t n;
    struct msg *encoded[WIRES]; /* made when the first member with that wire form is met */
};

struct audience {
    struct audience *next; /* in the queue of those with something to send, or of those that rest */
    bool queued, walking;
    bool everybody;     /* all sessions of the loop: done and end are slots of the table */
    int32_t speed;      /* deliveries per second; 0: no limit */
    uint32_t n, cap;    /* members */
    uint32_t done, end; /* zones; both 0 while no walk is under way */
    struct conn **members;
    struct pending_pushes backlog;
    struct walk walk;
    uint64_t begun_ms, sent; /* the walk under way; SENT only with a speed */
    uint64_t rested_ms;      /* the next walk over many begins no sooner */
    /* Nothing waits and no walk is under way any more: the audience may be freed. */
    void (*idle)(struct fanout *fanout, struct audience *audience);
};

struct fanout {
    struct worker *worker;
    struct audience *head, **tail; /* queue, served in turn */
    struct loop_task task;
    struct audience *resting, **resting_tail; /* their next walk may not begin yet */
    uv_timer_t rest;                          /* runs while there are any */
    uint64_t behind_ms;                       /* since when too many sockets are; 0: they are not */
    struct audience everybody;
    struct audience *limited; /* broadcasts with a speed, each an audience of its own */
    size_t n_limited;
    uv_timer_t timer; /* runs while there are any */
    int open_timers;  /* the two above, until closed */
    void (*closed)(struct fanout *fanout);
};

void fanout_open(struct fanout *fanout, struct worker *worker);
/* Every connection has left. Drops what waits; CLOSED runs when its timers are gone, in a later
 * turn. */
void fanout_close(struct fanout *fanout, void (*closed)(struct fanout *fanout));

/* The next walk over the audience takes it along. */
void audience_push(struct fanout *fanout, struct audience *audience, const struct push *push,
                   struct ticket ticket);
/* A broadcast that goes at SPEED deliveries per second. */
void fanout_push_limited(struct fanout *fanout, const struct push *push, int32_t speed,
                         struct ticket ticket);
/* Sets and uses conn->room_index. */
void audience_add(struct audience *audience, struct conn *conn);
void audience_remove(struct audience *audience, struct conn *conn);
/* Tickets told as dropped, memory freed. */
void audience_clear(struct audience *audience);

#endif

/* worker.h - everything that one loop of comet owns; each folder finds its part here. Struct only:
 * worker_control.c fills it. Other threads touch only loop.inbox. */
#ifndef IMC_COMET_BASE_WORKER_H
#define IMC_COMET_BASE_WORKER_H

#include "common/base/loop.h"
#include "common/base/memory_budget.h"

struct comet;
struct comet_config;
struct handle_table;
struct frontend;
struct rooms;
struct room_claims;
struct held_joins;
struct logic_requests;
struct job_results;
struct reregister;
struct room_reports;
struct ordered_rooms;
struct room_pages;
struct upstream;
struct token_ends;
struct room_events;
struct session_log;
struct cluster_view;
struct strmap;
struct wheel;
struct tls_server;
struct push_traces;

/* What a loop can have of a logic. */
enum logic_access {
    LOGIC_UNREACHED,
    LOGIC_CLOSED, /* it says that it cannot do what we ask for */
    LOGIC_ADMITS,
};

struct worker {
    struct loop loop;
    struct comet *comet;
    const struct comet_config *config;
    _Atomic int64_t *counters;       /* this loop's block of comet_metrics */
    _Atomic int64_t clock_offset_us; /* how far our clock is ahead of Redis's, as the main loop sets
                                      * it; 0: not known */
    struct tls_server *tcps, *wss;   /* of all loops; NULL: that listener is off */
    bool tls_kernel;                 /* the kernel is asked to seal what TLS clients get */
    struct handle_table *table;
    struct frontend *frontend;    /* net/frontend.h: listeners, connections, scratch buffers */
    struct rooms *rooms;          /* fanout/room.h: rooms, and the walks over their members */
    struct room_claims *claims;   /* fanout/room_claims.h */
    struct held_joins *held;      /* session/held_joins.h */
    struct logic_requests *logic; /* comet/logic/logic_requests.h */
    uint64_t keys_refresh_ms; /* how often logic wants goim's sessions registered anew; 0: never */
    _Atomic int logic_access; /* enum logic_access: the best of all logics */
    struct wheel *ack_wheel;  /* session/acks.h */
    struct wheel *session_wheel; /* sdk_gap and retry timers of catch-ups */
    struct job_results
        *late; /* results that came after a batch's answer: comet/job/job_batches.h */
    struct reregister *reregister;       /* session/reregister.h */
    struct room_reports *room_reports;   /* session/room_reports.h */
    struct ordered_rooms *ordered_rooms; /* session/ordered_rooms.h */
    struct room_pages *room_pages;       /* session/asked_sessions.h */
    struct strmap *goim_keys;            /* session/goim_keys.h; NULL: there was none yet */
    struct upstream *upstream;           /* session/upstream.h */
    struct token_ends *token_ends;       /* session/token_ends.h */
    struct renewals *renewals;           /* session/renewals.h */
    struct session_log *session_log;     /* session/session_log.h */
    struct room_events *room_events;     /* session/room_events.h */
    struct logic_requests *connects;     /* for Connects and Renews; NULL: they go by `logic` */
    struct push_traces *traces;          /* session/push_trace.h; NULL: there was none yet */
    struct cluster_view *view; /* who is alive, as last posted; never NULL once the loop runs */
    size_t connects_waiting;   /* clients that have authenticated, beyond logic.connects */
    size_t sessions;           /* admitted and not closed yet */
    enum memory_level memory;  /* as last posted */
    bool closed;               /* the loop has ended: what is still in the inbox is only freed */
    uv_timer_t drain_wait;     /* nobody is left: until logic has answered everything */
    void (*drained_run)(struct loop *loop, struct inbox_item *item);
};

/* Where Connects go, and what waits for the business or for Kafka as they do. */
static inline struct logic_requests *worker_connects(const struct worker *worker)
{
    return worker->connects != NULL ? worker->connects : worker->logic;
}

#endif

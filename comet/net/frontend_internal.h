/* frontend_internal.h - what the frontend of one loop consists of. Owner loop only. */
#ifndef IMC_COMET_NET_FRONTEND_INTERNAL_H
#define IMC_COMET_NET_FRONTEND_INTERNAL_H

#include "comet/base/config.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/net/poller.h"
#include "common/base/list.h"
#include "common/containers/slab.h"
#include "common/containers/wheel.h"

struct client_rules;
struct conn;
struct conn_events;
struct frontend_tls;
struct listeners;
struct mass_kick;
struct sendq;

enum {
    FRONTEND_READ = 64 * 1024,     /* read per connection and turn */
    FRONTEND_SCRATCH = 32 * 1024,  /* replies and pushes are encoded here */
    FRONTEND_STRANGER = 4 * 1024,  /* the same before auth, or if frontend_read_little() */
    FRONTEND_LINGER_KIB = 1024,    /* thrown away, after our last words, before we hang up */
    FRONTEND_HTTP_MAX = 32 * 1024, /* request line and headers: browsers send cookies */
};

struct frontend {
    struct worker *worker;
    const struct conn_events *events;
    struct poller *poller;
    /* Every connection is in one of them. parting: mass_kick_all() has asked where it may go. */
    LIST_HEAD(, conn) live, parting, closing;
    size_t n_conns;
    struct slab *conns, *sendqs, *entries;
    struct wheel *wheel;
    uint8_t *in; /* shared by all connections: the rest of the last read, then what is read now */
    size_t in_ahead; /* bytes of `in` for that rest */
    size_t in_kept;  /* bytes of that rest, which the parser has seen before */
    uint8_t *scratch;
    struct conn *corked; /* the one whose input is being handled: its replies gather in `cork` */
    uint8_t *cork;
    size_t cork_len;
    size_t bite;        /* read per open connection and turn: frontend_read_little() */
    size_t max_message; /* WebSocket, JSON mode */
    size_t max_auth;    /* likewise, before auth */
    size_t max_auth_body;
    struct client_rules *rules; /* client_address.h */
    struct conn *chain;         /* conn_internal.h */
    struct loop_task attend;
    LIST_HEAD(, sendq) queued; /* every connection with a queue */
    size_t n_queued;
    uv_timer_t scan;
    struct listeners *listeners;
    struct frontend_tls *tls;        /* conn_tls.h; NULL: no listener speaks TLS */
    struct map64 *passed;            /* passed_headers.h; NULL: there was nothing yet */
    struct mass_kick *kick, *recall; /* mass_kick_all(), mass_kick_recall() */
    int open_handles;                /* the timers above, until closed */
};

#endif

/* internal.h - what webhook.c and lane.c share. Owner loop only. */
#ifndef IMC_COMMON_WEBHOOK_INTERNAL_H
#define IMC_COMMON_WEBHOOK_INTERNAL_H

#include "common/http/addresses.h"
#include "common/tls/tls.h"
#include "common/webhook/signature.h"
#include "common/webhook/webhook.h"

TAILQ_HEAD(webhook_queue, webhook_ticket);

enum { WEBHOOK_WHY_MAX = 256 };

/* Has one post under way.
 *
 *              lane_go                     2xx
 *   IDLE ─────────────────► POSTING ──────────────────► IDLE, or the next batch
 *    ▲   └► RESOLVING ──┐      │
 *    │   a name is known│      │ anything else
 *    └── lane_go ◄──────┘      ▼
 *    ▲                      PAUSED: its timer runs
 *    └──────────────────────┘ */
struct webhook_lane {
    struct webhook *hook;
    struct http_client *client; /* NULL: none yet */
    union endpoint address;     /* of the client */
    struct webhook_queue queue; /* in order, behind the batch */
    struct webhook_queue batch; /* what was posted last, without those that were cancelled */
    size_t n_posted;            /* events in that post */
    size_t most;                /* events in the next one */
    unsigned failures;          /* in a row */
    unsigned refused;           /* events that were refused alone, in a row */
    bool posting;
    uint64_t posted_ns;
    uv_timer_t pause;
};

struct webhook {
    struct webhook_options options;
    struct http_url url;
    struct http_addresses *addresses;
    struct webhook_keys *keys;
    struct tls *own_tls;    /* NULL: the daemon's */
    struct tls_client *tls; /* NULL: not https */
    bool names_private;     /* the URL itself names a private address */
    bool disabled;          /* the business answered 410 */
    bool closed;
    uint64_t until_ms;      /* loop time: the business wants no post before */
    size_t n_failing;       /* lanes with failures */
    size_t bytes;           /* of events that are not done */
    bool failing;           /* ready() was told so */
    bool logged;            /* and the log */
    uint64_t logged_ms;     /* when a failure was logged last; 0: none was */
    size_t n_lanes, n_open; /* n_open: handles */
    struct webhook_lane *lanes;
    struct loop_task pump;
    uv_timer_t last; /* closed after the lanes, so that their connections are gone */
};

void lane_open(struct webhook *hook, struct webhook_lane *lane);
void lane_close(struct webhook_lane *lane, uv_close_cb closed);
/* Posts what waits, if it may. */
void lane_go(struct webhook_lane *lane);
/* Ends a pause. */
void lane_forgive(struct webhook_lane *lane);
/* Nothing can be posted: WHY. */
void lane_unreachable(struct webhook_lane *lane, const char *why);
/* All that LANE has is done, with ERR. */
void lane_fail_all(struct webhook_lane *lane, int err);
bool lane_is_paused(const struct webhook_lane *lane);

/* The address to post to; NULL: there is none, and WHY says why, or it is "" while the name is
 * looked up. */
const union endpoint *webhook_address(struct webhook *hook, char why[WEBHOOK_WHY_MAX]);
/* A post has failed; or, WHY NULL, succeeded. For log and readiness. */
void webhook_tell(struct webhook *hook, const char *why);
void webhook_disable(struct webhook *hook);
void webhook_count(const struct webhook *hook, enum webhook_count what, int64_t by);

#endif

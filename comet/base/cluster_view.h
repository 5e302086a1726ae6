/* cluster_view.h - who is alive: one immutable, reference-counted view. The main loop makes it from
 * the membership lists, the workers read it. */
#ifndef IMC_COMET_BASE_CLUSTER_VIEW_H
#define IMC_COMET_BASE_CLUSTER_VIEW_H

#include "common/containers/ring.h"
#include "common/membership/membership.h"

struct cluster_view {
    _Atomic uint32_t refs;
    uint64_t comet_epoch; /* ours: sessions are registered under it */
    bool lapsed;        /* the epoch is new because our lease had lapsed: others took us for dead */
    uint64_t ring_hash; /* 0: no router */
    struct ring *ring;  /* over ROUTERS; NULL without routers */
    size_t n_routers, n_logics;
    struct member *routers, *logics; /* own copies */
};

struct cluster_view *cluster_view_new(const struct member_list *logics,
                                      const struct member_list *routers, uint64_t comet_epoch,
                                      bool lapsed);
struct cluster_view *cluster_view_ref(struct cluster_view *view);
void cluster_view_unref(struct cluster_view *view);
/* Has VIEW that life of a logic? */
bool cluster_view_has_logic(const struct cluster_view *view, const char *id, uint64_t epoch);
/* True if in both views the same life of the same router keeps the sessions of UID. */
bool cluster_view_same_owner(const struct cluster_view *a, const struct cluster_view *b,
                             int64_t uid);

#endif

#include "comet/base/cluster_view.h"
#include "common/base/mem.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static struct member *members_copy(const struct member_list *list)
{
    if (list->n == 0)
        return NULL;
    struct member *copy = mem_alloc(list->n * sizeof *copy);
    memcpy(copy, list->members, list->n * sizeof *copy);
    return copy;
}

struct cluster_view *cluster_view_new(const struct member_list *logics,
                                      const struct member_list *routers, uint64_t comet_epoch,
                                      bool lapsed)
{
    struct cluster_view *view = mem_zalloc(sizeof *view);

    atomic_init(&view->refs, 1);
    view->comet_epoch = comet_epoch;
    view->lapsed = lapsed;
    view->n_logics = logics->n;
    view->logics = members_copy(logics);
    view->n_routers = routers->n;
    view->routers = members_copy(routers);
    view->ring = routers->n > 0 ? member_list_ring(routers) : NULL;
    view->ring_hash = view->ring != NULL ? ring_hash(view->ring) : 0;
    return view;
}

struct cluster_view *cluster_view_ref(struct cluster_view *view)
{
    atomic_fetch_add_explicit(&view->refs, 1, memory_order_relaxed);
    return view;
}

void cluster_view_unref(struct cluster_view *view)
{
    if (view == NULL || atomic_fetch_sub_explicit(&view->refs, 1, memory_order_acq_rel) != 1)
        return;
    ring_free(view->ring);
    free(view->routers);
    free(view->logics);
    free(view);
}

bool cluster_view_has_logic(const struct cluster_view *view, const char *id, uint64_t epoch)
{
    for (size_t i = 0; i < view->n_logics; i++) {
        if (view->logics[i].epoch == epoch && strcmp(view->logics[i].id, id) == 0)
            return true;
    }
    return false;
}

bool cluster_view_same_owner(const struct cluster_view *a, const struct cluster_view *b,
                             int64_t uid)
{
    if (a->comet_epoch != b->comet_epoch || a->ring == NULL || b->ring == NULL)
        return false;
    if (a->ring_hash == b->ring_hash)
        return true;
    int at_a = ring_find_uid(a->ring, uid), at_b = ring_find_uid(b->ring, uid);
    if (at_a < 0 || at_b < 0)
        return false; /* routers without weight own nothing */
    const struct member *owner_a = &a->routers[at_a], *owner_b = &b->routers[at_b];
    return owner_a->epoch == owner_b->epoch && strcmp(owner_a->id, owner_b->id) == 0;
}

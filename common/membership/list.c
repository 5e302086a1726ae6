/* Sorts, compares and searches lists of members, and makes rings of them. */
#include "common/base/mem.h"
#include "common/containers/ring.h"
#include "common/membership/internal.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    return strcmp(x->id, y->id);
}

void member_list_sort(struct member_list *list)
{
    if (list->n > 0)
        qsort(list->members, list->n, sizeof list->members[0], compare);
}

void member_list_keep(struct member_list *list, const struct member_list *old)
{
    size_t n = list->n;
    list->members = mem_realloc(list->members, (n + old->n + 1) * sizeof list->members[0]);
    struct member_list found = {.n = n, .members = list->members};
    for (size_t i = 0; i < old->n; i++) {
        if (member_list_find(&found, old->members[i].id) == NULL)
            list->members[list->n++] = old->members[i];
    }
    member_list_sort(list);
}

bool member_same(const struct member *a, const struct member *b)
{
    return strcmp(a->id, b->id) == 0 && a->epoch == b->epoch && a->process == b->process &&
           a->node == b->node && a->weight == b->weight && strcmp(a->rpc, b->rpc) == 0 &&
           strcmp(a->tcp, b->tcp) == 0 && strcmp(a->ws, b->ws) == 0 &&
           strcmp(a->tcps, b->tcps) == 0 && strcmp(a->wss, b->wss) == 0 &&
           strcmp(a->host, b->host) == 0 && strcmp(a->ips, b->ips) == 0 &&
           strcmp(a->region, b->region) == 0 && strcmp(a->zone, b->zone) == 0 &&
           a->refuses_clients == b->refuses_clients && a->draining == b->draining;
}

void member_take_counts(struct member *member, const struct member *from)
{
    member->connections = from->connections;
    member->client_ips = from->client_ips;
    memcpy(member->unready, from->unready, sizeof member->unready);
}

bool member_list_same(const struct member_list *a, const struct member_list *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (!member_same(&a->members[i], &b->members[i]))
            return false;
    }
    return true;
}

struct member *member_list_find(const struct member_list *list, const char *id)
{
    size_t low = 0, high = list->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(id, list->members[middle].id);
        if (order == 0)
            return &list->members[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

void member_list_free(struct member_list *list)
{
    free(list->members);
    *list = (struct member_list){0};
}

struct ring *member_list_ring(const struct member_list *list)
{
    struct ring_node *nodes = mem_zalloc((list->n + 1) * sizeof *nodes);

    for (size_t i = 0; i < list->n; i++) {
        const struct member *member = &list->members[i];
        nodes[i] = (struct ring_node){
            .name = member->id, .epoch = member->epoch, .weight = member->weight};
    }
    struct ring *ring = ring_new(nodes, list->n);
    free(nodes);
    return ring;
}

#include "logic/http/key_groups.h"
#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Bytes that a key takes in an envelope besides itself: tag and length. */
enum { KEY_OVERHEAD = 3 };

struct owned_key {
    int64_t uid;
    const char *key;
};

static int compare(const void *a, const void *b)
{
    const struct owned_key *x = a, *y = b;

    if (x->uid != y->uid)
        return x->uid < y->uid ? -1 : 1;
    return strcmp(x->key, y->key);
}

/* Appends the N keys of one user; repeated ones stand side by side. */
static void add_group(struct key_groups *groups, const struct owned_key *owned, size_t n,
                      size_t *used)
{
    struct push_keys *keys = &groups->keys[groups->n];
    size_t bytes = 0, begin = *used;

    for (size_t i = 0; i < n; i++) {
        if (i > 0 && strcmp(owned[i].key, owned[i - 1].key) == 0)
            continue;
        groups->list[(*used)++] = owned[i].key;
        bytes += strlen(owned[i].key) + KEY_OVERHEAD;
    }
    *keys = (struct push_keys){&groups->list[begin], *used - begin};
    groups->uids[groups->n++] = owned->uid;
    if (bytes > groups->longest)
        groups->longest = bytes;
}

struct key_groups *key_groups_new(const struct key_set *set,
                                  bool (*wants)(const void *arg, int64_t uid), const void *arg)
{
    struct key_groups *groups = mem_zalloc(sizeof *groups + set->n * sizeof groups->list[0]);
    struct owned_key *owned = mem_alloc((set->n + 1) * sizeof *owned);
    size_t n = 0, used = 0;

    groups->uids = mem_alloc((set->n + 1) * sizeof *groups->uids);
    groups->keys = mem_alloc((set->n + 1) * sizeof *groups->keys);
    for (size_t i = 0; i < set->n; i++) {
        const struct device_key_owner *owner = &set->owners[i];
        groups->unknown += !owner->known;
        if (owner->known && wants(arg, owner->uid))
            owned[n++] = (struct owned_key){owner->uid, set->keys[i]};
    }
    qsort(owned, n, sizeof *owned, compare);
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && owned[to].uid == owned[from].uid;)
            to++;
        add_group(groups, &owned[from], to - from, &used);
    }
    free(owned);
    return groups;
}

void key_groups_free(struct key_groups *groups)
{
    if (groups == NULL)
        return;
    free(groups->uids);
    free(groups->keys);
    free(groups);
}

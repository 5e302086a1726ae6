/*   top:    router_top ───► each router's list ─► gathered ─► sorted by name: repeated ones are one
 *   page:                                                  └► top: sorted by sessions ─► cut ─► fn
 *   named:  router_total, for each room ────────► counts[i] ─► fn */
#include "logic/router/room_lists.h"
#include "common/base/array.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct room_list {
    router_fn fn;
    void *arg;
    size_t pending; /* answers that have not come */
    enum router_result result;
    char *prefix, *after; /* top, page */
    bool by_name;         /* page */
    size_t limit;
    struct router_counted *counts; /* their names are ours */
    size_t n, cap;
};

/* One room of a list by name. */
struct room_named {
    struct room_list *list;
    size_t index;
};

static struct room_list *list_new(router_fn fn, void *arg)
{
    struct room_list *list = mem_zalloc(sizeof *list);

    list->fn = fn;
    list->arg = arg;
    return list;
}

static void list_free(struct room_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(mem_unconst(list->counts[i].name));
    free(list->counts);
    free(list->prefix);
    free(list->after);
    free(list);
}

static void list_add(struct room_list *list, const char *name, uint64_t sessions)
{
    ARRAY_ROOM(list->counts, list->n, list->cap, 16);
    list->counts[list->n++] = (struct router_counted){mem_strdup(name), sessions};
}

static void list_finish(struct room_list *list, size_t n)
{
    const struct router_answer answer = {
        .result = list->result, .n_counts = n, .counts = list->counts};

    list->fn(list->arg, &answer);
    list_free(list);
}

/* An answer has come. True: it was the last. The worst result stays. */
static bool list_answered(struct room_list *list, enum router_result result)
{
    if (result > list->result)
        list->result = result;
    return --list->pending == 0;
}

/* --- the largest --- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct router_counted *)a)->name,
                  ((const struct router_counted *)b)->name);
}

static int by_sessions(const void *a_, const void *b_)
{
    const struct router_counted *a = a_, *b = b_;

    if (a->sessions != b->sessions)
        return a->sessions > b->sessions ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* Two routers have the same room only while they see different routers. The larger number is the
 * better one then: the other router is still being told. */
static void list_merge(struct room_list *list)
{
    size_t n = 0;

    qsort(list->counts, list->n, sizeof *list->counts, by_name);
    for (size_t i = 0; i < list->n; i++) {
        struct router_counted *count = &list->counts[i];
        struct router_counted *last = n == 0 ? NULL : &list->counts[n - 1];
        if (last == NULL || strcmp(last->name, count->name) != 0) {
            list->counts[n++] = *count;
            continue;
        }
        if (count->sessions > last->sessions)
            last->sessions = count->sessions;
        free(mem_unconst(count->name));
    }
    list->n = n;
    if (!list->by_name)
        qsort(list->counts, n, sizeof *list->counts, by_sessions);
}

static void on_top(void *arg, const struct router_answer *answer)
{
    struct room_list *list = arg;

    for (size_t i = 0; i < answer->n_counts && i < list->limit; i++)
        list_add(list, answer->counts[i].name, answer->counts[i].sessions);
    if (!list_answered(list, answer->result))
        return;
    if (list->n > 0)
        list_merge(list);
    list_finish(list, list->n < list->limit ? list->n : list->limit);
}

static void ask(struct routers *routers, const struct router_list *what, router_fn fn, void *arg)
{
    assert(what->limit >= 1 && what->limit <= ROOM_LISTS_TOP_MAX);
    struct room_list *list = list_new(fn, arg);
    struct router_list copy = *what;

    list->limit = what->limit;
    list->by_name = what->by_name;
    copy.prefix = list->prefix = mem_strdup(what->prefix);
    copy.after = list->after = mem_strdup(what->after);
    list->pending = router_top(routers, &copy, on_top, list);
}

void room_lists_top(struct routers *routers, const char *prefix, uint32_t limit, router_fn fn,
                    void *arg)
{
    ask(routers, &(struct router_list){.prefix = prefix, .limit = limit, .after = ""}, fn, arg);
}

void room_lists_page(struct routers *routers, const char *prefix, const char *after, uint32_t limit,
                     router_fn fn, void *arg)
{
    const struct router_list what = {
        .prefix = prefix, .limit = limit, .by_name = true, .after = after};

    ask(routers, &what, fn, arg);
}

/* --- by name --- */

static void on_total(void *arg, const struct router_answer *answer)
{
    struct room_named *named = arg;
    struct room_list *list = named->list;

    list->counts[named->index].sessions = answer->room_total;
    free(named);
    if (list_answered(list, answer->result))
        list_finish(list, list->n);
}

void room_lists_named(struct routers *routers, const char *const *names, size_t n, router_fn fn,
                      void *arg)
{
    assert(n >= 1 && n <= ROOM_LISTS_NAMED_MAX);
    struct room_list *list = list_new(fn, arg);

    for (size_t i = 0; i < n; i++)
        list_add(list, names[i], 0);
    list->pending = n;
    for (size_t i = 0; i < n; i++) {
        struct room_named *named = mem_alloc(sizeof *named);
        *named = (struct room_named){list, i};
        router_total(routers, list->counts[i].name, on_total, named);
    }
}

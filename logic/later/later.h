/* later.h - messages for later: they wait in Redis until they are due. Main loop only.
 *
 *   later_add ─► imc:later ──due── later_take ─► imc:later:taken ─► deliver() ─┬─► later_end: over
 *                   ▲                                │ its logic has died      └─► due again
 *                   └────────────────────────────────┘
 *
 * On each shard imc:later is a sorted set of ids by when they are due, imc:later:taken one of those
 * that a logic delivers, by when its lease ends, and imc:later:what a hash from id to record. A
 * script moves an id from one set to the other. So one logic has it at a time, and if that dies,
 * another gets it when the lease ends. */
#ifndef IMC_LOGIC_LATER_LATER_H
#define IMC_LOGIC_LATER_LATER_H

#include "logic/base/logic.h"

enum { LATER_ID_MAX = 200, LATER_PAGE_MAX = 100 };

struct later;
struct later_item {
    const char *id;
    uint64_t due_ms;    /* Unix time; only of a list */
    const char *record; /* LEN bytes, and a NUL */
    size_t len;
};

/* ITEM is due: it is valid during the call. The receiver calls later_end() with its id, now or
 * later. */
typedef void (*later_deliver_fn)(struct logic *logic, const struct later_item *item);

/* Looks several times a second what is due. */
struct later *later_open(struct logic *logic, later_deliver_fn deliver);
/* NULL is fine. */
void later_close(struct later *later);

/* ERR: 0; -EEXIST, ID waits already with this record; -EBUSY, it does with another; -E2BIG, too
 * many wait (later.max); -ENOENT, it does not wait; -EAGAIN, Redis did not answer. */
typedef void (*later_fn)(void *arg, int err);
/* ITEM is copied. FN runs once, never before this returns. */
void later_add(struct logic *logic, const struct later_item *item, later_fn fn, void *arg);
/* -ENOENT also if it is being delivered. */
void later_cancel(struct logic *logic, const char *id, later_fn fn, void *arg);
/* What was delivered is over (AGAIN_MS 0), or due again then. There is nothing to wait for. */
void later_end(struct logic *logic, const char *id, uint64_t again_ms);

/* Valid during the call. */
typedef void (*later_list_fn)(void *arg, int err, const struct later_item *items, size_t n);
struct later_from {
    size_t shard;
    uint64_t due_ms;   /* due then, or after it */
    const char *after; /* of those that are due then, only ids behind this; "": all */
    size_t limit;      /* at most LATER_PAGE_MAX */
};
/* The first ones of FROM. They are fewer than its limit if they are long. */
void later_list(struct logic *logic, const struct later_from *from, later_list_fn fn, void *arg);

#endif

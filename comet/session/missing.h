/* missing.h - the messages a session does not have yet although they were accepted: held in memory,
 * or in its user's mailbox; and which of them may be written next. Owner loop only.
 *
 * Two lists are merged by id when they are written: `fetched` came from the mailbox and is
 * confirmed there once written, `held` came from job meanwhile. Nothing here asks anybody:
 * catchup.c does. */
#ifndef IMC_COMET_SESSION_MISSING_H
#define IMC_COMET_SESSION_MISSING_H

#include "comet/wire/push.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;

struct held {
    struct held *next;
    struct push push; /* with a reference to its backing */
    struct ticket ticket;
};

struct held_list {
    struct held *head, **tail;
    size_t n;
};

enum { MISSING_WANTED_MAX = 1024 };

struct dropped {
    uint64_t id, until_ms;
};

struct missing {
    bool fetch_asked; /* a Fetch is unanswered */
    bool everything;  /* take whatever waits, not only what is wanted */
    bool whole;       /* … and from the mailbox's beginning, or what is written already */
    bool more;        /* the mailbox holds more than the last page */
    /* Up to this id what is owed only to other sessions is taken as well: a session that connects
     * reads the mailbox to its end in their place (one may have been its former self), and keeps
     * what it read so until it is written. Behind it that would be what this session has had. */
    uint64_t others_upto;
    /* The lowest id put into the mailbox since it was asked, 0 = none: it must be read again, and
     * nothing newer than that may be written before. */
    uint64_t stale;
    uint64_t page_last; /* last id of the last page */
    uint64_t begun;     /* was stored although a part of it had left: not written again; 0 = none */
    uint64_t after;     /* everything: the last id taken */
    /* Ids of the Stores that are unanswered, rising: nothing newer than the first may be written.
     */
    uint64_t *storing;
    uint32_t first_storing, n_storing, cap_storing; /* at [first, first + n) */
    uint32_t n_wanted, cap_wanted;
    uint64_t *wanted; /* ids in the mailbox that are for this session */
    /* Messages handed back to job, which settles them and pokes: nothing newer may be written
     * before they have come. Each is waited for only so long: another device may have got it, then
     * no poke comes. */
    uint32_t n_dropped;
    struct dropped *dropped;
    struct held_list fetched, held;
};

void missing_init(struct missing *missing);
/* Drops the tickets of what is held, frees what it has. */
void missing_clear(struct missing *missing, struct conn *conn);
/* In the order of ids. */
void missing_add(struct held_list *list, const struct push *push, struct ticket ticket);
/* The next message in order, NULL when none may be written yet: while the mailbox may still hold
 * something older than what is held (it has not been read to the end since the last thing was put
 * there), what is held waits, and so does what is newer than that. */
struct held *missing_next(struct missing *missing);
/* The next message in order whether it may be written or not; NULL when there is none. */
struct held *missing_pop(struct missing *missing);
/* Puts the message that missing_next() returned back, as the next one. */
void missing_put_back(struct missing *missing, struct held *held);
void held_free(struct held *held);
/* Forgets what was fetched and not written; it is wanted again. */
void missing_unfetch(struct missing *missing);
/* The held message of this id, taken out; NULL if there is none. */
struct held *missing_unhold(struct missing *missing, uint64_t id);
/* Everything in the mailbox is wanted, from its beginning. */
void missing_want_all(struct missing *missing);
void missing_want(struct missing *missing, uint64_t id);
/* The same for one that was fetched before, whoever may be owed it. */
void missing_want_again(struct missing *missing, uint64_t id);
/* True if ID is for this session; it is wanted no longer. */
bool missing_take(struct missing *missing, uint64_t id);
/* Remembers until UNTIL_MS that ID was handed back to job; beyond MISSING_WANTED_MAX later ones are
 * known by an earlier one's being there. */
void missing_drop(struct missing *missing, uint64_t id, uint64_t until_ms);
/* Forgets those that were waited for long enough, but for those whose time was over long ago: we
 * stood still, and wait for them for WAIT_MS again. When the next one will have been; 0: none is
 * waited for. */
uint64_t missing_drops_due(struct missing *missing, uint64_t now_ms, uint64_t wait_ms);
/* ID came after all. */
void missing_undrop(struct missing *missing, uint64_t id);
/* ID was put into the mailbox (1: who knows what was). */
void missing_put(struct missing *missing, uint64_t id);
/* A Store of ID is on its way / was answered. */
void missing_storing(struct missing *missing, uint64_t id);
void missing_stored(struct missing *missing, uint64_t id);
/* Something older than ID was handed back to job and has not come yet. */
bool missing_awaits(const struct missing *missing, uint64_t id);
/* ID must not be written yet: the same, or something older was or is being put into the mailbox and
 * has not been read. */
bool missing_blocks(const struct missing *missing, uint64_t id);
/* missing_next() would return one. */
bool missing_has_next(const struct missing *missing);
/* Something in the mailbox may be for this session. */
bool missing_wants(const struct missing *missing);
/* The next Fetch may leave out what is owed only to others. */
bool missing_leaves_others(const struct missing *missing);
/* Where the next Fetch begins. */
uint64_t missing_fetch_after(const struct missing *missing);
/* Asserts that lists are in order and counted. */
void missing_check(const struct missing *missing);

#endif

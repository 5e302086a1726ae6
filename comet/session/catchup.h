/* catchup.h - the messages a session does not have yet although they were accepted: held in memory,
 * or in its user's mailbox. Exists only while a session is not up to date (session.h draws when).
 * Owner loop only.
 *
 * Two lists are merged by id when they are written: `fetched` came from the mailbox and is
 * confirmed there once written, `held` came from job meanwhile. */
#ifndef IMC_COMET_SESSION_CATCHUP_H
#define IMC_COMET_SESSION_CATCHUP_H

#include "comet/wire/push.h"
#include "common/containers/wheel.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;

enum catchup_mode {
    CATCHUP_CONNECTING, /* logic has not answered yet */
    CATCHUP_GAP,        /* imgo.sdk_gap after the auth reply */
    CATCHUP_FETCHING,   /* the mailbox is being read, or is about to be */
    CATCHUP_SPILLING, /* the socket is slow: everything goes to the mailbox until it has drained */
};

struct held {
    struct held *next;
    struct push push; /* with a reference to its backing */
    struct ticket ticket;
};

struct held_list {
    struct held *head, **tail;
    size_t n;
};

enum { CATCHUP_WANTED_MAX = 1024 };

struct dropped {
    uint64_t id, until_ms;
};

struct catchup {
    struct conn *conn;
    struct wheel_timer timer; /* end of the gap, or next try to fetch */
    enum catchup_mode mode;
    bool fetch_asked; /* a Fetch is unanswered */
    bool fetch_void;  /* … and its answer no longer fits: the session has spilled since */
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
    bool awaits_poke; /* what the timer is set for */
    struct held_list fetched, held;
};

struct catchup *catchup_new(struct conn *conn, enum catchup_mode mode);
/* Drops the tickets of what is held. */
void catchup_free(struct catchup *catchup);
/* In the order of ids. */
void catchup_add(struct held_list *list, const struct push *push, struct ticket ticket);
/* The next message in order, NULL when none may be written yet: while the mailbox may still hold
 * something older than what is held (it has not been read to the end since the last thing was put
 * there), what is held waits, and so does what is newer than that. */
struct held *catchup_next(struct catchup *catchup);
/* The next message in order whether it may be written or not; NULL when there is none. */
struct held *catchup_pop(struct catchup *catchup);
/* Puts the message that catchup_next() returned back, as the next one. */
void catchup_put_back(struct catchup *catchup, struct held *held);
void held_free(struct held *held);
/* Forgets what was fetched and not written; it is wanted again. */
void catchup_unfetch(struct catchup *catchup);
/* The held message of this id, taken out; NULL if there is none. */
struct held *catchup_unhold(struct catchup *catchup, uint64_t id);
void catchup_want(struct catchup *catchup, uint64_t id);
/* The same for one that was fetched before, whoever may be owed it. */
void catchup_want_again(struct catchup *catchup, uint64_t id);
/* True if ID is for this session; it is wanted no longer. */
bool catchup_take(struct catchup *catchup, uint64_t id);
/* Remembers until UNTIL_MS that ID was handed back to job; beyond CATCHUP_WANTED_MAX later ones are
 * known by an earlier one's being there. */
void catchup_drop(struct catchup *catchup, uint64_t id, uint64_t until_ms);
/* Forgets those that were waited for long enough, but for those whose time was over long ago: we
 * stood still, and wait for them for WAIT_MS again. When the next one will have been; 0: none is
 * waited for. */
uint64_t catchup_drops_due(struct catchup *catchup, uint64_t now_ms, uint64_t wait_ms);
/* ID came after all. */
void catchup_undrop(struct catchup *catchup, uint64_t id);
/* ID was put into the mailbox (1: who knows what was). */
void catchup_put(struct catchup *catchup, uint64_t id);
/* A Store of ID is on its way / was answered. */
void catchup_storing(struct catchup *catchup, uint64_t id);
void catchup_stored(struct catchup *catchup, uint64_t id);
/* Something older than ID was handed back to job and has not come yet. */
bool catchup_awaits(const struct catchup *catchup, uint64_t id);
/* ID must not be written yet: the same, or something older was or is being put into the mailbox and
 * has not been read. */
bool catchup_blocks(const struct catchup *catchup, uint64_t id);
/* catchup_next() would return one. */
bool catchup_has_next(const struct catchup *catchup);
/* Something in the mailbox may be for this session. */
bool catchup_wants(const struct catchup *catchup);
/* The next Fetch may leave out what is owed only to others. */
bool catchup_leaves_others(const struct catchup *catchup);
/* Where the next Fetch begins. */
uint64_t catchup_fetch_after(const struct catchup *catchup);

#endif

/* missing.h - the messages that were accepted and that a session does not have yet. They are held
 * in memory, or wait in the user's mailbox. Knows which of them may be written next. Owner loop
 * only.
 *
 * Two lists are merged by id when they are written. `fetched` came from the mailbox and is
 * confirmed once written; `held` came from job meanwhile. This module sends no requests: catchup.c
 * does. */
#ifndef IMC_COMET_SESSION_MISSING_H
#define IMC_COMET_SESSION_MISSING_H

#include "comet/wire/push.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;

struct held {
    struct held *next;
    struct push push; /* holds a reference to its backing */
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
    bool everything;  /* take all that waits, not only `wanted` */
    bool whole;       /* … from the mailbox's beginning on, but for what is written already */
    bool more;        /* the mailbox holds more than the last page */
    /* Up to this id the session also takes messages owed only to the user's other sessions. A
     * session that has just connected does so to the mailbox's end, because one of the others may
     * be this device's previous connection. Messages taken so stay wanted until they are written.
     * Beyond this id, messages owed only to others are ones that this session has had. */
    uint64_t others_upto;
    /* The lowest id that was put into the mailbox since the last Fetch; 0: none. The mailbox must
     * be read again before that or anything newer is written. */
    uint64_t stale;
    uint64_t page_last; /* the last id of the last page */
    uint64_t begun;     /* was stored after a part of it was sent: not written again; 0: none */
    uint64_t after;     /* with `everything`: the last id taken */
    /* Ids of the unanswered Stores, rising. Nothing newer than the first of them may be written. */
    uint64_t *storing;
    uint32_t first_storing, n_storing, cap_storing; /* at [first, first + n) */
    uint32_t n_wanted, cap_wanted;
    uint64_t *wanted; /* ids of messages in the mailbox for this session */
    /* Messages handed back to job, which settles them and pokes. Nothing newer may be written
     * before they have come. The wait for each is limited, because no poke comes if another device
     * got it. */
    uint32_t n_dropped;
    struct dropped *dropped;
    struct held_list fetched, held;
};

void missing_init(struct missing *missing);
/* Ends the tickets of all messages as dropped, and frees them. */
void missing_clear(struct missing *missing, struct conn *conn);
/* Adds to LIST in the order of ids. */
void missing_add(struct held_list *list, const struct push *push, struct ticket ticket);
/* Takes out the next message in order; NULL if none may be written yet. A message from job waits
 * while the mailbox may hold an older one: until it was read to the end since something was last
 * put there. */
struct held *missing_next(struct missing *missing);
/* Takes out the next message in order, whether it may be written or not; NULL: there is none. */
struct held *missing_pop(struct missing *missing);
/* Puts the message that missing_next() returned back, as the next one. */
void missing_put_back(struct missing *missing, struct held *held);
void held_free(struct held *held);
/* Forgets what was fetched and not written, and wants it again. */
void missing_unfetch(struct missing *missing);
/* Takes out the held message with this id; NULL: there is none. */
struct held *missing_unhold(struct missing *missing, uint64_t id);
/* Wants everything in the mailbox, from its beginning. */
void missing_want_all(struct missing *missing);
void missing_want(struct missing *missing, uint64_t id);
/* Wants ID, which was fetched before, even if it is owed only to other sessions. */
void missing_want_again(struct missing *missing, uint64_t id);
/* True if ID is wanted. It is then taken, and wanted no longer. */
bool missing_take(struct missing *missing, uint64_t id);
/* Remembers until UNTIL_MS that ID was handed back to job. Beyond MISSING_WANTED_MAX it is not
 * listed: newer messages wait for the listed ones anyway. */
void missing_drop(struct missing *missing, uint64_t id, uint64_t until_ms);
/* Forgets the messages handed back to job for which the wait is over. If a wait was over long ago,
 * the loop stood still, and the wait begins again with WAIT_MS. Returns when the next wait is over;
 * 0: there is none. */
uint64_t missing_drops_due(struct missing *missing, uint64_t now_ms, uint64_t wait_ms);
/* ID came after all. */
void missing_undrop(struct missing *missing, uint64_t id);
/* ID was put into the mailbox; 1: it is not known which. */
void missing_put(struct missing *missing, uint64_t id);
/* missing_storing(): a Store of ID was sent. missing_stored(): it was answered. */
void missing_storing(struct missing *missing, uint64_t id);
void missing_stored(struct missing *missing, uint64_t id);
/* The newest message older than ID that may not be in the mailbox yet, because it is on its way
 * there or was handed back to job; 0: none. */
uint64_t missing_behind(const struct missing *missing, uint64_t id);
/* True: ID was handed back to job and has not come yet. */
bool missing_is_dropped(const struct missing *missing, uint64_t id);
/* True: a message older than ID was handed back to job and has not come yet. */
bool missing_awaits(const struct missing *missing, uint64_t id);
/* True: ID must not be written yet. An older message was handed back to job, or was or is being put
 * into the mailbox and was not read yet. */
bool missing_blocks(const struct missing *missing, uint64_t id);
/* True: missing_next() would return a message. */
bool missing_has_next(const struct missing *missing);
/* True: messages in the mailbox may be for this session. */
bool missing_wants(const struct missing *missing);
/* If the mailbox has nothing for this session, newer messages need not wait until it was read. So a
 * session whose messages could not be stored goes on while Redis is away. */
void missing_spare_fetch(struct missing *missing);
/* True: the next Fetch may leave out messages owed only to other sessions. */
bool missing_leaves_others(const struct missing *missing);
/* The next Fetch is for ids above this one. */
uint64_t missing_fetch_after(const struct missing *missing);
/* Asserts that lists are in order and counted. */
void missing_check(const struct missing *missing);

#endif

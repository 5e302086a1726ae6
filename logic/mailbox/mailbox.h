/* mailbox.h - the durable place of a uid in Redis: a sorted set, imc:mb:UID, and beside it, only
 * while some messages are kept for certain sessions, a hash, imc:mb:UID:owed, and only while some
 * have an end of their own (ttl), a number, imc:soon:UID. Main loop only, except the encoding
 * (pure).
 *
 *   score  = milliseconds of the id
 *   member = id (8 bytes, big-endian) | operation (4) | expires_ms (8) | body
 *
 *   field  = id (8 bytes)
 *   value  = tokens of the sessions that are owed the message (receivers.h); none: who reads it
 *
 *   soon   = not before these milliseconds does one of them end
 *
 * The keys live as long as what waits in them. Storing drops what has ended by then.
 *
 * Members of one millisecond are ordered by id, for Redis orders equal scores by the member's
 * bytes. Storing twice changes nothing; reading removes nothing but what has expired and what is no
 * message of ours; a message leaves by expiry, by trimming, or when it is confirmed and no other
 * session is owed it; its field leaves with it. Commands for one uid are carried out in the order
 * of the calls, except that a script which Redis does not have yet (it restarted) goes a round trip
 * later. FN runs once, never before the call returns. */
#ifndef IMC_LOGIC_MAILBOX_MAILBOX_H
#define IMC_LOGIC_MAILBOX_MAILBOX_H

#include "logic/base/logic.h"

enum { MAILBOX_HEADER = 20 };

struct mailbox_message {
    uint64_t id;
    int32_t op;
    uint64_t expires_ms; /* 0 = mailbox.ttl decides */
    const uint8_t *body; /* borrowed */
    size_t len;
};

/* Writes MAILBOX_HEADER + len bytes. */
void mailbox_encode(const struct mailbox_message *message, uint8_t *out);
/* 0, or -EBADMSG if shorter than a header. */
int mailbox_decode(const void *member, size_t len, struct mailbox_message *message);
bool mailbox_is_expired(const struct mailbox_message *message, uint64_t now_ms, uint64_t ttl_ms);

/* 0, or -EAGAIN when Redis did not answer or refused (logged). -ENOENT: mailbox_put. */
typedef void (*mailbox_fn)(void *arg, int err);

enum mailbox_by {
    MAILBOX_SETTLE, /* job does: nobody took it */
    MAILBOX_SPILL,  /* comet does: a socket did not */
    MAILBOX_OWE,    /* settled before: only says to whom it is owed, and stores it again if it has
                       been confirmed since */
    MAILBOX_OWE_IF_THERE, /* the same, but what has been confirmed since stays away */
};

/* What is in a mailbox after a store. */
struct mailbox_there {
    uint64_t n;
    uint64_t newest; /* its id, if there are more than mailbox.limit, else 0 */
};

struct mailbox_put {
    enum mailbox_by by;
    int64_t uid;
    struct mailbox_message message;
    uint64_t behind;  /* not stored, and -ENOENT, unless the message of this id is there; 0: none */
    const char *owed; /* tokens; NULL or "": nobody in particular */
    struct mailbox_there *there; /* set before FN; may be NULL */
};
/* True, and counted: it is too old to be stored. Whoever would store it is done. */
bool mailbox_refuses(struct logic *logic, const struct mailbox_message *message);
/* Keeps mailbox.limit_spilled: the user may be there. */
void mailbox_store(struct logic *logic, const struct mailbox_put *put, mailbox_fn fn, void *arg);
/* Of the message UPTO and what is older, keeps mailbox.limit; mailbox.limit_spilled while sessions
 * are owed messages. For a user who was away after all that had been stored: so the newest that was
 * there when the last of it was. Nothing if UPTO has left. */
void mailbox_trim(struct logic *logic, int64_t uid, uint64_t upto, mailbox_fn fn, void *arg);

struct mailbox_page {
    size_t n;
    const struct mailbox_message *messages; /* oldest first; borrowed until the call returns */
    bool more;     /* there are others after these, or some were only expired */
    uint64_t last; /* the id to go on after if others' were left out, else 0 */
};
typedef void (*mailbox_page_fn)(void *arg, int err, const struct mailbox_page *page);

struct mailbox_read {
    int64_t uid;
    uint64_t after;  /* messages with an id above this */
    size_t limit;    /* at most so many, and about mailbox.page_bytes; 0 = mailbox.page */
    const char *own; /* a token: leaves out what is owed only to others; NULL or "": nothing */
};
void mailbox_fetch(struct logic *logic, const struct mailbox_read *read, mailbox_page_fn fn,
                   void *arg);
/* The first page of a session that connects: the oldest mailbox.limit messages, whoever is owed
 * them, read in the cheapest way. */
void mailbox_first(struct logic *logic, int64_t uid, mailbox_page_fn fn, void *arg);

/* Messages of a mailbox, and sessions that are, or were, owed them. */
struct mailbox_debts {
    int64_t uid;
    size_t n;
    const uint64_t *ids;
    const char *owed; /* tokens */
};

/* What stays although somebody who was not owed it has confirmed it: others are. Borrowed until the
 * call returns. */
typedef void (*mailbox_confirm_fn)(void *arg, int err, const struct mailbox_debts *left);
/* DEBTS->owed: the one token of the session that confirms, or "". */
void mailbox_confirm(struct logic *logic, const struct mailbox_debts *debts, mailbox_confirm_fn fn,
                     void *arg);
/* These sessions are owed these messages no longer. What no other is owed leaves if anybody has
 * confirmed it, else it waits for whoever comes. */
void mailbox_waive(struct logic *logic, const struct mailbox_debts *debts, mailbox_fn fn,
                   void *arg);
/* Every id ≤ UPTO, whoever is owed it. */
void mailbox_confirm_upto(struct logic *logic, int64_t uid, uint64_t upto, mailbox_fn fn,
                          void *arg);

#endif

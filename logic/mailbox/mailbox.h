/* mailbox.h - a user's mailbox: the messages in Redis that wait for a uid. Main loop only, except
 * the encoding (pure).
 *
 * The messages are in a sorted set, imc:mb:UID. A hash, imc:mb:UID:owed, exists only while some
 * messages are owed to certain sessions. A number, imc:soon:UID, exists only while some messages
 * have a ttl of their own.
 *
 *   score  = milliseconds of the id
 *   member = id (8 bytes, big-endian) | operation (4) | expires_ms (8) | body
 *
 *   field  = id (8 bytes)
 *   value  = tokens of the sessions that are owed the message (receivers.h); none: who reads it
 *
 *   soon   = not before these milliseconds does one of them end
 *
 * The keys expire when the last message in them does. A store removes messages that have expired by
 * then.
 *
 * Members of the same millisecond are in the order of their ids, because Redis orders equal scores
 * by the member's bytes. Storing a message twice changes nothing. Reading removes only messages
 * that have expired, and members that no logic has written. A message leaves when it expires, when
 * it is trimmed, or when it is confirmed and owed to no other session. Its field leaves with it.
 *
 * Commands for one uid are carried out in the order of the calls, with two exceptions. A script
 * that Redis does not have (after a restart) runs a round trip later. Pages wait while many are
 * asked for. FN runs once, never before the call returns. */
#ifndef IMC_LOGIC_MAILBOX_MAILBOX_H
#define IMC_LOGIC_MAILBOX_MAILBOX_H

#include "logic/base/logic.h"

enum { MAILBOX_HEADER = 20 };

struct mailbox_message {
    uint64_t id;
    int32_t op;
    uint64_t expires_ms; /* Unix time; 0: mailbox.ttl decides */
    const uint8_t *body; /* borrowed */
    size_t len;
};

/* Writes the member for MESSAGE: MAILBOX_HEADER + len bytes. */
void mailbox_encode(const struct mailbox_message *message, uint8_t *out);
/* 0, or -EBADMSG if MEMBER is shorter than a header. */
int mailbox_decode(const void *member, size_t len, struct mailbox_message *message);
bool mailbox_is_expired(const struct mailbox_message *message, uint64_t now_ms, uint64_t ttl_ms);

/* ERR is 0, or -EAGAIN if Redis did not answer or refused, which is logged. -ENOENT: see
 * mailbox_put. */
typedef void (*mailbox_fn)(void *arg, int err);

enum mailbox_by {
    MAILBOX_SETTLE, /* job stores a message that reached no session */
    MAILBOX_SPILL,  /* comet stores what a slow socket has not taken */
    MAILBOX_OWE,    /* it was stored before: says to whom it is owed, and stores it again if it was
                     * confirmed meanwhile */
    MAILBOX_OWE_IF_THERE, /* the same, but does not store it again */
};

/* What is in a mailbox after a store. */
struct mailbox_there {
    uint64_t n;
    uint64_t newest; /* id of the newest message if there are more than mailbox.limit, else 0 */
};

struct mailbox_put {
    enum mailbox_by by;
    int64_t uid;
    struct mailbox_message message;
    uint64_t behind;  /* id of a message that has to be there, or nothing is stored and ERR is
                       * -ENOENT; 0: none */
    const char *owed; /* tokens of the sessions it is owed to; NULL or "": none */
    struct mailbox_there *there; /* filled before FN runs; may be NULL */
};
/* True: MESSAGE is too old to be stored, which is counted. Then nothing is left to do for it. */
bool mailbox_refuses(struct logic *logic, const struct mailbox_message *message);
/* Stores a message, and keeps the newest mailbox.limit_spilled, because the user may be online. */
void mailbox_store(struct logic *logic, const struct mailbox_put *put, mailbox_fn fn, void *arg);
/* Of message UPTO and older ones, keeps the newest mailbox.limit; while messages are owed to
 * sessions, mailbox.limit_spilled. It is for a user who was away after these messages were stored.
 * So UPTO is the newest message that was there at the last store. Does nothing if UPTO has left the
 * mailbox. If more are kept because they are owed, abandoned.h looks later whether anybody is left
 * who is owed them. */
void mailbox_trim(struct logic *logic, int64_t uid, uint64_t upto, mailbox_fn fn, void *arg);
/* Message UPTO and older ones are owed to nobody any more. They stay. */
void mailbox_forget(struct logic *logic, int64_t uid, uint64_t upto, mailbox_fn fn, void *arg);

struct mailbox_page {
    size_t n;
    const struct mailbox_message *messages; /* oldest first; valid during the call */
    bool more;                              /* there may be more messages behind these */
    uint64_t last; /* if messages owed to others were left out: the id to go on after; else 0 */
};
typedef void (*mailbox_page_fn)(void *arg, int err, const struct mailbox_page *page);

struct mailbox_read {
    int64_t uid;
    uint64_t after;  /* only messages with an id above this */
    size_t limit;    /* at most so many messages, of about mailbox.page_bytes together; 0:
                      * mailbox.page */
    const char *own; /* a token: leaves out messages that are owed only to other sessions; NULL or
                      * "": leaves out none */
};
void mailbox_fetch(struct logic *logic, const struct mailbox_read *read, mailbox_page_fn fn,
                   void *arg);
/* The first page for a session that connects: the oldest mailbox.limit messages, also those that
 * are owed to other sessions. Read by a plain ZRANGE, which is cheapest. */
void mailbox_first(struct logic *logic, int64_t uid, mailbox_page_fn fn, void *arg);

/* Messages of a mailbox, and sessions that they are or were owed to. */
struct mailbox_debts {
    int64_t uid;
    size_t n;
    const uint64_t *ids;
    const char *owed; /* tokens */
};

/* LEFT: messages that a session has confirmed although they were not owed to it, and that stay
 * because they are owed to others. Valid during the call. */
typedef void (*mailbox_confirm_fn)(void *arg, int err, const struct mailbox_debts *left);
/* A session confirms messages. DEBTS->owed is its token, or "". */
void mailbox_confirm(struct logic *logic, const struct mailbox_debts *debts, mailbox_confirm_fn fn,
                     void *arg);
/* These messages are owed to these sessions no longer. If one is owed to no other session, it
 * leaves if any session has confirmed it. Otherwise it waits for the first device that comes. */
void mailbox_waive(struct logic *logic, const struct mailbox_debts *debts, mailbox_fn fn,
                   void *arg);
/* Removes every message with an id up to UPTO, to whomever it is owed. */
void mailbox_confirm_upto(struct logic *logic, int64_t uid, uint64_t upto, mailbox_fn fn,
                          void *arg);

#endif

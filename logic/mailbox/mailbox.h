/* mailbox.h - a user's mailbox: the messages in Redis that wait for a uid. Main loop only, except
 * the encoding (pure).
 *
 * The messages are in a sorted set, imc:mb:UID. The other keys exist only while they have
 * something:
 *
 *   imc:mb:UID           score  = milliseconds of the id
 *                        member = id (8 bytes, big-endian) | operation (4) | expires_ms (8) | body;
 *                        traced: the highest bit of expires_ms is set, and a mark before the body
 *   imc:mb:UID:owed      id → tokens of the sessions that are owed the message (receivers.h)
 *   imc:mb:UID:devices   id → tokens of the devices that are owed it
 *   imc:mb:UID:collapse  'k' and a collapse key → id and score; 'i' and that id → 'k' and the key
 *   imc:soon:UID         milliseconds before which no message ends by a ttl of its own
 *
 * A message in neither owed nor devices is for whoever reads it. What a session is owed is lost
 * with the session. What a device is owed waits until it connects again.
 *
 * The keys expire when the last message in them does. A store removes messages that have expired by
 * then.
 *
 * Members of the same millisecond are in the order of their ids, because Redis orders equal scores
 * by the member's bytes. Storing a message twice changes nothing. Reading removes only messages
 * that have expired, and members that no logic has written. A message leaves when it expires, when
 * it is trimmed, when one with the same collapse key comes, or when it is confirmed and owed to
 * nobody else. Its fields leave with it.
 *
 * Commands for one uid are carried out in the order of the calls, with two exceptions. A script
 * that Redis does not have (after a restart) runs a round trip later. Pages wait while many are
 * asked for. FN runs once, never before the call returns. */
#ifndef IMC_LOGIC_MAILBOX_MAILBOX_H
#define IMC_LOGIC_MAILBOX_MAILBOX_H

#include "common/events/event_types.h"
#include "logic/base/logic.h"

enum { MAILBOX_HEADER = 20 };

struct mailbox_message {
    uint64_t id;
    int32_t op;
    uint64_t expires_ms; /* Unix time; 0: mailbox.ttl decides */
    const uint8_t *body; /* borrowed */
    size_t len;
    const uint8_t *trace; /* TRACE_MARK_LEN bytes, borrowed; NULL: it is not traced */
};

/* The bytes of the member for MESSAGE. */
size_t mailbox_size(const struct mailbox_message *message);
/* Writes them. */
void mailbox_encode(const struct mailbox_message *message, uint8_t *out);
/* 0, or -EBADMSG if MEMBER is shorter than a header. MESSAGE borrows from it. */
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
    bool added;      /* by this store: it was not there */
};

struct mailbox_put {
    enum mailbox_by by;
    int64_t uid;
    struct mailbox_message message;
    uint64_t behind;      /* id of a message that has to be there, or nothing is stored and ERR is
                           * -ENOENT; 0: none */
    const char *owed;     /* tokens of the sessions it is owed to; NULL or "": none */
    const char *devices;  /* tokens of the devices it is owed to; NULL or "": none */
    const char *collapse; /* its collapse key; NULL or "": none */
    struct mailbox_there *there; /* filled before FN runs; may be NULL */
};
/* True: MESSAGE is too old to be stored, which is counted. Then nothing is left to do for it. */
bool mailbox_refuses(struct logic *logic, const struct mailbox_message *message);
/* Stores a message, and keeps the newest mailbox.limit_spilled, because the user may be online. Of
 * those that are owed to devices, it keeps the newest mailbox.limit_acked. An older message with
 * the same collapse key leaves, and who is owed that one is owed this one. If there is a newer one,
 * nothing is stored. */
void mailbox_store(struct logic *logic, const struct mailbox_put *put, mailbox_fn fn, void *arg);
/* Of message UPTO and older ones, keeps the newest mailbox.limit, and beside them what is owed to
 * devices; while messages are owed to sessions, the newest mailbox.limit_spilled of all. It is for
 * a user who was away after these messages were stored.
 * So UPTO is the newest message that was there at the last store. Does nothing if UPTO has left the
 * mailbox. If more are kept because they are owed, abandoned.h looks later whether anybody is left
 * who is owed them. */
void mailbox_trim(struct logic *logic, int64_t uid, uint64_t upto, mailbox_fn fn, void *arg);
/* Message UPTO and older ones are owed to no session any more. They stay. */
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
    uint64_t after; /* only messages with an id above this */
    size_t limit;   /* at most so many messages, of about mailbox.page_bytes together; 0:
                     * mailbox.page */
    /* The token of the session that reads: leaves out messages that are owed only to others. "": it
     * has just connected, so what other sessions are owed may be for it. Leaves out only what other
     * devices are owed and some session has had. NULL: leaves out none. */
    const char *own;
    const char *device; /* with OWN: the token of its device; NULL or "": none */
};
void mailbox_fetch(struct logic *logic, const struct mailbox_read *read, mailbox_page_fn fn,
                   void *arg);
/* The first page for a session that connects on a device with the token DEVICE, or "": of the
 * oldest messages at most mailbox.limit, read as with own "". If nothing waits, it costs Redis a
 * plain ZCARD. */
void mailbox_first(struct logic *logic, int64_t uid, const char *device, mailbox_page_fn fn,
                   void *arg);

/* Messages of a mailbox, and whom they are or were owed to. */
struct mailbox_debts {
    int64_t uid;
    size_t n;
    const uint64_t *ids;
    const char *owed;   /* tokens of sessions */
    const char *device; /* token of a device; NULL or "": none */
    /* mailbox_confirm() only, as the business is told: the session as the log of sessions names it,
     * NULL if it is not told; and whether it acknowledges its messages. */
    const char *session;
    bool acked;
};

/* LEFT: messages that a session has confirmed although neither it nor its device was owed them, and
 * that stay because other sessions are. Valid during the call. */
typedef void (*mailbox_confirm_fn)(void *arg, int err, const struct mailbox_debts *left);
/* A session confirms messages. DEBTS->owed is its token, or ""; DEBTS->device that of its device.
 */
void mailbox_confirm(struct logic *logic, const struct mailbox_debts *debts, mailbox_confirm_fn fn,
                     void *arg);
/* These messages are owed to these sessions, and to this device, no longer. If one of them that was
 * is owed to nobody else, it leaves if any session has confirmed it. Otherwise it waits for the
 * first device that comes. */
void mailbox_waive(struct logic *logic, const struct mailbox_debts *debts, mailbox_fn fn,
                   void *arg);
/* Does the business want to know of events of TYPE? */
bool mailbox_tells(const struct logic *logic, enum event_type type);
/* What became of message ID, beside what the mailbox's own scripts tell. EVENT_STORED: its user had
 * no session after it was stored; not told if it has left the mailbox meanwhile. EVENT_EXPIRED: it
 * was too old to be stored; not told if it is there after all. So of one message stored comes
 * before what becomes of it. */
struct mailbox_fact {
    int64_t uid;
    uint64_t id;
    enum event_type type;
};
void mailbox_tell(struct logic *logic, const struct mailbox_fact *fact, mailbox_fn fn, void *arg);
/* Removes the messages of UID that have ended, so that the business is told. It may not answer. */
void mailbox_sweep(struct logic *logic, int64_t uid);
/* Removes every message with an id up to UPTO, to whomever it is owed. */
void mailbox_confirm_upto(struct logic *logic, int64_t uid, uint64_t upto, mailbox_fn fn,
                          void *arg);

#endif

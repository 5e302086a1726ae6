/* mailbox.h - the durable place of a uid: a sorted set in Redis, imc:mb:UID. Main loop only, except
 * the encoding (pure).
 *
 *   score  = milliseconds of the id
 *   member = id (8 bytes, big-endian) | operation (4) | expires_ms (8) | body
 *
 * Members of one millisecond are ordered by id, for Redis orders equal scores by the member's
 * bytes. Storing twice changes nothing; reading removes nothing but what has expired and what is no
 * message of ours; a message leaves by confirmation, expiry or trimming. Commands for one uid are
 * carried out in the order of the calls, except that a script which Redis does not have yet (it
 * restarted) goes a round trip later. FN runs once, never before the call returns. */
#ifndef IMC_LOGIC_MAILBOX_H
#define IMC_LOGIC_MAILBOX_H

#include "logic/logic.h"

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

/* 0, or -EAGAIN when Redis did not answer or refused (logged). */
typedef void (*mailbox_fn)(void *arg, int err);

enum mailbox_store {
    MAILBOX_SETTLE,
    MAILBOX_SPILL
}; /* keeps mailbox.limit, mailbox.limit_spilled */
void mailbox_store(struct logic *logic, enum mailbox_store by, int64_t uid,
                   const struct mailbox_message *message, mailbox_fn fn, void *arg);

struct mailbox_page {
    size_t n;
    const struct mailbox_message *messages; /* oldest first; borrowed until the call returns */
    bool more; /* there are others after these, or some were only expired */
};
typedef void (*mailbox_page_fn)(void *arg, int err, const struct mailbox_page *page);
/* Messages with an id above AFTER, at most LIMIT and about mailbox.page_bytes. */
void mailbox_fetch(struct logic *logic, int64_t uid, uint64_t after, size_t limit,
                   mailbox_page_fn fn, void *arg);
/* The first page of a session that connects: the oldest mailbox.limit messages, read in the
 * cheapest way. */
void mailbox_first(struct logic *logic, int64_t uid, mailbox_page_fn fn, void *arg);

void mailbox_confirm(struct logic *logic, int64_t uid, const uint64_t *ids, size_t n, mailbox_fn fn,
                     void *arg);
/* Every id ≤ UPTO. */
void mailbox_confirm_upto(struct logic *logic, int64_t uid, uint64_t upto, mailbox_fn fn,
                          void *arg);

#endif

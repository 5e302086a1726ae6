/* idempotency.h - the same `id` within five minutes is answered as the first time and done once, on
 * whichever logic.
 *
 *                   ┌────────────── failed: idem_fail() ◄──────────────┐
 *   idem_begin ─► absent ─► pending (short life) ─► IDEM_FIRST: do it ─┴─► idem_done()
 *       │                      │ another call waits, asking every 50 ms         │
 *       └─ IDEM_AWAY: Redis ◄──┘                                                └─► IDEM_REPEATED
 *
 * A failure may leave word of what was done already (a push to several users), which the next call
 * of the key gets with IDEM_FIRST. The state is the value's first byte in Redis: imc:idem:KEY. Main
 * loop only, except the values (pure). */
#ifndef IMC_LOGIC_HTTP_IDEMPOTENCY_H
#define IMC_LOGIC_HTTP_IDEMPOTENCY_H

#include "logic/base/logic.h"

enum { IDEM_KEY_MAX = 128 };

enum idem_state { IDEM_PENDING, IDEM_PARTIAL, IDEM_ANSWERED, IDEM_GARBLED };
/* What a value in Redis says. REST borrows what follows the state: the owner, the partial word or
 * the answer. */
enum idem_state idem_parse(const char *value, size_t len, const char **rest, size_t *rest_len);

struct idem;

enum idem_verdict {
    IDEM_FIRST, /* do it, then idem_done() or idem_fail() with the idem; DATA: what an earlier try
                   had done */
    IDEM_REPEATED, /* DATA is the first answer */
    IDEM_BUSY,     /* the first call has been under way for too long to wait */
    IDEM_AWAY,     /* Redis did not answer */
};
/* DATA is borrowed. IDEM is NULL unless IDEM_FIRST. */
typedef void (*idem_fn)(void *arg, enum idem_verdict verdict, struct idem *idem, const void *data,
                        size_t len);

/* KEY is copied; at most IDEM_KEY_MAX bytes. FN runs once, never before this returns. */
void idem_begin(struct logic *logic, const char *key, idem_fn fn, void *arg);
/* Both take IDEM; the caller need not wait. */
void idem_done(struct idem *idem, const void *answer, size_t len);
void idem_fail(struct idem *idem, const void *partial, size_t len);

#endif

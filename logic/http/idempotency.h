/* idempotency.h - carries out calls with the same `id` once within five minutes, and answers all of
 * them like the first. It works across logics. Main loop only, except the values (pure).
 *
 *                   ┌────────────── failed: idem_fail() ◄──────────────┐
 *   idem_begin ─► absent ─► pending (short life) ─► IDEM_FIRST: do it ─┴─► idem_done()
 *       │                      │ another call waits, asking every 50 ms         │
 *       └─ IDEM_AWAY: Redis ◄──┘                                                └─► IDEM_REPEATED
 *
 * A call that fails may record what it has done already, such as a push to some of its users. The
 * next call of the key gets that record with IDEM_FIRST. In Redis the value of imc:idem:KEY begins
 * with a byte for the state. */
#ifndef IMC_LOGIC_HTTP_IDEMPOTENCY_H
#define IMC_LOGIC_HTTP_IDEMPOTENCY_H

#include "logic/base/logic.h"

enum { IDEM_KEY_MAX = 128 };

enum idem_state { IDEM_PENDING, IDEM_PARTIAL, IDEM_ANSWERED, IDEM_GARBLED };
/* Reads a value of Redis. *REST is what follows the state, borrowed: the owner, the record of a
 * failed call, or the answer. */
enum idem_state idem_parse(const char *value, size_t len, const char **rest, size_t *rest_len);

struct idem;

enum idem_verdict {
    IDEM_FIRST,    /* do it, then call idem_done() or idem_fail(); DATA: what an earlier call has
                    * recorded */
    IDEM_REPEATED, /* DATA is the first answer */
    IDEM_BUSY,     /* the first call takes too long to wait for it */
    IDEM_AWAY,     /* Redis did not answer */
};
/* DATA is valid during the call. IDEM is NULL unless IDEM_FIRST. */
typedef void (*idem_fn)(void *arg, enum idem_verdict verdict, struct idem *idem, const void *data,
                        size_t len);

/* KEY has at most IDEM_KEY_MAX bytes and is copied. FN runs once, never before this returns. */
void idem_begin(struct logic *logic, const char *key, idem_fn fn, void *arg);
/* The call has succeeded or failed. Both take ownership of IDEM. There is nothing to wait for. */
void idem_done(struct idem *idem, const void *answer, size_t len);
void idem_fail(struct idem *idem, const void *partial, size_t len);

#endif

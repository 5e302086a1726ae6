/* idempotency.h - carries out calls of one caller with the same `id` once within five minutes, and
 * answers all of them like the first. It works across logics. Main loop only, except the values
 * (pure).
 *
 *                   ┌────────────── failed: idem_fail() ◄──────────────┐
 *   idem_begin ─► absent ─► pending (short life) ─► IDEM_FIRST: do it ─┴─► idem_done()
 *       │                      │ another call waits, asking every 50 ms         │
 *       └─ IDEM_AWAY: Redis ◄──┘                                                └─► IDEM_REPEATED
 *
 * A call that fails may record what it has done already, such as a push to some of its users. The
 * next call of the key gets that record with IDEM_FIRST. A call that has the key and wants
 * something else is told so. In Redis the value of imc:idem:SCOPE:KEY begins with a byte for the
 * state and the digest of what the call wants. */
#ifndef IMC_LOGIC_HTTP_IDEMPOTENCY_H
#define IMC_LOGIC_HTTP_IDEMPOTENCY_H

#include "common/auth/keys.h"
#include "logic/base/logic.h"

/* A scope is the name of a key, or one of ours, which begins with a dot. */
enum { IDEM_KEY_MAX = 128, IDEM_SCOPE_MAX = KEY_NAME_MAX + 1, IDEM_DIGEST = 32 };

enum idem_state { IDEM_PENDING, IDEM_PARTIAL, IDEM_ANSWERED, IDEM_GARBLED };
struct idem_value {
    const char *digest, *rest; /* borrowed. REST is what follows the digest, which has no NUL: the
                                * owner, the record of a failed call, or the answer */
    size_t rest_len;
};
/* Reads a value of Redis. */
enum idem_state idem_parse(const char *text, size_t len, struct idem_value *value);

struct idem;

enum idem_verdict {
    IDEM_FIRST,    /* do it, then call idem_done() or idem_fail(); DATA: what an earlier call has
                    * recorded */
    IDEM_REPEATED, /* DATA is the first answer */
    IDEM_OTHER,    /* the first call wanted something else */
    IDEM_BUSY,     /* the first call takes too long to wait for it */
    IDEM_AWAY,     /* Redis did not answer */
};
/* DATA is valid during the call. IDEM is NULL unless IDEM_FIRST. */
typedef void (*idem_fn)(void *arg, enum idem_verdict verdict, struct idem *idem, const void *data,
                        size_t len);

struct idem_call {
    const char *scope;            /* within which keys are told apart: the caller's name, without a
                                   * colon */
    const char *key;              /* at most IDEM_KEY_MAX bytes */
    char digest[IDEM_DIGEST + 1]; /* of what the call wants: hexadecimal digits */
};
/* CALL is copied. FN runs once, never before this returns. */
void idem_begin(struct logic *logic, const struct idem_call *call, idem_fn fn, void *arg);
/* The call has succeeded or failed. Both take ownership of IDEM. There is nothing to wait for. */
void idem_done(struct idem *idem, const void *answer, size_t len);
void idem_fail(struct idem *idem, const void *partial, size_t len);

#endif

/* engine_internal.h - what the files of an engine share.
 *
 *   engine.c          the handshake, and whole connections of TLS 1.2 and of clients, by OpenSSL
 *   engine_records.c  a server's open connection of TLS 1.3, by records.h
 *   engine_kernel.c   the same, after the kernel has taken over what is sent */
#ifndef IMC_COMMON_TLS_ENGINE_INTERNAL_H
#define IMC_COMMON_TLS_ENGINE_INTERNAL_H

#include "common/tls/buffer.h"
#include "common/tls/engine.h"
#include "common/tls/internal.h"
#include "common/tls/kernel.h"
#include "common/tls/records.h"

enum { ENGINE_MESSAGE = 5 }; /* bytes of a KeyUpdate */

struct tls_engine {
    SSL *ssl;                        /* NULL: not begun, or `records` has taken its place */
    struct records *records;         /* of a server's open TLS 1.3; NULL: OpenSSL's */
    struct records_secrets *secrets; /* of a server, until the handshake is over */
    struct buffer rest;              /* plaintext of a record that the user has not read yet */
    uint8_t message[ENGINE_MESSAGE]; /* of a KeyUpdate what has come of it */
    uint8_t message_len;
    uint8_t idle; /* records of the peer without data since its last data */
    bool resumed;
    const struct kernel_calls *kernel; /* that seals what is sent; NULL: `records` do */
    struct tls_endpoint *endpoint;
    struct buffer in, out;
    size_t whole; /* bytes at the front of `in`, of the record that OpenSSL has begun to read */
    enum tls_state state;
    size_t handshake_bytes;
    bool seen, plain, closed; /* a first byte came; it was not TLS; our close_notify was put */
    char *error, *alpn;       /* NULL: none */
};

static inline bool engine_ended(const struct tls_engine *engine)
{
    return engine->state == TLS_CLOSED || engine->state == TLS_FAILED;
}

static inline bool engine_may_write(const struct tls_engine *engine)
{
    return engine->state == TLS_OPEN && !engine->closed && engine->out.len < TLS_ENGINE_OUT;
}

/* --- engine.c --- */
/* Bytes of the record at the front of `in`; 0: it is not whole yet. All bytes, if they cannot be
 * TLS. Nothing behind that record is looked at: a buffer full of short records would cost the
 * square of their number. */
size_t engine_next_record(const struct tls_engine *engine);
void engine_fail(struct tls_engine *engine, const char *why);

/* --- engine_records.c: as those of engine.h, for an engine that has `records` --- */
size_t engine_records_read(struct tls_engine *engine, void *buf, size_t len);
size_t engine_records_write(struct tls_engine *engine, const void *bytes, size_t len);
void engine_records_close(struct tls_engine *engine);
/* Tells the peer that our next record has the next key, and turns to that. False: no next key. */
bool engine_records_update(struct tls_engine *engine);

/* --- engine_kernel.c --- */
/* Puts an alert or a KeyUpdate into the output, for the kernel to seal. */
void engine_kernel_put(struct tls_engine *engine, enum records_type type, const void *bytes,
                       size_t len);
/* As tls_engine_to_kernel(), with other system calls. */
int engine_to_kernel(struct tls_engine *engine, int fd, const struct kernel_calls *calls);

#endif

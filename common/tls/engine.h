/* engine.h - one TLS connection, without a socket: bytes in, bytes out. Pure. An engine belongs to
 * one thread at a time.
 *
 *     from the socket ─► feed ─► ┌────────┐ ─► read ──► plaintext to the user
 *                                │ engine │
 *      to the socket ◄─ output ◄─└────────┘ ◄─ write ◄─ plaintext of the user
 *                       + sent
 *
 *     TLS_HANDSHAKE ─► TLS_OPEN ─► TLS_CLOSED: the peer's close_notify came
 *          └──────────────┴──────► TLS_FAILED: tls_engine_error() says why
 *
 * The user's part: after each feed, read until 0. After each call, send what output has, in
 * TLS_FAILED too: an alert tells the peer why. tls_engine_read() also does the handshake. A FIN of
 * the peer before TLS_CLOSED means that what came may be cut short.
 *
 * OpenSSL makes the handshake. At a server's end of TLS 1.3 it is then freed but for the keys,
 * which saves 13 KB a connection (records.h). Clients, and TLS 1.2, keep it.
 *
 * Both buffers are bounded, and allocated only while something is in them. */
#ifndef IMC_COMMON_TLS_ENGINE_H
#define IMC_COMMON_TLS_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct tls_server;
struct tls_client;
struct tls_engine;
struct tls_session; /* what a client resumes; opaque, see tls_engine_session() */

enum {
    TLS_ENGINE_IN = 64 * 1024,  /* bytes from the peer that are kept until they are read */
    TLS_ENGINE_OUT = 64 * 1024, /* nothing is read or written while as much waits to be sent */
};

enum tls_state { TLS_HANDSHAKE, TLS_OPEN, TLS_CLOSED, TLS_FAILED };

/* The server's end. It has nothing of OpenSSL until the client's first record has come whole. */
struct tls_engine *tls_engine_accept(struct tls_server *server);
/* The client's end. The server's certificate has to be for NAME, a host name or an IP address. The
 * output begins with the client's hello. SESSION may be NULL. NULL: NAME can be no host's, or no
 * memory. */
struct tls_engine *tls_engine_connect(struct tls_client *client, const char *name,
                                      struct tls_session *session);
/* NULL is fine. A handshake that has not ended counts as failed. */
void tls_engine_free(struct tls_engine *engine);

/* Takes bytes that came from the peer. Returns how many: fewer than LEN if the buffer is full, and
 * then the user reads first. In TLS_CLOSED and TLS_FAILED all are taken and dropped. */
size_t tls_engine_feed(struct tls_engine *engine, const void *bytes, size_t len);
/* How many bytes it would take now. */
size_t tls_engine_room(const struct tls_engine *engine);
/* Up to LEN bytes of plaintext. 0: nothing more now, or for good, see the state. */
size_t tls_engine_read(struct tls_engine *engine, void *buf, size_t len);
/* Encrypts up to LEN bytes. Returns how many: 0 before TLS_OPEN and after it, fewer than LEN if
 * TLS_ENGINE_OUT bytes wait to be sent. */
size_t tls_engine_write(struct tls_engine *engine, const void *bytes, size_t len);
/* What has to be sent, valid until the next call. Returns its length, 0: nothing. */
size_t tls_engine_output(const struct tls_engine *engine, const uint8_t **bytes);
/* The first N bytes of the output were sent. */
void tls_engine_sent(struct tls_engine *engine, size_t n);
/* Puts a close_notify into the output: we write nothing more. May be called again. */
void tls_engine_close(struct tls_engine *engine);

/* --- the kernel seals what is sent (kernel.h) --- */
/* May be asked in TLS_OPEN, while nothing waits to be sent. 0: from now on the user sends plaintext
 * on FD, and tells tls_engine_kernel_sent() of it, instead of calling tls_engine_write() and
 * sending the output. -E…: everything stays as it is. -EOPNOTSUPP: it is a connection of TLS 1.2, a
 * client's end, or the peer wants short records. */
int tls_engine_to_kernel(struct tls_engine *engine, int fd);
bool tls_engine_in_kernel(const struct tls_engine *engine);
/* LEN bytes of plaintext were sent on the socket by one call. */
void tls_engine_kernel_sent(struct tls_engine *engine, size_t len);
/* Sends what the engine itself has to say: alerts, KeyUpdates. 0: nothing waits. 1: the socket is
 * full. -E…: it failed; -EBUSY: the kernel cannot change keys (Linux before 6.14). The user calls
 * it before it sends, and after each read. */
int tls_engine_kernel_flush(struct tls_engine *engine, int fd);

/* Would tls_engine_read() have something to do: did a whole record come? */
bool tls_engine_ready(const struct tls_engine *engine);
/* Has the first record come whole, and was it read? Before, its buffers are all that it has. */
bool tls_engine_has_begun(const struct tls_engine *engine);
/* Bytes of memory that its buffers take now. */
size_t tls_engine_held(const struct tls_engine *engine);
enum tls_state tls_engine_state(const struct tls_engine *engine);
/* Why it failed, for people: "certificate has expired", "the peer speaks plain HTTP". "": it did
 * not. Valid as long as the engine. */
const char *tls_engine_error(const struct tls_engine *engine);
/* Did the peer's first byte show that it speaks something else than TLS? */
bool tls_engine_peer_is_plain(const struct tls_engine *engine);
/* In TLS_OPEN: the protocol that was agreed (ALPN), "" if none. Valid as long as the engine. */
const char *tls_engine_alpn(const struct tls_engine *engine);
/* In TLS_OPEN: was an earlier session resumed? */
bool tls_engine_resumed(const struct tls_engine *engine);
/* In TLS_OPEN: "TLSv1.3". */
const char *tls_engine_version(const struct tls_engine *engine);

/* At the client's end: a session that can be resumed; NULL: the server gave none yet. With TLS 1.3
 * it comes with the first bytes that are read after the handshake. The caller frees it. */
struct tls_session *tls_engine_session(const struct tls_engine *engine);
void tls_session_free(struct tls_session *session);

#endif

/* tickets.h - keys of session tickets (RFC 5077, RFC 8446 4.6.1), by which a client resumes its
 * session at any daemon that has the key. Nothing is kept for a session here.
 *
 * A file of keys has a key a line, as 96 or 160 hexadecimal digits (`openssl rand -hex 80`). Empty
 * lines and lines that begin with # are skipped. The first key encrypts, all decrypt. A binary file
 * of 48 or 80 bytes is one key, as nginx has it. Without a file keys are random. They change once a
 * day, and the one before still decrypts.
 *
 *     48 bytes: name 16, AES-128 key 16, HMAC key 16
 *     80 bytes: name 16, HMAC key 32, AES-256 key 32
 *
 * Any thread, but tls_tickets_load(): the main thread. */
#ifndef IMC_COMMON_TLS_TICKETS_H
#define IMC_COMMON_TLS_TICKETS_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

enum { TLS_TICKET_KEYS = 16, TLS_TICKET_DAYS = 1 };

struct tls_tickets;
struct tls_ticket_keys; /* what was read from a file */

struct tls_tickets *tls_tickets_open(void);
void tls_tickets_close(struct tls_tickets *tickets);
/* Reads PATH ("": random keys). NULL, and ERR says why. */
struct tls_ticket_keys *tls_ticket_keys_read(const char *path, char *err, size_t errlen);
void tls_ticket_keys_free(struct tls_ticket_keys *keys);
/* Takes over *KEYS, and NULLs it. Random keys stay if there are some. */
void tls_tickets_use(struct tls_tickets *tickets, struct tls_ticket_keys **keys);
/* Lets CONTEXT give and take tickets. */
void tls_tickets_attach(struct tls_tickets *tickets, SSL_CTX *context);
/* If keys are random: makes a new one if the newest is TLS_TICKET_DAYS old at NOW_S, a unix time.
 * Handshakes call it. */
void tls_tickets_turn(struct tls_tickets *tickets, int64_t now_s);

#endif

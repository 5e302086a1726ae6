/* tls.h - what a daemon has of TLS: certificates, whom it believes, and the contexts of its
 * listeners and clients. TLS 1.2 and 1.3.
 *
 *   settings ─► tls_open ─┬─ tls_server_open, for a kind of listener ─► tls_engine_accept
 *                         └─ tls_client_open, for a kind of client ──► tls_engine_connect
 *
 * tls_reload() reads all files anew. Either all contexts change or, after an error, none.
 * Connections that are there keep what they began with.
 *
 * Opening, reloading and closing belong to one thread, the main loop's. Engines (engine.h) may be
 * made on any thread meanwhile. */
#ifndef IMC_COMMON_TLS_TLS_H
#define IMC_COMMON_TLS_TLS_H

#include "common/base/metrics.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct tls;
struct tls_server;
struct tls_client;

/* The settings [tls] of a daemon; borrowed until tls_close(). NULL counts as "". */
struct tls_settings {
    const char *certificates; /* PEM files, each a certificate and what it is signed by; a list */
    const char *keys;         /* their private keys, in the same order */
    const char *ca;           /* PEM file: who is believed. "": the system's store */
    const char *min_version;  /* "1.2" or "1.3"; "": 1.2 */
    const char *ticket_keys;  /* tickets.h; "": random keys, of this process only */
};

enum { TLS_ERROR_MAX = 512 }; /* bytes that the ERR of these functions should have */

/* Loads what SETTINGS name. 0, or -E… and ERR says which file, what is wrong and what to do. */
int tls_open(const struct tls_settings *settings, struct tls **out, char *err, size_t errlen);
/* As tls_open(), but opens nothing. */
int tls_check(const struct tls_settings *settings, char *err, size_t errlen);
/* Logs a warning for each of their certificates that has expired or soon will, as tls_open() does:
 * for --check. */
void tls_check_expiry(const struct tls_settings *settings);
/* After the last engine was freed. Frees servers and clients too. NULL is fine. */
void tls_close(struct tls *tls);
/* Reads all files anew. 0, or -E… with ERR: everything stays as it was. */
int tls_reload(struct tls *tls, char *err, size_t errlen);
/* Can a listener be opened: is there a certificate? */
bool tls_has_certificate(const struct tls *tls);
/* The file of the certificate with number I, and the Unix time in seconds when it expires. The last
 * number is the file of CAs, and the time when the last of them expires. False: there are not so
 * many. FILE is borrowed until the next tls_reload(). */
bool tls_certificate_at(const struct tls *tls, size_t i, const char **file, int64_t *expires);
/* Calls FN for each of those files that ALL, N of them, have. One that several have comes once, as
 * the first has read it. NULL among them is fine. */
typedef void (*tls_certificate_fn)(const char *file, int64_t expires, void *arg);
void tls_certificates_each(const struct tls *const *all, size_t n, tls_certificate_fn fn,
                           void *arg);

struct tls_server_options {
    const char *name; /* of the listener, in metrics: "wss". Not copied */
    /* Protocols (ALPN, RFC 7301), best first, separated by commas: "h2,http/1.1". Not copied. NULL:
     * what clients offer is not looked at. A client that offers only others is refused; one that
     * offers none is not. */
    const char *alpn;
    bool demand_client; /* clients need a certificate signed by tls.ca */
};
/* TLS owns the result. 0, or -E… with ERR: there is no certificate, or no tls.ca to check those of
 * clients. */
int tls_server_open(struct tls *tls, const struct tls_server_options *options,
                    struct tls_server **out, char *err, size_t errlen);

struct tls_client_options {
    const char *name;      /* in metrics: "rpc". Not copied */
    const char *alpn;      /* what is offered, as above; NULL: nothing */
    bool show_certificate; /* the first of tls.certificate is ours if the server asks for one */
    bool insecure;         /* believe any server: for tools, if a person says so */
};
int tls_client_open(struct tls *tls, const struct tls_client_options *options,
                    struct tls_client **out, char *err, size_t errlen);

/* Writes the metrics of ALL, N of them; tls_metric_rows describes them. NULL among them is fine. */
enum { TLS_METRIC_ROWS = 2 };
extern const struct metric_row tls_metric_rows[TLS_METRIC_ROWS];
void tls_render(const struct tls *const *all, size_t n, struct exposition *to);

#endif

/* internal.h - what the files of this folder share. */
#ifndef IMC_COMMON_TLS_INTERNAL_H
#define IMC_COMMON_TLS_INTERNAL_H

#include "common/base/list.h"
#include "common/tls/tickets.h"
#include "common/tls/tls.h"
#include <openssl/ssl.h>
#include <pthread.h>

/* --- material.c: what was read from the files. Immutable, but for its references --- */

struct tls_pair {
    char *file; /* of the certificate */
    X509 *certificate;
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
    char **names; /* host names it is for, in lower case: "a.example", "*.b.example" */
    size_t n_names;
    int64_t expires; /* unix time in seconds */
};

struct tls_material {
    _Atomic int refs;
    struct tls_pair *pairs;
    size_t n_pairs;
    STACK_OF(X509) * ca; /* NULL: the system's store */
    char *ca_file;       /* NULL: as ca */
    int64_t ca_expires;  /* when the last one of them does, unix time in seconds */
    int min_version;     /* TLS1_2_VERSION … */
};

/* NULL, and ERR says why. */
struct tls_material *tls_material_load(const struct tls_settings *settings, char *err,
                                       size_t errlen);
/* Logs a warning for each certificate that has expired or soon will. */
void tls_material_warn(const struct tls_material *material);
struct tls_material *tls_material_ref(struct tls_material *material);
void tls_material_unref(struct tls_material *material);

/* --- names.c --- */
/* Fills PAIR->names from its certificate: DNS names of subjectAltName, else the common name. */
void tls_names_read(struct tls_pair *pair);
/* How well PAIR fits host NAME: 2 by the name itself, 1 by a wildcard, 0 not. */
int tls_names_fit(const struct tls_pair *pair, const char *name);

/* --- context.c --- */

enum tls_result { TLS_RESULT_FULL, TLS_RESULT_RESUMED, TLS_RESULT_FAILED, TLS_RESULTS };

/* One kind of listener or of client. */
struct tls_endpoint {
    LIST_ENTRY(tls_endpoint) link;
    struct tls *tls;
    bool is_server;
    struct tls_server_options server; /* the one of the two that fits */
    struct tls_client_options client;
    uint8_t alpn[256]; /* as on the wire: each with a byte of its length before it */
    size_t alpn_len;
    _Atomic int64_t results[TLS_RESULTS];
    pthread_mutex_t lock; /* guards context */
    SSL_CTX *context;
};

/* The context of ENDPOINT for what MATERIAL has; refers to both. Connections keep their context.
 * NULL, and ERR says why. */
SSL_CTX *tls_context_new(struct tls_endpoint *endpoint, struct tls_material *material, char *err,
                         size_t errlen);
/* A connection of ENDPOINT; NULL: no memory. Any thread. */
SSL *tls_endpoint_connection(struct tls_endpoint *endpoint);

struct tls_server {
    struct tls_endpoint endpoint;
};
struct tls_client {
    struct tls_endpoint endpoint;
};

/* --- tls.c --- */
struct tls {
    struct tls_settings settings;
    struct tls_material *material;
    struct tls_tickets *tickets;
    LIST_HEAD(, tls_endpoint) endpoints;
};

/* --- engine.c --- */
/* A callback of contexts of servers: a line of secrets of the connection SSL. */
void tls_engine_learn(const SSL *ssl, const char *line);

/* --- errors.c --- */
/* Writes what OpenSSL says is wrong, and clears what it says. */
void tls_error_text(char *out, size_t len);
/* The same for SSL, whose last call failed. */
void tls_connection_error_text(const SSL *ssl, char *out, size_t len);

#endif

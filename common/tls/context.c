/* OpenSSL's contexts. What a handshake needs to choose a certificate is in the material, to which
 * the context refers: a reload makes a new context, and old handshakes end with the old one. */
#include "common/base/mem.h"
#include "common/tls/internal.h"
#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

/* TLS 1.2: only what has forward secrecy and authenticates each record (RFC 9325, 4.2). */
#define CIPHERS_12                                                                             \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:" \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
static char groups[] = "X25519:P-256:P-384"; /* OpenSSL's macro lacks a const */

enum { TICKET_LIFE_S = TLS_TICKET_DAYS * 86400 };

/* --- the material that a context uses --- */

static void on_context_freed(void *context, void *material, CRYPTO_EX_DATA *data, int index,
                             long number, void *arg)
{
    (void)context;
    (void)data;
    (void)index;
    (void)number;
    (void)arg;
    tls_material_unref(material);
}

static int material_index = -1;

static void make_index(void)
{
    material_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_context_freed);
    assert(material_index >= 0);
}

static void keep_material(SSL_CTX *context, struct tls_material *material)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_index);
    int ok = SSL_CTX_set_ex_data(context, material_index, tls_material_ref(material));
    assert(ok == 1);
    (void)ok;
}

/* --- servers --- */

static bool use_pair(SSL *ssl, const struct tls_pair *pair)
{
    return SSL_use_cert_and_key(ssl, pair->certificate, pair->key, pair->chain, 1) == 1;
}

/* Chooses the certificate by the name that the client asks for. All that fit equally well are used:
 * one may have an RSA key, another one ECDSA. None fits: the context's, which is the first. */
static int on_certificate(SSL *ssl, void *arg)
{
    const struct tls_material *material = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    int best = 0;
    if (name == NULL || material->n_pairs < 2)
        return 1;
    for (size_t i = 0; i < material->n_pairs; i++) {
        int fit = tls_names_fit(&material->pairs[i], name);
        best = fit > best ? fit : best;
    }
    if (best == 0)
        return 1;
    SSL_certs_clear(ssl);
    for (size_t i = material->n_pairs; i-- > 0;) { /* the first of a kind of key is set last */
        const struct tls_pair *pair = &material->pairs[i];
        if (tls_names_fit(pair, name) == best && !use_pair(ssl, pair))
            return 0;
    }
    return 1;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *len,
                   const unsigned char *offered, unsigned int offered_len, void *arg)
{
    const struct tls_endpoint *endpoint = arg;
    unsigned char *chosen;
    (void)ssl;
    if (SSL_select_next_proto(&chosen, len, endpoint->alpn, (unsigned)endpoint->alpn_len, offered,
                              offered_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool trust(SSL_CTX *context, const struct tls_material *material)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    if (material->ca == NULL)
        return SSL_CTX_set_default_verify_paths(context) == 1;
    for (int i = 0; i < sk_X509_num(material->ca); i++) {
        if (X509_STORE_add_cert(store, sk_X509_value(material->ca, i)) != 1)
            return false;
    }
    /* a certificate in tls.ca is believed even if it is not a root */
    return X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1;
}

/* Nobody resumes a session here: a ticket lasts, and is renewed, longer than the client's
 * certificate or its CA may. */
static bool demand_client(SSL_CTX *context, const struct tls_material *material)
{
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
    for (int i = 0; i < sk_X509_num(material->ca); i++) {
        if (SSL_CTX_add_client_CA(context, sk_X509_value(material->ca, i)) != 1)
            return false;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return trust(context, material);
}

static bool show(SSL_CTX *context, const struct tls_pair *pair)
{
    return SSL_CTX_use_cert_and_key(context, pair->certificate, pair->key, pair->chain, 1) == 1;
}

static bool set_up_server(SSL_CTX *context, struct tls_endpoint *endpoint,
                          struct tls_material *material)
{
    const char *name = endpoint->server.name;
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets only: no state here */
    SSL_CTX_set_timeout(context, TICKET_LIFE_S);
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_cert_cb(context, on_certificate, material);
    SSL_CTX_set_keylog_callback(context, tls_engine_learn); /* engine.c takes the records over */
    if (endpoint->alpn_len > 0)
        SSL_CTX_set_alpn_select_cb(context, on_alpn, endpoint);
    tls_tickets_attach(endpoint->tls->tickets, context);
    /* A ticket is good only at listeners of its name: one may demand a client's certificate. */
    return SSL_CTX_set_session_id_context(context, (const unsigned char *)name,
                                          (unsigned)strnlen(name, 32)) == 1 &&
           show(context, &material->pairs[0]) &&
           (!endpoint->server.demand_client || demand_client(context, material));
}

/* --- clients --- */

static bool set_up_client(SSL_CTX *context, struct tls_endpoint *endpoint,
                          const struct tls_material *material)
{
    const struct tls_client_options *options = &endpoint->client;
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(context, options->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (options->show_certificate && material->n_pairs > 0 && !show(context, &material->pairs[0]))
        return false;
    if (endpoint->alpn_len > 0 &&
        SSL_CTX_set_alpn_protos(context, endpoint->alpn, (unsigned)endpoint->alpn_len) != 0)
        return false;
    return options->insecure || trust(context, material);
}

/* --- both --- */

static bool set_up(SSL_CTX *context, struct tls_endpoint *endpoint, struct tls_material *material)
{
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return SSL_CTX_set_min_proto_version(context, material->min_version) == 1 &&
           SSL_CTX_set_cipher_list(context, CIPHERS_12) == 1 &&
           SSL_CTX_set_ciphersuites(context, SUITES_13) == 1 &&
           SSL_CTX_set1_groups_list(context, groups) == 1 &&
           (endpoint->is_server ? set_up_server(context, endpoint, material)
                                : set_up_client(context, endpoint, material));
}

SSL_CTX *tls_context_new(struct tls_endpoint *endpoint, struct tls_material *material, char *err,
                         size_t errlen)
{
    const char *name = endpoint->is_server ? endpoint->server.name : endpoint->client.name;
    char why[128];
    if (endpoint->is_server && material->n_pairs == 0) {
        snprintf(err, errlen, "%s: there is no certificate: set tls.certificate and tls.key", name);
        return NULL;
    }
    if (endpoint->is_server && endpoint->server.demand_client && material->ca == NULL) {
        snprintf(err, errlen,
                 "%s: certificates of clients are demanded, and nobody says who signs them: set "
                 "tls.ca",
                 name);
        return NULL;
    }
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(endpoint->is_server ? TLS_server_method() : TLS_client_method());
    if (context != NULL && set_up(context, endpoint, material)) {
        keep_material(context, material);
        return context;
    }
    tls_error_text(why, sizeof(why));
    snprintf(err, errlen, "%s: %s", name, why);
    SSL_CTX_free(context);
    return NULL;
}

SSL *tls_endpoint_connection(struct tls_endpoint *endpoint)
{
    pthread_mutex_lock(&endpoint->lock);
    SSL_CTX *context = endpoint->context;
    SSL_CTX_up_ref(context);
    pthread_mutex_unlock(&endpoint->lock);
    SSL *ssl = SSL_new(context);
    SSL_CTX_free(context);
    return ssl;
}

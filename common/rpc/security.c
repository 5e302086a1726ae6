/* security.c - TLS and the key of connections between daemons.
 *
 *   rpc_secure ─► struct rpc_identity, immutable ─► the next link of each channel (client.c)
 *                                                └─► the check of each stream that comes
 *
 * The server's certificates are in its struct tls_server, which changes by itself. */
#include "common/base/mem.h"
#include "common/rpc/internal.h"
#include <grpc/grpc_security.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEME "Bearer " /* RFC 6750, 2.1 */

struct rpc_identity {
    _Atomic uint32_t refs;
    enum rpc_tls tls;
    struct tls_server *server;
    struct tls_client *client;
    char *ca, *certificate, *private_key, *tls_name;
    char *bearer; /* the metadata's value: SCHEME, then the key */
};

static _Atomic uint64_t strangers; /* for the whole process */

static char *copy(const char *text)
{
    return text != NULL ? mem_strdup(text) : NULL;
}

static char *bearer_of(const char *key)
{
    if (key == NULL)
        return NULL;
    size_t size = sizeof SCHEME + strlen(key);
    char *bearer = mem_alloc(size);
    snprintf(bearer, size, SCHEME "%s", key);
    return bearer;
}

void rpc_identity_unref(struct rpc_identity *identity)
{
    if (identity == NULL ||
        atomic_fetch_sub_explicit(&identity->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(identity->ca);
    free(identity->certificate);
    free(identity->tls_name);
    mem_wiped_free_text(identity->private_key);
    mem_wiped_free_text(identity->bearer);
    free(identity);
}

void rpc_secure(struct rpc *rpc, const struct rpc_security *security)
{
    struct rpc_identity *identity = mem_zalloc(sizeof *identity);

    atomic_init(&identity->refs, 1);
    identity->tls = security->tls;
    identity->server = security->server;
    identity->client = security->client;
    identity->ca = copy(security->ca);
    identity->certificate = copy(security->certificate);
    identity->private_key = copy(security->private_key);
    identity->tls_name = copy(security->tls_name);
    identity->bearer = bearer_of(security->key);
    pthread_mutex_lock(&rpc->lock);
    struct rpc_identity *old = rpc->identity;
    rpc->identity = identity;
    pthread_mutex_unlock(&rpc->lock);
    rpc_identity_unref(old);
}

struct rpc_identity *rpc_identity_get(struct rpc *rpc)
{
    pthread_mutex_lock(&rpc->lock);
    struct rpc_identity *identity = rpc->identity;
    if (identity != NULL)
        atomic_fetch_add_explicit(&identity->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&rpc->lock);
    return identity;
}

grpc_channel_credentials *rpc_identity_credentials(const struct rpc_identity *identity)
{
    if (identity == NULL || identity->tls == RPC_TLS_OFF)
        return grpc_insecure_credentials_create();
    grpc_ssl_pem_key_cert_pair pair = {identity->private_key, identity->certificate};
    return grpc_ssl_credentials_create_ex(
        identity->ca, identity->tls == RPC_TLS_MUTUAL ? &pair : NULL, NULL, NULL);
}

const char *rpc_identity_tls_name(const struct rpc_identity *identity)
{
    return identity != NULL && identity->tls != RPC_TLS_OFF ? identity->tls_name : NULL;
}

struct tls_client *rpc_identity_client(const struct rpc_identity *identity)
{
    return identity != NULL && identity->tls != RPC_TLS_OFF ? identity->client : NULL;
}

const char *rpc_identity_bearer(const struct rpc_identity *identity)
{
    return identity != NULL ? identity->bearer : NULL;
}

struct tls_server *rpc_security_server(struct rpc *rpc)
{
    pthread_mutex_lock(&rpc->lock);
    const struct rpc_identity *identity = rpc->identity;
    struct tls_server *server =
        identity != NULL && identity->tls != RPC_TLS_OFF ? identity->server : NULL;
    pthread_mutex_unlock(&rpc->lock);
    return server;
}

/* Takes the same time wherever VALUE differs. */
static bool shows(const grpc_metadata *entry, const char *bearer, size_t len)
{
    return grpc_slice_str_cmp(entry->key, RPC_AUTHORIZATION) == 0 &&
           GRPC_SLICE_LENGTH(entry->value) == len &&
           CRYPTO_memcmp(GRPC_SLICE_START_PTR(entry->value), bearer, len) == 0;
}

bool rpc_security_admits(struct rpc *rpc, const grpc_metadata_array *metadata)
{
    struct rpc_identity *identity = rpc_identity_get(rpc);
    const char *bearer = rpc_identity_bearer(identity);
    bool shown = bearer == NULL;

    for (size_t i = 0; bearer != NULL && i < metadata->count; i++)
        shown = shown || shows(&metadata->metadata[i], bearer, strlen(bearer));
    if (!shown)
        atomic_fetch_add_explicit(&strangers, 1, memory_order_relaxed);
    rpc_identity_unref(identity);
    return shown;
}

uint64_t rpc_strangers_refused(void)
{
    return atomic_load_explicit(&strangers, memory_order_relaxed);
}

/*   tls.c        what a daemon has: opened, reloaded, shown
 *   material.c   certificates, keys, CA: read from files
 *   names.c      which hosts a certificate is for
 *   context.c    OpenSSL's contexts, of listeners and clients
 *   tickets.c    keys of session tickets
 *   engine.c     a connection; engine_records.c when it is open, of TLS 1.3 and ours to serve
 *   records.c    the records of an open connection of TLS 1.3
 *   errors.c     OpenSSL's errors in words */
#include "common/tls/tls.h"
#include "common/base/exposition.h"
#include "common/base/mem.h"
#include "common/tls/internal.h"
#include <assert.h>
#include <errno.h>
#include <string.h>

const struct metric_row tls_metric_rows[TLS_METRIC_ROWS] = {
    {.name = "imc_tls_certificate_expiry_seconds",
     .labels = "file=\"…\"",
     .type = METRIC_GAUGE,
     .help = "When the certificate expires, in seconds since 1970; of a file of CAs, when the last "
             "one does. Put a new one into its file in time, then send SIGHUP."},
    {.name = "imc_tls_handshakes_total",
     .labels = "end=\"server\",name=\"…\",result=\"full\"",
     .type = METRIC_COUNTER,
     .help = "TLS handshakes that ended, by listener (end=server) or kind of client: full, resumed "
             "(of an earlier session), failed."},
};

static const char *const result_names[TLS_RESULTS] = {"full", "resumed", "failed"};

/* --- opening --- */

static const char *text_of(const char *text)
{
    return text != NULL ? text : "";
}

static struct tls_settings settings_of(const struct tls_settings *settings)
{
    return (struct tls_settings){
        .certificates = text_of(settings->certificates),
        .keys = text_of(settings->keys),
        .ca = text_of(settings->ca),
        .min_version = text_of(settings->min_version),
        .ticket_keys = text_of(settings->ticket_keys),
    };
}

int tls_open(const struct tls_settings *settings, struct tls **out, char *err, size_t errlen)
{
    struct tls *tls = mem_zalloc(sizeof(*tls));
    struct tls_ticket_keys *keys = NULL;
    tls->settings = settings_of(settings);
    tls->material = tls_material_load(&tls->settings, err, errlen);
    if (tls->material != NULL)
        keys = tls_ticket_keys_read(tls->settings.ticket_keys, err, errlen);
    if (keys == NULL) {
        tls_close(tls);
        return -EINVAL;
    }
    tls->tickets = tls_tickets_open();
    tls_tickets_use(tls->tickets, &keys);
    tls_material_warn(tls->material);
    *out = tls;
    return 0;
}

int tls_check(const struct tls_settings *settings, char *err, size_t errlen)
{
    struct tls_settings own = settings_of(settings);
    struct tls_material *material = tls_material_load(&own, err, errlen);
    struct tls_ticket_keys *keys =
        material != NULL ? tls_ticket_keys_read(own.ticket_keys, err, errlen) : NULL;
    tls_material_unref(material);
    int rc = keys != NULL ? 0 : -EINVAL;
    tls_ticket_keys_free(keys);
    return rc;
}

void tls_check_expiry(const struct tls_settings *settings)
{
    struct tls_settings own = settings_of(settings);
    char err[TLS_ERROR_MAX];
    struct tls_material *material = tls_material_load(&own, err, sizeof err);
    if (material != NULL)
        tls_material_warn(material);
    tls_material_unref(material);
}

void tls_close(struct tls *tls)
{
    struct tls_endpoint *endpoint;
    if (tls == NULL)
        return;
    while ((endpoint = LIST_FIRST(&tls->endpoints)) != NULL) {
        LIST_REMOVE(endpoint, link);
        SSL_CTX_free(endpoint->context);
        pthread_mutex_destroy(&endpoint->lock);
        free(endpoint);
    }
    tls_tickets_close(tls->tickets);
    tls_material_unref(tls->material);
    free(tls);
}

bool tls_has_certificate(const struct tls *tls)
{
    return tls->material->n_pairs > 0;
}

bool tls_certificate_at(const struct tls *tls, size_t i, const char **file, int64_t *expires)
{
    const struct tls_material *material = tls->material;
    if (i > material->n_pairs || (i == material->n_pairs && material->ca == NULL))
        return false;
    *file = i < material->n_pairs ? material->pairs[i].file : material->ca_file;
    *expires = i < material->n_pairs ? material->pairs[i].expires : material->ca_expires;
    return true;
}

static bool has_file(const struct tls *tls, const char *wanted, size_t before)
{
    const char *file;
    int64_t expires;
    for (size_t i = 0; i < before && tls_certificate_at(tls, i, &file, &expires); i++) {
        if (strcmp(file, wanted) == 0)
            return true;
    }
    return false;
}

/* Is FILE, number I of all[AT], one of those before it? */
static bool came_before(const struct tls *const *all, size_t at, size_t i, const char *file)
{
    for (size_t k = 0; k < at; k++) {
        if (all[k] != NULL && has_file(all[k], file, SIZE_MAX))
            return true;
    }
    return has_file(all[at], file, i);
}

void tls_certificates_each(const struct tls *const *all, size_t n, tls_certificate_fn fn, void *arg)
{
    const char *file;
    int64_t expires;
    for (size_t at = 0; at < n; at++) {
        for (size_t i = 0; all[at] != NULL && tls_certificate_at(all[at], i, &file, &expires);
             i++) {
            if (!came_before(all, at, i, file))
                fn(file, expires, arg);
        }
    }
}

/* "h2,http/1.1" becomes 2 h2 8 http/1.1. */
static void set_alpn(struct tls_endpoint *endpoint, const char *list)
{
    while (list != NULL && *list != '\0') {
        size_t len = strcspn(list, ",");
        assert(len > 0 && len < 256 && endpoint->alpn_len + 1 + len <= sizeof(endpoint->alpn));
        endpoint->alpn[endpoint->alpn_len] = (uint8_t)len;
        memcpy(endpoint->alpn + endpoint->alpn_len + 1, list, len);
        endpoint->alpn_len += 1 + len;
        list += len + (list[len] == ',');
    }
}

/* Takes over ENDPOINT, and frees it if it has no context. */
static int open_endpoint(struct tls *tls, struct tls_endpoint *endpoint, char *err, size_t errlen)
{
    endpoint->tls = tls;
    set_alpn(endpoint, endpoint->is_server ? endpoint->server.alpn : endpoint->client.alpn);
    endpoint->context = tls_context_new(endpoint, tls->material, err, errlen);
    if (endpoint->context == NULL) {
        free(endpoint);
        return -EINVAL;
    }
    pthread_mutex_init(&endpoint->lock, NULL);
    LIST_INSERT_HEAD(&tls->endpoints, endpoint, link);
    return 0;
}

int tls_server_open(struct tls *tls, const struct tls_server_options *options,
                    struct tls_server **out, char *err, size_t errlen)
{
    struct tls_server *server = mem_zalloc(sizeof(*server));
    server->endpoint.is_server = true;
    server->endpoint.server = *options;
    int rc = open_endpoint(tls, &server->endpoint, err, errlen);
    if (rc == 0)
        *out = server;
    return rc;
}

int tls_client_open(struct tls *tls, const struct tls_client_options *options,
                    struct tls_client **out, char *err, size_t errlen)
{
    struct tls_client *client = mem_zalloc(sizeof(*client));
    client->endpoint.client = *options;
    int rc = open_endpoint(tls, &client->endpoint, err, errlen);
    if (rc == 0)
        *out = client;
    return rc;
}

/* --- reloading --- */

static void swap(struct tls_endpoint *endpoint, SSL_CTX *context)
{
    pthread_mutex_lock(&endpoint->lock);
    SSL_CTX *old = endpoint->context;
    endpoint->context = context;
    pthread_mutex_unlock(&endpoint->lock);
    SSL_CTX_free(old);
}

static size_t count(const struct tls *tls)
{
    const struct tls_endpoint *endpoint;
    size_t n = 0;
    LIST_FOREACH(endpoint, &tls->endpoints, link)
        n++;
    return n;
}

/* New contexts for all endpoints, in their order. NULL, and ERR says why not. */
static SSL_CTX **new_contexts(struct tls *tls, struct tls_material *material, char *err,
                              size_t errlen)
{
    SSL_CTX **contexts = mem_zalloc((count(tls) + 1) * sizeof(SSL_CTX *));
    struct tls_endpoint *endpoint;
    size_t n = 0;
    LIST_FOREACH(endpoint, &tls->endpoints, link) {
        contexts[n] = tls_context_new(endpoint, material, err, errlen);
        if (contexts[n++] != NULL)
            continue;
        while (n > 0)
            SSL_CTX_free(contexts[--n]);
        free(contexts);
        return NULL;
    }
    return contexts;
}

int tls_reload(struct tls *tls, char *err, size_t errlen)
{
    struct tls_endpoint *endpoint;
    SSL_CTX **contexts = NULL;
    size_t n = 0;
    struct tls_material *material = tls_material_load(&tls->settings, err, errlen);
    struct tls_ticket_keys *keys =
        material != NULL ? tls_ticket_keys_read(tls->settings.ticket_keys, err, errlen) : NULL;
    if (keys != NULL)
        contexts = new_contexts(tls, material, err, errlen);
    if (contexts == NULL) {
        tls_ticket_keys_free(keys);
        tls_material_unref(material);
        return -EINVAL;
    }
    tls_tickets_use(tls->tickets, &keys);
    LIST_FOREACH(endpoint, &tls->endpoints, link)
        swap(endpoint, contexts[n++]);
    free(contexts);
    tls_material_unref(tls->material);
    tls->material = material;
    tls_material_warn(material);
    return 0;
}

/* --- metrics --- */

static void render_expiry(const char *file, int64_t expires, void *to)
{
    char *labels = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&labels, &len);
    if (out == NULL)
        return;
    fputs("file=\"", out);
    exposition_label(out, file);
    fputc('"', out);
    fclose(out);
    exposition_int(to, &tls_metric_rows[0], labels, expires);
    free(labels);
}

static void render_handshakes(const struct tls_endpoint *endpoint, int result,
                              struct exposition *to)
{
    char labels[128];
    snprintf(labels, sizeof labels, "end=\"%s\",name=\"%s\",result=\"%s\"",
             endpoint->is_server ? "server" : "client",
             endpoint->is_server ? endpoint->server.name : endpoint->client.name,
             result_names[result]);
    exposition_int(to, &tls_metric_rows[1], labels,
                   atomic_load_explicit(&endpoint->results[result], memory_order_relaxed));
}

void tls_render(const struct tls *const *all, size_t n, struct exposition *to)
{
    const struct tls_endpoint *endpoint;
    tls_certificates_each(all, n, render_expiry, to);
    for (size_t at = 0; at < n; at++) {
        if (all[at] == NULL)
            continue;
        LIST_FOREACH(endpoint, &all[at]->endpoints, link) {
            for (int i = 0; i < TLS_RESULTS; i++)
                render_handshakes(endpoint, i, to);
        }
    }
}

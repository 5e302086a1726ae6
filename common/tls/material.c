/* Certificates, their keys and the CA, read from PEM files. Every refusal names the file. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/config/config.h"
#include "common/tls/internal.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

enum { DAY_S = 86400, SOON_DAYS = 14, PAIRS_MOST = 256, CHAIN_MOST = 32 };

/* --- files --- */

/* Opens FILE, the value of SETTING, to read. NULL, and ERR says why. */
static BIO *open_file(const char *setting, const char *file, char *err, size_t errlen)
{
    FILE *stream = fopen(file, "re");
    if (stream == NULL) {
        int error = errno;
        snprintf(err, errlen, "%s: %s: %s; %s", setting, file, uv_strerror(-error),
                 error == EACCES ? "let the daemon's user read it" : "give the path of a PEM file");
        return NULL;
    }
    BIO *bio = BIO_new_fp(stream, BIO_CLOSE);
    if (bio == NULL) {
        fclose(stream);
        snprintf(err, errlen, "%s: %s: no memory", setting, file);
    }
    return bio;
}

/* A key with a passphrase is refused: nobody could be asked for it. */
static int no_passphrase(char *buf, int size, int writes, void *arg)
{
    bool *asked = arg;
    (void)buf;
    (void)size;
    (void)writes;
    *asked = true;
    return -1;
}

/* Appends the certificates of FILE to LIST, at most MOST. False, and ERR says why. */
static bool read_certificates(const char *setting, const char *file, STACK_OF(X509) * list,
                              int most, char *err, size_t errlen)
{
    char why[128];
    X509 *one;
    BIO *bio = open_file(setting, file, err, errlen);
    if (bio == NULL)
        return false;
    while ((one = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL) {
        if (sk_X509_num(list) < most && sk_X509_push(list, one) > 0)
            continue;
        X509_free(one);
        snprintf(err, errlen, "%s: %s: more than %d certificates", setting, file, most);
        BIO_free(bio);
        return false;
    }
    BIO_free(bio);
    unsigned long code = ERR_peek_last_error();
    bool at_end = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
    if (at_end && sk_X509_num(list) > 0) {
        ERR_clear_error();
        return true;
    }
    tls_error_text(why, sizeof(why));
    snprintf(err, errlen,
             "%s: %s: %s%s; want PEM: the certificate, then those that it is signed by", setting,
             file,
             at_end ? "has no certificate" : "a certificate cannot be read: ", at_end ? "" : why);
    return false;
}

static EVP_PKEY *read_key(const char *file, char *err, size_t errlen)
{
    char why[128];
    bool asked = false;
    BIO *bio = open_file("tls.key", file, err, errlen);
    if (bio == NULL)
        return NULL;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked);
    BIO_free(bio);
    tls_error_text(why, sizeof(why));
    if (key == NULL && asked)
        snprintf(err, errlen,
                 "tls.key: %s: has a passphrase, and nobody can be asked for it; store the key "
                 "without (openssl pkey -in FILE -out NEW), readable only by the daemon's user",
                 file);
    else if (key == NULL)
        snprintf(err, errlen, "tls.key: %s: no private key can be read: %s; want PEM", file, why);
    return key;
}

/* --- pairs --- */

static int64_t expiry_of(const X509 *certificate)
{
    struct tm tm = {0};
    return ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

/* A file of CAs may have old ones beside those that took their place. */
static int64_t last_expiry(const STACK_OF(X509) * list)
{
    int64_t last = 0;
    for (int i = 0; i < sk_X509_num(list); i++) {
        int64_t expires = expiry_of(sk_X509_value(list, i));
        last = expires > last ? expires : last;
    }
    return last;
}

static bool read_pair(struct tls_pair *pair, const char *key_file, char *err, size_t errlen)
{
    pair->chain = sk_X509_new_null();
    if (!read_certificates("tls.certificate", pair->file, pair->chain, CHAIN_MOST, err, errlen))
        return false;
    pair->certificate = sk_X509_shift(pair->chain);
    pair->key = read_key(key_file, err, errlen);
    if (pair->key == NULL)
        return false;
    if (X509_check_private_key(pair->certificate, pair->key) != 1) {
        ERR_clear_error();
        snprintf(err, errlen,
                 "tls.key: %s: is not the key of the first certificate in %s; name keys and "
                 "certificates in the same order",
                 key_file, pair->file);
        return false;
    }
    pair->expires = expiry_of(pair->certificate);
    tls_names_read(pair);
    return true;
}

struct items {
    char *list[PAIRS_MOST];
    size_t n;
    bool more;
};

static void add_item(const char *item, size_t len, void *arg)
{
    struct items *items = arg;
    if (items->n < PAIRS_MOST)
        items->list[items->n++] = mem_strndup(item, len);
    else
        items->more = true;
}

static void items_free(struct items *items)
{
    for (size_t i = 0; i < items->n; i++)
        free(items->list[i]);
}

static bool read_pairs(struct tls_material *material, const struct tls_settings *settings,
                       char *err, size_t errlen)
{
    struct items certificates = {.n = 0}, keys = {.n = 0};
    config_list_each(settings->certificates, add_item, &certificates);
    config_list_each(settings->keys, add_item, &keys);
    bool ok = certificates.n == keys.n && !certificates.more && !keys.more;
    if (certificates.n != keys.n)
        snprintf(err, errlen,
                 "tls.certificate names %zu files, tls.key %zu; want one key for each certificate, "
                 "in the same order",
                 certificates.n, keys.n);
    else if (!ok)
        snprintf(err, errlen, "tls.certificate: more than %d files", PAIRS_MOST);
    material->pairs = mem_zalloc(certificates.n * sizeof(*material->pairs));
    for (size_t i = 0; ok && i < certificates.n; i++) {
        struct tls_pair *pair = &material->pairs[material->n_pairs++];
        pair->file = mem_strdup(certificates.list[i]);
        ok = read_pair(pair, keys.list[i], err, errlen);
    }
    items_free(&certificates);
    items_free(&keys);
    return ok;
}

/* --- all of it --- */

enum { CA_MOST = 2000 };

static bool read_all(struct tls_material *material, const struct tls_settings *settings, char *err,
                     size_t errlen)
{
    const char *version = settings->min_version;
    bool is_13 = strcmp(version, "1.3") == 0;
    if (!is_13 && version[0] != '\0' && strcmp(version, "1.2") != 0) {
        snprintf(err, errlen, "tls.min_version: \"%s\" is not accepted; want 1.2 or 1.3", version);
        return false;
    }
    material->min_version = is_13 ? TLS1_3_VERSION : TLS1_2_VERSION;
    if (settings->ca[0] != '\0') {
        material->ca = sk_X509_new_null();
        material->ca_file = mem_strdup(settings->ca);
        if (!read_certificates("tls.ca", settings->ca, material->ca, CA_MOST, err, errlen))
            return false;
        material->ca_expires = last_expiry(material->ca);
    }
    return read_pairs(material, settings, err, errlen);
}

struct tls_material *tls_material_load(const struct tls_settings *settings, char *err,
                                       size_t errlen)
{
    struct tls_material *material = mem_zalloc(sizeof(*material));
    atomic_init(&material->refs, 1);
    ERR_clear_error();
    if (read_all(material, settings, err, errlen))
        return material;
    tls_material_unref(material);
    return NULL;
}

/* TROUBLE: what happens when it has expired. */
static void warn_expiry(const char *file, int64_t expires, const char *trouble)
{
    long long left = (long long)expires - (long long)(time_unix_us() / 1000000);
    if (left < 0)
        log_warn("certificate has expired",
                 "file=%s days_ago=%lld; %s: put a new one there, then send SIGHUP", file,
                 -left / DAY_S, trouble);
    else if (left < (long long)SOON_DAYS * DAY_S)
        log_warn("certificate expires soon", "file=%s days=%lld", file, left / DAY_S);
}

void tls_material_warn(const struct tls_material *material)
{
    for (size_t i = 0; i < material->n_pairs; i++) {
        const struct tls_pair *pair = &material->pairs[i];
        warn_expiry(pair->file, pair->expires, "others will refuse it");
        if (X509_cmp_current_time(X509_get0_notBefore(pair->certificate)) > 0)
            log_warn("certificate is not valid yet", "file=%s; is this machine's clock right?",
                     pair->file);
    }
    if (material->ca != NULL)
        warn_expiry(material->ca_file, material->ca_expires, "nobody whom it signed is believed");
}

struct tls_material *tls_material_ref(struct tls_material *material)
{
    atomic_fetch_add_explicit(&material->refs, 1, memory_order_relaxed);
    return material;
}

static void pair_free(struct tls_pair *pair)
{
    for (size_t i = 0; i < pair->n_names; i++)
        free(pair->names[i]);
    free(pair->names);
    free(pair->file);
    X509_free(pair->certificate);
    sk_X509_pop_free(pair->chain, X509_free);
    EVP_PKEY_free(pair->key);
}

void tls_material_unref(struct tls_material *material)
{
    if (material == NULL || atomic_fetch_sub_explicit(&material->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < material->n_pairs; i++)
        pair_free(&material->pairs[i]);
    free(material->pairs);
    sk_X509_pop_free(material->ca, X509_free);
    free(material->ca_file);
    free(material);
}

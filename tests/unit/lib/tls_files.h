/* tls_files.h - certificates for tests, made on the spot, in a directory of the test's own. */
#ifndef IMC_TESTS_UNIT_LIB_TLS_FILES_H
#define IMC_TESTS_UNIT_LIB_TLS_FILES_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct tls_file_pair {
    X509 *certificate;
    EVP_PKEY *key;
};

struct tls_files {
    char dir[64];
    struct tls_file_pair ca;
    long serial;
};

/* What a certificate is to be. Times are seconds from now. */
struct tls_file_options {
    const char *names; /* subjectAltName: "DNS:a.example,IP:127.0.0.1"; NULL: none */
    const char *common_name;
    long from, until; /* both 0: from an hour ago until in 60 days */
    bool rsa, is_ca;
};

static inline void tls_files_path(const struct tls_files *files, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", files->dir, name);
}

static inline void tls_files_must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "tls_files: %s\n", what);
    abort();
}

static inline void tls_files_extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    tls_files_must(extension != NULL && X509_add_ext(certificate, extension, -1) == 1, value);
    X509_EXTENSION_free(extension);
}

/* Signed by ISSUER; NULL: by itself. */
static inline struct tls_file_pair tls_files_make(struct tls_files *files,
                                                  const struct tls_file_options *options,
                                                  const struct tls_file_pair *issuer)
{
    struct tls_file_pair pair = {
        .certificate = X509_new(),
        .key = options->rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"),
    };
    bool always = options->from == 0 && options->until == 0;
    const unsigned char *name = (const unsigned char *)options->common_name;
    X509 *of = pair.certificate;
    tls_files_must(of != NULL && pair.key != NULL, "no key");
    X509_set_version(of, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(of), ++files->serial);
    X509_gmtime_adj(X509_getm_notBefore(of), always ? -3600 : options->from);
    X509_gmtime_adj(X509_getm_notAfter(of), always ? 60 * 86400 : options->until);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(of), "CN", MBSTRING_ASC, name, -1, -1, 0);
    X509_set_issuer_name(of, X509_get_subject_name(issuer != NULL ? issuer->certificate : of));
    X509_set_pubkey(of, pair.key);
    if (options->is_ca)
        tls_files_extend(of, of, NID_basic_constraints, "critical,CA:TRUE");
    if (options->names != NULL)
        tls_files_extend(of, of, NID_subject_alt_name, options->names);
    tls_files_must(X509_sign(of, issuer != NULL ? issuer->key : pair.key, EVP_sha256()) > 0,
                   "cannot sign");
    return pair;
}

static inline FILE *tls_files_create(const struct tls_files *files, const char *name)
{
    char path[128];
    tls_files_path(files, name, path);
    FILE *file = fopen(path, "we");
    tls_files_must(file != NULL, path);
    return file;
}

static inline void tls_files_write(const struct tls_files *files, const char *name,
                                   const char *text)
{
    FILE *file = tls_files_create(files, name);
    fputs(text, file);
    fclose(file);
}

/* Writes NAME.pem and NAME.key. */
static inline void tls_files_save(const struct tls_files *files, const char *name,
                                  const struct tls_file_pair *pair)
{
    char full[64];
    snprintf(full, sizeof(full), "%s.pem", name);
    FILE *file = tls_files_create(files, full);
    PEM_write_X509(file, pair->certificate);
    fclose(file);
    snprintf(full, sizeof(full), "%s.key", name);
    file = tls_files_create(files, full);
    PEM_write_PrivateKey(file, pair->key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
}

static inline void tls_file_pair_free(struct tls_file_pair *pair)
{
    X509_free(pair->certificate);
    EVP_PKEY_free(pair->key);
}

/* A directory with ca.pem, whose key signs the others. */
static inline void tls_files_open(struct tls_files *files)
{
    const struct tls_file_options ca = {.common_name = "test CA", .is_ca = true};
    *files = (struct tls_files){.dir = "/tmp/imc-tls-XXXXXX"};
    tls_files_must(mkdtemp(files->dir) != NULL, "no directory");
    files->ca = tls_files_make(files, &ca, NULL);
    tls_files_save(files, "ca", &files->ca);
}

/* NAME.pem and NAME.key, signed by the CA. */
static inline void tls_files_sign(struct tls_files *files, const char *name,
                                  const struct tls_file_options *options)
{
    struct tls_file_pair pair = tls_files_make(files, options, &files->ca);
    tls_files_save(files, name, &pair);
    tls_file_pair_free(&pair);
}

static inline void tls_files_close(struct tls_files *files)
{
    char command[128];
    tls_file_pair_free(&files->ca);
    snprintf(command, sizeof(command), "rm -rf %s", files->dir);
    /* NOLINTNEXTLINE(cert-env33-c,concurrency-mt-unsafe): a test's own directory */
    tls_files_must(system(command) == 0, command);
}

#endif

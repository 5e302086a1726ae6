/* secret ─► HKDF-Expand-Label ─► key, iv          nonce = iv XOR number of the record
 *    └─ "traffic upd" ─► the next secret
 *
 * A thread has one cipher context, which is given its key for each record: that takes some tenths
 * of a microsecond, and a context of 1 KB for each connection is saved. */
#include "common/tls/records.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <pthread.h>
#include <string.h>

enum { IV = 12, TAG = 16, KEY = 32 };

struct direction {
    uint8_t secret[RECORDS_SECRET], key[KEY], iv[IV];
    uint64_t number; /* of the next record */
};

/* A cipher suite of TLS 1.3 (RFC 8446, B.4). */
struct suite {
    uint32_t id;
    const char *cipher, *digest;
    size_t key_len, secret_len;
};
static const struct suite suites[] = {
    {TLS1_3_CK_AES_128_GCM_SHA256, "AES-128-GCM", "SHA256", 16, 32},
    {TLS1_3_CK_AES_256_GCM_SHA384, "AES-256-GCM", "SHA384", 32, 48},
    {TLS1_3_CK_CHACHA20_POLY1305_SHA256, "ChaCha20-Poly1305", "SHA256", 32, 32},
};
enum { SUITES = sizeof suites / sizeof suites[0] };

struct records {
    uint8_t suite; /* of the list */
    uint16_t most; /* plaintext of a record */
    struct direction in, out;
};

/* --- what OpenSSL has, found once --- */

static EVP_CIPHER *ciphers[SUITES];
static EVP_KDF *kdf;
static pthread_key_t context_key;

static void free_context(void *context)
{
    EVP_CIPHER_CTX_free(context);
}

static void find_all(void)
{
    for (size_t i = 0; i < SUITES; i++)
        ciphers[i] = EVP_CIPHER_fetch(NULL, suites[i].cipher, NULL);
    kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    int failed = pthread_key_create(&context_key, free_context);
    assert(failed == 0);
    (void)failed;
}

static void find_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_all);
}

/* This thread's. NULL: no memory. */
static EVP_CIPHER_CTX *context_of_thread(void)
{
    static _Thread_local EVP_CIPHER_CTX *own;
    if (own == NULL) {
        own = EVP_CIPHER_CTX_new();
        pthread_setspecific(context_key, own);
    }
    return own;
}

/* --- keys --- */

/* HKDF-Expand-Label (RFC 8446, 7.1) without a context. */
static bool expand(const struct suite *suite, const uint8_t *secret, const char *label,
                   uint8_t *out, size_t len)
{
    uint8_t info[64];
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    size_t label_len = strlen(label), at = 0;
    info[at++] = (uint8_t)(len >> 8);
    info[at++] = (uint8_t)len;
    info[at++] = (uint8_t)(6 + label_len);
    memcpy(info + at, "tls13 ", 6);
    memcpy(info + at + 6, label, label_len);
    at += 6 + label_len;
    info[at++] = 0;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, mem_unconst(suite->digest), 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, mem_unconst(secret),
                                          suite->secret_len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, at),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    bool ok = context != NULL && EVP_KDF_derive(context, out, len, params) == 1;
    EVP_KDF_CTX_free(context);
    return ok;
}

static bool set_keys(const struct suite *suite, struct direction *direction)
{
    direction->number = 0;
    return expand(suite, direction->secret, "key", direction->key, suite->key_len) &&
           expand(suite, direction->secret, "iv", direction->iv, IV);
}

static bool next_key(const struct records *records, struct direction *direction)
{
    const struct suite *suite = &suites[records->suite];
    uint8_t next[RECORDS_SECRET];
    bool ok = expand(suite, direction->secret, "traffic upd", next, suite->secret_len);
    memcpy(direction->secret, next, suite->secret_len);
    explicit_bzero(next, sizeof(next));
    return ok && set_keys(suite, direction);
}

bool records_next_read_key(struct records *records)
{
    return next_key(records, &records->in);
}

bool records_next_write_key(struct records *records)
{
    return next_key(records, &records->out);
}

bool records_is_worn(const struct records *records)
{
    return records->out.number >= RECORDS_WORN;
}

void records_write_keys(const struct records *records, struct records_keys *out)
{
    *out = (struct records_keys){.suite = suites[records->suite].id, .number = records->out.number};
    memcpy(out->key, records->out.key, KEY);
    memcpy(out->iv, records->out.iv, IV);
}

void records_forget_write_key(struct records *records)
{
    explicit_bzero(records->out.key, KEY);
    explicit_bzero(records->out.iv, IV);
}

void records_count_written(struct records *records, uint64_t n)
{
    records->out.number += n;
}

/* --- secrets --- */

static size_t read_hex(const char *text, uint8_t *out, size_t size)
{
    size_t n = 0;
    while (n < size && text_from_hex(text + 2 * n, out + n, 1))
        n++;
    return n;
}

void records_learn(struct records_secrets *secrets, const char *line)
{
    const char *client = "CLIENT_TRAFFIC_SECRET_0 ", *server = "SERVER_TRAFFIC_SECRET_0 ";
    const char *value = strrchr(line, ' ');
    if (value != NULL && strncmp(line, client, strlen(client)) == 0)
        secrets->client_len = read_hex(value + 1, secrets->client, RECORDS_SECRET);
    else if (value != NULL && strncmp(line, server, strlen(server)) == 0)
        secrets->server_len = read_hex(value + 1, secrets->server, RECORDS_SECRET);
}

/* --- life --- */

static uint16_t most_of(const SSL *ssl)
{
    const SSL_SESSION *session = SSL_get0_session(ssl);
    uint8_t code = session != NULL ? SSL_SESSION_get_max_fragment_length(session) : 0;
    return code >= TLSEXT_max_fragment_length_512 && code <= TLSEXT_max_fragment_length_4096
               ? (uint16_t)(256u << code)
               : (uint16_t)RECORDS_PLAIN;
}

struct records *records_new(const SSL *ssl, const struct records_secrets *secrets, uint64_t written)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    uint32_t id = cipher != NULL ? SSL_CIPHER_get_id(cipher) : 0;
    size_t i = 0;
    find_once();
    while (i < SUITES && suites[i].id != id)
        i++;
    if (i == SUITES || ciphers[i] == NULL || kdf == NULL ||
        secrets->client_len != suites[i].secret_len || secrets->server_len != suites[i].secret_len)
        return NULL;
    struct records *records = mem_zalloc(sizeof(*records));
    records->suite = (uint8_t)i;
    records->most = most_of(ssl);
    memcpy(records->in.secret, secrets->client, suites[i].secret_len);
    memcpy(records->out.secret, secrets->server, suites[i].secret_len);
    if (set_keys(&suites[i], &records->in) && set_keys(&suites[i], &records->out)) {
        records->out.number = written;
        return records;
    }
    records_free(records);
    ERR_clear_error();
    return NULL;
}

void records_free(struct records *records)
{
    if (records == NULL)
        return;
    EVP_CIPHER_CTX_reset(context_of_thread()); /* its last key may be ours */
    mem_wiped_free(records, sizeof(*records));
}

size_t records_most(const struct records *records)
{
    return records->most;
}

/* --- records --- */

static void nonce_of(const struct direction *direction, uint8_t out[IV])
{
    memcpy(out, direction->iv, IV);
    for (int i = 0; i < 8; i++)
        out[IV - 1 - i] ^= (uint8_t)(direction->number >> (8 * i));
}

/* The cipher, with key, nonce and header. NULL: it failed. */
static EVP_CIPHER_CTX *begin(const struct records *records, const struct direction *direction,
                             const uint8_t *header, bool encrypts)
{
    EVP_CIPHER_CTX *context = context_of_thread();
    uint8_t nonce[IV];
    int n;
    nonce_of(direction, nonce);
    bool ok = context != NULL && direction->number != UINT64_MAX && /* RFC 8446, 5.3 */
              EVP_CipherInit_ex(context, ciphers[records->suite], NULL, direction->key, nonce,
                                encrypts) == 1 &&
              EVP_CipherUpdate(context, NULL, &n, header, RECORDS_HEADER) == 1;
    return ok ? context : NULL;
}

size_t records_seal(struct records *records, enum records_type type, const void *plain, size_t len,
                    uint8_t *out)
{
    const uint8_t last = (uint8_t)type;
    size_t body = len + 1 + TAG;
    uint8_t *at = out + RECORDS_HEADER;
    int n = 0, more = 0, rest = 0;
    assert(len <= RECORDS_PLAIN);
    out[0] = RECORDS_DATA;
    out[1] = out[2] = 3; /* TLS 1.2, for those between */
    out[3] = (uint8_t)(body >> 8);
    out[4] = (uint8_t)body;
    EVP_CIPHER_CTX *context = begin(records, &records->out, out, true);
    if (context == NULL || (len > 0 && EVP_CipherUpdate(context, at, &n, plain, (int)len) != 1) ||
        EVP_CipherUpdate(context, at + n, &more, &last, 1) != 1 ||
        EVP_CipherFinal_ex(context, at + n + more, &rest) != 1 ||
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG, at + len + 1) != 1)
        return 0;
    assert(n + more + rest == (int)len + 1);
    records->out.number++;
    return RECORDS_HEADER + body;
}

/* The plaintext with its type and padding is in OUT. */
static long strip(const struct records *records, const uint8_t *out, size_t body,
                  enum records_type *type)
{
    if (body > RECORDS_PLAIN + 1)
        return -SSL_AD_RECORD_OVERFLOW;
    while (body > 0 && out[body - 1] == 0) /* padding */
        body--;
    if (body == 0)
        return -SSL_AD_UNEXPECTED_MESSAGE;
    body--;
    if (body > records->most)
        return -SSL_AD_RECORD_OVERFLOW;
    *type = (enum records_type)out[body];
    return (long)body;
}

long records_open(struct records *records, const uint8_t *record, size_t len, uint8_t *out,
                  enum records_type *type)
{
    int n = 0, rest = 0;
    if (record[0] != RECORDS_DATA)
        return -SSL_AD_UNEXPECTED_MESSAGE;
    if (len > RECORDS_HEADER + RECORDS_BODY)
        return -SSL_AD_RECORD_OVERFLOW;
    if (len < RECORDS_HEADER + 1 + TAG)
        return -SSL_AD_BAD_RECORD_MAC;
    size_t body = len - RECORDS_HEADER - TAG;
    const uint8_t *at = record + RECORDS_HEADER;
    EVP_CIPHER_CTX *context = begin(records, &records->in, record, false);
    bool good =
        context != NULL &&
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG, mem_unconst(at + body)) == 1 &&
        EVP_CipherUpdate(context, out, &n, at, (int)body) == 1 &&
        EVP_CipherFinal_ex(context, out + n, &rest) == 1;
    long plain = good ? strip(records, out, body, type) : -SSL_AD_BAD_RECORD_MAC;
    if (plain < 0)
        explicit_bzero(out, body); /* who forged the record chose bits of it */
    records->in.number += good;
    return plain;
}

/* forger.h - a client of TLS 1.3 that may break the rules. OpenSSL makes its handshake with an
 * engine. From then on each record is made, and opened, by hand: HKDF by HMAC, and AES-128-GCM. */
#ifndef IMC_TESTS_UNIT_COMMON_TLS_FORGER_H
#define IMC_TESTS_UNIT_COMMON_TLS_FORGER_H

#include "common/tls/records.h"
#include "tests/unit/common/tls/tls_fixture.h"
#include <openssl/hmac.h>

struct forger_way {
    uint8_t secret[32], key[16], iv[12];
    uint64_t number; /* of the next record */
};

struct forger {
    SSL_CTX *context;
    SSL *ssl;
    struct tls_engine *engine; /* the server */
    struct records_secrets secrets;
    struct forger_way ours, theirs;
};

/* --- the server that a forger speaks with, for all tests of a program --- */

static struct tls_files files;
static struct tls *tls;
static struct tls_server *server;

static inline int set_up(void **state)
{
    (void)state;
    char certificate[128], key[128], err[TLS_ERROR_MAX];
    tls_files_open(&files);
    tls_files_sign(&files, "a", &(struct tls_file_options){.common_name = "a"});
    tls_files_path(&files, "a.pem", certificate);
    tls_files_path(&files, "a.key", key);
    tls = fixture_open(&(struct tls_settings){.certificates = certificate, .keys = key});
    return tls_server_open(tls, &(struct tls_server_options){.name = "test"}, &server, err,
                           sizeof(err));
}

static inline int tear_down(void **state)
{
    (void)state;
    tls_close(tls);
    tls_files_close(&files);
    return 0;
}

/* --- a forger --- */

static inline void forger_expand(const uint8_t secret[32], const char *label, uint8_t *out,
                                 uint8_t len)
{
    uint8_t info[64] = {0, len, (uint8_t)(6 + strlen(label))}, hash[32];
    size_t n = 3 + (size_t)snprintf((char *)info + 3, sizeof(info) - 3, "tls13 %s", label);
    info[n + 1] = 1; /* behind an empty context: T(1) */
    assert_non_null(HMAC(EVP_sha256(), secret, 32, info, n + 2, hash, NULL));
    memcpy(out, hash, len);
}

static inline void forger_set_keys(struct forger_way *way)
{
    forger_expand(way->secret, "key", way->key, sizeof(way->key));
    forger_expand(way->secret, "iv", way->iv, sizeof(way->iv));
    way->number = 0;
}

static inline void forger_turn(struct forger_way *way)
{
    forger_expand(way->secret, "traffic upd", way->secret, sizeof(way->secret));
    forger_set_keys(way);
}

static inline void forger_learn(const SSL *ssl, const char *line)
{
    records_learn(&((struct forger *)SSL_get_app_data(ssl))->secrets, line);
}

static inline void forger_carry(struct forger *forger)
{
    char bytes[20000], none[1];
    const uint8_t *out;
    int n = BIO_read(SSL_get_wbio(forger->ssl), bytes, sizeof(bytes));
    if (n > 0)
        assert_int_equal(tls_engine_feed(forger->engine, bytes, (size_t)n), n);
    assert_int_equal(tls_engine_read(forger->engine, none, 1), 0);
    size_t len = tls_engine_output(forger->engine, &out);
    BIO_write(SSL_get_rbio(forger->ssl), out, (int)len);
    tls_engine_sent(forger->engine, len);
}

/* FRAGMENT: TLSEXT_max_fragment_length_512 …, 0: none is asked for. */
static inline void forger_open(struct forger *forger, uint8_t fragment)
{
    *forger = (struct forger){.context = SSL_CTX_new(TLS_client_method()),
                              .engine = tls_engine_accept(server)};
    SSL_CTX_set_keylog_callback(forger->context, forger_learn);
    SSL_CTX_set_min_proto_version(forger->context, TLS1_3_VERSION);
    assert_int_equal(SSL_CTX_set_ciphersuites(forger->context, "TLS_AES_128_GCM_SHA256"), 1);
    forger->ssl = SSL_new(forger->context);
    SSL_set_app_data(forger->ssl, forger);
    assert_int_equal(SSL_set_tlsext_max_fragment_length(forger->ssl, fragment), 1);
    SSL_set_bio(forger->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(forger->ssl);
    for (int i = 0; i < 3; i++) {
        SSL_do_handshake(forger->ssl);
        forger_carry(forger);
    }
    assert_int_equal(SSL_is_init_finished(forger->ssl), 1);
    assert_int_equal(tls_engine_state(forger->engine), TLS_OPEN);
    assert_int_equal(forger->secrets.client_len + forger->secrets.server_len, 64);
    memcpy(forger->ours.secret, forger->secrets.client, 32);
    memcpy(forger->theirs.secret, forger->secrets.server, 32);
    forger_set_keys(&forger->ours);
    forger_set_keys(&forger->theirs);
    forger->theirs.number = 1; /* behind the ticket */
}

static inline void forger_close(struct forger *forger)
{
    tls_engine_free(forger->engine);
    SSL_free(forger->ssl);
    SSL_CTX_free(forger->context);
}

static inline EVP_CIPHER_CTX *forger_cipher(struct forger_way *way, const uint8_t *head,
                                            int encrypts)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    uint8_t nonce[12];
    int n;
    memcpy(nonce, way->iv, 12);
    for (int i = 0; i < 8; i++)
        nonce[11 - i] ^= (uint8_t)(way->number >> (8 * i));
    way->number++;
    assert_int_equal(EVP_CipherInit_ex(cipher, EVP_aes_128_gcm(), NULL, way->key, nonce, encrypts),
                     1);
    assert_int_equal(EVP_CipherUpdate(cipher, NULL, &n, head, 5), 1);
    return cipher;
}

/* Feeds bytes as they are. */
static inline void forger_feed(struct forger *forger, const void *bytes, size_t len)
{
    assert_int_equal(tls_engine_feed(forger->engine, bytes, len), len);
}

/* Seals LEN bytes, TYPE behind them, and then PADDING zeros. Returns the record's length. */
static inline size_t forger_seal(struct forger_way *way, uint8_t type, const void *bytes,
                                 size_t len, size_t padding, uint8_t *record)
{
    static uint8_t inner[70000];
    size_t body = len + 1 + padding + 16;
    int n;
    assert_true(body <= UINT16_MAX);
    memcpy(inner, bytes, len);
    inner[len] = type;
    memset(inner + len + 1, 0, padding);
    memcpy(record, (uint8_t[]){23, 3, 3, (uint8_t)(body >> 8), (uint8_t)body}, 5);
    EVP_CIPHER_CTX *cipher = forger_cipher(way, record, 1);
    assert_int_equal(EVP_CipherUpdate(cipher, record + 5, &n, inner, (int)body - 16), 1);
    assert_int_equal(EVP_CipherFinal_ex(cipher, record + 5 + n, &n), 1);
    EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, 16, record + 5 + body - 16);
    EVP_CIPHER_CTX_free(cipher);
    return 5 + body;
}

static inline void forger_send(struct forger *forger, uint8_t type, const void *bytes, size_t len,
                               size_t padding)
{
    static uint8_t record[70000];
    forger_feed(forger, record, forger_seal(&forger->ours, type, bytes, len, padding, record));
}

/* Opens RECORD, which is good. Returns the length of what is in it. OUT has room for 17,000 bytes.
 */
static inline int forger_unseal(struct forger_way *way, const uint8_t *record, uint8_t *type,
                                uint8_t *out)
{
    size_t body = (size_t)record[3] << 8 | record[4];
    int n, rest;
    assert_true(body > 16 && record[0] == 23);
    EVP_CIPHER_CTX *cipher = forger_cipher(way, record, 0);
    assert_int_equal(EVP_CipherUpdate(cipher, out, &n, record + 5, (int)body - 16), 1);
    EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, 16,
                        (void *)(uintptr_t)(record + 5 + body - 16));
    assert_int_equal(EVP_CipherFinal_ex(cipher, out + n, &rest), 1);
    EVP_CIPHER_CTX_free(cipher);
    *type = out[n - 1];
    return n - 1;
}

/* Opens the next record that the engine has for its peer; -1: there is none. */
static inline int forger_receive(struct forger *forger, uint8_t *type, uint8_t *out)
{
    const uint8_t *bytes;
    size_t len = tls_engine_output(forger->engine, &bytes);
    if (len == 0)
        return -1;
    assert_true(len >= 5 && len >= 5 + ((size_t)bytes[3] << 8 | bytes[4]));
    size_t record = 5 + ((size_t)bytes[3] << 8 | bytes[4]);
    int n = forger_unseal(&forger->theirs, bytes, type, out);
    tls_engine_sent(forger->engine, record);
    return n;
}

#endif

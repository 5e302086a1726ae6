/* A ring of keys under a lock, which a handshake holds only to copy one key.
 *
 *     give a ticket: the first key          take a ticket: the key of that name
 *       └─ random keys: tls_tickets_turn()     └─ none: a full handshake; not the first: a new one
 */
#include "common/tls/tickets.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/random.h"
#include "common/base/text.h"
#include "common/base/time.h"
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

enum { NAME = 16, SHORT_KEY = 48, LONG_KEY = 80, FILE_MOST = 64 * 1024 - 1, RANDOM_KEYS = 2 };

struct ticket_key {
    uint8_t name[NAME];
    uint8_t mac[32], cipher[32];
    size_t mac_len, cipher_len;
};

struct tls_ticket_keys {
    struct ticket_key list[TLS_TICKET_KEYS]; /* the first encrypts */
    size_t n;
};

struct tls_tickets {
    pthread_mutex_t lock; /* guards what follows */
    struct tls_ticket_keys keys;
    bool random;
    int64_t made_s; /* unix time of the newest random key */
};

/* --- reading --- */

static void key_from(struct ticket_key *key, const uint8_t *bytes, size_t len)
{
    *key = (struct ticket_key){0};
    memcpy(key->name, bytes, NAME);
    bytes += NAME;
    if (len == LONG_KEY) {
        key->mac_len = key->cipher_len = 32;
        memcpy(key->mac, bytes, 32);
        memcpy(key->cipher, bytes + 32, 32);
    } else {
        key->mac_len = key->cipher_len = 16;
        memcpy(key->cipher, bytes, 16);
        memcpy(key->mac, bytes + 16, 16);
    }
}

/* Adds the key of a line. False: it is none. */
static bool add_line(struct tls_ticket_keys *keys, const char *line, size_t len)
{
    uint8_t bytes[LONG_KEY];
    bool ok = (len == 2 * SHORT_KEY || len == 2 * LONG_KEY) && text_from_hex(line, bytes, len / 2);
    if (ok)
        key_from(&keys->list[keys->n++], bytes, len / 2);
    explicit_bzero(bytes, sizeof(bytes));
    return ok;
}

static bool parse_lines(struct tls_ticket_keys *keys, const char *path, const char *text,
                        size_t size, char *err, size_t errlen)
{
    size_t line = 0;
    for (size_t at = 0; at < size; line++) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t len = end != NULL ? (size_t)(end - text) - at : size - at, next = at + len + 1;
        while (len > 0 && isspace((unsigned char)text[at + len - 1]))
            len--;
        bool skip = len == 0 || text[at] == '#';
        if (!skip && keys->n == TLS_TICKET_KEYS) {
            snprintf(err, errlen, "tls.ticket_keys: %s: more than %d keys", path, TLS_TICKET_KEYS);
            return false;
        }
        if (!skip && !add_line(keys, text + at, len)) {
            snprintf(err, errlen,
                     "tls.ticket_keys: %s:%zu: no key; want a line of 96 or 160 hexadecimal digits "
                     "for each key (openssl rand -hex 80)",
                     path, line + 1);
            return false;
        }
        at = next;
    }
    if (keys->n == 0)
        snprintf(err, errlen, "tls.ticket_keys: %s: has no key; make one: openssl rand -hex 80",
                 path);
    return keys->n > 0;
}

static bool is_text(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] < ' ' && !isspace((unsigned char)bytes[i]))
            return false;
    }
    return true;
}

struct tls_ticket_keys *tls_ticket_keys_read(const char *path, char *err, size_t errlen)
{
    struct tls_ticket_keys *keys = mem_zalloc(sizeof(*keys));
    if (path[0] == '\0')
        return keys;
    char *text;
    ssize_t size = file_read(path, FILE_MOST, &text);
    bool ok = size >= 0;
    if (!ok)
        snprintf(err, errlen, "tls.ticket_keys: %s: %s", path,
                 size == -EFBIG ? "too long" : uv_strerror((int)size));
    else if ((size == SHORT_KEY || size == LONG_KEY) && !is_text(text, (size_t)size))
        key_from(&keys->list[keys->n++], (const uint8_t *)text, (size_t)size);
    else
        ok = parse_lines(keys, path, text, (size_t)size, err, errlen);
    mem_wiped_free(text, size > 0 ? (size_t)size : 0);
    if (ok)
        return keys;
    tls_ticket_keys_free(keys);
    return NULL;
}

void tls_ticket_keys_free(struct tls_ticket_keys *keys)
{
    if (keys != NULL)
        mem_wiped_free(keys, sizeof(*keys));
}

/* --- the keys in use --- */

static void make_random(struct tls_tickets *tickets, int64_t now_s)
{
    uint8_t bytes[LONG_KEY];
    struct tls_ticket_keys *keys = &tickets->keys;
    memmove(&keys->list[1], &keys->list[0], sizeof(keys->list[0]) * (RANDOM_KEYS - 1));
    random_wait(bytes, sizeof(bytes));
    key_from(&keys->list[0], bytes, sizeof(bytes));
    explicit_bzero(bytes, sizeof(bytes));
    keys->n = keys->n < RANDOM_KEYS ? keys->n + 1 : RANDOM_KEYS;
    tickets->made_s = now_s;
}

struct tls_tickets *tls_tickets_open(void)
{
    struct tls_tickets *tickets = mem_zalloc(sizeof(*tickets));
    pthread_mutex_init(&tickets->lock, NULL);
    return tickets;
}

void tls_tickets_close(struct tls_tickets *tickets)
{
    if (tickets == NULL)
        return;
    pthread_mutex_destroy(&tickets->lock);
    mem_wiped_free(tickets, sizeof(*tickets));
}

void tls_tickets_use(struct tls_tickets *tickets, struct tls_ticket_keys **keys)
{
    int64_t now_s = (int64_t)(time_unix_us() / 1000000);
    pthread_mutex_lock(&tickets->lock);
    if ((*keys)->n > 0) {
        tickets->keys = **keys;
        tickets->random = false;
    } else if (!tickets->random) {
        tickets->keys.n = 0;
        tickets->random = true;
        make_random(tickets, now_s);
    }
    pthread_mutex_unlock(&tickets->lock);
    tls_ticket_keys_free(*keys);
    *keys = NULL;
}

void tls_tickets_turn(struct tls_tickets *tickets, int64_t now_s)
{
    pthread_mutex_lock(&tickets->lock);
    if (tickets->random && now_s - tickets->made_s >= TLS_TICKET_DAYS * 86400LL)
        make_random(tickets, now_s);
    pthread_mutex_unlock(&tickets->lock);
}

/* Copies the key of NAME, or the one that encrypts if NAME is NULL. Returns its place; -1: none. */
static int find(struct tls_tickets *tickets, const uint8_t *name, struct ticket_key *out)
{
    int place = -1;
    pthread_mutex_lock(&tickets->lock);
    for (size_t i = 0; i < tickets->keys.n && place < 0; i++) {
        if (name == NULL || memcmp(tickets->keys.list[i].name, name, NAME) == 0)
            place = (int)i;
    }
    if (place >= 0)
        *out = tickets->keys.list[place];
    pthread_mutex_unlock(&tickets->lock);
    return place;
}

/* --- OpenSSL's callback --- */

static int context_index(void)
{
    static int index;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    if (index == 0)
        index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL) + 1;
    pthread_mutex_unlock(&lock);
    return index - 1;
}

static bool set_keys(const struct ticket_key *key, uint8_t *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int encrypts)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, mem_unconst(key->mac), key->mac_len),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    const EVP_CIPHER *kind = key->cipher_len == 32 ? EVP_aes_256_cbc() : EVP_aes_128_cbc();
    return EVP_CipherInit_ex(cipher, kind, NULL, key->cipher, iv, encrypts) == 1 &&
           EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* 1: done. 2: done, and the client gets another ticket: its own is by an older key, or of TLS 1.3,
 * where clients show a ticket once (RFC 8446, C.4). 0: a full handshake. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int encrypts)
{
    struct tls_tickets *tickets = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_index());
    struct ticket_key key;
    if (encrypts)
        tls_tickets_turn(tickets, (int64_t)(time_unix_us() / 1000000));
    int place = find(tickets, encrypts ? NULL : name, &key);
    if (place < 0)
        return 0;
    if (encrypts) {
        memcpy(name, key.name, NAME);
        random_wait(iv, 16);
    }
    bool ok = set_keys(&key, iv, cipher, mac, encrypts);
    explicit_bzero(&key, sizeof(key));
    return !ok ? -1 : place > 0 || SSL_version(ssl) == TLS1_3_VERSION ? 2 : 1;
}

void tls_tickets_attach(struct tls_tickets *tickets, SSL_CTX *context)
{
    int ok = SSL_CTX_set_ex_data(context, context_index(), tickets);
    assert(ok == 1);
    (void)ok;
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
}

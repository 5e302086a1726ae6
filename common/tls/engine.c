/* OpenSSL reads and writes by a BIO of our own, which takes from `in` and adds to `out`. So no copy
 * of the stream is kept but these two, and both are freed when they are empty. OpenSSL gets whole
 * records only: for a part of one it would keep a buffer of 17 KB. */
#include "common/tls/engine.h"
#include "common/base/mem.h"
#include "common/net/address.h"
#include "common/tls/buffer.h"
#include "common/tls/internal.h"
#include "common/tls/records.h"
#include <assert.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

enum {
    RECORD = 16 * 1024,          /* plaintext of one record: RFC 8446, 5.1 */
    HANDSHAKE_MOST = 128 * 1024, /* bytes of a peer's handshake; with a chain of certificates */
    HANDSHAKE_RECORD = 22,       /* the first byte of TLS: RFC 8446, 5.1 */
    HEADER = 5,                  /* of a record: type, version, length */
    BODY_MOST = RECORD + 2048    /* of TLS 1.2; RFC 5246, 6.2.3 */
};

struct tls_engine {
    SSL *ssl;                        /* NULL: `records` has taken its place */
    struct records *records;         /* of a server's open TLS 1.3; NULL: OpenSSL's */
    struct records_secrets *secrets; /* of a server, until the handshake is over */
    struct buffer rest;              /* plaintext of a record that the user has not read yet */
    unsigned updates;                /* KeyUpdates of the peer since its last data */
    bool resumed;
    struct tls_endpoint *endpoint;
    struct buffer in, out;
    size_t whole; /* bytes at the front of `in` that OpenSSL may have */
    enum tls_state state;
    size_t handshake_bytes;
    bool seen, plain, closed; /* a first byte came; it was not TLS; our close_notify was put */
    char *error, *alpn;       /* NULL: none */
};

/* --- the BIO --- */

/* Bytes at the front of `in` that are whole records; or all of them, if they cannot be TLS. */
static size_t whole_records(const struct tls_engine *engine)
{
    size_t len = engine->in.len, at = 0;
    if (engine->plain || len == 0)
        return len;
    const uint8_t *bytes = engine->in.bytes + engine->in.at;
    while (len - at >= HEADER) {
        size_t body = (size_t)bytes[at + 3] << 8 | bytes[at + 4];
        if (body > BODY_MOST)
            return len;
        if (len - at < HEADER + body)
            break;
        at += HEADER + body;
    }
    return at;
}

static int bio_read(BIO *bio, char *buf, size_t len, size_t *taken)
{
    struct tls_engine *engine = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (engine->whole == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    *taken = len < engine->whole ? len : engine->whole;
    engine->whole -= *taken;
    memcpy(buf, engine->in.bytes + engine->in.at, *taken);
    buffer_drop(&engine->in, *taken);
    return 1;
}

static int bio_write(BIO *bio, const char *bytes, size_t len, size_t *written)
{
    struct tls_engine *engine = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    buffer_add(&engine->out, bytes, len); /* its bound: see next_bite() and tls_engine_read() */
    *written = len;
    return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *arg)
{
    (void)bio;
    (void)number;
    (void)arg;
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_PUSH || command == BIO_CTRL_POP;
}

static BIO_METHOD *method;

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "imc engine");
    assert(method != NULL);
    BIO_meth_set_read_ex(method, bio_read);
    BIO_meth_set_write_ex(method, bio_write);
    BIO_meth_set_ctrl(method, bio_ctrl);
}

/* --- life --- */

static void count(struct tls_engine *engine, enum tls_result result)
{
    atomic_fetch_add_explicit(&engine->endpoint->results[result], 1, memory_order_relaxed);
}

static struct tls_engine *engine_new(struct tls_endpoint *endpoint)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_method);
    SSL *ssl = tls_endpoint_connection(endpoint);
    BIO *bio = ssl != NULL ? BIO_new(method) : NULL;
    if (bio == NULL) {
        SSL_free(ssl);
        ERR_clear_error();
        return NULL;
    }
    struct tls_engine *engine = mem_zalloc(sizeof(*engine));
    engine->endpoint = endpoint;
    engine->ssl = ssl;
    BIO_set_data(bio, engine);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    return engine;
}

struct tls_engine *tls_engine_accept(struct tls_server *server)
{
    struct tls_engine *engine = engine_new(&server->endpoint);
    if (engine == NULL)
        return NULL;
    SSL_set_accept_state(engine->ssl);
    SSL_set_app_data(engine->ssl, engine);
    engine->secrets = mem_zalloc(sizeof(*engine->secrets));
    return engine;
}

void tls_engine_learn(const SSL *ssl, const char *line)
{
    struct tls_engine *engine = SSL_get_app_data(ssl);
    if (engine != NULL && engine->secrets != NULL)
        records_learn(engine->secrets, line);
}

static void forget_secrets(struct tls_engine *engine)
{
    if (engine->secrets != NULL)
        mem_wiped_free(engine->secrets, sizeof(*engine->secrets));
    engine->secrets = NULL;
}

/* The server's certificate has to be for NAME, which is also what the server may choose by. */
static bool expect_name(struct tls_engine *engine, const char *name)
{
    union endpoint address;
    SSL *ssl = engine->ssl;
    if (endpoint_parse(name, 0, &address))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return name[0] != '\0' && SSL_set1_host(ssl, name) == 1 &&
           SSL_set_tlsext_host_name(ssl, mem_unconst(name)) == 1;
}

static void settle(struct tls_engine *engine, int result);

struct tls_engine *tls_engine_connect(struct tls_client *client, const char *name,
                                      struct tls_session *session)
{
    struct tls_engine *engine = engine_new(&client->endpoint);
    if (engine == NULL)
        return NULL;
    SSL_set_connect_state(engine->ssl);
    if (!expect_name(engine, name) ||
        (session != NULL && SSL_set_session(engine->ssl, (SSL_SESSION *)session) != 1)) {
        tls_engine_free(engine);
        ERR_clear_error();
        return NULL;
    }
    ERR_clear_error();
    settle(engine, SSL_do_handshake(engine->ssl));
    return engine;
}

/* Without this OpenSSL takes the session for broken when SSL is freed, and nobody may resume it. */
static void keep_session(struct tls_engine *engine)
{
    SSL_set_shutdown(engine->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

void tls_engine_free(struct tls_engine *engine)
{
    if (engine == NULL)
        return;
    if (engine->state == TLS_HANDSHAKE)
        count(engine, TLS_RESULT_FAILED);
    if (engine->state == TLS_OPEN && engine->ssl != NULL)
        keep_session(engine);
    SSL_free(engine->ssl);
    records_free(engine->records);
    forget_secrets(engine);
    buffer_wipe(&engine->rest);
    buffer_free(&engine->in);
    buffer_free(&engine->out);
    free(engine->error);
    free(engine->alpn);
    free(engine);
}

/* --- what follows from a call of OpenSSL --- */

static void fail(struct tls_engine *engine, const char *why)
{
    if (engine->state == TLS_HANDSHAKE)
        count(engine, TLS_RESULT_FAILED);
    engine->state = TLS_FAILED;
    engine->error = mem_strdup(why);
    buffer_free(&engine->in);
}

static void opened(struct tls_engine *engine)
{
    const unsigned char *alpn;
    unsigned len;
    SSL_get0_alpn_selected(engine->ssl, &alpn, &len);
    if (len > 0)
        engine->alpn = mem_strndup((const char *)alpn, len);
    engine->state = TLS_OPEN;
    engine->resumed = SSL_session_reused(engine->ssl) == 1;
    count(engine, engine->resumed ? TLS_RESULT_RESUMED : TLS_RESULT_FULL);
}

/* RESULT is what the call returned. Moves the state on. */
static void settle(struct tls_engine *engine, int result)
{
    char why[256];
    int error = result > 0 ? SSL_ERROR_NONE : SSL_get_error(engine->ssl, result);
    if (engine->state == TLS_HANDSHAKE && SSL_is_init_finished(engine->ssl))
        opened(engine);
    if (error == SSL_ERROR_ZERO_RETURN) {
        engine->state = TLS_CLOSED;
        buffer_free(&engine->in);
    } else if (error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL) {
        tls_connection_error_text(engine->ssl, why, sizeof(why));
        fail(engine, why);
    }
}

/* --- bytes --- */

static bool ended(const struct tls_engine *engine)
{
    return engine->state == TLS_CLOSED || engine->state == TLS_FAILED;
}

size_t tls_engine_feed(struct tls_engine *engine, const void *bytes, size_t len)
{
    if (ended(engine) || len == 0)
        return len;
    if (!engine->seen) {
        engine->seen = true;
        engine->plain = *(const uint8_t *)bytes != HANDSHAKE_RECORD;
    }
    size_t room = TLS_ENGINE_IN - engine->in.len, taken = len < room ? len : room;
    if (engine->state == TLS_HANDSHAKE)
        engine->handshake_bytes += taken;
    if (engine->handshake_bytes > HANDSHAKE_MOST && engine->state == TLS_HANDSHAKE) {
        fail(engine, "the peer's handshake is too long");
        return len;
    }
    buffer_add(&engine->in, bytes, taken);
    return taken;
}

size_t tls_engine_room(const struct tls_engine *engine)
{
    return TLS_ENGINE_IN - engine->in.len;
}

/* --- open TLS 1.3 of a server, without OpenSSL's connection --- */

enum { ALERT_CLOSE = 0, ALERT_UNEXPECTED = 10, ALERT_INTERNAL = 80, ALERT_CANCELED = 90 };
enum { UPDATES_MOST = 32 };

/* Puts a record of LEN bytes into the output. False: the cipher failed. */
static bool put_record(struct tls_engine *engine, enum records_type type, const void *bytes,
                       size_t len)
{
    uint8_t *out = buffer_room(&engine->out, len + RECORDS_OVERHEAD);
    size_t n = records_seal(engine->records, type, bytes, len, out);
    engine->out.len += n;
    return n > 0;
}

/* Says ALERT, and fails. */
static void alert(struct tls_engine *engine, int number, const char *why)
{
    const uint8_t bytes[2] = {2, (uint8_t)number};
    (void)put_record(engine, RECORDS_ALERT, bytes, sizeof(bytes));
    fail(engine, why);
}

/* Tells the peer that our next record has the next key, and turns to that. */
static bool update_write_key(struct tls_engine *engine)
{
    static const uint8_t update[5] = {24, 0, 0, 1, 0}; /* RFC 8446, 4.6.3 */
    return put_record(engine, RECORDS_HANDSHAKE, update, sizeof(update)) &&
           records_next_write_key(engine->records);
}

/* Of handshake messages only a KeyUpdate, alone in its record, may come. */
static void take_handshake(struct tls_engine *engine, const uint8_t *bytes, size_t len)
{
    static const uint8_t update[4] = {24, 0, 0, 1};
    if (len != 5 || memcmp(bytes, update, 4) != 0 || bytes[4] > 1 ||
        ++engine->updates > UPDATES_MOST)
        alert(engine, ALERT_UNEXPECTED, "the peer sent a handshake message that makes no sense");
    else if (!records_next_read_key(engine->records) ||
             (bytes[4] == 1 && !update_write_key(engine)))
        alert(engine, ALERT_INTERNAL, "no next key");
}

static void take_alert(struct tls_engine *engine, const uint8_t *bytes, size_t len)
{
    char why[128];
    if (len != 2) {
        alert(engine, ALERT_UNEXPECTED, "the peer sent an alert that makes no sense");
    } else if (bytes[1] == ALERT_CLOSE) {
        engine->state = TLS_CLOSED;
        buffer_free(&engine->in);
    } else if (bytes[1] != ALERT_CANCELED) {
        snprintf(why, sizeof(why), "the peer refuses: %s", SSL_alert_desc_string_long(bytes[1]));
        fail(engine, why);
    }
}

/* Opens the next record into OUT, which has room for it. Returns the length of its data. */
static size_t open_record(struct tls_engine *engine, size_t record, uint8_t *out)
{
    enum records_type type = RECORDS_DATA;
    long n = records_open(engine->records, engine->in.bytes + engine->in.at, record, out, &type);
    ERR_clear_error();
    if (n < 0) {
        alert(engine, (int)-n, "a record was damaged or forged on its way");
        return 0;
    }
    buffer_drop(&engine->in, record);
    if (type == RECORDS_DATA) {
        engine->updates = 0;
        return (size_t)n;
    }
    if (type == RECORDS_ALERT)
        take_alert(engine, out, (size_t)n);
    else if (type == RECORDS_HANDSHAKE)
        take_handshake(engine, out, (size_t)n);
    else
        alert(engine, ALERT_UNEXPECTED, "a record of an unknown type");
    explicit_bzero(out, (size_t)n);
    return 0;
}

static size_t take_rest(struct tls_engine *engine, void *buf, size_t len)
{
    struct buffer *rest = &engine->rest;
    size_t n = len < rest->len ? len : rest->len;
    memcpy(buf, rest->bytes + rest->at, n);
    rest->at += n;
    rest->len -= n;
    if (rest->len == 0)
        buffer_wipe(rest);
    return n;
}

static size_t read_records(struct tls_engine *engine, void *buf, size_t len)
{
    size_t got = 0, whole;
    if (engine->rest.len > 0)
        return take_rest(engine, buf, len);
    while (got == 0 && !ended(engine) && engine->out.len < TLS_ENGINE_OUT &&
           (whole = whole_records(engine)) > 0) {
        assert(engine->in.bytes != NULL);
        const uint8_t *head = engine->in.bytes + engine->in.at;
        size_t record = HEADER + ((size_t)head[3] << 8 | head[4]);
        if (record > whole) { /* longer than any */
            alert(engine, ALERT_UNEXPECTED, "the peer sent what is no record");
        } else if (record <= len) {
            got = open_record(engine, record, buf);
        } else {
            engine->rest.len = open_record(engine, record, buffer_room(&engine->rest, record));
            if (engine->rest.len > 0)
                return take_rest(engine, buf, len);
            buffer_wipe(&engine->rest);
        }
    }
    return got;
}

/* How many records are in BUFFER behind the first SKIP bytes. */
static uint64_t count_records(const struct buffer *buffer, size_t skip)
{
    uint64_t n = 0;
    for (size_t at = skip; buffer->len - at >= HEADER; n++) {
        const uint8_t *head = buffer->bytes + buffer->at + at;
        at += HEADER + ((size_t)head[3] << 8 | head[4]);
    }
    return n;
}

/* The handshake of a server goes on. When it is over, what OpenSSL has for TLS 1.3 is freed but for
 * the keys. What OpenSSL put into the output with them, behind the first BEFORE bytes, are tickets.
 */
static void shake_hands(struct tls_engine *engine)
{
    size_t before = engine->out.len;
    ERR_clear_error();
    settle(engine, SSL_do_handshake(engine->ssl));
    if (engine->state == TLS_HANDSHAKE || engine->secrets == NULL)
        return;
    if (engine->state == TLS_OPEN && SSL_version(engine->ssl) == TLS1_3_VERSION &&
        !SSL_has_pending(engine->ssl)) {
        uint64_t written = count_records(&engine->out, before);
        engine->records = records_new(engine->ssl, engine->secrets, written);
    }
    forget_secrets(engine);
    if (engine->records == NULL)
        return;
    keep_session(engine);
    SSL_free(engine->ssl);
    engine->ssl = NULL;
}

size_t tls_engine_read(struct tls_engine *engine, void *buf, size_t len)
{
    size_t got = 0;
    if (ended(engine) || len == 0 || engine->out.len >= TLS_ENGINE_OUT)
        return 0;
    engine->whole = whole_records(engine);
    if (engine->secrets != NULL && engine->whole > 0)
        shake_hands(engine);
    if (engine->records != NULL)
        return read_records(engine, buf, len);
    if (ended(engine) || engine->secrets != NULL ||
        (engine->whole == 0 && SSL_pending(engine->ssl) == 0))
        return 0;
    ERR_clear_error();
    settle(engine, SSL_read_ex(engine->ssl, buf, len, &got));
    return got;
}

/* How many of LEN bytes may be written at once: a record's worth. */
static size_t next_bite(const struct tls_engine *engine, size_t len)
{
    if (engine->state != TLS_OPEN || engine->closed || engine->out.len >= TLS_ENGINE_OUT)
        return 0;
    return len < RECORD ? len : RECORD;
}

size_t tls_engine_write(struct tls_engine *engine, const void *bytes, size_t len)
{
    size_t done = 0, bite, written;
    while ((bite = next_bite(engine, len - done)) > 0) {
        if (engine->records != NULL) {
            if (!put_record(engine, RECORDS_DATA, (const uint8_t *)bytes + done, bite) ||
                (records_is_worn(engine->records) && !update_write_key(engine))) {
                fail(engine, "the cipher failed");
                break;
            }
            done += bite;
            continue;
        }
        written = 0;
        ERR_clear_error();
        settle(engine, SSL_write_ex(engine->ssl, (const uint8_t *)bytes + done, bite, &written));
        done += written;
        if (written == 0)
            break;
    }
    return done;
}

size_t tls_engine_output(const struct tls_engine *engine, const uint8_t **bytes)
{
    *bytes = engine->out.len > 0 ? engine->out.bytes + engine->out.at : NULL;
    return engine->out.len;
}

void tls_engine_sent(struct tls_engine *engine, size_t n)
{
    buffer_drop(&engine->out, n);
}

void tls_engine_close(struct tls_engine *engine)
{
    if (engine->closed || (engine->state != TLS_OPEN && engine->state != TLS_CLOSED))
        return;
    engine->closed = true;
    if (engine->records != NULL) {
        static const uint8_t close_notify[2] = {1, ALERT_CLOSE};
        (void)put_record(engine, RECORDS_ALERT, close_notify, sizeof(close_notify));
        return;
    }
    ERR_clear_error();
    SSL_shutdown(engine->ssl);
    ERR_clear_error();
}

/* --- what is known --- */

bool tls_engine_ready(const struct tls_engine *engine)
{
    return !ended(engine) && (whole_records(engine) > 0 || engine->rest.len > 0 ||
                              (engine->ssl != NULL && SSL_pending(engine->ssl) > 0));
}

size_t tls_engine_held(const struct tls_engine *engine)
{
    return engine->in.capacity + engine->out.capacity + engine->rest.capacity;
}

enum tls_state tls_engine_state(const struct tls_engine *engine)
{
    return engine->state;
}

const char *tls_engine_error(const struct tls_engine *engine)
{
    return engine->error != NULL ? engine->error : "";
}

bool tls_engine_peer_is_plain(const struct tls_engine *engine)
{
    return engine->plain;
}

const char *tls_engine_alpn(const struct tls_engine *engine)
{
    return engine->alpn != NULL ? engine->alpn : "";
}

bool tls_engine_resumed(const struct tls_engine *engine)
{
    return engine->resumed;
}

const char *tls_engine_version(const struct tls_engine *engine)
{
    return engine->ssl != NULL ? SSL_get_version(engine->ssl) : "TLSv1.3";
}

struct tls_session *tls_engine_session(const struct tls_engine *engine)
{
    SSL_SESSION *session = engine->ssl != NULL ? SSL_get1_session(engine->ssl) : NULL;
    if (session != NULL && SSL_SESSION_is_resumable(session) == 1)
        return (struct tls_session *)session;
    SSL_SESSION_free(session);
    return NULL;
}

void tls_session_free(struct tls_session *session)
{
    SSL_SESSION_free((SSL_SESSION *)session);
}

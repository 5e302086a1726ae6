/* OpenSSL reads and writes by a BIO of our own, which takes from `in` and adds to `out`. So no copy
 * of the stream is kept but these two, and both are freed when they are empty. OpenSSL gets whole
 * records only: for a part of one it would keep a buffer of 17 KB. */
#include "common/base/mem.h"
#include "common/net/address.h"
#include "common/tls/engine_internal.h"
#include "common/tls/internal.h"
#include <assert.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

enum {
    HANDSHAKE_MOST = 128 * 1024,     /* bytes of a peer's handshake; with a chain of certificates */
    HANDSHAKE_RECORD = 22,           /* the first byte of TLS: RFC 8446, 5.1 */
    BODY_MOST = RECORDS_PLAIN + 2048 /* of TLS 1.2; RFC 5246, 6.2.3 */
};

/* --- the BIO --- */

size_t engine_next_record(const struct tls_engine *engine)
{
    size_t len = engine->in.len, most = engine->records != NULL ? RECORDS_BODY : BODY_MOST;
    if (engine->plain || len == 0)
        return len;
    if (len < RECORDS_HEADER)
        return 0;
    const uint8_t *head = engine->in.bytes + engine->in.at;
    size_t body = (size_t)head[3] << 8 | head[4];
    if (body > most)
        return len;
    return len < RECORDS_HEADER + body ? 0 : RECORDS_HEADER + body;
}

static int bio_read(BIO *bio, char *buf, size_t len, size_t *taken)
{
    struct tls_engine *engine = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (engine->whole == 0)
        engine->whole = engine_next_record(engine);
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

/* Gives ENGINE its part of OpenSSL. False: no memory. */
static bool make_ssl(struct tls_engine *engine)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_method);
    SSL *ssl = tls_endpoint_connection(engine->endpoint);
    BIO *bio = ssl != NULL ? BIO_new(method) : NULL;
    if (bio == NULL) {
        SSL_free(ssl);
        ERR_clear_error();
        return false;
    }
    engine->ssl = ssl;
    BIO_set_data(bio, engine);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    return true;
}

struct tls_engine *tls_engine_accept(struct tls_server *server)
{
    struct tls_engine *engine = mem_zalloc(sizeof(*engine));
    engine->endpoint = &server->endpoint;
    return engine;
}

/* The client's first record has come. */
static void begin_handshake(struct tls_engine *engine)
{
    if (!make_ssl(engine)) {
        engine_fail(engine, "no memory for a handshake");
        return;
    }
    SSL_set_accept_state(engine->ssl);
    SSL_set_app_data(engine->ssl, engine);
    engine->secrets = mem_zalloc(sizeof(*engine->secrets));
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
    struct tls_engine *engine = mem_zalloc(sizeof(*engine));
    engine->endpoint = &client->endpoint;
    if (!make_ssl(engine)) {
        tls_engine_free(engine);
        return NULL;
    }
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

void engine_fail(struct tls_engine *engine, const char *why)
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
        engine_fail(engine, why);
    }
}

/* --- bytes --- */

size_t tls_engine_feed(struct tls_engine *engine, const void *bytes, size_t len)
{
    if (engine_ended(engine) || len == 0)
        return len;
    if (!engine->seen) {
        engine->seen = true;
        engine->plain = *(const uint8_t *)bytes != HANDSHAKE_RECORD;
    }
    size_t room = TLS_ENGINE_IN - engine->in.len, taken = len < room ? len : room;
    if (engine->state == TLS_HANDSHAKE)
        engine->handshake_bytes += taken;
    if (engine->handshake_bytes > HANDSHAKE_MOST && engine->state == TLS_HANDSHAKE) {
        engine_fail(engine, "the peer's handshake is too long");
        return len;
    }
    buffer_add(&engine->in, bytes, taken);
    return taken;
}

size_t tls_engine_room(const struct tls_engine *engine)
{
    return TLS_ENGINE_IN - engine->in.len;
}

/* --- the end of a handshake --- */

/* How many records are in BUFFER behind the first SKIP bytes. */
static uint64_t count_records(const struct buffer *buffer, size_t skip)
{
    uint64_t n = 0;
    for (size_t at = skip; buffer->len - at >= RECORDS_HEADER; n++) {
        const uint8_t *head = buffer->bytes + buffer->at + at;
        at += RECORDS_HEADER + ((size_t)head[3] << 8 | head[4]);
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
    if (engine_ended(engine) || len == 0 || engine->out.len >= TLS_ENGINE_OUT)
        return 0;
    if (!tls_engine_has_begun(engine)) {
        if (engine_next_record(engine) == 0)
            return 0;
        begin_handshake(engine);
    }
    if (engine->secrets != NULL && engine_next_record(engine) > 0)
        shake_hands(engine);
    if (engine->records != NULL)
        return engine_records_read(engine, buf, len);
    if (engine_ended(engine) || engine->secrets != NULL ||
        (engine_next_record(engine) == 0 && SSL_pending(engine->ssl) == 0))
        return 0;
    ERR_clear_error();
    settle(engine, SSL_read_ex(engine->ssl, buf, len, &got));
    return got;
}

size_t tls_engine_write(struct tls_engine *engine, const void *bytes, size_t len)
{
    size_t done = 0, bite, written;
    if (engine->records != NULL)
        return engine_records_write(engine, bytes, len);
    while (engine_may_write(engine) && (bite = len - done) > 0) {
        bite = bite < RECORDS_PLAIN ? bite : RECORDS_PLAIN;
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
        engine_records_close(engine);
        return;
    }
    ERR_clear_error();
    SSL_shutdown(engine->ssl);
    ERR_clear_error();
}

/* --- what is known --- */

bool tls_engine_ready(const struct tls_engine *engine)
{
    return !engine_ended(engine) && (engine_next_record(engine) > 0 || engine->rest.len > 0 ||
                                     (engine->ssl != NULL && SSL_pending(engine->ssl) > 0));
}

bool tls_engine_has_begun(const struct tls_engine *engine)
{
    return engine->ssl != NULL || engine->records != NULL;
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

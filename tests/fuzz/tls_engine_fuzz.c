/* What a stranger may send to a TLS port. The first byte chooses:
 *
 *   0  the rest goes to a server's engine as it is, in bites
 *   1  after a handshake with a client of ours, the rest is the client's plaintext: it arrives
 * whole
 *   2  the same, but the records are damaged on their way: nothing arrives that was not sent
 *   3  the client's hello, of which the rest overwrites a part
 *   4  after a handshake, records of any type, sealed by the client's key: a byte chooses what it
 *      is (step()), one is the length, and then what is in it */
#include "common/tls/engine.h"
#include "common/tls/records.h"
#include "common/tls/tls.h"
#include "tests/unit/lib/tls_files.h"
#include <assert.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BITES = 4096 };

static struct tls_server *server;
static struct tls_client *client;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static struct tls_files files;
    char err[TLS_ERROR_MAX], certificate[128], key[128], ca[128];
    struct tls *tls;
    (void)argc;
    (void)argv;
    tls_files_open(&files);
    tls_files_sign(&files, "a",
                   &(struct tls_file_options){.common_name = "a", .names = "DNS:a.example"});
    tls_files_path(&files, "a.pem", certificate);
    tls_files_path(&files, "a.key", key);
    tls_files_path(&files, "ca.pem", ca);
    const struct tls_settings settings = {.certificates = certificate, .keys = key, .ca = ca};
    int rc = tls_open(&settings, &tls, err, sizeof(err));
    assert(rc == 0);
    rc = tls_server_open(tls, &(struct tls_server_options){.name = "s", .alpn = "h2,http/1.1"},
                         &server, err, sizeof(err));
    assert(rc == 0);
    rc = tls_client_open(tls, &(struct tls_client_options){.name = "c", .alpn = "h2"}, &client, err,
                         sizeof(err));
    assert(rc == 0);
    tls_files_close(&files);
    return 0;
}

/* Reads all there is. Returns how much, and compares it with what WANT has from AT on, if it is not
 * NULL. */
static size_t drain(struct tls_engine *engine, const uint8_t *want, size_t at, size_t size)
{
    uint8_t buf[700];
    size_t total = 0, n;
    while ((n = tls_engine_read(engine, buf, sizeof buf)) > 0) {
        assert(want == NULL || (at + total + n <= size && memcmp(want + at + total, buf, n) == 0));
        total += n;
    }
    return total;
}

/* What ENGINE answers reaches nobody. */
static void mute(struct tls_engine *engine)
{
    const uint8_t *out;
    tls_engine_sent(engine, tls_engine_output(engine, &out));
}

static void strange(const uint8_t *data, size_t size)
{
    struct tls_engine *engine = tls_engine_accept(server);
    size_t bite = size > 0 ? 1 + data[0] % 97 : 1;
    for (size_t at = 0; at < size;) {
        size_t len = bite < size - at ? bite : size - at;
        at += tls_engine_feed(engine, data + at, len);
        assert(drain(engine, NULL, 0, 0) == 0);
        mute(engine);
    }
    assert(tls_engine_state(engine) != TLS_OPEN);
    assert((tls_engine_state(engine) == TLS_FAILED) == (tls_engine_error(engine)[0] != '\0'));
    tls_engine_free(engine);
}

static void carry(struct tls_engine *from, struct tls_engine *to)
{
    const uint8_t *bytes;
    size_t n = tls_engine_output(from, &bytes);
    tls_engine_sent(from, tls_engine_feed(to, bytes, n));
    drain(to, NULL, 0, 0);
}

/* Hands on what CLIENT has to say, with a byte changed if DAMAGE is not 0. */
static void pass(struct tls_engine *from, struct tls_engine *to, uint8_t damage)
{
    const uint8_t *bytes;
    size_t n = tls_engine_output(from, &bytes);
    uint8_t *copy = malloc(n + 1);
    memcpy(copy, bytes, n);
    if (damage != 0 && n > 5)
        copy[5 + damage % (n - 5)] ^= damage;
    n = tls_engine_feed(to, copy, n);
    free(copy);
    tls_engine_sent(from, n);
}

static void known(const uint8_t *data, size_t size, bool damage)
{
    struct tls_engine *at_server = tls_engine_accept(server),
                      *at_client = tls_engine_connect(client, "a.example", NULL);
    size_t sent = 0, got = 0;
    for (int i = 0; i < 3; i++) {
        carry(at_client, at_server);
        carry(at_server, at_client);
    }
    assert(tls_engine_state(at_server) == TLS_OPEN && tls_engine_state(at_client) == TLS_OPEN);
    while (sent < size && tls_engine_state(at_server) == TLS_OPEN) {
        size_t len = 1 + (size_t)data[sent] * 67;
        len = len < size - sent ? len : size - sent;
        sent += tls_engine_write(at_client, data + sent, len);
        pass(at_client, at_server, damage && sent % 3 == 0 ? data[0] : 0);
        got += drain(at_server, data, got, size);
    }
    assert(damage || got == size);
    tls_engine_close(at_client);
    pass(at_client, at_server, 0);
    drain(at_server, NULL, 0, 0);
    assert(damage || tls_engine_state(at_server) == TLS_CLOSED);
    tls_engine_free(at_server);
    tls_engine_free(at_client);
}

static void almost_a_hello(const uint8_t *data, size_t size)
{
    struct tls_engine *at_server = tls_engine_accept(server),
                      *at_client = tls_engine_connect(client, "a.example", NULL);
    const uint8_t *bytes;
    uint8_t hello[4096];
    size_t n = tls_engine_output(at_client, &bytes);
    size_t at = size > 2 ? (data[0] * 256u + data[1]) % n : 0;
    assert(n <= sizeof hello);
    memcpy(hello, bytes, n);
    for (size_t i = 2; i < size && at + i - 2 < n; i++)
        hello[at + i - 2] = data[i];
    tls_engine_feed(at_server, hello, n);
    drain(at_server, NULL, 0, 0);
    tls_engine_free(at_server);
    tls_engine_free(at_client);
}

static void learn(const SSL *ssl, const char *line)
{
    records_learn(SSL_get_app_data(ssl), line);
}

/* A client of OpenSSL after its handshake with ENGINE, and the secrets with the ends swapped. */
static SSL *shake_hands(SSL_CTX *context, struct tls_engine *engine,
                        struct records_secrets *swapped)
{
    struct records_secrets secrets = {.client_len = 0};
    SSL *ssl = SSL_new(context);
    uint8_t bytes[20000];
    const uint8_t *out;
    SSL_set_app_data(ssl, &secrets);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl);
    for (int i = 0; i < 3; i++) {
        SSL_do_handshake(ssl);
        int n = BIO_read(SSL_get_wbio(ssl), bytes, sizeof bytes);
        if (n > 0)
            tls_engine_feed(engine, bytes, (size_t)n);
        drain(engine, NULL, 0, 0);
        n = (int)tls_engine_output(engine, &out);
        BIO_write(SSL_get_rbio(ssl), out, n);
        mute(engine);
    }
    assert(tls_engine_state(engine) == TLS_OPEN && secrets.client_len > 0);
    memcpy(swapped->client, secrets.server, secrets.server_len);
    memcpy(swapped->server, secrets.client, secrets.client_len);
    swapped->client_len = swapped->server_len = secrets.client_len;
    return ssl;
}

/* One record of the client's. WHAT chooses its type, and more. */
static void step(struct tls_engine *engine, struct records *records, uint8_t what,
                 const uint8_t *data, size_t len)
{
    static const uint8_t types[] = {RECORDS_DATA,  RECORDS_HANDSHAKE, RECORDS_HANDSHAKE,
                                    RECORDS_ALERT, RECORDS_ALERT,     0};
    static const uint8_t update[] = {24, 0, 0, 1};
    uint8_t plain[4 + 64], record[300], small[20];
    size_t head = what & 8 ? sizeof update : 0, n;
    uint8_t type = what % 8 < sizeof types ? types[what % 8] : what;
    bool open = tls_engine_state(engine) == TLS_OPEN;
    memcpy(plain, update, head);
    memcpy(plain + head, data, len);
    if (what % 8 == 7) { /* not sealed */
        tls_engine_feed(engine, plain, head + len);
    } else {
        n = records_seal(records, type, plain, head + len, record);
        tls_engine_feed(engine, record, n);
    }
    if (what & 16)
        mute(engine);
    n = what & 32 ? tls_engine_read(engine, small, sizeof small) : 0;
    n += drain(engine, NULL, 0, 0);
    assert(n == 0 || (open && (type == RECORDS_DATA || type == 0)));
    if (what & 8 && type == RECORDS_HANDSHAKE && len == 1)
        records_next_write_key(records);
    if (what & 64)
        tls_engine_write(engine, plain, head + len);
    if (what & 128)
        tls_engine_close(engine);
}

static void forged(const uint8_t *data, size_t size)
{
    static SSL_CTX *context;
    struct tls_engine *engine = tls_engine_accept(server);
    struct records_secrets secrets = {.client_len = 0};
    if (context == NULL) {
        context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_keylog_callback(context, learn);
    }
    SSL *ssl = shake_hands(context, engine, &secrets);
    struct records *records = records_new(ssl, &secrets, 0);
    assert(records != NULL);
    for (size_t at = 0; size - at >= 2;) {
        size_t n = data[at + 1] % 64;
        n = n < size - at - 2 ? n : size - at - 2;
        step(engine, records, data[at], data + at + 2, n);
        at += 2 + n;
    }
    records_free(records);
    SSL_free(ssl);
    tls_engine_free(engine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > BITES)
        return 0;
    switch (data[0] % 5) {
    case 0:
        strange(data + 1, size - 1);
        break;
    case 3:
        almost_a_hello(data + 1, size - 1);
        break;
    case 4:
        forged(data + 1, size - 1);
        break;
    default:
        known(data + 1, size - 1, data[0] % 5 == 2);
    }
    return 0;
}

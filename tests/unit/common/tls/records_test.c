/* The record layer of TLS 1.3 beside OpenSSL's: what one writes the other reads, keys change, and
 * nothing that was changed on its way is believed. */
#include "common/tls/records.h"
#include "tests/unit/common/tls/tls_fixture.h"

/* Both ends are OpenSSL's, joined by memory; of the server's only the secrets are used. */
struct pair {
    SSL_CTX *server_context, *client_context;
    SSL *server, *client;
    struct records_secrets secrets;
    struct records *records;
};

static struct tls_files files;
static struct tls_file_pair own;

static int set_up(void **state)
{
    (void)state;
    tls_files_open(&files);
    own = tls_files_make(&files, &(struct tls_file_options){.common_name = "a"}, &files.ca);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tls_file_pair_free(&own);
    tls_files_close(&files);
    return 0;
}

static void learn(const SSL *ssl, const char *line)
{
    records_learn(SSL_get_app_data(ssl), line);
}

/* Moves what FROM wrote to TO. */
static size_t pump(SSL *from, SSL *to)
{
    char buf[40000];
    int n = BIO_read(SSL_get_wbio(from), buf, sizeof(buf));
    if (n > 0)
        BIO_write(SSL_get_rbio(to), buf, n);
    return n > 0 ? (size_t)n : 0;
}

static void pair_open(struct pair *pair, const char *suite)
{
    *pair = (struct pair){.server_context = SSL_CTX_new(TLS_server_method()),
                          .client_context = SSL_CTX_new(TLS_client_method())};
    SSL_CTX_use_cert_and_key(pair->server_context, own.certificate, own.key, NULL, 1);
    SSL_CTX_set_keylog_callback(pair->server_context, learn);
    SSL_CTX_set_num_tickets(pair->server_context, 0);
    assert_int_equal(SSL_CTX_set_ciphersuites(pair->client_context, suite), 1);
    SSL_CTX_set_min_proto_version(pair->client_context, TLS1_3_VERSION);
    pair->server = SSL_new(pair->server_context);
    pair->client = SSL_new(pair->client_context);
    SSL_set_app_data(pair->server, &pair->secrets);
    SSL_set_bio(pair->server, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_bio(pair->client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(pair->server);
    SSL_set_connect_state(pair->client);
    for (int i = 0; i < 4; i++) {
        SSL_do_handshake(pair->client);
        pump(pair->client, pair->server);
        SSL_do_handshake(pair->server);
        pump(pair->server, pair->client);
    }
    assert_int_equal(SSL_is_init_finished(pair->server), 1);
    pair->records = records_new(pair->server, &pair->secrets, 0);
    assert_non_null(pair->records);
}

static void pair_close(struct pair *pair)
{
    records_free(pair->records);
    SSL_free(pair->server);
    SSL_free(pair->client);
    SSL_CTX_free(pair->server_context);
    SSL_CTX_free(pair->client_context);
}

/* What the client has written, as one record; opened. */
static long open_next(struct pair *pair, uint8_t *out, enum records_type *type, int flip)
{
    uint8_t record[20000];
    int n = BIO_read(SSL_get_wbio(pair->client), record, sizeof(record));
    assert_true(n > 5);
    if (flip >= 0)
        record[flip % n] ^= 1;
    return records_open(pair->records, record, (size_t)n, out, type);
}

static void client_says(struct pair *pair, const void *text, size_t len)
{
    static uint8_t out[20000];
    enum records_type type;
    assert_int_equal(SSL_write(pair->client, text, (int)len), len);
    assert_int_equal(open_next(pair, out, &type, -1), len);
    assert_int_equal(type, RECORDS_DATA);
    assert_memory_equal(out, text, len);
}

static void server_says(struct pair *pair, const void *text, size_t len)
{
    static uint8_t record[20000], got[20000];
    size_t n = records_seal(pair->records, RECORDS_DATA, text, len, record);
    assert_int_equal(n, len + RECORDS_OVERHEAD);
    BIO_write(SSL_get_rbio(pair->client), record, (int)n);
    assert_int_equal(SSL_read(pair->client, got, sizeof(got)), len);
    assert_memory_equal(got, text, len);
}

static const char *const suites[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                     "TLS_CHACHA20_POLY1305_SHA256"};
enum { SUITES = 3 };

static void test_it_speaks_with_openssl(void **state)
{
    (void)state;
    static uint8_t big[RECORDS_PLAIN];
    memset(big, 'x', sizeof(big));
    for (int i = 0; i < SUITES; i++) {
        struct pair pair;
        pair_open(&pair, suites[i]);
        for (int round = 0; round < 300; round++) {
            client_says(&pair, "ping", 4);
            server_says(&pair, "pong", 4);
        }
        client_says(&pair, big, sizeof(big));
        server_says(&pair, big, sizeof(big));
        pair_close(&pair);
    }
}

static void test_keys_change(void **state)
{
    (void)state;
    static const uint8_t update[] = {24, 0, 0, 1, 0};
    for (int i = 0; i < SUITES; i++) {
        struct pair pair;
        uint8_t out[64], record[64];
        enum records_type type;
        pair_open(&pair, suites[i]);
        client_says(&pair, "before", 6);
        SSL_key_update(pair.client, SSL_KEY_UPDATE_NOT_REQUESTED);
        SSL_do_handshake(pair.client);
        assert_int_equal(open_next(&pair, out, &type, -1), 5);
        assert_int_equal(type, RECORDS_HANDSHAKE);
        assert_memory_equal(out, update, 5);
        assert_true(records_next_read_key(pair.records));
        client_says(&pair, "after", 5);
        size_t n = records_seal(pair.records, RECORDS_HANDSHAKE, update, 5, record);
        BIO_write(SSL_get_rbio(pair.client), record, (int)n);
        assert_true(records_next_write_key(pair.records));
        server_says(&pair, "after, too", 10);
        pair_close(&pair);
    }
}

/* Every byte of a record counts, the header's too, and a record that came before is not taken. */
static void test_what_was_changed_is_refused(void **state)
{
    (void)state;
    for (int at = 0; at < 5 + 4 + 1 + 16; at++) {
        struct pair pair;
        uint8_t out[64];
        enum records_type type;
        pair_open(&pair, suites[0]);
        SSL_write(pair.client, "ping", 4);
        assert_true(open_next(&pair, out, &type, at) < 0);
        pair_close(&pair);
    }
    struct pair pair;
    uint8_t out[64], record[64];
    enum records_type type;
    pair_open(&pair, suites[0]);
    SSL_write(pair.client, "ping", 4);
    int n = BIO_read(SSL_get_wbio(pair.client), record, sizeof(record));
    assert_int_equal(records_open(pair.records, record, (size_t)n, out, &type), 4);
    assert_true(records_open(pair.records, record, (size_t)n, out, &type) < 0);
    pair_close(&pair);
}

static void test_records_that_cannot_be(void **state)
{
    (void)state;
    static uint8_t out[40000], record[40000] = {23, 3, 3};
    enum records_type type;
    struct pair pair;
    pair_open(&pair, suites[0]);
    assert_true(records_open(pair.records, record, 5, out, &type) < 0);
    assert_true(records_open(pair.records, record, 5 + 16, out, &type) < 0);
    assert_true(records_open(pair.records, record, 5 + RECORDS_PLAIN + 257, out, &type) < 0);
    record[0] = 20;
    assert_true(records_open(pair.records, record, 6, out, &type) < 0);
    pair_close(&pair);
}

/* No two records of a key have the same number. */
static void test_numbers_end(void **state)
{
    (void)state;
    struct pair pair;
    uint8_t record[64];
    pair_open(&pair, suites[0]);
    records_free(pair.records);
    pair.records = records_new(pair.server, &pair.secrets, UINT64_MAX - 1);
    assert_int_equal(records_seal(pair.records, RECORDS_DATA, "last", 4, record),
                     4 + RECORDS_OVERHEAD);
    assert_int_equal(records_seal(pair.records, RECORDS_DATA, "more", 4, record), 0);
    pair_close(&pair);
}

/* AddressSanitizer's heap is elsewhere. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEAP_IS_THERE false
#endif
#endif
#ifndef HEAP_IS_THERE
#define HEAP_IS_THERE true
#endif

/* Is KEY, of which each byte is inverted, somewhere on the heap? */
static bool heap_has(const uint8_t inverted[16])
{
    char line[512];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (!found && fgets(line, sizeof(line), maps) != NULL) {
        unsigned long from, to;
        if (strstr(line, "[heap]") == NULL || sscanf(line, "%lx-%lx rw", &from, &to) != 2)
            continue;
        for (const uint8_t *at = (const uint8_t *)from; at + 16 <= (const uint8_t *)to; at++) {
            int same = 0;
            while (same < 16 && (at[same] ^ inverted[same]) == 0xff)
                same++;
            found |= same == 16;
        }
    }
    fclose(maps);
    return found;
}

/* A thread's cipher is given its key for each record: the last one does not stay there. */
static void test_keys_are_overwritten(void **state)
{
    (void)state;
    struct pair pair;
    struct records_keys keys;
    uint8_t inverted[16], record[64];
    pair_open(&pair, suites[0]);
    records_write_keys(pair.records, &keys);
    for (int i = 0; i < 16; i++)
        inverted[i] = (uint8_t)~keys.key[i];
    explicit_bzero(&keys, sizeof(keys));
    assert_int_equal(records_seal(pair.records, RECORDS_DATA, "x", 1, record),
                     1 + RECORDS_OVERHEAD);
    if (HEAP_IS_THERE)
        assert_true(heap_has(inverted)); /* so it would be found */
    pair_close(&pair);
    assert_false(heap_has(inverted));
}

static void test_lines_that_tell_no_secret(void **state)
{
    (void)state;
    struct records_secrets secrets = {.client_len = 0};
    records_learn(&secrets, "");
    records_learn(&secrets, "CLIENT_TRAFFIC_SECRET_0 ");
    records_learn(&secrets, "CLIENT_HANDSHAKE_TRAFFIC_SECRET 00 0011");
    records_learn(&secrets, "EXPORTER_SECRET 00 0011");
    assert_int_equal(secrets.client_len + secrets.server_len, 0);
    records_learn(&secrets, "SERVER_TRAFFIC_SECRET_0 00 0011zz");
    assert_int_equal(secrets.server_len, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_speaks_with_openssl),
        cmocka_unit_test(test_keys_change),
        cmocka_unit_test(test_what_was_changed_is_refused),
        cmocka_unit_test(test_records_that_cannot_be),
        cmocka_unit_test(test_numbers_end),
        cmocka_unit_test(test_keys_are_overwritten),
        cmocka_unit_test(test_lines_that_tell_no_secret),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

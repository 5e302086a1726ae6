/* A TLS connection whose two ends are in this process: handshakes that succeed and that do not,
 * bytes both ways, bounds, the end. */
#include "common/base/exposition.h"
#include "common/base/time.h"
#include "common/tls/internal.h"
#include "tests/unit/common/tls/tls_fixture.h"

static struct tls_files files;
static char ca[128], certificate[128], key[128];
static struct tls *server_tls, *client_tls;
static struct tls_server *server;
static struct tls_client *client;

static struct tls_client *open_client(struct tls *tls, const struct tls_client_options *options)
{
    char err[TLS_ERROR_MAX];
    struct tls_client *out = NULL;
    assert_int_equal(tls_client_open(tls, options, &out, err, sizeof(err)), 0);
    return out;
}

static struct tls_server *open_server(struct tls *tls, const struct tls_server_options *options)
{
    char err[TLS_ERROR_MAX];
    struct tls_server *out = NULL;
    assert_int_equal(tls_server_open(tls, options, &out, err, sizeof(err)), 0);
    return out;
}

static int set_up(void **state)
{
    (void)state;
    const struct tls_file_options names = {.common_name = "a.example",
                                           .names = "DNS:a.example,IP:127.0.0.1"};
    tls_files_open(&files);
    tls_files_sign(&files, "a", &names);
    tls_files_path(&files, "ca.pem", ca);
    tls_files_path(&files, "a.pem", certificate);
    tls_files_path(&files, "a.key", key);
    server_tls =
        fixture_open(&(struct tls_settings){.certificates = certificate, .keys = key, .ca = ca});
    client_tls = fixture_open(&(struct tls_settings){.ca = ca});
    server = open_server(server_tls, &(struct tls_server_options){.name = "test"});
    client = open_client(client_tls, &(struct tls_client_options){.name = "test"});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tls_close(server_tls);
    tls_close(client_tls);
    tls_files_close(&files);
    return 0;
}

/* --- data --- */

static void test_both_ends_talk(void **state)
{
    (void)state;
    struct ends ends;
    char buf[64];
    ends_open(&ends, server, client, "a.example", NULL);
    assert_int_equal(tls_engine_state(ends.server), TLS_OPEN);
    assert_int_equal(tls_engine_state(ends.client), TLS_OPEN);
    assert_string_equal(tls_engine_version(ends.server), "TLSv1.3");
    assert_false(tls_engine_resumed(ends.server));
    assert_string_equal(tls_engine_alpn(ends.server), "");
    assert_int_equal(tls_engine_write(ends.client, "ping", 4), 4);
    assert_true(carry(ends.client, ends.server));
    assert_int_equal(tls_engine_read(ends.server, buf, sizeof(buf)), 4);
    assert_memory_equal(buf, "ping", 4);
    assert_int_equal(tls_engine_read(ends.server, buf, sizeof(buf)), 0);
    assert_int_equal(tls_engine_write(ends.server, "pong", 4), 4);
    assert_true(carry(ends.server, ends.client));
    assert_int_equal(tls_engine_read(ends.client, buf, sizeof(buf)), 4);
    assert_memory_equal(buf, "pong", 4);
    ends_close(&ends);
}

/* A megabyte, more than either buffer holds, and read in small bites. */
static void test_much_goes_in_bites(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    struct ends ends;
    uint8_t *sent = malloc(SIZE), *got = malloc(SIZE);
    size_t written = 0, taken = 0, most = 0;
    for (size_t i = 0; i < SIZE; i++)
        sent[i] = (uint8_t)(i * 2654435761u >> 16);
    ends_open(&ends, server, client, "a.example", NULL);
    while (taken < SIZE) {
        const uint8_t *bytes;
        size_t n, before = taken;
        written += tls_engine_write(ends.client, sent + written, SIZE - written);
        n = tls_engine_output(ends.client, &bytes);
        most = n > most ? n : most;
        carry(ends.client, ends.server);
        while ((n = tls_engine_read(ends.server, got + taken, 1000)) > 0)
            taken += n;
        assert_true(taken > before || tls_engine_output(ends.client, &bytes) > 0);
    }
    assert_memory_equal(sent, got, SIZE);
    assert_true(most >= TLS_ENGINE_OUT && most < TLS_ENGINE_OUT + 20 * 1024);
    ends_close(&ends);
    free(sent);
    free(got);
}

/* What is fed is bounded while nobody reads; nothing is read while nobody sends. */
static void test_buffers_have_bounds(void **state)
{
    (void)state;
    struct ends ends;
    uint8_t *block = calloc(1, TLS_ENGINE_OUT);
    const uint8_t *bytes;
    char buf[16];
    ends_open(&ends, server, client, "a.example", NULL);
    assert_true(tls_engine_write(ends.client, block, TLS_ENGINE_OUT) > 0);
    size_t n = tls_engine_output(ends.client, &bytes);
    assert_true(n > TLS_ENGINE_IN);
    assert_int_equal(tls_engine_feed(ends.server, bytes, n), TLS_ENGINE_IN);
    assert_int_equal(tls_engine_feed(ends.server, bytes, n), 0);
    while (tls_engine_write(ends.server, block, TLS_ENGINE_OUT) > 0)
        continue;
    assert_int_equal(tls_engine_write(ends.server, block, 1), 0);
    assert_int_equal(tls_engine_read(ends.server, buf, sizeof(buf)), 0);
    tls_engine_sent(ends.server, tls_engine_output(ends.server, &bytes));
    assert_int_equal(tls_engine_read(ends.server, buf, sizeof(buf)), sizeof(buf));
    ends_close(&ends);
    free(block);
}

static void test_the_end_is_said(void **state)
{
    (void)state;
    struct ends ends;
    char buf[16];
    const uint8_t *bytes;
    ends_open(&ends, server, client, "a.example", NULL);
    assert_int_equal(tls_engine_write(ends.client, "last", 4), 4);
    tls_engine_close(ends.client);
    tls_engine_close(ends.client);
    assert_int_equal(tls_engine_write(ends.client, "more", 4), 0);
    carry(ends.client, ends.server);
    assert_int_equal(tls_engine_read(ends.server, buf, sizeof(buf)), 4);
    assert_int_equal(tls_engine_state(ends.server), TLS_OPEN);
    assert_int_equal(tls_engine_read(ends.server, buf, sizeof(buf)), 0);
    assert_int_equal(tls_engine_state(ends.server), TLS_CLOSED);
    assert_string_equal(tls_engine_error(ends.server), "");
    tls_engine_close(ends.server);
    assert_true(tls_engine_output(ends.server, &bytes) > 0);
    assert_int_equal(tls_engine_feed(ends.server, "x", 1), 1);
    ends_close(&ends);
}

/* --- handshakes that fail --- */

static void expect_failure(struct tls_engine *engine, const char *why)
{
    assert_int_equal(tls_engine_state(engine), TLS_FAILED);
    if (strstr(tls_engine_error(engine), why) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", tls_engine_error(engine), why);
}

/* A client that meets the certificate of OPTIONS, and what both say. */
static void expect_distrust(const struct tls_file_options *options, const char *name,
                            const char *client_says, const char *server_says)
{
    char pem[128], its_key[128];
    struct ends ends;
    tls_files_sign(&files, "bad", options);
    tls_files_path(&files, "bad.pem", pem);
    tls_files_path(&files, "bad.key", its_key);
    struct tls *tls = fixture_open(&(struct tls_settings){.certificates = pem, .keys = its_key});
    struct tls_server *bad = open_server(tls, &(struct tls_server_options){.name = "bad"});
    ends_open(&ends, bad, client, name, NULL);
    expect_failure(ends.client, client_says);
    expect_failure(ends.server, server_says);
    ends_close(&ends);
    tls_close(tls);
}

static void test_certificates_that_are_not_believed(void **state)
{
    (void)state;
    const struct tls_file_options old = {
        .common_name = "a.example", .names = "DNS:a.example", .from = -7200, .until = -3600};
    const struct tls_file_options early = {
        .common_name = "a.example", .names = "DNS:a.example", .from = 3600, .until = 7200};
    const struct tls_file_options other = {.common_name = "x", .names = "DNS:b.example"};
    expect_distrust(&old, "a.example", "certificate has expired", "certificate expired");
    expect_distrust(&early, "a.example", "not yet valid", "bad certificate");
    expect_distrust(&other, "a.example", "for another name", "bad certificate");
    expect_distrust(&other, "127.0.0.1", "for another name", "bad certificate");
}

static void test_an_unknown_ca(void **state)
{
    (void)state;
    struct ends ends;
    struct tls *tls = fixture_open(&(struct tls_settings){.ca = certificate});
    struct tls_client *stranger = open_client(tls, &(struct tls_client_options){.name = "x"});
    ends_open(&ends, server, stranger, "a.example", NULL); /* believes this certificate itself */
    assert_int_equal(tls_engine_state(ends.client), TLS_OPEN);
    ends_close(&ends);
    tls_close(tls);
    tls = fixture_open(&(struct tls_settings){0});
    stranger = open_client(tls, &(struct tls_client_options){.name = "x"});
    ends_open(&ends, server, stranger, "a.example", NULL);
    expect_failure(ends.client, "unknown CA");
    expect_failure(ends.server, "the peer refuses: unknown CA");
    ends_close(&ends);
    stranger = open_client(tls, &(struct tls_client_options){.name = "x", .insecure = true});
    ends_open(&ends, server, stranger, "other.example", NULL);
    assert_int_equal(tls_engine_state(ends.client), TLS_OPEN);
    ends_close(&ends);
    tls_close(tls);
}

static void test_the_name_may_be_an_address(void **state)
{
    (void)state;
    struct ends ends;
    ends_open(&ends, server, client, "127.0.0.1", NULL);
    assert_int_equal(tls_engine_state(ends.client), TLS_OPEN);
    ends_close(&ends);
    assert_null(tls_engine_connect(client, "", NULL));
}

static void test_plain_bytes(void **state)
{
    (void)state;
    char none[1];
    struct tls_engine *engine = tls_engine_accept(server);
    const char *http = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
    assert_int_equal(tls_engine_feed(engine, http, strlen(http)), strlen(http));
    assert_int_equal(tls_engine_read(engine, none, 1), 0);
    expect_failure(engine, "plain HTTP");
    assert_true(tls_engine_peer_is_plain(engine));
    tls_engine_free(engine);
    engine = tls_engine_accept(server);
    tls_engine_feed(engine, "\0\0\0\x20\0\x10\0\1\0\0\0\7", 12);
    assert_int_equal(tls_engine_read(engine, none, 1), 0);
    expect_failure(engine, "does not speak TLS");
    assert_true(tls_engine_peer_is_plain(engine));
    tls_engine_free(engine);
}

/* A server has nothing of OpenSSL for a client whose first record is not whole. */
static void test_half_a_hello_costs_little(void **state)
{
    (void)state;
    char none[1];
    const uint8_t *hello;
    struct ends ends = {tls_engine_accept(server), tls_engine_connect(client, "a.example", NULL)};
    size_t len = tls_engine_output(ends.client, &hello);
    for (size_t i = 0; i < len - 1; i++) {
        assert_int_equal(tls_engine_feed(ends.server, hello + i, 1), 1);
        assert_int_equal(tls_engine_read(ends.server, none, 1), 0);
        assert_false(tls_engine_has_begun(ends.server));
        assert_true(tls_engine_held(ends.server) <= 128 + 2 * i);
    }
    tls_engine_feed(ends.server, hello + len - 1, 1);
    tls_engine_sent(ends.client, len);
    assert_int_equal(tls_engine_read(ends.server, none, 1), 0);
    assert_true(tls_engine_has_begun(ends.server));
    shake(&ends);
    assert_int_equal(tls_engine_state(ends.server), TLS_OPEN);
    assert_true(tls_engine_has_begun(ends.server));
    ends_close(&ends);
}

/* Handshake records without end: TLS lets a hello be long, we do not. */
static void test_a_hello_without_end(void **state)
{
    (void)state;
    char none[1];
    struct tls_engine *engine = tls_engine_accept(server);
    uint8_t record[5 + 16384] = {22, 3, 1, 0x40, 0, 1, 1, 0xff, 0xff}; /* a hello of 131 KB */
    size_t fed = 0;
    while (tls_engine_state(engine) == TLS_HANDSHAKE && fed < 4u << 20) {
        fed += tls_engine_feed(engine, record, sizeof(record));
        assert_int_equal(tls_engine_read(engine, none, 1), 0);
        memset(record + 5, 0, 4);
    }
    assert_int_equal(tls_engine_state(engine), TLS_FAILED);
    assert_true(fed <= 128 * 1024 + sizeof(record));
    tls_engine_free(engine);
}

static void test_a_forged_record(void **state)
{
    (void)state;
    struct ends ends;
    uint8_t copy[256];
    const uint8_t *bytes;
    char buf[16];
    ends_open(&ends, server, client, "a.example", NULL);
    tls_engine_write(ends.client, "ping", 4);
    size_t n = tls_engine_output(ends.client, &bytes);
    assert_true(n <= sizeof(copy));
    memcpy(copy, bytes, n);
    copy[n - 1] ^= 1;
    tls_engine_feed(ends.server, copy, n);
    assert_int_equal(tls_engine_read(ends.server, buf, sizeof(buf)), 0);
    expect_failure(ends.server, "damaged or forged");
    ends_close(&ends);
}

/* --- what is agreed --- */

static void test_alpn(void **state)
{
    (void)state;
    struct ends ends;
    struct tls_server *web =
        open_server(server_tls, &(struct tls_server_options){.name = "web", .alpn = "h2,http/1.1"});
    struct tls_client *old =
        open_client(client_tls, &(struct tls_client_options){.name = "old", .alpn = "http/1.1"});
    struct tls_client *odd =
        open_client(client_tls, &(struct tls_client_options){.name = "odd", .alpn = "spdy"});
    ends_open(&ends, web, old, "a.example", NULL);
    assert_string_equal(tls_engine_alpn(ends.server), "http/1.1");
    assert_string_equal(tls_engine_alpn(ends.client), "http/1.1");
    ends_close(&ends);
    ends_open(&ends, web, client, "a.example", NULL);
    assert_int_equal(tls_engine_state(ends.server), TLS_OPEN);
    assert_string_equal(tls_engine_alpn(ends.server), "");
    ends_close(&ends);
    ends_open(&ends, web, odd, "a.example", NULL);
    expect_failure(ends.server, "no protocol (ALPN)");
    expect_failure(ends.client, "no application protocol");
    ends_close(&ends);
}

static void test_clients_show_certificates(void **state)
{
    (void)state;
    struct ends ends;
    struct tls_server *inner = open_server(
        server_tls, &(struct tls_server_options){.name = "inner", .demand_client = true});
    struct tls_client *member = open_client(
        server_tls, &(struct tls_client_options){.name = "member", .show_certificate = true});
    char none[1];
    ends_open(&ends, inner, member, "a.example", NULL);
    assert_int_equal(tls_engine_state(ends.server), TLS_OPEN);
    assert_int_equal(tls_engine_read(ends.client, none, 1), 0);
    assert_int_equal(tls_engine_state(ends.client), TLS_OPEN);
    ends_close(&ends);
    ends_open(&ends, inner, client, "a.example", NULL);
    expect_failure(ends.server, "showed no certificate");
    expect_failure(ends.client, "certificate required");
    ends_close(&ends);
}

static void test_versions(void **state)
{
    (void)state;
    struct ends ends;
    struct tls *new_tls = fixture_open(
        &(struct tls_settings){.certificates = certificate, .keys = key, .min_version = "1.3"});
    struct tls_server *new_server = open_server(new_tls, &(struct tls_server_options){.name = "n"});
    ends_open(&ends, new_server, client, "a.example", NULL);
    assert_string_equal(tls_engine_version(ends.client), "TLSv1.3");
    ends_close(&ends);
    tls_close(new_tls);
}

/* --- tickets --- */

/* Many clients show a ticket of TLS 1.3 once (RFC 8446, C.4): who resumes gets the next one. */
static void test_each_handshake_brings_a_ticket(void **state)
{
    (void)state;
    struct tls_session *session = NULL;
    for (int i = 0; i < 4; i++) {
        struct ends ends;
        ends_open(&ends, server, client, "a.example", session);
        struct tls_session *next = tls_engine_session(ends.client);
        assert_int_equal(tls_engine_resumed(ends.server), i > 0);
        assert_non_null(next);
        assert_ptr_not_equal(next, session);
        tls_session_free(session);
        session = next;
        ends_close(&ends);
    }
    tls_session_free(session);
}

/* Or a client would be let in after its certificate has expired, or tls.ca has changed. */
static void expect_no_ticket(struct tls_server *inner, struct tls *members, const char *version)
{
    struct ends ends;
    char none[1];
    struct tls_client *member = open_client(
        members, &(struct tls_client_options){.name = "member", .show_certificate = true});
    ends_open(&ends, inner, member, "a.example", NULL);
    assert_int_equal(tls_engine_state(ends.server), TLS_OPEN);
    assert_int_equal(tls_engine_read(ends.client, none, 1), 0);
    assert_string_equal(tls_engine_version(ends.client), version);
    struct tls_session *session = tls_engine_session(ends.client);
    ends_close(&ends);
    ends_open(&ends, inner, member, "a.example", session);
    assert_int_equal(tls_engine_state(ends.server), TLS_OPEN);
    assert_false(tls_engine_resumed(ends.server));
    ends_close(&ends);
    tls_session_free(session);
}

static void test_who_shows_a_certificate_shows_it_each_time(void **state)
{
    (void)state;
    struct tls_server *inner = open_server(
        server_tls, &(struct tls_server_options){.name = "once", .demand_client = true});
    expect_no_ticket(inner, server_tls, "TLSv1.3");
    SSL_CTX_set_max_proto_version(((struct tls_endpoint *)inner)->context, TLS1_2_VERSION);
    expect_no_ticket(inner, server_tls, "TLSv1.2");
}

/* --- what is counted --- */

static void test_handshakes_are_counted(void **state)
{
    (void)state;
    struct ends ends;
    char *text = NULL;
    size_t size;
    struct tls *tls =
        fixture_open(&(struct tls_settings){.certificates = certificate, .keys = key});
    struct tls_server *own = open_server(tls, &(struct tls_server_options){.name = "own"});
    ends_open(&ends, own, client, "a.example", NULL);
    struct tls_session *session = tls_engine_session(ends.client);
    assert_non_null(session);
    ends_close(&ends);
    for (int i = 0; i < 2; i++) {
        ends_open(&ends, own, client, "a.example", session);
        assert_true(tls_engine_resumed(ends.server));
        assert_true(tls_engine_resumed(ends.client));
        ends_close(&ends);
    }
    tls_session_free(session);
    tls_engine_free(tls_engine_accept(own));
    struct exposition to = {.out = open_memstream(&text, &size)};
    tls_render((const struct tls *const[]){tls}, 1, &to);
    fclose(to.out);
    assert_non_null(strstr(text, "{end=\"server\",name=\"own\",result=\"full\"} 1\n"));
    assert_non_null(strstr(text, "{end=\"server\",name=\"own\",result=\"resumed\"} 2\n"));
    assert_non_null(strstr(text, "{end=\"server\",name=\"own\",result=\"failed\"} 1\n"));
    assert_non_null(strstr(text, "imc_tls_certificate_expiry_seconds{file=\"/tmp/imc-tls-"));
    free(text);
    const char *file;
    int64_t expires;
    assert_true(tls_certificate_at(tls, 0, &file, &expires));
    assert_string_equal(file, certificate);
    assert_true(expires > (int64_t)(time_unix_ms() / 1000));
    assert_false(tls_certificate_at(tls, 1, &file, &expires));
    tls_close(tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ends_talk),
        cmocka_unit_test(test_much_goes_in_bites),
        cmocka_unit_test(test_buffers_have_bounds),
        cmocka_unit_test(test_the_end_is_said),
        cmocka_unit_test(test_certificates_that_are_not_believed),
        cmocka_unit_test(test_an_unknown_ca),
        cmocka_unit_test(test_the_name_may_be_an_address),
        cmocka_unit_test(test_plain_bytes),
        cmocka_unit_test(test_half_a_hello_costs_little),
        cmocka_unit_test(test_a_hello_without_end),
        cmocka_unit_test(test_a_forged_record),
        cmocka_unit_test(test_alpn),
        cmocka_unit_test(test_clients_show_certificates),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_each_handshake_brings_a_ticket),
        cmocka_unit_test(test_who_shows_a_certificate_shows_it_each_time),
        cmocka_unit_test(test_handshakes_are_counted),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

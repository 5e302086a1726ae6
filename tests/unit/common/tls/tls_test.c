/* Settings that are refused and why, which certificate a host name picks, reloads, ticket keys. */
#include "common/base/exposition.h"
#include "common/base/time.h"
#include "common/tls/tickets.h"
#include "tests/unit/common/tls/tls_fixture.h"
#include <pthread.h>
#include <sys/stat.h>

static struct tls_files files;
static char ca[128];

/* Lists "DIR/a.pem,DIR/b.pem" and "DIR/a.key,DIR/b.key" for "a b". */
struct lists {
    char certificates[600], keys[600];
};

static struct lists lists_of(const char *names)
{
    struct lists lists = {"", ""};
    char copy[64], *save = NULL;
    snprintf(copy, sizeof(copy), "%s", names);
    for (char *name = strtok_r(copy, " ", &save); name != NULL; name = strtok_r(NULL, " ", &save)) {
        size_t a = strlen(lists.certificates), b = strlen(lists.keys);
        snprintf(lists.certificates + a, sizeof(lists.certificates) - a, "%s/%s.pem, ", files.dir,
                 name);
        snprintf(lists.keys + b, sizeof(lists.keys) - b, "%s/%s.key, ", files.dir, name);
    }
    return lists;
}

static int set_up(void **state)
{
    (void)state;
    tls_files_open(&files);
    tls_files_path(&files, "ca.pem", ca);
    tls_files_sign(&files, "a",
                   &(struct tls_file_options){.common_name = "first", .names = "DNS:a.example"});
    tls_files_sign(&files, "w",
                   &(struct tls_file_options){.common_name = "wild", .names = "DNS:*.b.example"});
    tls_files_sign(&files, "x",
                   &(struct tls_file_options){.common_name = "exact", .names = "DNS:X.b.example"});
    tls_files_sign(&files, "n", &(struct tls_file_options){.common_name = "n.example"});
    tls_files_sign(
        &files, "r",
        &(struct tls_file_options){.common_name = "rsa", .names = "DNS:x.b.example", .rsa = true});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tls_files_close(&files);
    return 0;
}

/* --- refusals --- */

static void expect_refused(const struct tls_settings *settings, const char *file, const char *why)
{
    char err[TLS_ERROR_MAX] = "";
    struct tls *tls = NULL;
    assert_int_not_equal(tls_open(settings, &tls, err, sizeof(err)), 0);
    assert_null(tls);
    if (strstr(err, why) == NULL || strstr(err, file) == NULL)
        fail_msg("\"%s\" lacks \"%s\" or \"%s\"", err, why, file);
    assert_int_not_equal(tls_check(settings, err, sizeof(err)), 0);
}

static void test_settings_that_are_refused(void **state)
{
    (void)state;
    char a[128], a_key[128], w_key[128], odd[128], gone[128], locked[128];
    tls_files_path(&files, "a.pem", a);
    tls_files_path(&files, "a.key", a_key);
    tls_files_path(&files, "w.key", w_key);
    tls_files_path(&files, "gone.pem", gone);
    tls_files_write(&files, "odd.pem", "hello\n");
    tls_files_path(&files, "odd.pem", odd);
    expect_refused(&(struct tls_settings){.certificates = gone, .keys = a_key}, gone,
                   "no such file");
    expect_refused(&(struct tls_settings){.certificates = odd, .keys = a_key}, odd,
                   "has no certificate");
    expect_refused(&(struct tls_settings){.certificates = a, .keys = a}, a, "no private key");
    expect_refused(&(struct tls_settings){.certificates = a, .keys = w_key}, w_key,
                   "is not the key of");
    expect_refused(&(struct tls_settings){.certificates = a}, "tls.key", "one key for each");
    expect_refused(&(struct tls_settings){.ca = gone}, gone, "tls.ca");
    expect_refused(&(struct tls_settings){.min_version = "1.1"}, "1.1", "want 1.2 or 1.3");
    expect_refused(&(struct tls_settings){.ticket_keys = gone}, gone, "tls.ticket_keys");
    tls_files_write(&files, "cut.pem",
                    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    tls_files_path(&files, "cut.pem", odd);
    expect_refused(&(struct tls_settings){.certificates = odd, .keys = a_key}, odd,
                   "cannot be read");
    FILE *file = tls_files_create(&files, "locked.key");
    PEM_write_PrivateKey(file, files.ca.key, EVP_aes_128_cbc(), (const unsigned char *)"secret", 6,
                         NULL, NULL);
    fclose(file);
    tls_files_path(&files, "locked.key", locked);
    expect_refused(&(struct tls_settings){.certificates = a, .keys = locked}, locked, "passphrase");
}

static void test_listeners_that_lack_something(void **state)
{
    (void)state;
    char err[TLS_ERROR_MAX];
    struct tls_server *server;
    struct lists one = lists_of("a");
    struct tls *tls = fixture_open(&(struct tls_settings){.ca = ca});
    assert_false(tls_has_certificate(tls));
    assert_int_not_equal(tls_server_open(tls, &(struct tls_server_options){.name = "api"}, &server,
                                         err, sizeof(err)),
                         0);
    assert_string_equal(err, "api: there is no certificate: set tls.certificate and tls.key");
    tls_close(tls);
    tls = fixture_open(&(struct tls_settings){.certificates = one.certificates, .keys = one.keys});
    assert_true(tls_has_certificate(tls));
    assert_int_not_equal(
        tls_server_open(tls, &(struct tls_server_options){.name = "rpc", .demand_client = true},
                        &server, err, sizeof(err)),
        0);
    assert_non_null(strstr(err, "set tls.ca"));
    tls_close(tls);
}

/* --- which certificate --- */

static void expect_accepted(struct tls_server *server, struct tls_client *client, const char *name,
                            bool accepted)
{
    struct ends ends;
    ends_open(&ends, server, client, name, NULL);
    assert_int_equal(tls_engine_state(ends.client), accepted ? TLS_OPEN : TLS_FAILED);
    ends_close(&ends);
}

static struct tls_server *server_of(struct tls *tls)
{
    char err[TLS_ERROR_MAX];
    struct tls_server *server = NULL;
    assert_int_equal(
        tls_server_open(tls, &(struct tls_server_options){.name = "s"}, &server, err, sizeof(err)),
        0);
    return server;
}

static struct tls_client *client_of(struct tls *tls)
{
    char err[TLS_ERROR_MAX];
    struct tls_client *client = NULL;
    assert_int_equal(
        tls_client_open(tls, &(struct tls_client_options){.name = "c"}, &client, err, sizeof(err)),
        0);
    return client;
}

static void test_a_name_picks_its_certificate(void **state)
{
    (void)state;
    struct lists all = lists_of("a w x n r");
    struct tls *tls =
        fixture_open(&(struct tls_settings){.certificates = all.certificates, .keys = all.keys});
    struct tls *trust = fixture_open(&(struct tls_settings){.ca = ca});
    struct tls_server *server = server_of(tls);
    struct tls_client *client = client_of(trust);
    expect_accepted(server, client, "a.example", true);
    expect_accepted(server, client, "A.Example", true);
    expect_accepted(server, client, "y.b.example", true);
    expect_accepted(server, client, "x.b.example", true);
    expect_accepted(server, client, "n.example", true);
    expect_accepted(server, client, "b.example", false);     /* the first's */
    expect_accepted(server, client, "z.y.b.example", false); /* a wildcard is one label */
    tls_close(tls);
    tls_close(trust);
}

/* --- reloads --- */

static void test_a_reload_changes_all_or_nothing(void **state)
{
    (void)state;
    char err[TLS_ERROR_MAX] = "";
    struct lists one = lists_of("live");
    struct ends ends;
    char buf[8];
    tls_files_sign(&files, "live",
                   &(struct tls_file_options){.common_name = "x", .names = "DNS:old.example"});
    struct tls *tls =
        fixture_open(&(struct tls_settings){.certificates = one.certificates, .keys = one.keys});
    struct tls *trust = fixture_open(&(struct tls_settings){.ca = ca});
    struct tls_server *server = server_of(tls);
    struct tls_client *client = client_of(trust);
    ends_open(&ends, server, client, "old.example", NULL);
    tls_files_sign(&files, "live",
                   &(struct tls_file_options){.common_name = "x", .names = "DNS:new.example"});
    expect_accepted(server, client, "new.example", false);
    assert_int_equal(tls_reload(tls, err, sizeof(err)), 0);
    expect_accepted(server, client, "new.example", true);
    tls_files_write(&files, "live.key", "no key\n");
    assert_int_not_equal(tls_reload(tls, err, sizeof(err)), 0);
    assert_non_null(strstr(err, "live.key"));
    expect_accepted(server, client, "new.example", true);
    assert_int_equal(tls_engine_write(ends.client, "still", 5), 5); /* who was there stays */
    carry(ends.client, ends.server);
    assert_int_equal(tls_engine_read(ends.server, buf, sizeof(buf)), 5);
    ends_close(&ends);
    tls_close(tls);
    tls_close(trust);
}

static void *shake_hands(void *arg)
{
    struct tls_server *server = arg;
    const uint8_t record[] = {22, 3, 1, 0, 1, 1}; /* a hello begins: OpenSSL makes a connection */
    char none[1];
    for (int i = 0; i < 200; i++) {
        struct tls_engine *engine = tls_engine_accept(server);
        (void)tls_engine_feed(engine, record, sizeof(record));
        (void)tls_engine_read(engine, none, sizeof(none));
        tls_engine_free(engine);
    }
    return NULL;
}

/* Other loops accept while the main loop reloads: for ThreadSanitizer and the allocator's checks.
 */
static void test_reloads_while_others_accept(void **state)
{
    (void)state;
    char err[TLS_ERROR_MAX];
    struct lists one = lists_of("a");
    pthread_t threads[2];
    struct tls *tls =
        fixture_open(&(struct tls_settings){.certificates = one.certificates, .keys = one.keys});
    struct tls_server *server = server_of(tls);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, shake_hands, server), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(tls_reload(tls, err, sizeof(err)), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    tls_close(tls);
}

/* --- ticket keys --- */

#define KEY_A                                                                        \
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00112233445566" \
    "778899aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define KEY_B                                                                       \
    "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff0011223344556" \
    "6778899aabbccddeeff"

static struct tls *with_tickets(const char *keys, const char *version)
{
    char path[128];
    struct lists one = lists_of("a");
    tls_files_write(&files, "tickets", keys);
    tls_files_path(&files, "tickets", path);
    return fixture_open(&(struct tls_settings){.certificates = one.certificates,
                                               .keys = one.keys,
                                               .ticket_keys = path,
                                               .min_version = version});
}

/* Does a session of FIRST go on at SECOND? Neither knows of the other but by its keys. */
static bool goes_on(const char *first, const char *second, const char *version)
{
    struct ends ends;
    struct tls *one = with_tickets(first, version), *trust;
    struct tls_server *server = server_of(one);
    trust = fixture_open(&(struct tls_settings){.ca = ca});
    struct tls_client *client = client_of(trust);
    ends_open(&ends, server, client, "a.example", NULL);
    struct tls_session *session = tls_engine_session(ends.client);
    assert_non_null(session);
    ends_close(&ends);
    tls_close(one);
    struct tls *two = with_tickets(second, version);
    server = server_of(two);
    ends_open(&ends, server, client, "a.example", session);
    assert_int_equal(tls_engine_state(ends.server), TLS_OPEN);
    bool resumed = tls_engine_resumed(ends.server);
    ends_close(&ends);
    tls_session_free(session);
    tls_close(two);
    tls_close(trust);
    return resumed;
}

static void test_tickets_hold_where_the_key_is(void **state)
{
    (void)state;
    assert_true(goes_on(KEY_A "\n", KEY_A "\n", "1.3"));
    assert_true(goes_on(KEY_A "\n", "# newest first\n\n" KEY_B "\r\n" KEY_A, "1.3"));
    assert_true(goes_on(KEY_B "\n" KEY_A "\n", KEY_B "\n", "1.3"));
    assert_false(goes_on(KEY_A "\n" KEY_B "\n", KEY_B "\n", "1.3"));
}

static void test_ticket_files_that_are_refused(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"", "has no key"},          {"# nothing\n", "has no key"},
        {"00ff\n", ":1: no key"},    {KEY_A "\nxyz\n", ":2: no key"},
        {KEY_A "0\n", ":1: no key"},
    };
    char err[TLS_ERROR_MAX], path[128];
    tls_files_path(&files, "bad-tickets", path);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        tls_files_write(&files, "bad-tickets", bad[i][0]);
        assert_null(tls_ticket_keys_read(path, err, sizeof(err)));
        assert_non_null(strstr(err, bad[i][1]));
        assert_null(strstr(err, "0011")); /* no key in a message */
    }
    FILE *file = tls_files_create(&files, "bad-tickets");
    for (int i = 0; i <= TLS_TICKET_KEYS; i++)
        fprintf(file, "%s\n", KEY_A);
    fclose(file);
    assert_null(tls_ticket_keys_read(path, err, sizeof(err)));
    assert_non_null(strstr(err, "more than 16 keys"));
}

/* nginx's form. */
static void test_a_binary_key(void **state)
{
    (void)state;
    char err[TLS_ERROR_MAX] = "", path[128];
    FILE *file = tls_files_create(&files, "binary");
    for (int i = 0; i < 80; i++)
        fputc(i, file);
    fclose(file);
    tls_files_path(&files, "binary", path);
    struct tls_ticket_keys *keys = tls_ticket_keys_read(path, err, sizeof(err));
    assert_non_null(keys);
    tls_ticket_keys_free(keys);
}

/* One of them may show its certificate to others, another one to Redis; both believe one CA. */
static void test_a_file_that_several_have_is_shown_once(void **state)
{
    (void)state;
    const char *file, *at;
    char *text = NULL, wanted[200];
    size_t size = 0, shown = 0;
    int64_t expires;
    struct lists a = lists_of("a"), w = lists_of("w");
    struct tls *all[] = {fixture_open(&(struct tls_settings){
                             .certificates = a.certificates, .keys = a.keys, .ca = ca}),
                         NULL,
                         fixture_open(&(struct tls_settings){
                             .certificates = w.certificates, .keys = w.keys, .ca = ca})};

    assert_true(tls_certificate_at(all[0], 1, &file, &expires));
    assert_string_equal(file, ca);
    assert_true(expires > (int64_t)(time_unix_ms() / 1000));
    assert_false(tls_certificate_at(all[0], 2, &file, &expires));
    struct exposition to = {.out = open_memstream(&text, &size)};
    tls_render((const struct tls *const *)all, 3, &to);
    fclose(to.out);
    for (at = text; (at = strstr(at, "\nimc_tls_certificate_expiry_seconds{")) != NULL; at++)
        shown++;
    assert_int_equal(shown, 3);
    snprintf(wanted, sizeof wanted, "{file=\"%s\"} %lld\n", ca, (long long)expires);
    assert_non_null(strstr(text, wanted));
    free(text);
    tls_close(all[0]);
    tls_close(all[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings_that_are_refused),
        cmocka_unit_test(test_listeners_that_lack_something),
        cmocka_unit_test(test_a_name_picks_its_certificate),
        cmocka_unit_test(test_a_reload_changes_all_or_nothing),
        cmocka_unit_test(test_reloads_while_others_accept),
        cmocka_unit_test(test_tickets_hold_where_the_key_is),
        cmocka_unit_test(test_ticket_files_that_are_refused),
        cmocka_unit_test(test_a_binary_key),
        cmocka_unit_test(test_a_file_that_several_have_is_shown_once),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* What a server's open connection of TLS 1.3 does with what a peer may send, and with what none
 * may: RFC 8446, 4.6.3, 5 and 6. */
#include "common/tls/engine_internal.h"
#include "tests/unit/common/tls/forger.h"
#include <time.h>

enum { ALERT = 21, HANDSHAKE = 22, DATA = 23, INNER_MOST = 16384 + 1, IDLE_MOST = 32 };
enum { CLOSE = 0, UNEXPECTED = 10, BAD_MAC = 20, OVERFLOW = 22, ILLEGAL = 47, DECODE = 50 };

static uint64_t thread_cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint8_t zeros[70000], buf[20000];

/* --- what is expected of the engine --- */

static void expect_read(struct forger *forger, const char *text)
{
    size_t n = tls_engine_read(forger->engine, buf, sizeof(buf));
    assert_int_equal(n, strlen(text));
    assert_memory_equal(buf, text, n);
}

static void say(struct forger *forger, const char *text)
{
    forger_send(forger, DATA, text, strlen(text), 0);
}

static void expect_nothing_sent(struct forger *forger)
{
    uint8_t type;
    assert_int_equal(forger_receive(forger, &type, buf), -1);
}

static void expect_sent(struct forger *forger, uint8_t type, const void *bytes, int len)
{
    uint8_t got;
    assert_int_equal(forger_receive(forger, &got, buf), len);
    assert_int_equal(got, type);
    assert_memory_equal(buf, bytes, len);
}

/* What came makes it fail, and say ALERT; nothing of it is read. Ends FORGER. */
static void expect_alert(struct forger *forger, uint8_t number)
{
    assert_int_equal(tls_engine_read(forger->engine, buf, sizeof(buf)), 0);
    assert_int_equal(tls_engine_state(forger->engine), TLS_FAILED);
    assert_true(tls_engine_error(forger->engine)[0] != '\0');
    expect_sent(forger, ALERT, (uint8_t[]){2, number}, 2);
    expect_nothing_sent(forger);
    forger_close(forger);
}

/* It talks both ways. */
static void expect_open(struct forger *forger)
{
    say(forger, "ping");
    expect_read(forger, "ping");
    assert_int_equal(tls_engine_write(forger->engine, "pong", 4), 4);
    expect_sent(forger, DATA, "pong", 4);
}

static void send_update(struct forger *forger, uint8_t requested)
{
    forger_send(forger, HANDSHAKE, (uint8_t[]){24, 0, 0, 1, requested}, 5, 0);
    forger_turn(&forger->ours);
}

/* --- records --- */

static void test_padding_is_dropped(void **state)
{
    (void)state;
    struct forger forger;
    forger_open(&forger, 0);
    forger_send(&forger, DATA, "ping", 4, 1);
    expect_read(&forger, "ping");
    forger_send(&forger, DATA, "most", 4, INNER_MOST - 5);
    expect_read(&forger, "most");
    forger_send(&forger, DATA, zeros, INNER_MOST - 1, 0);
    assert_int_equal(tls_engine_read(forger.engine, buf, sizeof(buf)), INNER_MOST - 1);
    expect_open(&forger);
    forger_close(&forger);
}

static void test_only_padding(void **state)
{
    (void)state;
    struct forger forger;
    forger_open(&forger, 0);
    forger_send(&forger, 0, "", 0, 0);
    expect_alert(&forger, UNEXPECTED);
    forger_open(&forger, 0);
    forger_send(&forger, 0, "", 0, 1000);
    expect_alert(&forger, UNEXPECTED);
}

static void test_records_have_a_longest(void **state)
{
    (void)state;
    struct forger forger;
    forger_open(&forger, 0); /* too much data */
    forger_send(&forger, DATA, zeros, INNER_MOST, 0);
    expect_alert(&forger, OVERFLOW);
    forger_open(&forger, 0); /* too much with its padding */
    forger_send(&forger, DATA, "ping", 4, INNER_MOST - 5 + 1);
    expect_alert(&forger, OVERFLOW);
    forger_open(&forger, 0); /* too much encrypted */
    forger_send(&forger, DATA, "ping", 4, INNER_MOST + 256 - 16 - 5);
    expect_alert(&forger, OVERFLOW);
    forger_open(&forger, 0); /* said by its header alone */
    forger_feed(&forger, (uint8_t[]){23, 3, 3, 0xff, 0xff}, 5);
    expect_alert(&forger, OVERFLOW);
    forger_open(&forger, 0);
    forger_feed(&forger, (uint8_t[]){23, 3, 3, 0x41, 0x01}, 5);
    expect_alert(&forger, OVERFLOW);
}

static void test_records_have_a_shortest(void **state)
{
    (void)state;
    struct forger forger;
    for (uint8_t body = 0; body <= 16; body++) {
        uint8_t record[21] = {23, 3, 3, 0, body};
        forger_open(&forger, 0);
        forger_feed(&forger, record, 5u + body);
        expect_alert(&forger, BAD_MAC);
    }
}

static void test_what_is_not_encrypted(void **state)
{
    (void)state;
    struct forger forger;
    for (uint8_t type = 20; type < 26; type++) {
        if (type == DATA)
            continue;
        forger_open(&forger, 0);
        forger_feed(&forger, (uint8_t[]){type, 3, 3, 0, 2, 1, 0}, 7);
        expect_alert(&forger, UNEXPECTED);
    }
}

static void test_types_that_are_none(void **state)
{
    (void)state;
    struct forger forger;
    for (int type = 1; type < 256; type += type == 20 ? 4 : 1) {
        forger_open(&forger, 0);
        forger_send(&forger, (uint8_t)type, "\1", 1, 0);
        expect_alert(&forger, UNEXPECTED);
        type += type > 30 ? 40 : 0;
    }
}

static void send_empty(struct forger *forger)
{
    forger_send(forger, DATA, "", 0, 0);
}

static void send_update_quietly(struct forger *forger)
{
    send_update(forger, 0);
}

static void send_canceled(struct forger *forger)
{
    forger_send(forger, ALERT, (uint8_t[]){1, 90}, 2, 0);
}

/* As many as may be in a row, a second time after data; then one more. */
static void expect_bounded(void (*send)(struct forger *forger))
{
    struct forger forger;
    forger_open(&forger, 0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < IDLE_MOST; i++)
            send(&forger);
        expect_open(&forger);
    }
    for (int i = 0; i < IDLE_MOST + 1; i++)
        send(&forger);
    expect_alert(&forger, UNEXPECTED);
}

static void test_records_without_data_are_bounded(void **state)
{
    (void)state;
    struct forger forger;
    expect_bounded(send_empty);
    expect_bounded(send_canceled);
    expect_bounded(send_update_quietly);
    forger_open(&forger, 0); /* what is empty is no data between */
    for (int i = 0; i < IDLE_MOST / 2 + 1; i++) {
        send_update(&forger, 0);
        send_empty(&forger);
    }
    expect_alert(&forger, UNEXPECTED);
}

/* --- what short records cost --- */

enum { SHORT = RECORDS_OVERHEAD + 1, SHORTS = TLS_ENGINE_IN / SHORT };

/* Nanoseconds of CPU to read SHORTS records of one byte, of which PER_FEED come at once. */
static uint64_t cost_of_shorts(struct forger *forger, size_t per_feed)
{
    static uint8_t records[SHORTS * SHORT];
    uint64_t begin;
    size_t read = 0;
    for (size_t i = 0; i < SHORTS; i++)
        assert_int_equal(forger_seal(&forger->ours, DATA, "x", 1, 0, records + i * (size_t)SHORT),
                         SHORT);
    begin = thread_cpu_ns();
    for (size_t at = 0; at < SHORTS; at += per_feed) {
        size_t n = SHORTS - at < per_feed ? SHORTS - at : per_feed;
        forger_feed(forger, records + at * SHORT, n * SHORT);
        while (tls_engine_ready(forger->engine))
            read += tls_engine_read(forger->engine, buf, sizeof(buf));
    }
    assert_int_equal(read, SHORTS);
    return thread_cpu_ns() - begin;
}

/* What waits behind a record makes it cost no more. If the engine looked through all that waits for
 * each of them, a full buffer would cost many times as much as the same records in small parts. */
static void test_records_cost_the_same_in_a_full_buffer(void **state)
{
    (void)state;
    struct forger forger;
    uint64_t few = UINT64_MAX, full = UINT64_MAX, took;
    forger_open(&forger, 0);
    for (int round = 0; round < 10; round++) {
        took = cost_of_shorts(&forger, 8);
        few = took < few ? took : few;
        took = cost_of_shorts(&forger, SHORTS);
        full = took < full ? took : full;
    }
    forger_close(&forger);
    print_message("%d records of one byte: %.2f ms, 8 at once %.2f ms\n", SHORTS,
                  (double)full / 1e6, (double)few / 1e6);
    assert_true(full < 4 * few);
}

/* --- the longest record that the peer wants (RFC 6066, 4) --- */

static void test_the_peer_wants_short_records(void **state)
{
    (void)state;
    static const struct {
        uint8_t code;
        int most;
    } sizes[] = {{TLSEXT_max_fragment_length_512, 512}, {TLSEXT_max_fragment_length_4096, 4096}};
    for (size_t i = 0; i < 2; i++) {
        struct forger forger;
        uint8_t type;
        int n, got = 0;
        forger_open(&forger, sizes[i].code);
        assert_int_equal(tls_engine_write(forger.engine, zeros, 10000), 10000);
        while ((n = forger_receive(&forger, &type, buf)) > 0) {
            assert_true(n <= sizes[i].most);
            got += n;
        }
        assert_int_equal(got, 10000);
        forger_send(&forger, DATA, zeros, (size_t)sizes[i].most, 0);
        assert_int_equal(tls_engine_read(forger.engine, buf, sizeof(buf)), sizes[i].most);
        forger_send(&forger, DATA, zeros, (size_t)sizes[i].most + 1, 0);
        expect_alert(&forger, OVERFLOW);
    }
}

/* --- keys --- */

static void test_the_peer_changes_its_key(void **state)
{
    (void)state;
    struct forger forger;
    forger_open(&forger, 0);
    for (int i = 0; i < 3; i++) {
        say(&forger, "before");
        send_update(&forger, 0);
        say(&forger, "after");
        expect_read(&forger, "before");
        expect_read(&forger, "after");
        expect_nothing_sent(&forger);
        expect_open(&forger);
    }
    forger_close(&forger);
}

static void test_the_peer_asks_for_our_next_key(void **state)
{
    (void)state;
    struct forger forger;
    forger_open(&forger, 0);
    for (int i = 0; i < 3; i++) {
        send_update(&forger, 1);
        assert_int_equal(tls_engine_read(forger.engine, buf, sizeof(buf)), 0);
        expect_sent(&forger, HANDSHAKE, (uint8_t[]){24, 0, 0, 1, 0}, 5);
        forger_turn(&forger.theirs);
        expect_open(&forger);
    }
    forger_close(&forger);
}

/* Its next key is used although it did not say so. */
static void test_a_key_too_early(void **state)
{
    (void)state;
    struct forger forger;
    forger_open(&forger, 0);
    forger_turn(&forger.ours);
    say(&forger, "ping");
    expect_alert(&forger, BAD_MAC);
    forger_open(&forger, 0);
    forger_send(&forger, HANDSHAKE, (uint8_t[]){24, 0, 0, 1, 0}, 5, 0);
    say(&forger, "with the old key");
    expect_alert(&forger, BAD_MAC);
}

static void test_our_key_is_worn(void **state)
{
    (void)state;
    struct forger forger;
    forger_open(&forger, 0);
    records_free(forger.engine->records);
    forger.engine->records = records_new(forger.ssl, &forger.secrets, RECORDS_WORN - 2);
    forger.theirs.number = RECORDS_WORN - 2;
    expect_open(&forger);
    expect_nothing_sent(&forger);
    expect_open(&forger);
    expect_sent(&forger, HANDSHAKE, (uint8_t[]){24, 0, 0, 1, 0}, 5);
    forger_turn(&forger.theirs);
    expect_open(&forger);
    expect_nothing_sent(&forger);
    forger_close(&forger);
}

/* --- handshake messages --- */

static void test_a_key_update_in_pieces(void **state)
{
    (void)state;
    struct forger forger;
    forger_open(&forger, 0);
    for (int i = 0; i < 5; i++)
        forger_send(&forger, HANDSHAKE, &(uint8_t[]){24, 0, 0, 1, 0}[i], 1, (size_t)i);
    forger_turn(&forger.ours);
    expect_open(&forger);
    forger_send(&forger, HANDSHAKE, (uint8_t[]){24, 0}, 2, 0);
    say(&forger, "between");
    expect_alert(&forger, UNEXPECTED);
    forger_open(&forger, 0);
    forger_send(&forger, HANDSHAKE, (uint8_t[]){24, 0}, 2, 0);
    forger_send(&forger, ALERT, (uint8_t[]){1, 90}, 2, 0);
    expect_alert(&forger, UNEXPECTED);
}

static void expect_refused(const uint8_t *message, size_t len, uint8_t number)
{
    struct forger forger;
    forger_open(&forger, 0);
    forger_send(&forger, HANDSHAKE, message, len, 0);
    expect_alert(&forger, number);
}

static void test_key_updates_that_make_no_sense(void **state)
{
    (void)state;
    expect_refused((uint8_t[]){24, 0, 0, 1, 2}, 5, ILLEGAL);
    expect_refused((uint8_t[]){24, 0, 0, 1, 255}, 5, ILLEGAL);
    expect_refused((uint8_t[]){24, 0, 0, 0}, 4, DECODE);
    expect_refused((uint8_t[]){24, 0, 0, 2, 0, 0}, 6, DECODE);
    expect_refused((uint8_t[]){24, 1, 0, 1}, 4, DECODE);
    expect_refused((uint8_t[]){24, 0, 0, 1, 0, 24}, 6, UNEXPECTED); /* more behind it */
    expect_refused((uint8_t[]){24, 0, 0, 1, 0, 24, 0, 0, 1, 0}, 10, UNEXPECTED);
    expect_refused(zeros, 0, UNEXPECTED);
}

/* No server gets a ticket, and ours asks for no certificate after the handshake. */
static void test_other_messages(void **state)
{
    (void)state;
    for (int type = 0; type < 256; type += type < 26 ? 1 : 57) {
        if (type == 24)
            continue;
        expect_refused((uint8_t[]){(uint8_t)type, 0, 0, 1, 0}, 5, UNEXPECTED);
        expect_refused((uint8_t[]){(uint8_t)type}, 1, UNEXPECTED);
    }
    expect_refused(zeros, INNER_MOST - 1, UNEXPECTED);
}

/* --- alerts --- */

static void test_alerts_that_end_it(void **state)
{
    (void)state;
    for (uint8_t level = 0; level < 4; level++) {
        for (int number = 1; number < 256; number += 13) {
            struct forger forger;
            forger_open(&forger, 0);
            forger_send(&forger, ALERT, (uint8_t[]){level, (uint8_t)number}, 2, 0);
            say(&forger, "ignored");
            assert_int_equal(tls_engine_read(forger.engine, buf, sizeof(buf)), 0);
            assert_int_equal(tls_engine_state(forger.engine), TLS_FAILED);
            assert_non_null(strstr(tls_engine_error(forger.engine), "the peer refuses: "));
            tls_engine_close(forger.engine);
            expect_nothing_sent(&forger);
            forger_close(&forger);
        }
    }
}

static void test_alerts_that_make_no_sense(void **state)
{
    (void)state;
    static const uint8_t alerts[] = {1, 0, 1, 0};
    for (size_t len = 0; len <= sizeof(alerts); len++) {
        struct forger forger;
        if (len == 2)
            continue;
        forger_open(&forger, 0);
        forger_send(&forger, ALERT, alerts, len, 0);
        expect_alert(&forger, UNEXPECTED);
    }
}

/* --- the end --- */

static void test_the_peer_closes(void **state)
{
    (void)state;
    struct forger forger;
    forger_open(&forger, 0);
    say(&forger, "last");
    send_canceled(&forger);
    forger_send(&forger, ALERT, (uint8_t[]){1, CLOSE}, 2, 0);
    say(&forger, "too late");
    expect_read(&forger, "last");
    assert_int_equal(tls_engine_read(forger.engine, buf, sizeof(buf)), 0);
    assert_int_equal(tls_engine_state(forger.engine), TLS_CLOSED);
    say(&forger, "much too late");
    forger_feed(&forger, zeros, 100);
    assert_int_equal(tls_engine_read(forger.engine, buf, sizeof(buf)), 0);
    assert_int_equal(tls_engine_write(forger.engine, "x", 1), 0);
    expect_nothing_sent(&forger);
    tls_engine_close(forger.engine);
    expect_sent(&forger, ALERT, (uint8_t[]){1, CLOSE}, 2);
    forger_close(&forger);
}

/* Behind our close_notify nothing is sent: neither the answer to a KeyUpdate nor an alert. */
static void test_we_close(void **state)
{
    (void)state;
    struct forger forger;
    forger_open(&forger, 0);
    tls_engine_close(forger.engine);
    expect_sent(&forger, ALERT, (uint8_t[]){1, CLOSE}, 2);
    send_update(&forger, 1);
    say(&forger, "goes on");
    expect_read(&forger, "goes on");
    expect_nothing_sent(&forger);
    forger_send(&forger, HANDSHAKE, zeros, 5, 0);
    assert_int_equal(tls_engine_read(forger.engine, buf, sizeof(buf)), 0);
    assert_int_equal(tls_engine_state(forger.engine), TLS_FAILED);
    expect_nothing_sent(&forger);
    forger_close(&forger);
}

/* --- bites --- */

static void test_a_forged_record_leaves_nothing(void **state)
{
    (void)state;
    struct forger forger;
    uint8_t got[128] = {0}, none[128] = {0};
    forger_open(&forger, 0);
    forger.ours.iv[0] ^= 1; /* the text is garbage, too: it is not to be seen anyway */
    say(&forger, "a text of some length that is longer than a block");
    assert_int_equal(tls_engine_read(forger.engine, got, sizeof(got)), 0);
    assert_int_equal(tls_engine_state(forger.engine), TLS_FAILED);
    assert_memory_equal(got, none, sizeof(got));
    forger_close(&forger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_padding_is_dropped),
        cmocka_unit_test(test_only_padding),
        cmocka_unit_test(test_records_have_a_longest),
        cmocka_unit_test(test_records_have_a_shortest),
        cmocka_unit_test(test_what_is_not_encrypted),
        cmocka_unit_test(test_types_that_are_none),
        cmocka_unit_test(test_records_without_data_are_bounded),
        cmocka_unit_test(test_records_cost_the_same_in_a_full_buffer),
        cmocka_unit_test(test_the_peer_wants_short_records),
        cmocka_unit_test(test_the_peer_changes_its_key),
        cmocka_unit_test(test_the_peer_asks_for_our_next_key),
        cmocka_unit_test(test_a_key_too_early),
        cmocka_unit_test(test_our_key_is_worn),
        cmocka_unit_test(test_a_key_update_in_pieces),
        cmocka_unit_test(test_key_updates_that_make_no_sense),
        cmocka_unit_test(test_other_messages),
        cmocka_unit_test(test_alerts_that_end_it),
        cmocka_unit_test(test_alerts_that_make_no_sense),
        cmocka_unit_test(test_the_peer_closes),
        cmocka_unit_test(test_we_close),
        cmocka_unit_test(test_a_forged_record_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

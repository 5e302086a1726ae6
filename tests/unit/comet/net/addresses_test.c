/* Connections and sessions per address, over all loops. */
#include "comet/net/addresses.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct ip ip_of(const char *text)
{
    struct ip ip;

    assert_true(ip_parse(text, strlen(text), &ip));
    return ip;
}

/* A reference, or 0: refused. */
static uint32_t enter(const char *text, const struct addresses_limits *limits, uint64_t now_ms)
{
    struct ip ip = ip_of(text);
    uint32_t ref = 0;

    (void)addresses_enter(&ip, limits, now_ms, &ref);
    return ref;
}

static enum address_verdict verdict(const char *text, const struct addresses_limits *limits,
                                    uint64_t now_ms)
{
    struct ip ip = ip_of(text);
    uint32_t ref = 0;
    enum address_verdict got = addresses_enter(&ip, limits, now_ms, &ref);

    assert_true((ref != 0) == (got == ADDRESS_OK));
    return got;
}

static void connections_at_the_limit_pass_and_one_more_does_not(void **state)
{
    const struct addresses_limits limits = {.most = 3};
    uint32_t refs[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        refs[i] = enter("10.0.0.1", &limits, 1);
        assert_int_not_equal(refs[i], 0);
    }
    assert_int_equal(verdict("10.0.0.1", &limits, 1), ADDRESS_FULL);
    assert_int_equal(verdict("::ffff:10.0.0.1", &limits, 1), ADDRESS_FULL);
    uint32_t other = enter("10.0.0.2", &limits, 1);
    assert_int_not_equal(other, 0);
    uint32_t trusted = enter("10.0.0.1", NULL, 1); /* beyond all limits, but it counts */
    assert_int_not_equal(trusted, 0);
    addresses_leave(refs[0], NULL, 1);
    assert_int_equal(verdict("10.0.0.1", &limits, 1), ADDRESS_FULL);
    addresses_leave(trusted, NULL, 1);
    refs[0] = enter("10.0.0.1", &limits, 1);
    assert_int_not_equal(refs[0], 0);
    for (int i = 0; i < 3; i++)
        addresses_leave(refs[i], NULL, 1);
    addresses_leave(other, NULL, 1);
    addresses_leave(0, NULL, 1);
    assert_int_equal(addresses_known(), 0);
}

/* A host chooses the last 64 bits itself. */
static void a_network_of_64_bits_is_one_address(void **state)
{
    const struct addresses_limits limits = {.most = 1};
    uint32_t refs[] = {
        enter("2001:db8:0:1::1", &limits, 1),
        enter("2001:db8:0:2::1", &limits, 1),
        enter("2001:db8::1", &limits, 1),
        enter("32.1.13.184", &limits, 1), /* its bytes are those of 2001:db8 */
        enter("::1", &limits, 1),
    };

    (void)state;
    assert_int_equal(verdict("2001:db8:0:1:9:8:7:6", &limits, 1), ADDRESS_FULL);
    assert_int_equal(verdict("::2", &limits, 1), ADDRESS_FULL);
    for (size_t i = 0; i < sizeof refs / sizeof refs[0]; i++) {
        assert_int_not_equal(refs[i], 0);
        addresses_leave(refs[i], NULL, 1);
    }
    assert_int_equal(addresses_known(), 0);
}

static void so_many_a_second_after_a_burst(void **state)
{
    const struct addresses_limits limits = {.rate = rate_limit(10, 30)};
    int taken = 0;

    (void)state;
    for (int i = 0; i < 100; i++) {
        uint32_t ref = enter("10.0.0.1", &limits, 5000);
        taken += ref != 0;
        addresses_leave(ref, &limits.rate, 5000); /* it is remembered without a connection */
    }
    assert_int_equal(taken, 30);
    assert_int_equal(addresses_known(), 1);
    assert_int_equal(verdict("10.0.0.1", &limits, 5099), ADDRESS_FAST);
    uint32_t ref = enter("10.0.0.1", &limits, 5100);
    assert_int_not_equal(ref, 0);
    assert_int_equal(verdict("10.0.0.1", &limits, 5100), ADDRESS_FAST);
    /* When it has rested, and another one comes, it is forgotten. */
    addresses_leave(ref, &limits.rate, 20000);
    for (int i = 0; i < 10000; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "10.1.%d.%d", i / 256, i % 256);
        addresses_leave(enter(text, &limits, 20000), &limits.rate, 20000);
        if (i == 5000)
            assert_int_equal(addresses_known(), 5001);
    }
    for (int i = 0; i < 10000; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "10.2.%d.%d", i / 256, i % 256);
        addresses_leave(enter(text, &limits, 40000), &limits.rate, 40000);
    }
    assert_in_range(addresses_known(), 10000, 10000);
    for (int i = 0; i < 10000; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "10.2.%d.%d", i / 256, i % 256);
        addresses_leave(enter(text, NULL, 60000), &limits.rate, 60000);
    }
    assert_in_range(addresses_known(), 0, 64 * 2);
}

/* Every connection from another network, of a /32: two million of them. */
static void memory_is_bounded_if_everybody_comes_once(void **state)
{
    const struct addresses_limits limits = {.most = 10, .rate = rate_limit(1, 10)};
    struct ip ip = ip_of("2001:db8::1");
    uint32_t ref;

    (void)state;
    for (uint32_t i = 0; i < 2000000; i++) {
        memcpy(ip.bytes + 4, &i, sizeof i);
        assert_int_equal(addresses_enter(&ip, &limits, 100000, &ref), ADDRESS_OK);
        addresses_leave(ref, &limits.rate, 100000);
    }
    assert_in_range(addresses_known(), ADDRESSES_IDLE / 2, ADDRESSES_IDLE);
    assert_in_range(addresses_bytes(), 0, 4 << 20);
}

/* An address with connections stays, whatever comes. */
static void who_has_connections_is_not_forgotten(void **state)
{
    const struct addresses_limits limits = {.most = 2, .rate = rate_limit(1, 10)};
    uint32_t one = enter("10.0.0.1", &limits, 200000), ref;
    struct ip ip = ip_of("2001:db8::1");

    (void)state;
    addresses_leave(one, &limits.rate, 200000); /* it waits to be forgotten, */
    one = enter("10.0.0.1", &limits, 200000);   /* and comes back */
    uint32_t two = enter("10.0.0.1", &limits, 200000);
    for (uint32_t i = 0; i < 200000; i++) {
        memcpy(ip.bytes + 4, &i, sizeof i);
        assert_int_equal(addresses_enter(&ip, &limits, 200000, &ref), ADDRESS_OK);
        addresses_leave(ref, &limits.rate, 200000);
    }
    assert_int_equal(verdict("10.0.0.1", &limits, 210000), ADDRESS_FULL);
    addresses_leave(one, &limits.rate, 210000);
    addresses_leave(two, &limits.rate, 210000);
}

static void a_million_addresses_take_some_30_bytes_each(void **state)
{
    enum { N = 1000000 };
    static uint32_t refs[N];
    struct ip ip = ip_of("2001:db8::1");
    size_t before = addresses_bytes();

    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        memcpy(ip.bytes + 4, &i, sizeof i);
        assert_int_equal(addresses_enter(&ip, NULL, 300000, &refs[i]), ADDRESS_OK);
    }
    assert_in_range(addresses_bytes() - before, 0, 38 * (size_t)N);
    for (uint32_t i = 0; i < N; i++)
        addresses_leave(refs[i], NULL, 300000);
    assert_in_range(addresses_known(), 0, ADDRESSES_IDLE);
}

static void addresses_with_sessions_are_counted(void **state)
{
    int64_t before = addresses_with_sessions();
    uint32_t a = enter("10.9.0.1", NULL, 1), again = enter("10.9.0.1", NULL, 1);
    uint32_t b = enter("2001:db8:9::1", NULL, 1);

    (void)state;
    assert_int_equal(a, again);
    assert_int_equal(addresses_with_sessions() - before, 0);
    addresses_session(a, 1);
    addresses_session(again, 1);
    addresses_session(0, 1);
    assert_int_equal(addresses_with_sessions() - before, 1);
    addresses_session(b, 1);
    assert_int_equal(addresses_with_sessions() - before, 2);
    addresses_session(a, -1);
    assert_int_equal(addresses_with_sessions() - before, 2);
    addresses_session(a, -1);
    addresses_session(b, -1);
    assert_int_equal(addresses_with_sessions() - before, 0);
    addresses_leave(a, NULL, 1);
    addresses_leave(again, NULL, 1);
    addresses_leave(b, NULL, 1);
}

/* --- loops --- */

static _Atomic int let_in;

static void *come_and_go(void *arg)
{
    const struct addresses_limits limits = {.most = 100};
    uint32_t refs[200] = {0};

    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 200; i++)
            refs[i] = enter("10.0.0.7", arg == NULL ? NULL : &limits, 1);
        for (int i = 0; i < 200; i++)
            addresses_leave(refs[i], NULL, 1);
    }
    for (int i = 0; i < 200; i++)
        atomic_fetch_add(&let_in, enter("10.0.0.8", &limits, 1) != 0);
    return NULL;
}

static void loops_share_one_limit(void **state)
{
    const struct addresses_limits limits = {.most = 100};
    pthread_t threads[4];
    uint32_t ref = 0;

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &let_in), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(let_in, 100);
    for (int i = 0; i < 100; i++) {
        ref = enter("10.0.0.7", &limits, 1);
        assert_int_not_equal(ref, 0);
    }
    assert_int_equal(verdict("10.0.0.7", &limits, 1), ADDRESS_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_at_the_limit_pass_and_one_more_does_not),
        cmocka_unit_test(a_network_of_64_bits_is_one_address),
        cmocka_unit_test(so_many_a_second_after_a_burst),
        cmocka_unit_test(memory_is_bounded_if_everybody_comes_once),
        cmocka_unit_test(who_has_connections_is_not_forgotten),
        cmocka_unit_test(a_million_addresses_take_some_30_bytes_each),
        cmocka_unit_test(addresses_with_sessions_are_counted),
        cmocka_unit_test(loops_share_one_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

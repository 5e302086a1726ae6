#include "common/net/network.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct ip ip_of(const char *text)
{
    struct ip ip;

    assert_true(ip_parse(text, strlen(text), &ip));
    return ip;
}

static bool has(const char *network, const char *ip)
{
    struct network parsed;
    struct ip address = ip_of(ip);

    assert_true(network_parse(network, strlen(network), &parsed));
    return network_has(&parsed, &address);
}

static void a_network_has_its_addresses(void **state)
{
    (void)state;
    assert_true(has("10.0.0.0/8", "10.255.1.2"));
    assert_false(has("10.0.0.0/8", "11.0.0.1"));
    assert_true(has("10.1.2.3/8", "10.9.9.9"));
    assert_true(has("172.16.0.0/12", "172.31.255.255"));
    assert_false(has("172.16.0.0/12", "172.32.0.0"));
    assert_true(has("192.0.2.7", "192.0.2.7"));
    assert_false(has("192.0.2.7", "192.0.2.6"));
    assert_true(has("fd00::/8", "fdff::1"));
    assert_false(has("fd00::/8", "fe00::1"));
    assert_true(has("2001:db8::1", "2001:db8::1"));
    assert_true(has("::/0", "10.0.0.1"));
    assert_true(has("0.0.0.0/0", "255.255.255.255"));
    assert_false(has("0.0.0.0/0", "2001:db8::1"));
}

/* As a socket of both families shows it. */
static void a_mapped_address_is_the_same(void **state)
{
    (void)state;
    assert_true(has("10.0.0.0/8", "::ffff:10.1.1.1"));
    assert_true(has("::ffff:10.0.0.0/104", "10.1.1.1"));
}

static void what_is_no_network(void **state)
{
    static const char *const bad[] = {
        "",           "/",           "/8",          "10.0.0.0/",     "10.0.0.0/33", "10.0.0/8",
        "10.0.0.0/x", "10.0.0.0/8x", "10.0.0.0/-1", "10.0.0.0/+8",   "::1/129",     "10.0.0.0/0008",
        "::g",        "10.0.0.0 /8", " 10.0.0.0/8", "10.0.0.0/8/8",  "[::1]/128",   "fe80::1%eth0",
        "1.2.3.4:80", "localhost",   "::1/999",     "256.0.0.1",     "1.2.3.4.5",   "10.0.0.0/ 8",
        "0x10.0.0.1", "010.0.0.256", "::ffff:1.2",  "1:2:3:4:5:6:7", "12345::",     "::1::",
    };
    struct network out, before;

    (void)state;
    memset(&out, 7, sizeof out);
    before = out;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(network_parse(bad[i], strlen(bad[i]), &out));
    assert_false(network_parse("10.0.0.1\0x", 10, &out));
    assert_memory_equal(&out, &before, sizeof out);
}

static void only_loopback_is_loopback(void **state)
{
    static const char *const is[] = {"127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"};
    static const char *const is_not[] = {"126.0.0.1", "128.0.0.1", "::2", "::", "::127.0.0.1"};

    (void)state;
    for (size_t i = 0; i < sizeof is / sizeof is[0]; i++) {
        struct ip ip = ip_of(is[i]);
        assert_true(ip_is_loopback(&ip));
    }
    for (size_t i = 0; i < sizeof is_not / sizeof is_not[0]; i++) {
        struct ip ip = ip_of(is_not[i]);
        assert_false(ip_is_loopback(&ip));
    }
}

static void what_is_not_on_the_internet_is_private(void **state)
{
    static const char *const is[] = {
        "10.0.0.1",        "172.16.0.1",   "172.31.255.255",
        "192.168.1.1",     "127.0.0.1",    "::1",
        "169.254.1.1",     "100.64.0.1",   "100.127.255.255",
        "0.0.0.0",         "::",           "224.0.0.1",
        "255.255.255.255", "198.18.0.1",   "::10.0.0.1",
        "fe80::1",         "fec0::1",      "fc00::1",
        "fdff::1",         "ff02::1",      "::ffff:10.0.0.1",
        "64:ff9b::a00:1",  "64:ff9b:1::1", "2002:a00:1::",
    };
    static const char *const is_not[] = {
        "9.255.255.255", "11.0.0.1",        "172.15.0.1",  "172.32.0.1",     "192.167.0.1",
        "192.169.0.1",   "100.63.0.1",      "100.128.0.1", "169.253.0.1",    "8.8.8.8",
        "223.255.0.1",   "2001:4860::8888", "2a00::1",     "::ffff:8.8.8.8", "2003::1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof is / sizeof is[0]; i++) {
        struct ip ip = ip_of(is[i]);
        if (!ip_is_private(&ip))
            fail_msg("%s is private", is[i]);
    }
    for (size_t i = 0; i < sizeof is_not / sizeof is_not[0]; i++) {
        struct ip ip = ip_of(is_not[i]);
        if (ip_is_private(&ip))
            fail_msg("%s is not private", is_not[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_has_its_addresses),
        cmocka_unit_test(a_mapped_address_is_the_same),
        cmocka_unit_test(what_is_no_network),
        cmocka_unit_test(only_loopback_is_loopback),
        cmocka_unit_test(what_is_not_on_the_internet_is_private),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

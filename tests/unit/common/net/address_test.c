#include "common/net/address.h"
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void assert_parsed(const char *text, const char *host, int port)
{
    struct address address;
    char number[8];

    assert_int_equal(address_parse(text, strlen(text), &address), 0);
    assert_string_equal(address.host, host);
    assert_int_equal(address.port, port);
    snprintf(number, sizeof number, "%d", port);
    assert_string_equal(address.port_text, number);
}

static void a_host_and_a_port(void **state)
{
    (void)state;
    assert_parsed("127.0.0.1:8080", "127.0.0.1", 8080);
    assert_parsed("comet.example:0", "comet.example", 0);
    assert_parsed("h:65535", "h", 65535);
    assert_parsed("h:00080", "h", 80);
    assert_parsed("[::1]:8080", "::1", 8080);
    assert_parsed("[fe80::1%eth0]:80", "fe80::1%eth0", 80);
    assert_parsed(":8080", "", 8080);
    assert_parsed("*:8080", "*", 8080);
}

static void what_is_no_address(void **state)
{
    static const char *const bad[] = {
        "",      "h",    "h:",       "h:-1",      "h:+1",  "h: 1", "h:1 ",   "h:65536", "h:100000",
        "h:0x1", "h:1a", "::1:8080", "[::1]8080", "[::1]", "[]:1", "[::1:1", "::1]:1",  "[::1]x:1",
    };
    struct address address;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_not_equal(address_parse(bad[i], strlen(bad[i]), &address), 0);
    assert_int_not_equal(address_parse("a\0b:1", 5, &address), 0);
}

/* Only LEN bytes count, and a host may have 255. */
static void lengths_are_kept(void **state)
{
    char text[ADDRESS_HOST_MAX + 8];
    struct address address;

    (void)state;
    assert_int_equal(address_parse("h:80,x:9", 4, &address), 0);
    assert_int_equal(address.port, 80);
    memset(text, 'h', ADDRESS_HOST_MAX);
    memcpy(text + ADDRESS_HOST_MAX - 1, ":1", 3);
    assert_int_equal(address_parse(text, strlen(text), &address), 0);
    assert_int_equal(strlen(address.host), ADDRESS_HOST_MAX - 1);
    memcpy(text + ADDRESS_HOST_MAX - 1, "h:1", 4);
    assert_int_not_equal(address_parse(text, strlen(text), &address), 0);
}

static void brackets_come_back(void **state)
{
    static const char *const texts[] = {"10.0.0.7:80", "[::1]:80", "comet:0", ":80"};
    char text[64];
    struct address address;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(address_parse(texts[i], strlen(texts[i]), &address), 0);
        address_format(address.host, address.port, text, sizeof text);
        assert_string_equal(text, texts[i]);
    }
    assert_string_equal(address_reached("0.0.0.0"), "127.0.0.1");
    assert_string_equal(address_reached("::"), "::1");
    assert_string_equal(address_reached("10.0.0.7"), "10.0.0.7");
}

static void endpoints(void **state)
{
    union endpoint v4, v6, other;
    char text[ENDPOINT_TEXT_MAX];

    (void)state;
    assert_true(endpoint_parse("10.0.0.7", 80, &v4));
    endpoint_text(&v4.any, text, sizeof text);
    assert_string_equal(text, "10.0.0.7:80");
    assert_true(endpoint_parse("2001:db8::7", 80, &v6));
    endpoint_text(&v6.any, text, sizeof text);
    assert_string_equal(text, "[2001:db8::7]:80");
    endpoint_ip(&v6.any, text, sizeof text);
    assert_string_equal(text, "2001:db8::7");
    assert_false(endpoint_parse("comet", 80, &other));
    assert_false(endpoint_parse("", 80, &other));

    assert_false(endpoint_same(&v4, &v6));
    other = v6;
    assert_true(endpoint_same(&other, &v6));
    endpoint_set_port(&other.any, 81);
    assert_int_equal(ntohs(other.v6.sin6_port), 81);
    assert_false(endpoint_same(&other, &v6));
    other = (union endpoint){.any.sa_family = AF_UNIX};
    endpoint_ip(&other.any, text, sizeof text);
    assert_string_equal(text, "");
}

static void loopback_is_told_apart(void **state)
{
    static const struct {
        const char *ip;
        bool loops;
    } cases[] = {{"127.0.0.1", true}, {"127.9.9.9", true}, {"::1", true},     {"128.0.0.1", false},
                 {"0.0.0.0", false},  {"::", false},       {"fe80::1", false}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        union endpoint endpoint;
        assert_true(endpoint_parse(cases[i].ip, 0, &endpoint));
        assert_int_equal(endpoint_is_loopback(&endpoint.any), cases[i].loops);
    }
}

static void what_other_machines_reach_is_exposed(void **state)
{
    static const char *const exposed[] = {"0.0.0.0:80", "[::]:80", "192.0.2.1:80",
                                          "[2001:db8::1]:0", "[::ffff:192.0.2.1]:80"};
    static const char *const own[] = {
        "127.0.0.1:80", "127.9.9.9:0", "[::1]:80", "localhost:80", "", "no.such.host.invalid:80"};

    (void)state;
    for (size_t i = 0; i < sizeof exposed / sizeof exposed[0]; i++)
        assert_true(address_is_exposed(exposed[i]));
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        assert_false(address_is_exposed(own[i]));
}

static void looks_up_one_family(void **state)
{
    struct addrinfo *list = NULL;

    (void)state;
    assert_int_equal(address_lookup("127.0.0.1", "80", AF_INET, AI_NUMERICSERV, &list), 0);
    assert_int_equal(list->ai_family, AF_INET);
    assert_int_equal(list->ai_socktype, SOCK_STREAM);
    assert_null(list->ai_next);
    freeaddrinfo(list);
    assert_int_not_equal(address_lookup("127.0.0.1", "80", AF_INET6, 0, &list), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_and_a_port),
        cmocka_unit_test(what_is_no_address),
        cmocka_unit_test(lengths_are_kept),
        cmocka_unit_test(brackets_come_back),
        cmocka_unit_test(endpoints),
        cmocka_unit_test(loopback_is_told_apart),
        cmocka_unit_test(looks_up_one_family),
        cmocka_unit_test(what_other_machines_reach_is_exposed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

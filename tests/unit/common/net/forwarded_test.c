/* X-Forwarded-For, from its end. */
#include "common/net/forwarded.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* The items of TEXT from its end; one that is no address is "!". */
static void expect(const char *text, const char *items)
{
    size_t len = strlen(text);
    char all[256] = "", one[IP_TEXT_MAX];
    struct ip ip;

    for (int got; (got = forwarded_last(text, &len, &ip)) != 0;) {
        ip_text(&ip, one);
        strncat(all, all[0] != '\0' ? " " : "", sizeof all - strlen(all) - 1);
        strncat(all, got == 1 ? one : "!", sizeof all - strlen(all) - 1);
    }
    assert_int_equal(len, 0);
    assert_string_equal(all, items);
}

static void addresses_come_from_the_end(void **state)
{
    (void)state;
    expect("10.0.0.1", "10.0.0.1");
    expect(" 10.0.0.1 , 10.0.0.2,10.0.0.3\t", "10.0.0.3 10.0.0.2 10.0.0.1");
    expect("2001:db8::1, ::ffff:10.0.0.2", "10.0.0.2 2001:db8::1");
    expect("", "");
    expect("  ", "");
}

static void a_port_may_follow(void **state)
{
    (void)state;
    expect("10.0.0.1:4711, [2001:db8::1]:80, [2001:db8::2]", "2001:db8::2 2001:db8::1 10.0.0.1");
}

static void what_else_stands_there_is_no_address(void **state)
{
    (void)state;
    expect("unknown", "!");
    expect("10.0.0.1, evil", "! 10.0.0.1");
    expect("10.0.0.1,", "! 10.0.0.1");
    expect("10.0.0.1,,10.0.0.2", "10.0.0.2 ! 10.0.0.1");
    expect("10.0.0.01", "!");
    expect("10.0.0.1 10.0.0.2", "!");
    expect("10.0.0.1:99999", "!");
    expect("[10.0.0.1", "!");
    expect("[::1]x", "!");
    expect("localhost:80", "!");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_come_from_the_end),
        cmocka_unit_test(a_port_may_follow),
        cmocka_unit_test(what_else_stands_there_is_no_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

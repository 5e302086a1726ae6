#include "common/config/networks.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static bool has(const struct networks *networks, const char *text)
{
    struct ip ip;
    assert_true(ip_parse(text, strlen(text), &ip));
    return networks_have(networks, &ip);
}

static void a_list_is_read(void **state)
{
    static const char list[] = " 10.0.0.0/8 ,nonsense,, 2001:db8::/32,192.0.2.1";
    static const char *const in[] = {"10.1.2.3", "2001:db8::5", "192.0.2.1"};
    static const char *const out[] = {"11.0.0.1", "2001:db9::", "192.0.2.2", "::1"};
    struct networks networks;

    (void)state;
    networks_read(&networks, list);
    assert_int_equal(networks.n, 3);
    for (size_t i = 0; i < sizeof in / sizeof in[0]; i++)
        assert_true(has(&networks, in[i]));
    for (size_t i = 0; i < sizeof out / sizeof out[0]; i++)
        assert_false(has(&networks, out[i]));
    networks_free(&networks);
    assert_false(has(&networks, "10.1.2.3"));
    networks_read(&networks, "");
    assert_int_equal(networks.n, 0);
    networks_free(&networks);
}

static void the_first_mistake_is_named(void **state)
{
    char err[128] = "";

    (void)state;
    assert_int_equal(networks_check("a.b", "", err, sizeof err), 0);
    assert_int_equal(networks_check("a.b", "10.0.0.0/8, ::1", err, sizeof err), 2);
    assert_string_equal(err, "");
    assert_int_equal(networks_check("a.b", "::1, 10.0.0.0/33, x", err, sizeof err), -EINVAL);
    assert_string_equal(err, "a.b: 10.0.0.0/33 is no address and no network like 10.0.0.0/8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_read),
        cmocka_unit_test(the_first_mistake_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "common/auth/host_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

/* needs the above */
#include <cmocka.h>

static void expect(const char *const *hosts, enum host_header want)
{
    for (size_t i = 0; hosts[i] != NULL; i++) {
        if (host_header_is(hosts[i], "logic, Admin.example") != want)
            fail_msg("%s is not %d", hosts[i], want);
    }
}
#define HOSTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void ours(void **state)
{
    (void)state;
    expect(HOSTS("localhost", "LocalHost:8093", "127.0.0.1", "127.0.0.1:8093", "127.9.9.9", "[::1]",
                 "[::1]:8093", "[::ffff:127.0.0.1]", "logic", "LOGIC:7173", "admin.example:1"),
           HOST_OURS);
}

static void addresses(void **state)
{
    (void)state;
    expect(HOSTS("10.0.0.1", "192.0.2.7:8093", "[2001:db8::1]:8093", "0.0.0.0"), HOST_ADDRESS);
}

/* What a page may be called by, and what only looks like one of ours. */
static void foreign(void **state)
{
    (void)state;
    expect(HOSTS("evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8093", "",
                 ":8093", "localhos", "localhost.", "logic2", "admin.example.", "[]", "[logic2]",
                 "127.0.0.1x", "2130706433", "0x7f.1"),
           HOST_FOREIGN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ours),
        cmocka_unit_test(addresses),
        cmocka_unit_test(foreign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "common/http/retry_after.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

/* needs the above */
#include <cmocka.h>

enum { NOW = 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */, MOST = 3600 };

static void expect(const char *value, int64_t seconds)
{
    int64_t got = retry_after_s(value, NOW, MOST);

    if (got != seconds)
        fail_msg("\"%s\" is %lld seconds", value, (long long)got);
}

static void seconds(void **state)
{
    (void)state;
    expect("0", 0);
    expect("120", 120);
    expect("3600", MOST);
    expect("3601", MOST);
    expect("999999999999", MOST);
}

static void dates(void **state)
{
    (void)state;
    expect("Sun, 06 Nov 1994 08:49:37 GMT", 0);
    expect("Sun, 06 Nov 1994 08:50:07 GMT", 30);
    expect("Sun, 06 Nov 1994 08:49:36 GMT", 0);
    expect("Mon, 07 Nov 1994 08:49:37 GMT", MOST);
}

static void neither(void **state)
{
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      "1.5",
                                      "1s",
                                      " 1",
                                      "9999999999999",
                                      "soon",
                                      "Sun, 06 Xxx 1994 08:50:07 GMT",
                                      "Sun, 06 Nov 1994 08:50:07 UTC",
                                      "Sun, 06 Nov 1994 08:50:07 GMT.",
                                      "Sunday, 06-Nov-94 08:50:07 GMT",
                                      "Sun, 06 Nov 1994 08:50:0x GMT"};

    (void)state;
    assert_int_equal(retry_after_s(NULL, NOW, MOST), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect(bad[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds),
        cmocka_unit_test(dates),
        cmocka_unit_test(neither),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

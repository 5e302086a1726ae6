/* How a session is named, written and read. */
#include "common/protocol/session_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

static void what_is_written_is_read(void **state)
{
    char text[SESSION_TEXT_MAX], long_name[100];
    const char *comet;
    uint64_t handle;

    (void)state;
    session_text_write(0xa0100000007, "comet-1.x", text);
    assert_string_equal(text, "00000a0100000007.comet-1.x");
    assert_true(session_text_read(text, &handle, &comet));
    assert_true(handle == 0xa0100000007);
    assert_string_equal(comet, "comet-1.x");

    memset(long_name, 'c', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    session_text_write(UINT64_MAX, long_name, text);
    assert_int_equal(strlen(text), 16 + 1 + 63);
    assert_true(session_text_read(text, &handle, &comet));
    assert_true(handle == UINT64_MAX);
}

static void what_is_no_such_name_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "1.comet-1",
                                        "00000a0100000007",
                                        "00000a0100000007comet-1",
                                        "0000000000000000.comet-1",
                                        "00000a010000000g.comet-1",
                                        "000000a0100000007.comet-1"};
    const char *comet;
    uint64_t handle;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(session_text_read(texts[i], &handle, &comet));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(what_is_no_such_name_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "common/base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { TEXT_MAX = 40 };

/* Each byte at each place of texts of each length, among bytes that are none. */
static void test_control_bytes(void **state)
{
    static const unsigned char others[] = {' ', '~', 0x80, 0xff};
    char text[TEXT_MAX];

    (void)state;
    for (size_t len = 1; len <= TEXT_MAX; len++) {
        for (size_t at = 0; at < len * 256; at++) {
            unsigned char byte = (unsigned char)(at % 256);
            for (size_t o = 0; o < sizeof others; o++) {
                memset(text, others[o], len);
                text[at / 256] = (char)byte;
                assert_int_equal(text_has_control(text, len), byte < 0x20 || byte == 0x7f);
            }
        }
    }
    assert_false(text_has_control(text, 0));
}

/* What follows one that is found may be marked wrongly, but not what stands alone. */
static void test_neighbours_of_control_bytes(void **state)
{
    char text[8];

    (void)state;
    for (unsigned pair = 0; pair < 65536; pair++) {
        unsigned char a = pair & 0xff, b = (unsigned char)(pair >> 8);
        bool want = a < 0x20 || a == 0x7f || b < 0x20 || b == 0x7f;
        memset(text, 'x', sizeof text);
        text[3] = (char)a;
        text[4] = (char)b;
        assert_int_equal(text_has_control(text, sizeof text), want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_control_bytes),
        cmocka_unit_test(test_neighbours_of_control_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "bench/check/alike.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t frame[] = "abcde";
enum { SIZE = 5 };

static size_t count(const char *data)
{
    return alike_count((const uint8_t *)data, strlen(data), frame, SIZE);
}

static void whole_frames_count(void **state)
{
    (void)state;
    assert_int_equal(count(""), 0);
    assert_int_equal(count("abcd"), 0);
    assert_int_equal(count("abcde"), 1);
    assert_int_equal(count("abcdeabcd"), 1);
    assert_int_equal(count("abcdeabcdeabcde"), 3);
}

static void another_frame_ends_the_run(void **state)
{
    (void)state;
    assert_int_equal(count("abcdfabcde"), 0);
    assert_int_equal(count("abcdeabcdfabcde"), 1);
    assert_int_equal(count("abcdeabcdeabcdX"), 2);
    assert_int_equal(count("xabcdeabcde"), 0);
}

/* Every byte is looked at: each one, changed, ends the run at its frame. */
static void every_byte_counts(void **state)
{
    uint8_t data[20 * SIZE];

    (void)state;
    for (size_t wrong = 0; wrong < sizeof data; wrong++) {
        for (size_t i = 0; i < sizeof data; i++)
            data[i] = frame[i % SIZE];
        assert_int_equal(alike_count(data, sizeof data, frame, SIZE), 20);
        data[wrong] ^= 1;
        assert_int_equal(alike_count(data, sizeof data, frame, SIZE), wrong / SIZE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_frames_count),
        cmocka_unit_test(another_frame_ends_the_run),
        cmocka_unit_test(every_byte_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

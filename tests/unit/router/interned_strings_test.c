#include "router/interned_strings.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void equal_texts_share_a_number_and_count(void **state)
{
    (void)state;
    struct interned_strings *strings = interned_new(true);
    uint32_t a = interned_ref(strings, "a"), b = interned_ref(strings, "b");

    assert_int_not_equal(a, b);
    assert_int_equal(interned_ref(strings, "a"), a);
    assert_int_equal(interned_refs(strings, a), 2);
    assert_int_equal(interned_count(strings), 2);
    interned_unref(strings, a);
    assert_string_equal(interned_text(strings, a), "a");
    interned_unref(strings, a);
    assert_int_equal(interned_count(strings), 1);
    assert_int_equal(interned_next(strings, 0), b);
    assert_int_equal(interned_next(strings, b), 0);
    interned_free(strings);
}

static void unshared_texts_do_not(void **state)
{
    (void)state;
    struct interned_strings *strings = interned_new(false);
    uint32_t a = interned_ref(strings, "a"), b = interned_ref(strings, "a");

    assert_int_not_equal(a, b);
    interned_unref(strings, a);
    assert_string_equal(interned_text(strings, b), "a");
    interned_free(strings);
}

static void the_empty_text_is_number_0(void **state)
{
    (void)state;
    struct interned_strings *strings = interned_new(true);

    assert_int_equal(interned_ref(strings, ""), 0);
    interned_unref(strings, 0);
    assert_string_equal(interned_text(strings, 0), "");
    assert_int_equal(interned_count(strings), 0);
    assert_int_equal(interned_next(strings, 0), 0);
    interned_free(strings);
}

static void numbers_are_used_again(void **state)
{
    (void)state;
    struct interned_strings *strings = interned_new(true);
    uint32_t numbers[1000], highest = 0;
    char text[16];

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1000; i++) {
            snprintf(text, sizeof text, "%d/%d", round, i);
            numbers[i] = interned_ref(strings, text);
            highest = numbers[i] > highest ? numbers[i] : highest;
        }
        for (int i = 0; i < 1000; i++) {
            snprintf(text, sizeof text, "%d/%d", round, i);
            assert_string_equal(interned_text(strings, numbers[i]), text);
            interned_unref(strings, numbers[i]);
        }
    }
    assert_int_equal(highest, 1000);
    assert_int_equal(interned_next(strings, 0), 0);
    interned_free(strings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_texts_share_a_number_and_count),
        cmocka_unit_test(unshared_texts_do_not),
        cmocka_unit_test(the_empty_text_is_number_0),
        cmocka_unit_test(numbers_are_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

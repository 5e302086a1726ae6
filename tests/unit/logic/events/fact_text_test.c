/* Facts as scripts write them into imc:facts, and what is none. */
#include "logic/events/fact_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

#define ID         "\0\0\0\1\0\0\0\2"
#define READ(text) fact_text_read((text), sizeof(text) - 1, &fact)

static struct fact_text fact;

static void each_kind_is_read(void **state)
{
    (void)state;
    assert_true(READ("d" ID "-7 1500 comet-1/a"));
    assert_int_equal(fact.type, EVENT_DELIVERED);
    assert_int_equal(fact.message, 1ULL << 32 | 2);
    assert_int_equal(fact.uid, -7);
    assert_int_equal(fact.at_ms, 1500);
    assert_string_equal(fact.session, "comet-1/a");
    assert_string_equal(fact.why, "");
    assert_true(READ("a" ID "9223372036854775807 1 s"));
    assert_int_equal(fact.type, EVENT_ACKNOWLEDGED);
    assert_int_equal(fact.uid, INT64_MAX);
    assert_true(READ("s" ID "7 1 "));
    assert_int_equal(fact.type, EVENT_STORED);
}

static void an_expired_has_its_reason(void **state)
{
    (void)state;
    assert_true(READ("e" ID "7 1 "));
    assert_int_equal(fact.type, EVENT_EXPIRED);
    assert_string_equal(fact.why, "ttl");
    assert_string_equal(fact.session, "");
    assert_true(READ("t" ID "7 1 "));
    assert_string_equal(fact.why, "limit");
    assert_true(READ("r" ID "7 1 "));
    assert_string_equal(fact.why, "replaced");
}

static void what_is_none_changes_nothing(void **state)
{
    const struct fact_text before = {.uid = 3};

    (void)state;
    fact = before;
    assert_false(READ(""));
    assert_false(READ("d\0\0\0\1\0\0\0"));
    assert_false(READ("d" ID));
    assert_false(READ("x" ID "7 1 s"));
    assert_false(READ("d" ID " 7 1 s"));
    assert_false(READ("d" ID "+7 1 s"));
    assert_false(READ("d" ID "7"));
    assert_false(READ("d" ID "7 1"));
    assert_false(READ("d" ID "7 -1 s"));
    assert_false(READ("d" ID "7  s"));
    assert_false(READ("d" ID "7x 1 s"));
    assert_false(READ("d" ID "9223372036854775808 1 s"));
    assert_false(READ("d" ID "7 1 s\0s"));
    assert_memory_equal(&fact, &before, sizeof before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_is_read),
        cmocka_unit_test(an_expired_has_its_reason),
        cmocka_unit_test(what_is_none_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

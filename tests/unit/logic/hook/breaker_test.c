#include "logic/hook/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct hook_breaker breaker;

static void open_at(uint64_t now)
{
    breaker = (struct hook_breaker){0};
    for (int i = 1; i < BREAKER_FAILURES; i++)
        assert_false(hook_breaker_failed(&breaker, breaker.answers, now));
    assert_true(hook_breaker_lets(&breaker, now));
    assert_true(hook_breaker_failed(&breaker, breaker.answers, now));
}

static void failures_in_a_row_open_it(void **state)
{
    (void)state;
    breaker = (struct hook_breaker){0};
    for (int i = 0; i < 3 * BREAKER_FAILURES; i++) {
        assert_false(hook_breaker_failed(&breaker, breaker.answers, 0));
        if (i % 2 == 1)
            assert_false(hook_breaker_answered(&breaker));
    }
    open_at(1000);
    assert_false(hook_breaker_lets(&breaker, 1000));
    assert_false(hook_breaker_lets(&breaker, 1000 + BREAKER_PAUSE_MS / 2));
}

static void after_the_pause_one_may_ask(void **state)
{
    (void)state;
    open_at(1000);
    assert_true(hook_breaker_lets(&breaker, 1000 + BREAKER_PAUSE_MS));
    assert_false(hook_breaker_lets(&breaker, 1000 + BREAKER_PAUSE_MS));
    assert_true(hook_breaker_answered(&breaker));
    assert_true(hook_breaker_lets(&breaker, 1000 + BREAKER_PAUSE_MS));
    assert_true(hook_breaker_lets(&breaker, 1000 + BREAKER_PAUSE_MS));
}

static void pauses_grow_to_a_limit(void **state)
{
    uint64_t now = 1000;
    (void)state;
    open_at(now);
    for (int i = 0; i < 10; i++) {
        now += BREAKER_PAUSE_MOST_MS;
        assert_true(hook_breaker_lets(&breaker, now));
        assert_false(hook_breaker_failed(&breaker, breaker.answers, now));
        assert_false(hook_breaker_failed(&breaker, breaker.answers,
                                         now)); /* asked before the pause: no matter */
    }
    assert_false(hook_breaker_lets(&breaker, now + BREAKER_PAUSE_MOST_MS / 2));
    assert_true(hook_breaker_lets(&breaker, now + BREAKER_PAUSE_MOST_MS));
}

/* The one that may ask is never heard of again. */
static void another_one_may_then(void **state)
{
    (void)state;
    open_at(1000);
    assert_true(hook_breaker_lets(&breaker, 2000));
    assert_false(hook_breaker_lets(&breaker, 2000 + BREAKER_PAUSE_MS - 1));
    assert_true(hook_breaker_lets(&breaker, 2000 + BREAKER_PAUSE_MS));
}

/* A question fails whatever happens, and the business answers others. */
static void what_fails_beside_answers_does_not_count(void **state)
{
    (void)state;
    breaker = (struct hook_breaker){0};
    uint32_t before = breaker.answers;
    assert_false(hook_breaker_answered(&breaker));
    for (int i = 0; i < 3 * BREAKER_FAILURES; i++)
        assert_false(hook_breaker_failed(&breaker, before, 1000));
    assert_true(hook_breaker_lets(&breaker, 1000));
    open_at(1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_in_a_row_open_it),
        cmocka_unit_test(after_the_pause_one_may_ask),
        cmocka_unit_test(pauses_grow_to_a_limit),
        cmocka_unit_test(another_one_may_then),
        cmocka_unit_test(what_fails_beside_answers_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

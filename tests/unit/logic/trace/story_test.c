/* What the steps of a message say together. */
#include "logic/trace/trace_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct story story;

static void add(int64_t at, const char *step, const char *more)
{
    char text[256];

    (void)snprintf(text, sizeof text, "{\"at\":%lld,\"step\":\"%s\"%s}", (long long)at, step, more);
    assert_true(story_add(&story, text, strlen(text)));
}

static void concludes(uint64_t now_ms, const char *state, size_t n)
{
    story_conclude(&story, now_ms);
    assert_string_equal(story.state, state);
    assert_int_equal(story.n, n);
    story_free(&story);
}

static void in_the_order_of_time(void **state)
{
    (void)state;
    add(3000, "read", "");
    add(2000, "produced", "");
    add(2000, "accepted",
        ",\"ends\":9"); /* of two at the same time, the one that has to be first */
    story_conclude(&story, 5);
    assert_int_equal(story.steps[0].what, TRACE_ACCEPTED);
    assert_int_equal(story.steps[1].what, TRACE_PRODUCED);
    assert_int_equal(story.steps[2].what, TRACE_READ);
    concludes(5, "read", 3);
}

static void how_far(void **state)
{
    (void)state;
    add(1, "written", ",\"session\":\"a\"");
    add(2, "gone", ",\"session\":\"b\"");
    add(3, "stored", "");
    concludes(9, "written", 3);
    add(1, "acknowledged", "");
    add(2, "stored", "");
    concludes(9, "acknowledged", 2);
    add(1, "accepted", "");
    add(2, "failed", "");
    concludes(9, "failed", 2);
    story_conclude(&story, 9); /* nothing is known */
    assert_int_equal(story.n, 0);
}

static void expiry(void **state)
{
    (void)state;
    add(1000, "accepted", ",\"ends\":9");
    add(2000, "stored", "");
    concludes(8, "stored", 2);
    add(1000, "accepted", ",\"ends\":9");
    add(2000, "stored", "");
    concludes(9, "expired", 3);
    add(1000, "accepted", ",\"ends\":9"); /* a session had it */
    add(2000, "stored", "");
    add(3000, "taken", "");
    concludes(9, "stored", 3);
    add(1000, "accepted", ",\"ends\":9"); /* it is on its way still */
    concludes(9, "accepted", 1);
}

static void a_newer_one_has_its_place(void **state)
{
    (void)state;
    add(1000, "accepted", ",\"ends\":9");
    add(2000, "stored", "");
    add(3000, "replaced", "");
    concludes(9, "replaced", 3); /* it cannot expire any more */
    add(1000, "written", ",\"session\":\"a\"");
    add(2000, "replaced", "");
    concludes(9, "written", 2);
}

static void what_is_none(void **state)
{
    static const char *const texts[] = {"",
                                        "{}",
                                        "7",
                                        "{\"at\":1}",
                                        "{\"step\":\"read\"}",
                                        "[1]",
                                        "{\"at\":1,\"step\":\"flown\"}",
                                        "{\"at\":\"1\",\"step\":\"read\"}"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(story_add(&story, texts[i], strlen(texts[i])));
    assert_int_equal(story.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_the_order_of_time),
        cmocka_unit_test(how_far),
        cmocka_unit_test(expiry),
        cmocka_unit_test(a_newer_one_has_its_place),
        cmocka_unit_test(what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

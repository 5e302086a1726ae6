/* What Kafka's group tells of its members is read to its end, and no further. */
#include "job/kafka/member_assignment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { N = 4 };

/* Version 1; "other" with partition 2, and "log" with 0, 3 and 9; the assignor has nothing to say.
 */
static const char given[] = "\0\1\0\0\0\2"
                            "\0\5other\0\0\0\1\0\0\0\2"
                            "\0\3log\0\0\0\3\0\0\0\0\0\0\0\3\0\0\0\x09"
                            "\377\377\377\377";
enum { LEN = sizeof given - 1, READ = LEN - 4 };

static bool owned[N];

static bool take(const char *data, size_t len, const char *topic)
{
    memset(owned, 0, sizeof owned);
    return member_assignment_read(data, len, topic, owned, N);
}

static void check(bool first, bool second, bool third, bool fourth)
{
    assert_int_equal(owned[0], first);
    assert_int_equal(owned[1], second);
    assert_int_equal(owned[2], third);
    assert_int_equal(owned[3], fourth);
}

static void partitions_of_the_topic_are_marked(void **state)
{
    (void)state;
    assert_true(take(given, LEN, "log"));
    check(true, false, false, true);
    assert_true(take(given, LEN, "other"));
    check(false, false, true, false);
    assert_true(take(given, LEN, "lo"));
    check(false, false, false, false);
}

static void a_member_may_have_nothing(void **state)
{
    (void)state;
    assert_true(take(NULL, 0, "log"));
    assert_true(take("\0\1\0\0\0\0", 6, "log"));
    check(false, false, false, false);
}

static void what_ends_too_early_is_none(void **state)
{
    (void)state;
    for (size_t len = 1; len < READ; len++) {
        char copy[LEN];
        memcpy(copy, given, len);
        assert_false(take(copy, len, "log"));
    }
    assert_false(take("\0\1\377\377\377\377", 6, "log"));
    assert_false(take("\0\1\0\0\0\1\377\377log", 11, "log"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partitions_of_the_topic_are_marked),
        cmocka_unit_test(a_member_may_have_nothing),
        cmocka_unit_test(what_ends_too_early_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

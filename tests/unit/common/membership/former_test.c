/* Who is missing from the lists of members. */
#include "common/membership/former.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

enum { MOST = FORMER_MOST + 10 };

static struct former_members former;
static struct member members[MOST];

/* IDS are single letters. */
static void now(enum member_kind kind, const char *ids, uint64_t ms)
{
    struct member_list list = {.n = strlen(ids), .members = members};

    memset(members, 0, sizeof members);
    for (size_t i = 0; i < list.n; i++)
        members[i].id[0] = ids[i];
    former_members_update(&former, kind, &list, ms);
}

static void is_gone(size_t i, enum member_kind kind, const char *id, uint64_t ms)
{
    assert_int_equal(former.gone[i].kind, kind);
    assert_string_equal(former.gone[i].id, id);
    assert_int_equal(former.gone[i].gone_ms, ms);
}

static int clear(void **state)
{
    (void)state;
    former_members_free(&former);
    return 0;
}

static void who_left_the_list_is_gone_until_it_is_back(void **state)
{
    (void)state;
    now(MEMBER_COMET, "ab", 1000);
    now(MEMBER_JOB, "a", 1000);
    assert_int_equal(former.n, 0);
    now(MEMBER_COMET, "b", 2000);
    now(MEMBER_JOB, "", 3000);
    assert_int_equal(former.n, 2);
    is_gone(0, MEMBER_COMET, "a", 2000);
    is_gone(1, MEMBER_JOB, "a", 3000);
    now(MEMBER_COMET, "b", 4000); /* it went once */
    assert_int_equal(former.n, 2);
    now(MEMBER_COMET, "ab", 5000);
    assert_int_equal(former.n, 1);
    is_gone(0, MEMBER_JOB, "a", 3000);
}

static void each_is_forgotten_in_time(void **state)
{
    (void)state;
    now(MEMBER_COMET, "ab", 1000);
    now(MEMBER_COMET, "a", 2000);
    now(MEMBER_COMET, "", 3000);
    former_members_age(&former, 2000 + FORMER_FOR_MS);
    assert_int_equal(former.n, 2);
    former_members_age(&former, 2001 + FORMER_FOR_MS);
    assert_int_equal(former.n, 1);
    is_gone(0, MEMBER_COMET, "a", 3000);
}

static void only_the_newest_are_kept(void **state)
{
    struct member_list list = {.n = MOST, .members = members};

    (void)state;
    memset(members, 0, sizeof members);
    for (size_t i = 0; i < MOST; i++)
        (void)snprintf(members[i].id, sizeof members[i].id, "%zu", i);
    former_members_update(&former, MEMBER_COMET, &list, 1000);
    list.n = 0;
    former_members_update(&former, MEMBER_COMET, &list, 2000);
    assert_int_equal(former.n, FORMER_MOST);
    is_gone(0, MEMBER_COMET, "10", 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(who_left_the_list_is_gone_until_it_is_back, clear),
        cmocka_unit_test_teardown(each_is_forgotten_in_time, clear),
        cmocka_unit_test_teardown(only_the_newest_are_kept, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

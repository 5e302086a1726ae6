#include "common/protocol/goim_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

#define RANDOM "0123456789abcdef0123456789abcdef"

static void a_key_that_was_made_names_its_uid(void **state)
{
    static const int64_t uids[] = {0, 1, -1, 1234, INT64_MAX, INT64_MIN};
    char key[GOIM_KEY_MADE_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof uids / sizeof uids[0]; i++) {
        int64_t uid = 99;
        goim_key_make(uids[i], RANDOM, key);
        assert_true(goim_key_is_made(key, &uid));
        assert_true(uid == uids[i]);
        assert_true(goim_key_is_made(key, NULL));
    }
    goim_key_make(1234, RANDOM, key);
    assert_string_equal(key, "~1234~" RANDOM);
}

static void other_keys_do_not(void **state)
{
    static const char *const keys[] = {
        "",
        "~",
        "~~",
        "phone",
        "1234~" RANDOM,
        "~1234",
        "~1234~",
        "~1234~" RANDOM "0",
        "~1234~0123456789abcdef0123456789abcde",
        "~1234~0123456789ABCDEF0123456789ABCDEF",
        "~1234~0123456789abcdef0123456789abcdeg",
        "~~" RANDOM,
        "~x~" RANDOM,
        "~+1~" RANDOM,
        "~ 1~" RANDOM,
        "~01~" RANDOM,
        "~-0~" RANDOM,
        "~1 ~" RANDOM,
        "~9223372036854775808~" RANDOM,
        "~-9223372036854775809~" RANDOM,
        "~99999999999999999999999999999999999999999999999999~" RANDOM,
    };
    int64_t uid = 99;

    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (goim_key_is_made(keys[i], &uid))
            fail_msg("%s", keys[i]);
    }
    assert_int_equal(uid, 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_that_was_made_names_its_uid),
        cmocka_unit_test(other_keys_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

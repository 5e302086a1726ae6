/* Logins at the console: their limits, their ends, and tries in vain. */
#include "logic/console/logins.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { LIFETIME = 3600000 };

static int begin(void **state)
{
    *state = logins_new(LIFETIME);
    return 0;
}

static int end(void **state)
{
    logins_free(*state);
    return 0;
}

static void digest(int number, uint8_t out[KEY_DIGEST_LEN])
{
    char text[16];

    key_digest(text, (size_t)snprintf(text, sizeof text, "key %d", number), out);
}

static const struct login *add(struct logins *logins, int key, uint64_t now,
                               char cookie[LOGINS_COOKIE_LEN + 1])
{
    uint8_t bytes[KEY_DIGEST_LEN];

    digest(key, bytes);
    return logins_add(logins, bytes, now, cookie);
}

static const struct login *find(struct logins *logins, const char *cookie, uint64_t now)
{
    return logins_find(logins, cookie, strlen(cookie), now);
}

static void a_cookie_stands_for_its_key(void **state)
{
    char one[LOGINS_COOKIE_LEN + 1], two[LOGINS_COOKIE_LEN + 1];
    uint8_t key[KEY_DIGEST_LEN];

    add(*state, 1, 0, one);
    add(*state, 2, 0, two);
    assert_string_not_equal(one, two);
    digest(1, key);
    assert_memory_equal(find(*state, one, 1)->key, key, sizeof key);
    digest(2, key);
    assert_memory_equal(find(*state, two, 1)->key, key, sizeof key);
    one[0] = one[0] == '0' ? '1' : '0';
    assert_null(find(*state, one, 1));
    assert_null(find(*state, "", 1));
}

static void it_ends_when_it_is_idle_and_in_any_case(void **state)
{
    char cookie[LOGINS_COOKIE_LEN + 1];
    uint64_t now = 0;

    add(*state, 1, now, cookie);
    while (now + LOGINS_IDLE_MS - 1 < LIFETIME) {
        now += LOGINS_IDLE_MS - 1;
        assert_non_null(find(*state, cookie, now));
    }
    assert_null(find(*state, cookie, LIFETIME));
    add(*state, 1, 0, cookie);
    assert_null(find(*state, cookie, LOGINS_IDLE_MS));
}

static void whoever_logs_out_is_out(void **state)
{
    char one[LOGINS_COOKIE_LEN + 1], two[LOGINS_COOKIE_LEN + 1];

    add(*state, 1, 0, one);
    add(*state, 1, 0, two);
    logins_end(*state, find(*state, one, 1));
    assert_null(find(*state, one, 2));
    assert_non_null(find(*state, two, 2));
}

/* How many of N cookies are those of logins. */
static int found(struct logins *logins, char cookies[][LOGINS_COOKIE_LEN + 1], int n, uint64_t now)
{
    int count = 0;

    for (int i = 0; i < n; i++)
        count += find(logins, cookies[i], now) != NULL;
    return count;
}

static void a_key_has_so_many_logins_and_all_have_so_many(void **state)
{
    static char cookies[2 * LOGINS_MOST][LOGINS_COOKIE_LEN + 1];

    for (int i = 0; i < LOGINS_OF_KEY; i++)
        add(*state, 0, (uint64_t)i, cookies[i]);
    assert_non_null(find(*state, cookies[0], 50)); /* now it is the last that was used */
    add(*state, 0, 51, cookies[LOGINS_OF_KEY]);
    assert_null(find(*state, cookies[1], 52));
    assert_non_null(find(*state, cookies[0], 52));
    assert_int_equal(found(*state, cookies, LOGINS_OF_KEY + 1, 52), LOGINS_OF_KEY);
    for (int i = 0; i < 2 * LOGINS_MOST; i++)
        add(*state, i + 1, (uint64_t)(100 + i), cookies[i]);
    assert_int_equal(found(*state, cookies, 2 * LOGINS_MOST, 1000), LOGINS_MOST);
    assert_int_equal(found(*state, cookies + LOGINS_MOST, LOGINS_MOST, 1000), LOGINS_MOST);
}

static void a_csrf_token_is_that_of_its_login(void **state)
{
    char one[LOGINS_COOKIE_LEN + 1], two[LOGINS_COOKIE_LEN + 1], csrf[LOGINS_COOKIE_LEN + 1];

    add(*state, 1, 0, one);
    add(*state, 1, 0, two);
    memcpy(csrf, find(*state, one, 1)->csrf, sizeof csrf);
    assert_true(login_csrf_is(find(*state, one, 1), csrf));
    assert_false(login_csrf_is(find(*state, two, 1), csrf));
    assert_false(login_csrf_is(find(*state, one, 1), NULL));
    assert_false(login_csrf_is(find(*state, one, 1), ""));
    assert_false(login_csrf_is(find(*state, one, 1), one)); /* the cookie is none */
}

static void an_address_tries_so_often(void **state)
{
    for (int i = 0; i < LOGINS_TRIES; i++) {
        assert_true(logins_may_try(*state, "10.0.0.1", 1000));
        logins_tried(*state, "10.0.0.1", 1000);
    }
    assert_false(logins_may_try(*state, "10.0.0.1", 1000 + LOGINS_TRIES_MS - 1));
    assert_true(logins_may_try(*state, "10.0.0.2", 1000));
    assert_true(logins_may_try(*state, "10.0.0.1", 1000 + LOGINS_TRIES_MS));
    logins_tried(*state, "10.0.0.1", 1000 + LOGINS_TRIES_MS);
    assert_true(logins_may_try(*state, "10.0.0.1", 1000 + LOGINS_TRIES_MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_cookie_stands_for_its_key, begin, end),
        cmocka_unit_test_setup_teardown(it_ends_when_it_is_idle_and_in_any_case, begin, end),
        cmocka_unit_test_setup_teardown(whoever_logs_out_is_out, begin, end),
        cmocka_unit_test_setup_teardown(a_key_has_so_many_logins_and_all_have_so_many, begin, end),
        cmocka_unit_test_setup_teardown(a_csrf_token_is_that_of_its_login, begin, end),
        cmocka_unit_test_setup_teardown(an_address_tries_so_often, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

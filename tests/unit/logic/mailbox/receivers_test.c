#include "logic/mailbox/receivers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

static void a_token_names_comet_and_session(void **state)
{
    char token[RECEIVERS_TOKEN_MAX];

    (void)state;
    assert_int_equal(receivers_token("comet-1", 0x2000007, token), 15);
    assert_string_equal(token, "comet-1/2000007");
    assert_int_equal(receivers_token("a b%\xc3\xa4\n", 1, token), 19);
    assert_string_equal(token, "a%20b%25%C3%A4%0A/1");
}

static void what_names_no_session_is_no_token(void **state)
{
    char token[RECEIVERS_TOKEN_MAX], comet[RECEIVERS_COMET_MAX + 2];

    (void)state;
    assert_int_equal(receivers_token("comet-1", 0, token), 0);
    assert_string_equal(token, "");
    assert_int_equal(receivers_token("", 7, token), 0);
    memset(comet, '\n', sizeof comet);
    comet[RECEIVERS_COMET_MAX] = '\0';
    assert_int_equal(receivers_token(comet, UINT64_MAX, token),
                     RECEIVERS_TOKEN_MAX - 1); /* the longest */
    comet[RECEIVERS_COMET_MAX] = '\n';
    comet[RECEIVERS_COMET_MAX + 1] = '\0';
    assert_int_equal(receivers_token(comet, 7, token), 0);
}

static void a_device_is_named_by_its_key(void **state)
{
    char device[RECEIVERS_DEVICE_MAX], key[RECEIVERS_KEY_MAX + 2];

    (void)state;
    assert_int_equal(receivers_device("phone 1+", device), 11);
    assert_string_equal(device, "/phone%201+");
    assert_int_equal(receivers_device("", device), 0);
    assert_int_equal(receivers_device("~7~0123456789abcdef0123456789abcdef", device), 0);
    assert_string_equal(device, ""); /* it was made up for a connection */
    memset(key, '\xff', sizeof key);
    key[RECEIVERS_KEY_MAX] = '\0';
    assert_int_equal(receivers_device(key, device), RECEIVERS_DEVICE_MAX - 1); /* the longest */
    key[RECEIVERS_KEY_MAX] = 'x';
    key[RECEIVERS_KEY_MAX + 1] = '\0';
    assert_int_equal(receivers_device(key, device), 0);
}

static void a_list_has_each_token_once(void **state)
{
    struct receivers owed = {0};

    (void)state;
    receivers_add(&owed, "", 0);
    assert_string_equal(owed.text, "");
    receivers_add(&owed, "a/1", 3);
    receivers_add(&owed, "a/12", 4);
    receivers_add(&owed, "", 0);
    receivers_add(&owed, "a/1", 3);
    assert_string_equal(owed.text, "a/1 a/12");
    assert_int_equal(owed.len, 8);
    assert_true(receivers_has(owed.text, owed.len, "a/12", 4));
    assert_false(receivers_has(owed.text, owed.len, "/1", 2));
    assert_false(receivers_has(owed.text, owed.len, "a/123", 5));
    receivers_free(&owed);
    assert_null(owed.text);
}

static void a_list_is_read_token_by_token(void **state)
{
    const char list[] = "  a/1 b/2  c/3 ", *at = list, *end = list + sizeof list - 1, *token;
    char seen[16] = "";
    size_t len;

    (void)state;
    while ((token = receivers_next(&at, end, &len)) != NULL) {
        assert_int_equal(len, 3);
        strncat(seen, token, len);
    }
    assert_string_equal(seen, "a/1b/2c/3");
    at = list;
    assert_null(receivers_next(&at, list, &len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_names_comet_and_session),
        cmocka_unit_test(what_names_no_session_is_no_token),
        cmocka_unit_test(a_device_is_named_by_its_key),
        cmocka_unit_test(a_list_has_each_token_once),
        cmocka_unit_test(a_list_is_read_token_by_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

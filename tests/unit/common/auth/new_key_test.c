#include "common/auth/keys.h"
#include "common/auth/new_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

static void a_key_is_random_and_needs_no_quotes(void **state)
{
    char keys[64][NEW_KEY_MAX];
    (void)state;
    for (size_t i = 0; i < 64; i++) {
        new_key_make(keys[i]);
        assert_int_equal(strlen(keys[i]), 4 + 43); /* 256 bits, 6 a digit */
        assert_memory_equal(keys[i], "imc_", 4);
        for (const char *at = keys[i]; *at != '\0'; at++)
            assert_non_null(
                strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", *at));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(keys[i], keys[j]);
    }
}

static void the_line_lets_the_key_in(void **state)
{
    char *text = NULL, err[KEYS_ERROR_MAX];
    size_t len;
    (void)state;
    FILE *out = open_memstream(&text, &len);
    assert_int_equal(new_key_print("billing", "push,read", out), 0);
    fclose(out);
    char *line = strchr(text, '\n');
    *line++ = '\0';
    assert_null(strstr(line, text)); /* the line does not have the key */
    struct keys *keys = keys_new();
    assert_int_equal(keys_parse(keys, "f", line, strlen(line), err, sizeof(err)), 0);
    assert_int_equal(keys_find(keys, text), 0);
    assert_string_equal(keys_at(keys, 0)->name, "billing");
    assert_int_equal(keys_at(keys, 0)->scopes, KEY_PUSH | KEY_READ);
    keys_free(keys);
    free(text);
}

static void what_no_file_takes_is_not_made(void **state)
{
    (void)state;
    assert_int_not_equal(new_key_print("two words", "push", stdout), 0);
    assert_int_not_equal(new_key_print("a", "pull", stdout), 0);
    assert_int_not_equal(new_key_print("a", "", stdout), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_random_and_needs_no_quotes),
        cmocka_unit_test(the_line_lets_the_key_in),
        cmocka_unit_test(what_no_file_takes_is_not_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

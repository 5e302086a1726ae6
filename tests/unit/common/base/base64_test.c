#include "common/base/base64.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* The examples of RFC 4648, section 10. */
static const struct {
    const char *bytes, *text;
} examples[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

static void both_ways(void **state)
{
    char text[16], back[16];

    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        size_t len = strlen(examples[i].bytes), n = base64_encode(examples[i].bytes, len, text);
        assert_int_equal(n, strlen(text));
        assert_int_equal(n + 1, base64_size(len));
        assert_string_equal(text, examples[i].text);
        assert_int_equal(base64_decode(text, n, back), len);
        assert_memory_equal(back, examples[i].bytes, len);
        assert_int_equal(base64_decode(text, n, text), len); /* in place */
        assert_memory_equal(text, examples[i].bytes, len);
    }
}

static void every_byte(void **state)
{
    uint8_t bytes[256], back[258];
    char text[348];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    size_t n = base64_encode(bytes, sizeof bytes, text);
    assert_int_equal(base64_decode(text, n, back), sizeof bytes);
    assert_memory_equal(back, bytes, sizeof bytes);
}

static void what_is_none(void **state)
{
    static const char *const bad[] = {"Zg",   "Zg=",  "Zg===",     "Z===",     "====", "Zm=v",
                                      "Z=9v", "Zm9-", "Zm9v\nZm9", "Zg==Zm9v", " m9v", "Zm8=\n"};
    char out[16];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (base64_decode(bad[i], strlen(bad[i]), out) != -EBADMSG)
            fail_msg("\"%s\" was taken", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways),
        cmocka_unit_test(every_byte),
        cmocka_unit_test(what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "common/auth/key_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* needs the above */
#include <cmocka.h>

static char err[256];

static int read_text(const char *text, size_t len, char **key)
{
    char path[] = "/tmp/imc-key-file-test-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    close(fd);
    *key = NULL;
    int rc = key_file_read(path, key, err, sizeof(err));
    unlink(path);
    return rc;
}

static void takes(const char *text, const char *want)
{
    char *key;
    assert_int_equal(read_text(text, strlen(text), &key), 0);
    assert_string_equal(key, want);
    free(key);
}

static void refuses(const char *text, size_t len)
{
    char *key;
    assert_int_equal(read_text(text, len, &key), -EINVAL);
    assert_null(key);
    assert_null(strstr(err, "hush"));
    assert_non_null(strstr(err, "want one key"));
}

static void a_file_has_one_key(void **state)
{
    (void)state;
    takes("imc_abc", "imc_abc");
    takes(" \t\r\nimc_abc \r\n\n", "imc_abc");
    refuses("", 0);
    refuses(" \n", 2);
    refuses("hush hush", 9);
    refuses("hush\nhush", 9);
    refuses("hu\0sh", 5);
    refuses("hush\x7f", 5);
    refuses("h\xc3\xbcsh", 5);
}

static void a_key_has_a_limit(void **state)
{
    char text[KEY_FILE_MAX + 100];
    (void)state;
    memset(text, 'a', sizeof(text));
    text[KEY_FILE_MAX] = '\0';
    takes(text, text);
    text[KEY_FILE_MAX] = 'a';
    refuses(text, KEY_FILE_MAX + 1);
    refuses(text, sizeof(text));
}

static void a_file_that_is_not_there_is_named(void **state)
{
    char *key = NULL;
    (void)state;
    assert_int_equal(key_file_read("/nowhere/key", &key, err, sizeof(err)), -ENOENT);
    assert_string_equal(err, "/nowhere/key: no such file or directory");
    assert_int_equal(key_file_read("/tmp", &key, err, sizeof(err)), -EISDIR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_has_one_key),
        cmocka_unit_test(a_key_has_a_limit),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

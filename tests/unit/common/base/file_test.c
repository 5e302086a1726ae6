#include "common/base/file.h"
#include "common/base/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/imc-file-test-XXXXXX";
static char path[64];

static int setup(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/file", directory);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static void write_file(const char *bytes, size_t len)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void all_of_it_is_read_up_to_the_limit(void **state)
{
    char *text;

    (void)state;
    write_file("a\0b\n", 4);
    assert_int_equal(file_read(path, 4, &text), 4);
    assert_memory_equal(text, "a\0b\n", 5); /* with a NUL behind */
    mem_wiped_free(text, 4);
    assert_int_equal(file_read(path, 3, &text), -EFBIG);
    assert_null(text);
    write_file("", 0);
    assert_int_equal(file_read(path, 0, &text), 0);
    assert_string_equal(text, "");
    mem_wiped_free(text, 0);
}

static void what_is_no_file_is_refused(void **state)
{
    char *text;

    (void)state;
    assert_int_equal(file_read("/nonexistent/file", 10, &text), -ENOENT);
    assert_null(text);
    assert_int_equal(file_read(directory, 10, &text), -EISDIR);
    assert_null(text);
}

/* A FIFO that nobody writes to would stop a loop. */
static void a_fifo_is_empty(void **state)
{
    char *text;

    (void)state;
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(file_read(path, 10, &text), 0);
    assert_string_equal(text, "");
    mem_wiped_free(text, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_is_read_up_to_the_limit),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(a_fifo_is_empty),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

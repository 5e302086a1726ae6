/* What of /demo there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* needs cmocka.h */
#include "logic/http/demo.h"
#include "logic/http/demo_files.inc"

static const struct embedded_file *file_named(const char *name)
{
    for (size_t i = 0; i < sizeof demo_files / sizeof demo_files[0]; i++) {
        if (strcmp(demo_files[i].name, name) == 0)
            return &demo_files[i];
    }
    fail_msg("no file %s", name);
    return demo_files; /* is not reached; gcc does not know */
}

static void the_page_and_the_client_are_in_the_program(void **state)
{
    (void)state;
    static const char *const names[][3] = {
        {"", "text/html; charset=utf-8", "<!doctype html>\n"},
        {"demo.css", "text/css; charset=utf-8", ":root "},
        {"demo.js", "text/javascript; charset=utf-8", "// Two users"},
        {"imc/index.js", "text/javascript; charset=utf-8", "// imc's client"},
        {"imc/client.js", "text/javascript; charset=utf-8", "// The client"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct embedded_file *file = file_named(names[i][0]);
        assert_string_equal(file->type, names[i][1]);
        assert_true(file->len > strlen(names[i][2]));
        assert_memory_equal(file->bytes, names[i][2], strlen(names[i][2]));
        assert_int_equal(file->bytes[file->len - 1], '\n');
    }
}

static void files_have_routes_that_need_no_key(void **state)
{
    (void)state;
    static const char *const paths[] = {"/demo", "/demo/", "/demo/demo.js", "/demo/imc/index.js"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const struct route *route = demo_route(paths[i]);
        assert_non_null(route);
        assert_int_equal(route->method, HTTP_GET);
        assert_int_equal(route->scope, 0);
    }
}

static void nothing_else_is_there(void **state)
{
    (void)state;
    static const char *const paths[] = {"",       "/",           "/dem",       "/demo/index.html",
                                        "/demox", "/demo/imc",   "/demo/imc/", "/demo//",
                                        "demo/",  "/demo/imc/x", "/1/push",    "/demo/demo.js/"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_null(demo_route(paths[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_and_the_client_are_in_the_program),
        cmocka_unit_test(files_have_routes_that_need_no_key),
        cmocka_unit_test(nothing_else_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

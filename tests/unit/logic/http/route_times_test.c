#include "logic/http/route.h"
#include "logic/http/route_times.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants these first */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct route push = {.method = HTTP_POST, .path = "/1/push"};
static const struct route end = {.method = HTTP_DELETE, .path = "/v1/sessions"};

static char *render(const struct route_times *times)
{
    char *text = NULL;
    size_t len;
    struct exposition to = {.out = open_memstream(&text, &len)};
    route_times_render(times, &to);
    fclose(to.out);
    return text;
}

static size_t times_in(const char *text, const char *part)
{
    size_t n = 0;
    for (; (text = strstr(text, part)) != NULL; text++)
        n++;
    return n;
}

static void test_by_route_and_class(void **state)
{
    struct route_times *times = route_times_open();
    (void)state;
    route_times_observe(times, &push, 200, 700);
    route_times_observe(times, &push, 202, 80000000);
    route_times_observe(times, &push, 503, 0);
    route_times_observe(times, &end, 404, 3000);
    route_times_observe(times, NULL, 404, 1);
    char *text = render(times);
    assert_int_equal(times_in(text, "# HELP"), 1);
    assert_int_equal(times_in(text, "_count{"), 4);
    assert_int_equal(
        times_in(text, "_bucket{route=\"/1/push\",method=\"POST\",code=\"2xx\",le=\"0.0005\"} 0\n"),
        1);
    assert_int_equal(
        times_in(text, "_bucket{route=\"/1/push\",method=\"POST\",code=\"2xx\",le=\"0.001\"} 1\n"),
        1);
    assert_int_equal(
        times_in(text, "_sum{route=\"/1/push\",method=\"POST\",code=\"2xx\"} 80.000700\n"), 1);
    assert_int_equal(times_in(text, "_count{route=\"/1/push\",method=\"POST\",code=\"2xx\"} 2\n"),
                     1);
    assert_int_equal(times_in(text, "_count{route=\"/1/push\",method=\"POST\",code=\"5xx\"} 1\n"),
                     1);
    assert_int_equal(
        times_in(text, "_count{route=\"/v1/sessions\",method=\"DELETE\",code=\"4xx\"} 1\n"), 1);
    assert_int_equal(times_in(text, "_count{route=\"other\",method=\"\",code=\"4xx\"} 1\n"), 1);
    free(text);
    route_times_close(times);
}

static void test_nothing_yet(void **state)
{
    struct route_times *times = route_times_open();
    (void)state;
    char *text = render(times), *none = render(NULL);
    assert_string_equal(text, "");
    assert_string_equal(none, "");
    free(text);
    free(none);
    route_times_close(times);
    route_times_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_route_and_class),
        cmocka_unit_test(test_nothing_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "common/http/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

static void assert_refused(const char *path, bool escapes, const char *word)
{
    const char *why = http_path_refusal(path, escapes);

    if (why == NULL || strstr(why, word) == NULL)
        fail_msg("%s: %s", path, why != NULL ? why : "not refused");
}

static void assert_decoded(const char *segment, const char *text)
{
    char out[64];

    assert_null(http_path_refusal("/", true));
    assert_int_equal(http_segment_decode(segment, strlen(segment), out), strlen(text));
    assert_string_equal(out, text);
}

static void a_path_without_escapes_is_taken(void **state)
{
    (void)state;
    for (int escapes = 0; escapes < 2; escapes++) {
        assert_null(http_path_refusal("/", escapes));
        assert_null(http_path_refusal("/v1/rooms/a:b@c!$&'()*+,;=~-_", escapes));
        assert_null(http_path_refusal("/.well-known/...", escapes));
        assert_refused("nonsense", escapes, "no path");
        assert_refused("/a//b", escapes, "empty segment");
        assert_refused("/a/./b", escapes, "dot segment");
        assert_refused("/a/..", escapes, "dot segment");
        assert_refused("/a\\b", escapes, "percent-encoded");
        assert_refused("/{room}", escapes, "percent-encoded");
    }
}

static void an_escape_is_refused_where_no_name_is(void **state)
{
    (void)state;
    assert_refused("/1/%63ount", false, "an escape");
    assert_refused("/1%2Fcount", false, "an escape");
}

static void an_escape_stands_for_a_byte_of_a_name(void **state)
{
    (void)state;
    assert_null(http_path_refusal("/v1/rooms/live:%2F%2f7", true));
    assert_null(http_path_refusal("/v1/rooms/%C3%A4%20b/members", true));
    assert_decoded("live:%2F%2f7", "live://7");
    assert_decoded("%C3%A4%20b+%2B", "\xc3\xa4 b++");
    assert_decoded("%252F", "%2F"); /* once */
    assert_decoded("", "");
}

static void a_control_character_or_half_an_escape_is_refused(void **state)
{
    static const char *const controls[] = {"/a%00", "/%0a", "/%0Db", "/%1f", "/%7F", "/a\x01"};
    static const char *const halves[] = {"/a%", "/a%4", "/a%zz", "/a%4g/b", "/%%41"};

    (void)state;
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++)
        assert_refused(controls[i], true, "control character");
    for (size_t i = 0; i < sizeof halves / sizeof halves[0]; i++)
        assert_refused(halves[i], true, "hexadecimal digits");
}

/* A proxy that decodes these before it looks sees another path. */
static void dots_between_decoded_slashes_are_refused(void **state)
{
    static const char *const paths[] = {
        "/v1/rooms/%2e%2e",      "/v1/rooms/%2E",        "/v1/rooms/..%2fpush",
        "/v1/rooms/a%2F..%2Fb",  "/v1/rooms/a%2f%2e%2e", "/v1/rooms/..%5cpush",
        "/v1/rooms/a%5C.%5Cb/m", "/v1/rooms/a%2f./m",
    };

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_refused(paths[i], true, "dot segment");
    assert_null(http_path_refusal("/v1/rooms/...%2F.a%2Fb..", true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_without_escapes_is_taken),
        cmocka_unit_test(an_escape_is_refused_where_no_name_is),
        cmocka_unit_test(an_escape_stands_for_a_byte_of_a_name),
        cmocka_unit_test(a_control_character_or_half_an_escape_is_refused),
        cmocka_unit_test(dots_between_decoded_slashes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

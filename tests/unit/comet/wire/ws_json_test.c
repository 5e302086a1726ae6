#include "comet/wire/ws_json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct client_request request;
static char why[160];

static int parse(const char *text, void **keep)
{
    why[0] = '\0';
    return ws_json_parse((const uint8_t *)text, strlen(text), &request, keep, why, sizeof why);
}

static void requests_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int version, op, seq;
        enum body_kind kind;
        const char *body;
    } cases[] = {
        {"{\"ver\":1,\"op\":7,\"seq\":3,\"body\":\"to\\u006ben\"}", 1, 7, 3, BODY_STRING, "token"},
        {" {\"op\":2} ", 0, 2, 0, BODY_NONE, NULL},
        {"{\"seq\":-5,\"body\":{},\"op\":4,\"more\":[1,2]}", 0, 4, -5, BODY_OBJECT, NULL},
        {"{\"ver\":null,\"seq\":null,\"body\":null,\"op\":2}", 0, 2, 0, BODY_NONE, NULL},
        {"{\"op\":2,\"body\":[\"x\"]}", 0, 2, 0, BODY_OTHER, NULL},
        {"{\"op\":2,\"body\":123456789012345678901234567890}", 0, 2, 0, BODY_OTHER, NULL},
        {"{\"op\":2147483647,\"ver\":65535}", 65535, 2147483647, 0, BODY_NONE, NULL},
    };
    void *keep;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(parse(cases[i].text, &keep), 0);
        assert_int_equal(request.version, cases[i].version);
        assert_int_equal(request.op, cases[i].op);
        assert_int_equal(request.seq, cases[i].seq);
        assert_int_equal(request.kind, cases[i].kind);
        if (cases[i].body != NULL) {
            assert_int_equal(request.body_len, strlen(cases[i].body));
            assert_memory_equal(request.body, cases[i].body, request.body_len);
        }
        ws_json_free(keep);
    }
}

static void refusals_name_the_field(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "not JSON"},
        {"{\"op\":2", "not JSON"},
        {"{\"op\":2} x", "not JSON"},
        {"[{\"op\":2}]", "JSON: one object a message is expected, not an array"},
        {"{}", "JSON: op is missing"},
        {"{\"op\":null}", "JSON: op must be a whole number"},
        {"{\"op\":\"2\"}", "JSON: op must be a whole number from -2147483648 to 2147483647"},
        {"{\"op\":2147483648}", "JSON: op must be"},
        {"{\"op\":2,\"seq\":1.5}", "JSON: seq must be"},
        {"{\"op\":2,\"ver\":-1}", "JSON: ver must be a whole number from 0 to 65535"},
        {"{\"op\":2,\"ver\":true}", "JSON: ver must be"},
        {"{\"op\":2,\"seq\":{}}", "JSON: seq must be"},
    };
    void *keep = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(parse(cases[i].text, &keep), -EBADMSG);
        assert_int_equal(strncmp(why, cases[i].why, strlen(cases[i].why)), 0);
        assert_null(keep);
    }
}

static void nothing_follows_a_nul(void **state)
{
    (void)state;
    static const uint8_t text[] = "{\"op\":2}\0{\"op\":4}";
    void *keep = NULL;
    why[0] = '\0';
    assert_int_equal(ws_json_parse(text, sizeof text - 1, &request, &keep, why, sizeof why),
                     -EBADMSG);
    assert_string_equal(why, "not JSON: a NUL byte at byte 8");
    assert_null(keep);
}

static void a_byte_order_mark_is_passed_over(void **state)
{
    (void)state;
    void *keep = NULL;
    assert_int_equal(parse("\xef\xbb\xbf{\"op\":2}", &keep), 0);
    assert_int_equal(request.op, 2);
    ws_json_free(keep);
    assert_int_equal(parse("\xef\xbb\xbf\xef\xbb\xbf{\"op\":2}", &keep), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_follows_a_nul),
        cmocka_unit_test(a_byte_order_mark_is_passed_over),
        cmocka_unit_test(requests_are_read),
        cmocka_unit_test(refusals_name_the_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

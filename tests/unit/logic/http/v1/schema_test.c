#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

#include "common/protocol/json_scan.h"
#include "logic/base/config.h"
#include "logic/http/v1/schemas.h"

static const struct logic_config limits = {
    .push_max_uids = 3, .push_max_keys = 3, .push_max_rooms = 3, .push_max_batch = 2};
static struct arena arena;

static bool check(const char *text, struct schema_value *value, struct schema_errors *errors)
{
    const uint8_t *bytes = (const uint8_t *)text;

    *errors = (struct schema_errors){0};
    assert_true(json_is_value(bytes, strlen(text)));
    return schema_check(&schema_push, &limits, json_span_of(bytes, strlen(text)), &arena, value,
                        errors);
}

static int clear(void **state)
{
    (void)state;
    arena_free(&arena);
    arena_init(&arena);
    return 0;
}

static void what_is_right_becomes_a_tree(void **state)
{
    struct schema_errors errors;
    struct schema_value value;

    (void)state;
    assert_true(check("{\"to\":{\"uids\":[1,-9223372036854775808,9223372036854775807]},"
                      "\"body\":[1.0e400 , 12345678901234567890123],\"ttl\":31622400,\"op\":5,"
                      "\"id\":\"\\u00e4\"}",
                      &value, &errors));
    const struct schema_value *uids = schema_get(schema_get(&value, "to"), "uids");
    assert_int_equal(uids->n, 3);
    assert_true(uids->numbers[1] == INT64_MIN && uids->numbers[2] == INT64_MAX);
    const struct schema_value *body = schema_get(&value, "body");
    assert_int_equal(body->span.len, strlen("[1.0e400 , 12345678901234567890123]"));
    assert_string_equal(schema_get(&value, "id")->text, "\xc3\xa4");
    assert_null(schema_get(&value, "speed"));
    assert_null(schema_get(NULL, "speed"));
    assert_true(check("{\"to\":{\"all\":true},\"body_base64\":\"AGEK\"}", &value, &errors));
    assert_int_equal(schema_get(&value, "body_base64")->len, 3);
    assert_memory_equal(schema_get(&value, "body_base64")->text, "\0a\n", 3);
    assert_true(check("{\"to\":{\"all\":true},\"body_base64\":\"AA==\"}", &value, &errors));
    assert_int_equal(schema_get(&value, "body_base64")->len, 1);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *text, *where, *what;
    } rows[] = {
        {"[]", "", "must be an object"},
        {"{\"body\":1}", "/to", "missing"},
        {"{\"to\":{},\"body\":1}", "/to", "must have exactly one of: uids, keys, rooms, all"},
        {"{\"to\":{\"all\":true,\"uids\":[1]},\"body\":1}", "/to",
         "must have exactly one of: uids, keys, rooms, all"},
        {"{\"to\":{\"all\":false},\"body\":1}", "/to/all", "must be true"},
        {"{\"to\":{\"all\":1},\"body\":1}", "/to/all", "must be true"},
        {"{\"to\":7,\"body\":1}", "/to", "must be an object"},
        {"{\"to\":{\"all\":true}}", "", "must have exactly one of: body, body_base64"},
        {"{\"to\":{\"all\":true},\"body\":1,\"body_base64\":\"\"}", "",
         "must have exactly one of: body, body_base64"},
        {"{\"to\":{\"all\":true},\"body\":1,\"body\":2}", "/body", "given twice"},
        {"{\"to\":{\"all\":true},\"body\":1,\"b\\u006fdy\":2}", "/body", "given twice"},
        {"{\"to\":{\"all\":true},\"body\":1,\"a/b~\":2}", "/a~1b~0", "unknown field"},
        {"{\"to\":{\"all\":true},\"body\":1,\"op\\u0000\":2}", "/op", "unknown field"},
        {"{\"to\":{\"all\":true},\"body\":1,\"op\":6}", "/op",
         "must not be 6, which is the protocol's own"},
        {"{\"to\":{\"all\":true},\"body\":1,\"op\":-1}", "/op", "must be between 0 and 2147483647"},
        {"{\"to\":{\"all\":true},\"body\":1,\"op\":2147483648}", "/op",
         "must be between 0 and 2147483647"},
        {"{\"to\":{\"all\":true},\"body\":1,\"op\":1.0}", "/op",
         "must be an integer between 0 and 2147483647"},
        {"{\"to\":{\"all\":true},\"body\":1,\"op\":\"5\"}", "/op",
         "must be an integer between 0 and 2147483647"},
        {"{\"to\":{\"all\":true},\"body\":1,\"op\":99999999999999999999}", "/op",
         "must be an integer between 0 and 2147483647"},
        {"{\"to\":{\"uids\":[1,9223372036854775808]},\"body\":1}", "/to/uids/1",
         "must be an integer between -9223372036854775808 and 9223372036854775807"},
        {"{\"to\":{\"uids\":[1,2,3,4]},\"body\":1}", "/to/uids",
         "must have at most 3 items, has 4"},
        {"{\"to\":{\"uids\":[]},\"body\":1}", "/to/uids", "must have at least 1 item"},
        {"{\"to\":{\"uids\":1},\"body\":1}", "/to/uids", "must be an array"},
        {"{\"to\":{\"keys\":[\"\"]},\"body\":1}", "/to/keys/0", "must not be empty"},
        {"{\"to\":{\"keys\":[\"a\\nb\"]},\"body\":1}", "/to/keys/0",
         "must not have control characters"},
        {"{\"to\":{\"keys\":[\"a\\u0000b\"]},\"body\":1}", "/to/keys/0",
         "must not have control characters"},
        {"{\"to\":{\"keys\":[null]},\"body\":1}", "/to/keys/0", "must be a string"},
        {"{\"to\":{\"rooms\":[\"a\",\"b\",\"a\"]},\"body\":1}", "/to/rooms",
         "must not have an item twice"},
        {"{\"to\":{\"all\":true},\"body_base64\":\"AA\"}", "/body_base64",
         "must be base64 (RFC 4648), with its padding"},
        {"{\"to\":{\"all\":true},\"body_base64\":\"A===\"}", "/body_base64",
         "must be base64 (RFC 4648), with its padding"},
        {"{\"to\":{\"all\":true},\"body_base64\":\"AA=A\"}", "/body_base64",
         "must be base64 (RFC 4648), with its padding"},
        {"{\"to\":{\"all\":true},\"body_base64\":\"A-_A\"}", "/body_base64",
         "must be base64 (RFC 4648), with its padding"},
        {"{\"to\":{\"all\":true},\"body\":1,\"id\":\"\"}", "/id", "must not be empty"},
        {"{\"to\":{\"all\":true},\"body\":1,\"ttl\":31622401}", "/ttl",
         "must be between 0 and 31622400"},
    };
    struct schema_errors errors;
    struct schema_value value;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_false(check(rows[i].text, &value, &errors));
        assert_int_equal(errors.n, 1);
        assert_string_equal(errors.items[0].where, rows[i].where);
        assert_string_equal(errors.items[0].what, rows[i].what);
    }
}

static void all_that_is_wrong_is_named_up_to_a_limit(void **state)
{
    struct schema_errors errors;
    struct schema_value value;

    (void)state;
    assert_false(
        check("{\"to\":{\"uids\":[\"a\",null]},\"ttl\":-1,\"x\":1,\"op\":9}", &value, &errors));
    assert_int_equal(errors.n, 6);
    assert_string_equal(errors.items[1].where, "/to/uids/1");
    assert_string_equal(errors.items[5].what, "must have exactly one of: body, body_base64");
    assert_false(check("{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1}",
                       &value, &errors));
    assert_int_equal(errors.n, SCHEMA_ERRORS_MAX);
}

static void a_long_name_is_cut(void **state)
{
    char text[1200] = "{\"to\":{\"all\":true},\"body\":1,\"";
    struct schema_errors errors;
    struct schema_value value;

    (void)state;
    size_t at = strlen(text);
    memset(text + at, 'x', 1000);
    (void)snprintf(text + at + 1000, sizeof text - at - 1000, "\":1}");
    assert_false(check(text, &value, &errors));
    assert_in_range(strlen(errors.items[0].where), SCHEMA_WHERE_MAX - 4, SCHEMA_WHERE_MAX - 1);
}

static void texts_of_parameters_are_checked(void **state)
{
    static const struct schema number = {.type = SCHEMA_INTEGER, .min = 1, .max = 5};
    static const struct schema flag = {.type = SCHEMA_BOOLEAN};
    static const char *const words[] = {"one", "two", NULL};
    static const struct schema word = {.type = SCHEMA_STRING, .words = words};
    static const struct schema digits = {.type = SCHEMA_STRING, .min = 1, .max = 3, .is_id = true};
    static const struct {
        const struct schema *schema;
        const char *text, *what;
    } rows[] = {
        {&number, "5", NULL},
        {&number, "6", "must be between 1 and 5"},
        {&number, "", "must be an integer between 1 and 5"},
        {&number, "1 ", "must be an integer between 1 and 5"},
        {&number, "--1", "must be an integer between 1 and 5"},
        {&flag, "true", NULL},
        {&flag, "false", NULL},
        {&flag, "1", "must be true or false"},
        {&word, "two", NULL},
        {&word, "three", "must be one of: one, two"},
        {&digits, "123", NULL},
        {&digits, "12a", "must have digits only"},
        {&digits, "1234", "must have at most 3 bytes, has 4"},
        {&digits, "\xff", "must be UTF-8"},
    };
    struct schema_value value;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct schema_errors errors = {0};
        bool fine = schema_check_text(rows[i].schema, NULL, rows[i].text,
                                      (struct schema_at){SCHEMA_IN_QUERY, "p"}, &value, &errors);
        assert_int_equal(fine, rows[i].what == NULL);
        assert_int_equal(errors.n, rows[i].what != NULL);
        if (rows[i].what != NULL)
            assert_string_equal(errors.items[0].what, rows[i].what);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_right_becomes_a_tree, clear),
        cmocka_unit_test_teardown(what_is_wrong_is_named, clear),
        cmocka_unit_test_teardown(all_that_is_wrong_is_named_up_to_a_limit, clear),
        cmocka_unit_test_teardown(a_long_name_is_cut, clear),
        cmocka_unit_test_teardown(texts_of_parameters_are_checked, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* needs cmocka.h */
#include "logic/http/v1/operations.h"
#include "tests/unit/lib/push_fixture.h"

#include <inttypes.h>
#include <jansson.h>

static const char json[] = "Content-Type: application/json\r\n";

static const struct api_reply *post(const char *path, const char *lines, const char *body)
{
    char all[512];

    (void)snprintf(all, sizeof all, "%s%.400s", json, lines);
    return api_call("POST", path, all, body);
}

static json_t *parse(const struct api_reply *reply, int status)
{
    json_t *answer = json_loads(reply->body, 0, NULL);

    if (reply->status != status)
        print_error("%s\n", reply->text);
    assert_int_equal(reply->status, status);
    assert_non_null(answer);
    return answer;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

static json_t *at(const json_t *array, size_t i)
{
    return json_array_get(array, i);
}

static int64_t number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static void a_push_to_users_says_the_ids(void **state)
{
    char id[32];

    (void)state;
    const struct api_reply *reply =
        post("/v1/push", "X-Request-Id: r-1\r\n",
             "{\"to\":{\"uids\":[7,-8,7]},\"body\":{ \"n\": 1.50 },\"op\":77,\"ttl\":60}");
    assert_non_null(strstr(reply->text, "X-Request-Id: r-1\r\n"));
    assert_non_null(strstr(reply->text, "Content-Type: application/json\r\n"));
    json_t *answer = parse(reply, 202);
    const json_t *messages = json_object_get(answer, "messages");
    assert_int_equal(n_produced, 2);
    assert_int_equal(json_array_size(messages), 2);
    assert_int_equal(number_of(answer, "accepted"), 2);
    for (int i = 0; i < 2; i++) {
        const Imc__V1__PushMsg *envelope = produced[i].envelope;
        assert_int_equal(number_of(at(messages, (size_t)i), "uid"), i == 0 ? 7 : -8);
        (void)snprintf(id, sizeof id, "%" PRIu64, envelope->id);
        assert_string_equal(text_of(at(messages, (size_t)i), "id"), id);
        assert_int_equal(envelope->operation, 77);
        assert_true(envelope->expires_ms > 0);
        assert_int_equal(envelope->msg.len, strlen("{ \"n\": 1.50 }"));
        assert_memory_equal(envelope->msg.data, "{ \"n\": 1.50 }", envelope->msg.len);
    }
    json_decref(answer);
}

static void a_push_to_rooms_and_to_all(void **state)
{
    (void)state;
    json_t *answer = parse(
        post("/v1/push", "", "{\"to\":{\"rooms\":[\"live://1\",\"b\"]},\"body_base64\":\"AAE=\"}"),
        202);
    assert_int_equal(n_produced, 2);
    assert_string_equal(produced[0].envelope->room, "live://1");
    assert_string_equal(produced[1].envelope->room, "b");
    assert_int_equal(produced[0].envelope->msg.len, 2);
    assert_memory_equal(produced[0].envelope->msg.data, "\0\1", 2);
    assert_string_equal(text_of(at(json_object_get(answer, "messages"), 1), "room"), "b");
    json_decref(answer);
    answer = parse(post("/v1/push", "", "{\"to\":{\"all\":true},\"body\":1,\"speed\":9}"), 202);
    assert_int_equal(produced[2].envelope->type, IMC__V1__PUSH_MSG__TYPE__BROADCAST);
    assert_int_equal(produced[2].envelope->speed, 9);
    assert_true(json_is_true(json_object_get(at(json_object_get(answer, "messages"), 0), "all")));
    json_decref(answer);
}

static void ack_says_which_device_ends_it(void **state)
{
    static const struct {
        const char *ack;
        bool any;
    } rows[] = {{"", false}, {",\"ack\":\"each\"", false}, {",\"ack\":\"any\"", true}};
    char body[80];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(body, sizeof body, "{\"to\":{\"uids\":[7]},\"body\":1%s}", rows[i].ack);
        json_decref(parse(post("/v1/push", "", body), 202));
        assert_int_equal(produced[i].envelope->any, rows[i].any);
        assert_string_equal(produced[i].envelope->collapse, "");
    }
    json_decref(parse(
        post("/v1/push", "", "{\"to\":{\"uids\":[7]},\"body\":1,\"collapse\":\"sc\\u006fre\"}"),
        202));
    assert_string_equal(produced[3].envelope->collapse, "score");
}

static void keys_that_nobody_has_had_are_counted(void **state)
{
    (void)state;
    json_t *answer =
        parse(post("/v1/push", "", "{\"to\":{\"keys\":[\"nobody's\"]},\"body\":1}"), 202);
    assert_int_equal(number_of(answer, "unknown_keys"), 1);
    assert_int_equal(number_of(answer, "accepted"), 0);
    assert_int_equal(n_produced, 0);
    json_decref(answer);
}

/* All that is refused before a push begins: by its head, by its body, by its limits. */
static void what_is_wrong_is_a_problem(void **state)
{
    static const char good[] = "{\"to\":{\"uids\":[1]},\"body\":1}";
    static const struct {
        const char *lines, *target, *body;
        int status;
        const char *code, *detail, *of; /* OF: in the answer */
    } rows[] = {
        {json, "/v1/push", "{", 400, "invalid",
         "body: must be one JSON value (RFC 8259) in UTF-8, nested at most 512 deep", "pointer"},
        {json, "/v1/push", "", 400, "invalid", "body: missing: send a JSON value", "pointer"},
        {json, "/v1/push", "{\"to\":{\"uids\":[1,\"x\"]},\"body\":1}", 400, "invalid",
         "/to/uids/1: must be an integer between -9223372036854775808 and 9223372036854775807",
         "\"pointer\":\"/to/uids/1\""},
        {json, "/v1/push?uid=1", good, 400, "invalid", "uid: unknown parameter",
         "\"parameter\":\"uid\""},
        {"Content-Type: application/json; charset=utf-8\r\nIdempotency-Key:\r\n", "/v1/push", good,
         400, "invalid", "Idempotency-Key: must not be empty", "\"header\":\"Idempotency-Key\""},
        {"Content-Type: application/json\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\n",
         "/v1/push", good, 400, "invalid", "Idempotency-Key: given twice", "header"},
        {"Content-Type: application/json\r\nIdempotency-Key: a\r\n", "/v1/push",
         "{\"to\":{\"uids\":[1]},\"body\":1,\"id\":\"b\"}", 400, "invalid",
         "/id: differs from the header Idempotency-Key", "\"pointer\":\"/id\""},
        {json, "/v1/push", "{\"to\":{\"uids\":[1]},\"body\":1,\"speed\":1}", 400, "invalid",
         "/speed: goes only with \"all\":true", "\"pointer\":\"/speed\""},
        {json, "/v1/push", "{\"to\":{\"all\":true},\"body\":1,\"ack\":\"any\"}", 400, "invalid",
         "/ack: goes only with uids or keys", "\"pointer\":\"/ack\""},
        {json, "/v1/push", "{\"to\":{\"uids\":[1]},\"body\":1,\"ack\":\"all\"}", 400, "invalid",
         "/ack: must be one of: each, any", "\"pointer\":\"/ack\""},
        {json, "/v1/push", "{\"to\":{\"rooms\":[\"a\"]},\"body\":1,\"collapse\":\"k\"}", 400,
         "invalid", "/collapse: goes only with uids or keys", "\"pointer\":\"/collapse\""},
        {json, "/v1/push", "{\"to\":{\"uids\":[1]},\"body\":1,\"collapse\":\"\"}", 400, "invalid",
         "/collapse: must not be empty", "\"pointer\":\"/collapse\""},
        {json, "/v1/push", "{\"to\":{\"uids\":[1]},\"body_base64\":\"\"}", 400, "invalid",
         "/body_base64: empty", "/body_base64"},
        {"", "/v1/push", good, 415, "unsupported_media_type",
         "content-type: must be application/json", ""},
        {"Content-Type: text/plain\r\n", "/v1/push", good, 415, "unsupported_media_type",
         "content-type: must be application/json", ""},
        {"Content-Type: application/json\r\nContent-Encoding: gzip\r\n", "/v1/push", good, 415,
         "unsupported_media_type", "content-encoding: send the body as it is", ""},
        {json, "/v1/pusch", good, 404, "no_such_path", "no such path", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct api_reply *reply =
            api_call("POST", rows[i].target, rows[i].lines, rows[i].body);
        json_t *answer = parse(reply, rows[i].status);
        assert_non_null(strstr(reply->text, "Content-Type: application/problem+json\r\n"));
        assert_non_null(strstr(reply->text, "X-Request-Id: "));
        assert_int_equal(number_of(answer, "status"), rows[i].status);
        assert_string_equal(text_of(answer, "code"), rows[i].code);
        assert_string_equal(text_of(answer, "detail"), rows[i].detail);
        assert_non_null(strstr(reply->body, rows[i].of));
        json_decref(answer);
    }
    assert_int_equal(n_produced, 0);
}

static void another_method_is_told_which_there_are(void **state)
{
    (void)state;
    const struct api_reply *reply = api_call("DELETE", "/v1/push", "", "");
    assert_int_equal(reply->status, 405);
    assert_non_null(strstr(reply->text, "Allow: POST\r\n"));
    assert_non_null(strstr(reply->body, "\"code\":\"method_not_allowed\""));
    reply = api_call("GET", "/openapi.json", "", "x");
    assert_int_equal(reply->status, 400);
    assert_non_null(strstr(reply->body, "body: this call takes none"));
}

static void limits_are_problems_too(void **state)
{
    char body[20000];

    (void)state;
    (void)snprintf(body, sizeof body, "{\"to\":{\"uids\":[1]},\"body\":\"%s\"}",
                   api_long('x', 998));
    json_decref(parse(post("/v1/push", "", body), 202)); /* 1,000 with its quotes */
    (void)snprintf(body, sizeof body, "{\"to\":{\"uids\":[1]},\"body\":\"%s\"}",
                   api_long('x', 999));
    json_t *answer = parse(post("/v1/push", "", body), 400);
    assert_string_equal(text_of(answer, "detail"), "/body: longer than 1000 bytes");
    json_decref(answer);
    (void)snprintf(body, sizeof body, "{\"to\":{\"uids\":[1,2]},\"body\":\"%s\"}",
                   api_long('x', 600));
    answer = parse(post("/v1/push", "", body), 413);
    assert_string_equal(text_of(answer, "code"), "too_large");
    json_decref(answer);
    logic.has_node = false;
    const struct api_reply *reply = post("/v1/push", "", "{\"to\":{\"uids\":[1]},\"body\":1}");
    logic.has_node = true;
    assert_int_equal(reply->status, 503);
    assert_non_null(strstr(reply->text, "Retry-After: 1\r\n"));
}

static void the_same_key_is_pushed_once_and_answered_the_same(void **state)
{
    static const char body[] = "{\"to\":{\"uids\":[1]},\"body\":1}";

    (void)state;
    json_t *first = parse(post("/v1/push", "Idempotency-Key: once\r\n", body), 202);
    json_t *again =
        parse(post("/v1/push", "", "{\"to\":{\"uids\":[1]},\"body\":1,\"id\":\"once\"}"), 202);
    assert_int_equal(n_produced, 1);
    assert_true(json_is_true(json_object_get(again, "repeated")));
    json_object_del(again, "repeated");
    assert_true(json_equal(first, again));
    json_decref(first);
    json_decref(again);
    /* Another face has pushed it: the ids are not known. */
    api_says(push("/1/push?uid=1&id=other-face", "1"), 200, "{\"ret\":1}");
    again = parse(post("/v1/push", "Idempotency-Key: other-face\r\n", body), 202);
    assert_int_equal(n_produced, 2);
    assert_true(json_is_true(json_object_get(again, "repeated")));
    json_decref(again);
    api_says(push("/1/push?uid=1&id=once", "1"), 200, "{\"ret\":1}");
    assert_int_equal(n_produced, 2);
}

static void another_push_with_the_key_is_refused(void **state)
{
    static const char *const others[] = {
        "{\"to\":{\"uids\":[1]},\"body\":2}",      "{\"to\":{\"uids\":[2]},\"body\":1}",
        "{\"to\":{\"uids\":[1,2]},\"body\":1}",    "{\"to\":{\"uids\":[1]},\"body\":1,\"op\":1000}",
        "{\"to\":{\"rooms\":[\"1\"]},\"body\":1}", "{\"to\":{\"all\":true},\"body\":1}"};

    (void)state;
    json_decref(parse(post("/v1/push", "Idempotency-Key: taken\r\n",
                           "{\"to\":{\"uids\":[1]},\"body\":1,\"ttl\":5}"),
                      202));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        json_t *answer = parse(post("/v1/push", "Idempotency-Key: taken\r\n", others[i]), 409);
        assert_string_equal(text_of(answer, "code"), "conflict");
        json_decref(answer);
    }
    assert_non_null(strstr(push("/1/push?uid=2&id=taken", "1")->text, "\"ret\":65534"));
    assert_int_equal(n_produced, 1);
    json_decref(parse(post("/v1/push", "Idempotency-Key: taken\r\n",
                           "{\"to\":{\"uids\":[1]},\"body\":1,\"ttl\":9}"),
                      202));
    assert_int_equal(n_produced, 1);
}

static void what_was_not_accepted_is_listed_and_pushed_again(void **state)
{
    static const char body[] = "{\"to\":{\"uids\":[1,2,3]},\"body\":1,\"id\":\"partly\"}";

    (void)state;
    broken_uid = 3;
    const struct api_reply *reply = post("/v1/push", "", body);
    assert_non_null(strstr(reply->text, "Retry-After: 1\r\n"));
    json_t *answer = parse(reply, 503);
    assert_int_equal(number_of(answer, "accepted"), 2);
    const json_t *missing = json_object_get(answer, "not_accepted");
    assert_int_equal(json_array_size(missing), 1);
    assert_int_equal(number_of(at(missing, 0), "uid"), 3);
    json_decref(answer);
    broken_uid = 0;
    answer = parse(post("/v1/push", "", body), 202);
    assert_int_equal(n_produced, 4);
    assert_int_equal(number_of(answer, "accepted"), 3);
    assert_int_equal(json_array_size(json_object_get(answer, "messages")), 1);
    json_decref(answer);
}

static void a_batch_is_answered_one_by_one(void **state)
{
    (void)state;
    broken_uid = 4;
    json_t *answer = parse(post("/v1/batch", "Idempotency-Key: batch\r\n",
                                "[{\"to\":{\"uids\":[1]},\"body\":1},{\"to\":{},\"body\":1},"
                                "{\"to\":{\"uids\":[4]},\"body\":1},{\"to\":{\"all\":true},"
                                "\"body\":\"last\"}]"),
                           200);
    static const int64_t want[] = {202, 400, 503, 202};
    const json_t *results = json_object_get(answer, "results");
    assert_int_equal(json_array_size(results), 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(number_of(at(results, i), "status"), want[i]);
    assert_string_equal(text_of(at(results, 1), "code"), "invalid");
    const json_t *errors = json_object_get(at(results, 1), "errors");
    assert_string_equal(text_of(at(errors, 0), "pointer"), "/to");
    assert_int_equal(number_of(at(json_object_get(at(results, 2), "not_accepted"), 0), "uid"), 4);
    assert_int_equal(n_produced, 3);
    json_decref(answer);
    broken_uid = 0;
    answer = parse(post("/v1/batch", "Idempotency-Key: batch\r\n",
                        "[{\"to\":{\"uids\":[1]},\"body\":1},{\"to\":{\"all\":true},\"body\":1},"
                        "{\"to\":{\"uids\":[4]},\"body\":1}]"),
                   200);
    results = json_object_get(answer, "results");
    assert_true(json_is_true(json_object_get(at(results, 0), "repeated")));
    assert_int_equal(n_produced, 5);
    json_decref(answer);
}

static void a_batch_has_a_limit(void **state)
{
    (void)state;
    json_t *answer = parse(post("/v1/batch", "", "[1,2,3,4,5]"), 400);
    assert_string_equal(text_of(answer, "detail"), "body: must have at most 4 items, has 5");
    json_decref(answer);
    answer = parse(post("/v1/batch", "", "[]"), 400);
    assert_string_equal(text_of(answer, "detail"), "body: must have at least 1 item");
    json_decref(answer);
    answer = parse(post("/v1/batch", "", "[1]"), 200);
    assert_string_equal(text_of(at(json_object_get(answer, "results"), 0), "detail"),
                        "body: must be an object");
    json_decref(answer);
    char line[20000];
    (void)snprintf(line, sizeof line, "Idempotency-Key: %s\r\n", api_long('k', 123));
    json_decref(parse(post("/v1/batch", line, "[1]"), 400));
}

/* The receivers of all pushes count together, of which push.max_uids are taken: 3. */
static void a_batch_has_so_many_receivers(void **state)
{
    static const int64_t want[] = {202, 413, 202, 413};

    (void)state;
    json_t *answer = parse(post("/v1/batch", "",
                                "[{\"to\":{\"uids\":[1,2]},\"body\":1},"
                                "{\"to\":{\"uids\":[3,4]},\"body\":1},"
                                "{\"to\":{\"uids\":[5,5,5]},\"body\":1},"
                                "{\"to\":{\"rooms\":[\"a\"]},\"body_base64\":\"AAAA\"}]"),
                           200);
    const json_t *results = json_object_get(answer, "results");
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(number_of(at(results, i), "status"), want[i]);
    assert_non_null(strstr(text_of(at(results, 1), "detail"), "push.max_uids"));
    assert_int_equal(n_produced, 3);
    json_decref(answer);
    answer = parse(post("/v1/batch", "",
                        "[{\"to\":{\"rooms\":[\"a\"]},\"body_base64\":\"AAAA\"},"
                        "{\"to\":{\"rooms\":[\"a\",\"b\"]},\"body\":2},"
                        "{\"to\":{\"all\":true},\"body\":3}]"),
                   200);
    results = json_object_get(answer, "results");
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(number_of(at(results, i), "status"), 202);
    json_decref(answer);
}

static void the_document_names_every_operation(void **state)
{
    (void)state;
    json_t *answer = parse(api_call("GET", "/openapi.json", "", ""), 200);
    const json_t *paths = json_object_get(answer, "paths");
    for (size_t i = 0; i < operations_n; i++) {
        const json_t *path = json_object_get(paths, operations[i].route.path);
        const char *method = operations[i].route.method == HTTP_GET    ? "get"
                             : operations[i].route.method == HTTP_POST ? "post"
                                                                       : "delete";
        assert_string_equal(text_of(json_object_get(path, method), "operationId"),
                            operations[i].id);
    }
    json_decref(answer);
}

static void long_answers_are_compressed_if_the_caller_wants_it(void **state)
{
    (void)state;
    const struct api_reply *reply =
        api_call("GET", "/openapi.json", "Accept-Encoding: br, gzip\r\n", "");
    assert_int_equal(reply->status, 200);
    assert_non_null(strstr(reply->text, "Content-Encoding: gzip\r\n"));
    assert_memory_equal(reply->body, "\x1f\x8b", 2);
    reply = api_call("GET", "/openapi.json", "Accept-Encoding: gzip;q=0, br\r\n", "");
    assert_null(strstr(reply->text, "Content-Encoding"));
    assert_int_equal(reply->body[0], '{');
}

static void a_request_id_that_is_odd_is_replaced(void **state)
{
    (void)state;
    char line[20000];
    (void)snprintf(line, sizeof line, "X-Request-Id: %s\r\n", api_long('r', 128));
    assert_non_null(strstr(api_call("GET", "/v1/nothing", line, "")->text, line));
    (void)snprintf(line, sizeof line, "X-Request-Id: %s\r\n", api_long('r', 129));
    const struct api_reply *reply = api_call("GET", "/v1/nothing", line, "");
    assert_null(strstr(reply->text, line));
    assert_non_null(strstr(reply->text, "X-Request-Id: "));
    reply = api_call("GET", "/v1/nothing", "X-Request-Id: a b\r\n", "");
    assert_null(strstr(reply->text, "a b"));
}

static int setup(void **state)
{
    logic.more_routes = &v1_routes;
    config.push_max_rooms = 3;
    config.push_max_batch = 4;
    return push_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_push_to_users_says_the_ids, push_clear),
        cmocka_unit_test_teardown(a_push_to_rooms_and_to_all, push_clear),
        cmocka_unit_test_teardown(keys_that_nobody_has_had_are_counted, push_clear),
        cmocka_unit_test_teardown(ack_says_which_device_ends_it, push_clear),
        cmocka_unit_test_teardown(what_is_wrong_is_a_problem, push_clear),
        cmocka_unit_test_teardown(another_method_is_told_which_there_are, push_clear),
        cmocka_unit_test_teardown(limits_are_problems_too, push_clear),
        cmocka_unit_test_teardown(the_same_key_is_pushed_once_and_answered_the_same, push_clear),
        cmocka_unit_test_teardown(another_push_with_the_key_is_refused, push_clear),
        cmocka_unit_test_teardown(what_was_not_accepted_is_listed_and_pushed_again, push_clear),
        cmocka_unit_test_teardown(a_batch_is_answered_one_by_one, push_clear),
        cmocka_unit_test_teardown(a_batch_has_a_limit, push_clear),
        cmocka_unit_test_teardown(a_batch_has_so_many_receivers, push_clear),
        cmocka_unit_test_teardown(the_document_names_every_operation, push_clear),
        cmocka_unit_test_teardown(long_answers_are_compressed_if_the_caller_wants_it, push_clear),
        cmocka_unit_test_teardown(a_request_id_that_is_odd_is_replaced, push_clear),
    };
    return cmocka_run_group_tests(tests, setup, push_teardown);
}

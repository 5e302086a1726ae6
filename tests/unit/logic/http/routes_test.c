/* What is refused of a call by its head alone: no byte of its body is there yet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* needs cmocka.h */
#include "logic/tokens/tokens.h"
#include "tests/unit/lib/api_fixture.h"

#define LATER "Content-Length: 60000\r\n" /* and none of them comes */

static void api_around(void)
{
}

static char one_key[] = "k1, k2";

static int setup_keys(void **state)
{
    memset(counters, 0, sizeof counters);
    config.api_keys = one_key;
    return api_setup(state);
}

static int setup_open(void **state)
{
    memset(counters, 0, sizeof counters);
    config.api_keys = api_none;
    return api_setup(state);
}

static int teardown(void **state)
{
    logic.draining = false;
    logic.memory = MEMORY_OK;
    return api_teardown(state);
}

/* The answer to a head whose body does not come. */
static const struct api_reply *head(const char *method, const char *target, const char *lines)
{
    return api_await(api_send_head(method, target, lines));
}

static void expect(const struct api_reply *reply, int status, int ret, const char *text)
{
    char want[64];

    (void)snprintf(want, sizeof want, "\"ret\":%d", ret);
    if (reply->status != status || strstr(reply->body, want) == NULL ||
        strstr(reply->text, text) == NULL)
        fail_msg("wanted %d, %s, \"%s\" in %s", status, want, text, reply->text);
}

static void without_its_key_a_call_gets_no_further(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/1/push?uid=1", "/1/pushs",           "/1/push/room",    "/1/push/all",
        "/1/server/del", "/1/admin/token/new", "/1/no/such/path", "/1/admin/token/del"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        expect(head("POST", paths[i], LATER), 401, 65533, "\r\nWWW-Authenticate: Bearer\r\n");
        expect(head("POST", paths[i], LATER "X-API-Key: k3\r\n"), 401, 65533, "wrong key");
    }
    expect(head("GET", "/1/count", ""), 401, 65533, "key missing");
    assert_int_equal(counters[LOGIC_REFUSED_KEY], 17);
    expect(head("POST", "/1/no/such/path", LATER "X-API-Key: k2\r\n"), 404, 65534, "no such path");
    expect(head("GET", "/1/msg/get", ""), 200, 65534, "uid: missing"); /* by the user's token */
}

static void methods_and_encodings_are_looked_at(void **state)
{
    (void)state;
    expect(head("GET", "/1/push", ""), 405, 65534, "\r\nAllow: POST\r\n");
    expect(head("PUT", "/1/push", LATER), 405, 65534, "\r\nAllow: POST\r\n");
    expect(head("POST", "/1/count", LATER), 405, 65534, "\r\nAllow: GET\r\n");
    expect(head("OPTIONS", "/1/push", "Origin: https://page.example\r\n"), 401, 65533, "");
    expect(head("POST", "/1/push", LATER "Content-Encoding: gzip\r\n"), 415, 65534,
           "\r\nAccept-Encoding: identity\r\n");
    assert_int_equal(counters[LOGIC_REFUSED_METHOD], 3);
    assert_int_equal(counters[LOGIC_REFUSED_ENCODING], 1);
    expect(head("POST", "/1/push", LATER "Content-Encoding: identity\r\nTransfer-Encoding: x\r\n"),
           400, 65534, "malformed request");
    assert_int_equal(counters[LOGIC_REFUSED_HTTP], 1);
}

static void a_logic_that_ends_or_is_short_of_memory_says_so(void **state)
{
    (void)state;
    logic.draining = true;
    expect(head("POST", "/1/push?uid=1", LATER), 503, 65535, "\r\nRetry-After: 1\r\n");
    expect(head("GET", "/1/count?type=room", ""), 503, 65535, "shutting down");
    logic.draining = false;
    logic.memory = MEMORY_SHORT;
    expect(head("POST", "/1/pushs", LATER), 503, 65535, "memory.limit");
    expect(head("POST", "/1/admin/token/del", ""), 200, 65534, ""); /* no push */
    logic.memory = MEMORY_CRITICAL;
    expect(head("POST", "/1/admin/token/del", ""), 503, 65535, "memory.limit");
    assert_int_equal(counters[LOGIC_REFUSED_DRAIN], 2);
    assert_int_equal(counters[LOGIC_REFUSED_MEMORY], 2);
}

static void goim_says(const struct api_reply *reply, int status, int code, const char *text)
{
    char want[64];

    (void)snprintf(want, sizeof want, "{\"code\":%d,\"message\":\"", code);
    if (reply->status != status || strncmp(reply->body, want, strlen(want)) != 0 ||
        strstr(reply->text, text) == NULL)
        fail_msg("wanted %d, %s, \"%s\" in %s", status, want, text, reply->text);
}

/* A client of goim that finds no code takes the answer for success. So every refusal has one, also
 * those that come before there is a route. */
static void the_face_of_goim_answers_in_its_own_form(void **state)
{
    static const char *const paths[] = {"/goim/push/mids", "/goim/push/room", "/goim/push/all",
                                        "/goim/no/such/path"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        goim_says(head("GET", paths[i], ""), 405, -400, "\r\nAllow: POST\r\n");
        goim_says(head("POST", paths[i], LATER "Content-Encoding: gzip\r\n"), 200, -400,
                  "\r\nAccept-Encoding: identity\r\n");
        goim_says(head("POST", paths[i], "Content-Length: 65537\r\n"), 413, -400, "65536 bytes");
    }
    goim_says(head("POST", "/goim/push/mids?mids=%00", LATER), 400, -400, "malformed");
    goim_says(head("POST", paths[3], LATER), 404, -400, "no such path");
    logic.draining = true;
    goim_says(head("POST", paths[0], LATER), 200, -500, "\r\nRetry-After: 1\r\n");
    logic.draining = false;
    logic.memory = MEMORY_SHORT;
    goim_says(head("POST", paths[1], LATER), 200, -500, "memory.limit");
}

/* What the HTTP server refuses before it has a whole head, or because of what is in it. */
static void the_face_of_goim_is_found_in_heads_that_are_refused(void **state)
{
    static const struct {
        int status;
        const char *target, *lines;
    } heads[] = {
        {400, "/goim/push/keys?keys=a b", LATER},
        {400, "/goim/push/keys", "Content-Length: x\r\n"},
        {400, "/goim/push/keys", "Host: another\r\n"},
        {400, "/goim/push/k%65ys", LATER},
        {400, "/goim/push//keys", LATER},
        {400, "/goim/push/../keys", LATER},
        {400, "/goim/push/keys#top", LATER},
        {501, "/goim/push/keys", "Transfer-Encoding: gzip, chunked\r\n"},
    };
    static char keys[40000];

    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        goim_says(head("POST", heads[i].target, heads[i].lines), heads[i].status, -400, "");
    for (size_t n = 0; n + 8 < sizeof keys;)
        n += (size_t)snprintf(keys + n, sizeof keys - n, n == 0 ? "/goim/push/keys?" : "keys=1&");
    goim_says(head("POST", keys, LATER), 431, -400, "");
    keys[1] = '1'; /* /1oim/… is of the other face */
    expect(head("POST", keys, LATER), 431, 65534, "");
}

static void the_face_of_goim_wants_the_key_as_well(void **state)
{
    (void)state;
    goim_says(head("POST", "/goim/push/all?operation=1", LATER), 401, -400,
              "\r\nWWW-Authenticate: Bearer\r\n");
    goim_says(head("GET", "/goim/no/such/path", "X-API-Key: k3\r\n"), 401, -400, "wrong key");
}

static void a_preflight_is_answered_to_known_origins(void **state)
{
    (void)state;
    const struct api_reply *reply =
        head("OPTIONS", "/1/msg/get", "Origin: https://page.example\r\n");
    assert_int_equal(reply->status, 204);
    assert_non_null(
        strstr(reply->text, "\r\nAccess-Control-Allow-Origin: https://page.example\r\n"));
    assert_non_null(strstr(reply->text, "\r\nAccess-Control-Allow-Methods: GET\r\n"));
    reply = head("OPTIONS", "/1/msg/get", "Origin: https://other.example\r\n");
    expect(reply, 405, 65534, "");
    assert_null(strstr(reply->text, "Access-Control-Allow"));
}

static void a_body_that_is_too_long_is_not_waited_for(void **state)
{
    (void)state;
    expect(head("POST", "/1/push?uid=1", "Content-Length: 65537\r\n"), 413, 65534, "65536 bytes");
}

int main(void)
{
#define WITH_KEYS(test) cmocka_unit_test_setup_teardown(test, setup_keys, teardown)
#define OPEN(test)      cmocka_unit_test_setup_teardown(test, setup_open, teardown)
    const struct CMUnitTest tests[] = {
        WITH_KEYS(without_its_key_a_call_gets_no_further),
        OPEN(methods_and_encodings_are_looked_at),
        OPEN(a_logic_that_ends_or_is_short_of_memory_says_so),
        OPEN(the_face_of_goim_answers_in_its_own_form),
        OPEN(the_face_of_goim_is_found_in_heads_that_are_refused),
        WITH_KEYS(the_face_of_goim_wants_the_key_as_well),
        WITH_KEYS(a_preflight_is_answered_to_known_origins),
        OPEN(a_body_that_is_too_long_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

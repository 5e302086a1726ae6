/* Keys with scopes, and the limits of each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* needs cmocka.h */
#include "common/auth/keys.h"
#include "tests/unit/lib/push_fixture.h"

#define LATER "Content-Length: 60000\r\n" /* and none of them comes */

static char path[] = "/tmp/imc-callers-test-XXXXXX";

/* Writes a file with a key for each of NAMES, which is its own key; each is a scope, too. */
static void write_keys(const char *const *names, size_t n)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < n; i++) {
        uint8_t digest[KEY_DIGEST_LEN];
        key_digest(names[i], strlen(names[i]), digest);
        fprintf(file, "the-%s %s sha256:", names[i], names[i]);
        for (size_t j = 0; j < sizeof digest; j++)
            fprintf(file, "%02x", digest[j]);
        fputc('\n', file);
    }
    fclose(file);
}

static const char *const all_scopes[] = {"push", "read", "admin"};

static int setup(void **state)
{
    close(mkstemp(path));
    write_keys(all_scopes, 3);
    memset(counters, 0, sizeof counters);
    config.api_keys_file = path;
    config.api_max_requests = 100;
    config.api_push_rate = config.api_max_key_requests = 0;
    return push_setup(state);
}

static int teardown(void **state)
{
    int failed = push_teardown(state);
    unlink(path);
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    push_clear(state);
    return failed;
}

static void expect(const struct api_reply *reply, int status, const char *text)
{
    if (reply->status != status || strstr(reply->text, text) == NULL)
        fail_msg("wanted %d, \"%s\" in %s", status, text, reply->text);
}

static const char *key_line(const char *key)
{
    static char line[100];
    (void)snprintf(line, sizeof line, LATER "X-API-Key: %s\r\n", key);
    return line;
}

static const struct api_reply *head(const char *method, const char *target, const char *key)
{
    return api_await(api_send_head(method, target, key_line(key)));
}

/* Each call with each key: 403 names the scope, unless the key has it. Calls that are let in have a
 * method that is not theirs, so that nothing but the key decides. */
static void a_call_needs_its_scope(void **state)
{
    static const struct {
        const char *path, *scope;
    } calls[] = {
        {"/1/push", "push"},
        {"/1/pushs", "push"},
        {"/1/push/room", "push"},
        {"/1/push/all", "push"},
        {"/goim/push/keys", "push"},
        {"/goim/push/mids", "push"},
        {"/goim/push/room", "push"},
        {"/goim/push/all", "push"},
        {"/1/count", "read"},
        {"/goim/online/top", "read"},
        {"/goim/online/room", "read"},
        {"/goim/online/total", "read"},
        {"/goim/nodes/weighted", "read"},
        {"/goim/nodes/instances", "read"},
        {"/1/room/join", "admin"},
        {"/1/room/leave", "admin"},
        {"/1/server/del", "admin"},
        {"/1/admin/token/new", "admin"},
        {"/1/admin/token/del", "admin"},
    };
    char want[100];

    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        bool goim = strncmp(calls[i].path, "/goim", 5) == 0;
        (void)snprintf(want, sizeof want, "{\"%s,\"%s\":\"this call needs scope %s, which key the-",
                       goim ? "code\":-400" : "ret\":65533", goim ? "message" : "error",
                       calls[i].scope);
        for (size_t k = 0; k < 3; k++) {
            bool may = k == 2 || strcmp(all_scopes[k], calls[i].scope) == 0;
            expect(head("PUT", calls[i].path, all_scopes[k]), may ? 405 : 403, may ? "" : want);
        }
        expect(head("PUT", calls[i].path, "nobody's"), 401, "wrong key");
    }
    assert_int_equal(counters[LOGIC_REFUSED_SCOPE], 8 + 6 + 5 * 2);
    assert_int_equal(counters[LOGIC_API_PUSH], 8 * 3);
    assert_int_equal(counters[LOGIC_API_READ], 6 * 3);
    assert_int_equal(counters[LOGIC_API_ADMIN], 5 * 3);
    expect(head("GET", "/1/no/such/path", "read"), 404, "no such path");
}

static const struct api_reply *push_by(const char *key, const char *target, const char *body)
{
    char line[100];
    (void)snprintf(line, sizeof line, "Authorization: Bearer %s\r\n", key);
    return api_call("POST", target, line, body);
}

static void a_key_may_push_so_much_a_second(void **state)
{
    static const char three[] = "{\"u\":[1,2,3],\"m\":1}", ok[] = "{\"ret\":1}";

    (void)state;
    config.api_push_rate = 3;
    api_says(push_by("push", "/1/pushs", three), 200, ok);
    const struct api_reply *reply = push_by("push", "/1/push?uid=1", "x");
    expect(reply, 429, "{\"ret\":65535,\"error\":\"this key pushes more than 3 messages a second");
    expect(reply, 429, "\r\nRetry-After: 1\r\n");
    expect(push_by("push", "/goim/push/all?operation=1", "x"), 429, "{\"code\":-500,");
    expect(head("POST", "/1/push/all", "push"), 429, "api.push_rate"); /* before its body comes */
    assert_int_equal(counters[LOGIC_REFUSED_RATE], 3);
    api_says(push_by("admin", "/1/pushs", three), 200, ok); /* another key */
    clock_move(400);
    api_turn();
    api_says(push_by("push", "/1/push?uid=1", "x"), 200, ok);
    clock_move(5000);
    api_turn();
    for (int i = 0; i < 3; i++)
        api_says(push_by("push", "/1/push/all", "x"), 200, ok);
    expect(push_by("push", "/1/push/all", "x"), 429, "api.push_rate"); /* no more than a second's */
}

/* What is more than a second allows is taken, and made up for. */
static void a_large_push_is_waited_for_afterwards(void **state)
{
    (void)state;
    config.api_push_rate = 1;
    api_says(push_by("push", "/1/pushs", "{\"u\":[1,2,3],\"m\":1}"), 200, "{\"ret\":1}");
    expect(push_by("push", "/1/push?uid=1", "x"), 429, "\r\nRetry-After: 3\r\n");
    clock_move(3000);
    api_turn();
    api_says(push_by("push", "/1/push?uid=1", "x"), 200, "{\"ret\":1}");
}

/* N calls of KEY whose bodies do not come. */
static void begin_calls(int *fds, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        fds[i] = api_send_head("POST", "/1/push/all", key_line(key));
    size_t conns = 0;
    (void)until((http_server_held(logic.http) > 0 && conns++ > 50), api_turn());
}

static void end_calls(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
    for (int i = 0; i < 20; i++)
        uv_run(&f.loop.uv, UV_RUN_NOWAIT);
}

static void a_key_may_have_so_many_calls_at_once(void **state)
{
    int fds[3];

    (void)state;
    config.api_max_key_requests = 3;
    begin_calls(fds, 3, "push");
    const struct api_reply *reply = push_by("push", "/1/push/all", "x");
    expect(reply, 429, "3 requests of this key are under way (api.max_key_requests)");
    expect(reply, 429, "\r\nRetry-After: 1\r\n");
    assert_int_equal(counters[LOGIC_REFUSED_BUSY], 1);
    api_says(push_by("admin", "/1/push/all", "x"), 200, "{\"ret\":1}");
    end_calls(fds, 3); /* who has gone does not count */
    api_says(push_by("push", "/1/push/all", "x"), 200, "{\"ret\":1}");
}

static void all_together_may_have_so_many_calls(void **state)
{
    int fds[3];

    (void)state;
    config.api_max_requests = 3;
    begin_calls(fds, 2, "push");
    begin_calls(fds + 2, 1, "admin");
    expect(push_by("push", "/1/push/all", "x"), 503, "api.max_requests");
    expect(api_call("GET", "/1/msg/get", "", ""), 503, "\r\nRetry-After: 1\r\n"); /* without key */
    assert_int_equal(counters[LOGIC_REFUSED_REQUESTS], 2);
    end_calls(fds, 3);
    api_says(push_by("push", "/1/push/all", "x"), 200, "{\"ret\":1}");
}

/* However a call ends, it is over. */
static void what_has_ended_is_not_under_way(void **state)
{
    (void)state;
    config.api_max_requests = config.api_max_key_requests = 1;
    expect(api_await(api_send_head("POST", "/1/push/all",
                                   "X-API-Key: push\r\nContent-Length: 65537\r\n")),
           413, "65536 bytes");
    expect(api_await(api_send_head("POST", "/1/push/all",
                                   "X-API-Key: push\r\nTransfer-Encoding: chunked\r\n\r\nno")),
           400, "");
    expect(head("POST", "/1/count", "push"), 403, "scope read");
    expect(head("POST", "/1/no/path", "push"), 404, "");
    expect(push_by("push", "/1/push?uid=x", "x"), 200, "uid: not a number");
    api_says(push_by("push", "/1/push/all", "x"), 200, "{\"ret\":1}");
}

static void the_file_is_read_anew(void **state)
{
    static const char *const fewer[] = {"read", "admin"};
    char err[KEYS_ERROR_MAX];
    int fds[2];

    (void)state;
    begin_calls(fds, 2, "push");
    write_keys(fewer, 2);
    assert_int_equal(callers_reload(logic.callers, err, sizeof err), 0);
    expect(head("POST", "/1/push/all", "push"), 401, "wrong key");
    api_says(push_by("admin", "/1/push/all", "x"), 200, "{\"ret\":1}");
    FILE *file = fopen(path, "a");
    fputs("broken\n", file);
    fclose(file);
    assert_int_equal(callers_reload(logic.callers, err, sizeof err), -EINVAL);
    assert_non_null(strstr(err, "api.keys_file: "));
    assert_non_null(strstr(err, ":3: fewer than three fields"));
    api_says(push_by("admin", "/1/push/all", "x"), 200, "{\"ret\":1}"); /* the old ones stay */
    end_calls(fds, 2); /* of a key that is no more */
}

/* What a key has used up is not forgotten by a SIGHUP. */
static void a_key_that_stays_keeps_its_account(void **state)
{
    char err[KEYS_ERROR_MAX];

    (void)state;
    config.api_push_rate = 1;
    api_says(push_by("push", "/1/push/all", "x"), 200, "{\"ret\":1}");
    assert_int_equal(callers_reload(logic.callers, err, sizeof err), 0);
    expect(push_by("push", "/1/push/all", "x"), 429, "api.push_rate");
}

static void messages_are_counted_by_key(void **state)
{
    char *text = NULL;
    size_t len = 0;

    (void)state;
    api_says(push_by("push", "/1/push/all", "x"), 200, "{\"ret\":1}");
    api_says(push_by("push", "/1/push/all", "x"), 200, "{\"ret\":1}");
    api_says(push_by("admin", "/1/push/all", "x"), 200, "{\"ret\":1}");
    struct exposition to = {.out = open_memstream(&text, &len)};
    callers_render(logic.callers, &to);
    fclose(to.out);
    assert_non_null(strstr(text, "\nimc_logic_key_messages_total{key=\"the-push\"} 2\n"));
    assert_non_null(strstr(text, "\nimc_logic_key_messages_total{key=\"the-admin\"} 1\n"));
    assert_null(strstr(text, "key=\"the-read\""));
    free(text);
}

int main(void)
{
#define CALLERS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        CALLERS(a_call_needs_its_scope),
        CALLERS(a_key_may_push_so_much_a_second),
        CALLERS(a_large_push_is_waited_for_afterwards),
        CALLERS(a_key_may_have_so_many_calls_at_once),
        CALLERS(all_together_may_have_so_many_calls),
        CALLERS(what_has_ended_is_not_under_way),
        CALLERS(the_file_is_read_anew),
        CALLERS(a_key_that_stays_keeps_its_account),
        CALLERS(messages_are_counted_by_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

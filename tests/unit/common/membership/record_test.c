#include "common/base/mem.h"
#include "common/membership/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_record_round_trips(void **state)
{
    struct member_record in = {.kind = MEMBER_LOGIC, .state = RECORD_LEAVING}, out;
    in.member.process = 7;

    (void)state;
    in.member.epoch = UINT64_MAX;
    in.member.id[0] = 'a';
    (void)snprintf(in.member.tcps, sizeof in.member.tcps, "c1.example:8081");
    char *text = member_record_encode(&in);
    assert_null(member_record_decode(text, strlen(text), &out));
    assert_int_equal(out.kind, MEMBER_LOGIC);
    assert_int_equal(out.state, RECORD_LEAVING);
    assert_true(out.member.epoch == UINT64_MAX);
    assert_string_equal(out.member.id, "a");
    assert_string_equal(out.member.tcps, "c1.example:8081");
    free(text);
}

/* A daemon of an earlier version says less. What it does say wrongly is left out. */
static void clients_may_be_absent(void **state)
{
    static const struct {
        const char *text;
        int64_t ips;
        bool refuses, draining;
    } rows[] = {
        {"", 0, false, false},
        {",\"client_ips\":7,\"refuses_clients\":true", 7, true, false},
        {",\"client_ips\":7,\"refuses_clients\":true,\"draining\":true", 7, true, true},
        {",\"draining\":\"true\"", 0, false, false},
        {",\"client_ips\":1e+14,\"refuses_clients\":false", 100000000000000, false, false},
        {",\"client_ips\":-1,\"refuses_clients\":1", 0, false, false},
        {",\"client_ips\":1e300,\"refuses_clients\":\"true\"", 0, false, false},
        {",\"client_ips\":\"7\",\"refuses_clients\":null", 0, false, false},
    };
    char text[256];
    struct member_record out;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int n = snprintf(text, sizeof text,
                         "{\"kind\":\"comet\",\"state\":\"held\",\"id\":\"a\",\"process\":\"1\","
                         "\"epoch\":\"2\",\"weight\":1,\"connections\":3%s}",
                         rows[i].text);
        assert_null(member_record_decode(text, (size_t)n, &out));
        assert_true(out.member.client_ips == rows[i].ips);
        assert_int_equal(out.member.refuses_clients, rows[i].refuses);
        assert_int_equal(out.member.draining, rows[i].draining);
        assert_string_equal(out.member.ips, "");
        assert_string_equal(out.member.tcps, "");
    }
}

/* Each would be another record to who looks at C strings. */
static void a_record_with_a_nul_is_none(void **state)
{
    static const char behind[] = "{\"kind\":\"comet\"}\0x", escaped[] = "{\"id\":\"a\\u0000b\"}";
    struct member_record out;

    (void)state;
    assert_string_equal(member_record_decode(behind, sizeof behind - 1, &out), "not JSON");
    assert_string_equal(member_record_decode(escaped, sizeof escaped - 1, &out), "not JSON");
    assert_string_equal(member_record_decode("{}", 2, &out), "no daemon's kind and state");
}

static redisReply string_of(const char *text, size_t len)
{
    return (redisReply){.type = REDIS_REPLY_STRING, .str = mem_unconst(text), .len = len};
}

static size_t members_of(const char *id, size_t id_len, const char *text, size_t len)
{
    redisReply name = string_of(id, id_len), value = string_of(text, len);
    redisReply *elements[] = {&name, &value};
    redisReply reply = {.type = REDIS_REPLY_ARRAY, .elements = 2, .element = elements};
    struct member_list list = member_list_decode(&reply);
    size_t n = list.n;

    free(list.members);
    return n;
}

static void a_lease_with_a_nul_is_ignored(void **state)
{
    static const char good[] = "{\"epoch\":\"2\",\"rpc\":\"x:1\"}";
    static const char behind[] = "{\"epoch\":\"2\",\"rpc\":\"x:1\"}\0x";
    static const char escaped[] = "{\"epoch\":\"2\",\"rpc\":\"x:1\\u0000\"}";

    (void)state;
    assert_int_equal(members_of("a", 1, good, sizeof good - 1), 1);
    assert_int_equal(members_of("a\0b", 3, good, sizeof good - 1), 0); /* would be id "a" */
    assert_int_equal(members_of("a", 1, behind, sizeof behind - 1), 0);
    assert_int_equal(members_of("a", 1, escaped, sizeof escaped - 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_round_trips),
        cmocka_unit_test(clients_may_be_absent),
        cmocka_unit_test(a_record_with_a_nul_is_none),
        cmocka_unit_test(a_lease_with_a_nul_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "common/events/event_types.h"
#include "common/events/session_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

static void a_name_comes_back(void **state)
{
    const struct session_name name = {"host.example-8092", 0x18c0ffee, UINT64_MAX};
    struct session_name read;
    char text[SESSION_NAME_MAX];

    (void)state;
    size_t len = session_name_write(&name, text);
    assert_string_equal(text, "host.example-8092.18c0ffee.ffffffffffffffff");
    assert_true(session_name_read(text, len, &read));
    assert_memory_equal(&read, &name, sizeof name);
}

static void what_is_no_name_is_refused(void **state)
{
    static const char *const wrong[] = {
        "", "a", "a.1", ".1.2", "a.1.", "a..2", "a.g.1", "a.1.2A", "a.1.11111111111111111",
    };
    struct session_name read;
    char longest[80];

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(session_name_read(wrong[i], strlen(wrong[i]), &read));
    assert_false(session_name_read(NULL, 0, &read));
    assert_false(session_name_read("a\0b.1.2", 7, &read));
    memset(longest, 'x', sizeof longest);
    memcpy(longest + 63, ".1.2", 4);
    assert_true(session_name_read(longest, 67, &read)); /* 63 bytes, as a lease's id at most */
    longest[63] = 'x';
    memcpy(longest + 64, ".1.2", 4);
    assert_false(session_name_read(longest, 68, &read));
}

static void a_record_comes_back(void **state)
{
    const struct session_name name = {"c", 1, 2};
    Imc__V1__SessionRecord record;
    imc__v1__session_record__init(&record);
    char address[] = "192.0.2.1";
    struct kafka_message message;
    struct arena arena;

    (void)state;
    record.what = IMC__V1__SESSION_RECORD__WHAT__ENDED;
    record.uid = -5;
    record.address = address;
    session_record_make(&name, &record, &message);
    assert_int_equal(message.key_len, 5);
    assert_memory_equal(message.key, "c.1.2", 5);
    arena_init(&arena);
    const Imc__V1__SessionRecord *read =
        session_record_read(&arena, message.value, message.value_len);
    assert_non_null(read);
    assert_int_equal(read->what, IMC__V1__SESSION_RECORD__WHAT__ENDED);
    assert_int_equal(read->uid, -5);
    assert_string_equal(read->address, address);
    assert_null(session_record_read(&arena, "\xff\xff", 2));
    arena_free(&arena);
    free(message.value);
}

static void a_fact_comes_back(void **state)
{
    static const char *const wrong[] = {"", "joined", "c.1.2", "c.1.2.joined", "c.1..2.x"};
    const struct session_name name = {"host.1", 0x18c0ffee, 2};
    struct session_name read;
    struct arena arena;
    char key[SESSION_FACT_MAX];

    (void)state;
    arena_init(&arena);
    size_t len = session_fact_write(&name, 0x1f, "joined", key);
    assert_int_equal(len, strlen("host.1.18c0ffee.2.1f.joined"));
    assert_false(session_name_read(key, len, &read));
    assert_string_equal(session_fact_read(key, len, &arena, &read), "host.1.18c0ffee.2.1f.joined");
    assert_memory_equal(&read, &name, sizeof name);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_null(session_fact_read(wrong[i], strlen(wrong[i]), &arena, &read));
    assert_null(session_fact_read(NULL, 0, &arena, &read));
    arena_free(&arena);
}

static void types_are_chosen_by_name(void **state)
{
    unsigned types = 9;
    char err[128];

    (void)state;
    assert_int_equal(event_types_read("", &types, err, sizeof err), 0);
    assert_int_equal(types, 0);
    assert_int_equal(event_types_read("disconnected", &types, err, sizeof err), 0);
    assert_int_equal(types, 1U << EVENT_DISCONNECTED);
    assert_int_equal(event_types_read("disconnected,connected", &types, err, sizeof err), 0);
    assert_int_equal(types, 1U << EVENT_DISCONNECTED | 1U << EVENT_CONNECTED);
    assert_int_equal(event_types_read(" connected , left\t", &types, err, sizeof err), 0);
    assert_int_equal(types, 1U << EVENT_CONNECTED | 1U << EVENT_LEFT);
    assert_int_equal(event_types_read(EVENT_TYPES_TEXT, &types, err, sizeof err), 0);
    assert_int_equal(types, (1U << EVENT_TYPES) - 1);
    assert_int_equal(event_types_read("connected, gone", &types, err, sizeof err), -22);
    assert_non_null(strstr(err, "\"gone\""));
    assert_int_equal(event_types_read("connected,,left", &types, err, sizeof err), -22);
    assert_int_equal(event_types_read("connect", &types, err, sizeof err), -22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_comes_back),        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(a_record_comes_back),      cmocka_unit_test(a_fact_comes_back),
        cmocka_unit_test(types_are_chosen_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "common/base/mem.h"
#include "common/protocol/unpack_strings.h"
#include "proto/bus.pb-c.h"
#include "proto/router.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PUSH  (&imc__v1__push_msg__descriptor)
#define REPLY (&imc__v1__map_reply__descriptor)

static bool unpacks(const ProtobufCMessageDescriptor *type, const char *data, size_t len)
{
    ProtobufCMessage *message = unpack_whole(type, NULL, len, (const uint8_t *)data);

    if (message == NULL)
        return false;
    protobuf_c_message_free_unpacked(message, NULL);
    return true;
}

static void a_string_with_a_nul_is_refused(void **state)
{
    (void)state;
    assert_true(unpacks(PUSH,
                        "\x2a\x03"
                        "a b",
                        5)); /* room */
    assert_false(unpacks(PUSH,
                         "\x2a\x03"
                         "a\0b",
                         5)); /* would be room "a" */
    assert_false(unpacks(PUSH,
                         "\x2a\x02"
                         "a\0",
                         4));
    assert_false(unpacks(PUSH,
                         "\x32\x01"
                         "k"
                         "\x32\x01\0",
                         6));                             /* the second of `keys` */
    assert_false(unpacks(PUSH, "\x08\x01\x22\x01\0", 5)); /* behind another field */
}

/* Field 20 is a list of sessions, whose field 1 is a string. */
static void also_one_in_a_message_within(void **state)
{
    (void)state;
    assert_true(unpacks(PUSH,
                        "\xa2\x01\x04\x0a\x02"
                        "ab",
                        7));
    assert_false(unpacks(PUSH,
                         "\xa2\x01\x04\x0a\x02"
                         "a\0",
                         7));
    assert_false(unpacks(REPLY,
                         "\x2a\x06\x0a\x04\x0a\x02"
                         "a\0",
                         8)); /* lookups, sessions */
}

static void bytes_may_have_any(void **state)
{
    (void)state;
    assert_true(unpacks(PUSH,
                        "\x3a\x03"
                        "a\0b",
                        5));
    assert_true(unpacks(PUSH, "", 0));
    assert_true(unpacks(PUSH,
                        "\x9a\x06\x03"
                        "a\0b",
                        6)); /* a field nobody knows */
}

static void what_is_no_message_is_none(void **state)
{
    static const struct {
        const char *data;
        size_t len;
    } rows[] = {{"\x2a", 1},
                {"\x2a\x03"
                 "ab",
                 4},
                {"\xff\xff", 2},
                {"\x2b", 1},
                {"\x81\x01\x00", 3},
                {"\x2a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},
                {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_false(unpacks(PUSH, rows[i].data, rows[i].len));
}

/* Whatever a program packs that puts no NUL into strings is taken. */
static void what_was_packed_is_taken(void **state)
{
    uint8_t packed[512], body[] = {0, 1, 2, 0};
    char comet[] = "c1", key[] = "k", room[] = "r";
    Imc__V1__Session session, *hints[] = {&session, &session};
    Imc__V1__PushMsg in;

    (void)state;
    imc__v1__session__init(&session);
    imc__v1__push_msg__init(&in);
    session.comet = comet;
    session.key = key;
    session.epoch = session.handle = UINT64_MAX;
    in.type = IMC__V1__PUSH_MSG__TYPE__BROADCAST;
    in.operation = -1;
    in.room = room;
    in.msg = (ProtobufCBinaryData){sizeof body, body};
    in.id = 1;
    in.uid = -1;
    in.n_hints = 2;
    in.hints = hints;
    size_t len = imc__v1__push_msg__pack(&in, packed);
    Imc__V1__PushMsg *out = unpack_whole(PUSH, NULL, len, packed);
    assert_non_null(out);
    assert_int_equal(out->n_hints, 2);
    assert_string_equal(out->hints[1]->comet, "c1");
    assert_int_equal(out->operation, -1);
    imc__v1__push_msg__free_unpacked(out, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_string_with_a_nul_is_refused),
        cmocka_unit_test(also_one_in_a_message_within),
        cmocka_unit_test(bytes_may_have_any),
        cmocka_unit_test(what_is_no_message_is_none),
        cmocka_unit_test(what_was_packed_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "common/protocol/unpack.h"
#include "proto/bus.pb-c.h"
#include "proto/push.pb-c.h"
#include "proto/router.pb-c.h"
#include "proto/session.pb-c.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* N times the two bytes of an empty item of FIELD. */
static struct msg *empties(unsigned field, size_t n)
{
    struct msg *msg = msg_new(2 * n);

    for (size_t i = 0; i < n; i++) {
        msg->data[2 * i] = (uint8_t)(field << 3 | 2);
        msg->data[2 * i + 1] = 0;
    }
    return msg;
}

/* Whether MSG is taken; *BYTES: what its arena had to hold. */
static bool taken(const ProtobufCMessageDescriptor *type, const struct msg *msg, size_t max_items,
                  size_t *bytes)
{
    struct unpack_input in = {msg->data, msg->len, max_items};
    struct arena arena;
    const char *why = NULL;

    arena_init(&arena);
    bool ok = unpack(type, &arena, &in, &why) != NULL;
    assert_true(ok || why != NULL);
    if (bytes != NULL)
        *bytes = arena.bytes;
    arena_free(&arena);
    return ok;
}

static void items_are_counted_before_memory_is_taken(void **state)
{
    (void)state;
    uint64_t before = unpack_refused();
    size_t bytes;

    struct msg *msg = empties(3, 100);
    assert_true(taken(&imc__v1__push_batch__descriptor, msg, 100, NULL));
    assert_false(taken(&imc__v1__push_batch__descriptor, msg, 99, &bytes));
    assert_int_equal(bytes, 0);
    assert_int_equal(unpack_refused(), before + 1);
    msg_unref(msg);

    msg = empties(3, UNPACK_ITEMS + 1);
    assert_false(taken(&imc__v1__push_batch__descriptor, msg, 0, &bytes));
    assert_int_equal(bytes, 0);
    msg_unref(msg);
}

/* Each list by itself, fields that are unknown too. */
static void every_list_has_the_limit(void **state)
{
    static const unsigned fields[] = {5, 6, 7, 8, 9, 10, 15};
    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct msg *msg = empties(fields[i], 11);
        assert_true(taken(&imc__v1__session_batch__descriptor, msg, 11, NULL));
        assert_false(taken(&imc__v1__session_batch__descriptor, msg, 10, NULL));
        msg_unref(msg);
    }
}

static void packed_numbers_are_counted(void **state)
{
    (void)state;
    int64_t uids[10] = {0};
    uint32_t gone[10] = {1, 200, 70000, 4000000000, 5, 6, 7, 8, 9, 10};
    Imc__V1__MapBatch batch = IMC__V1__MAP_BATCH__INIT;
    Imc__V1__PushReply reply = IMC__V1__PUSH_REPLY__INIT;

    batch.lookups = uids;
    batch.n_lookups = 10;
    struct msg *msg = msg_new(imc__v1__map_batch__get_packed_size(&batch));
    imc__v1__map_batch__pack(&batch, msg->data);
    assert_true(taken(&imc__v1__map_batch__descriptor, msg, 10, NULL));
    assert_false(taken(&imc__v1__map_batch__descriptor, msg, 9, NULL));
    msg_unref(msg);

    reply.gone = gone;
    reply.n_gone = 10;
    msg = msg_new(imc__v1__push_reply__get_packed_size(&reply));
    imc__v1__push_reply__pack(&reply, msg->data);
    assert_true(taken(&imc__v1__push_reply__descriptor, msg, 10, NULL));
    assert_false(taken(&imc__v1__push_reply__descriptor, msg, 9, NULL));
    msg_unref(msg);
}

/* One answer with a million empty messages in it: as many as a page never has. */
static void nested_lists_are_bounded_by_memory(void **state)
{
    enum { N = 1000000, HEAD = 5 };
    static const uint8_t head[HEAD] = {5 << 3 | 2, 0x80 | (2 * N & 0x7f),
                                       0x80 | (2 * N >> 7 & 0x7f), 0x80 | (2 * N >> 14 & 0x7f),
                                       2 * N >> 21};
    (void)state;
    struct msg *inner = empties(2, N), *msg = msg_new(HEAD + inner->len);
    size_t bytes;

    memcpy(msg->data, head, HEAD);
    memcpy(msg->data + HEAD, inner->data, inner->len);
    assert_false(taken(&imc__v1__session_reply__descriptor, msg, 0, &bytes));
    assert_in_range(bytes, 0, UNPACK_FREE + UNPACK_RATIO * (size_t)msg->len);
    msg_unref(inner);
    msg_unref(msg);
}

/* The cheapest honest messages: all that a router or comet may answer with at once. */
static void honest_answers_fit(void **state)
{
    (void)state;
    struct msg *msg = empties(5, 2048); /* lookups of users who are nowhere */
    assert_true(taken(&imc__v1__map_reply__descriptor, msg, 0, NULL));
    msg_unref(msg);

    enum { LATE = 65536 };
    Imc__V1__LateResult *late = malloc(LATE * sizeof *late), **list = malloc(LATE * sizeof(void *));
    Imc__V1__PushReply reply = IMC__V1__PUSH_REPLY__INIT;
    for (uint32_t i = 0; i < LATE; i++) {
        imc__v1__late_result__init(&late[i]);
        late[i].seq = 7;
        late[i].index = i;
        list[i] = &late[i];
    }
    reply.late = list;
    reply.n_late = LATE;
    msg = msg_new(imc__v1__push_reply__get_packed_size(&reply));
    imc__v1__push_reply__pack(&reply, msg->data);
    assert_true(taken(&imc__v1__push_reply__descriptor, msg, 0, NULL));
    msg_unref(msg);
    free(late);
    free(list);
}

/* However early the arena says no, nothing is lost, freed twice or read beyond (run with ASan). */
static void any_allocation_may_be_refused(void **state)
{
    (void)state;
    static char room[] = "room", key[] = "key";
    Imc__V1__Session session, *sessions[] = {&session, &session};
    Imc__V1__Lookup lookup = IMC__V1__LOOKUP__INIT, *lookups[] = {&lookup, &lookup, &lookup};
    Imc__V1__MapReply reply = IMC__V1__MAP_REPLY__INIT;
    uint32_t puts[] = {1, 2, 3};
    uint8_t packed[512] = {0};

    imc__v1__session__init(&session);
    session.room = room;
    session.key = key;
    lookup.sessions = sessions;
    lookup.n_sessions = 2;
    reply.lookups = lookups;
    reply.n_lookups = 3;
    reply.puts = puts;
    reply.n_puts = 3;
    size_t len = imc__v1__map_reply__pack(&reply, packed);
    packed[len++] = 15 << 3 | 2; /* an unknown field of three bytes */
    packed[len++] = 3;
    len += 3;
    bool ok = false;
    for (size_t left = 0; !ok && left < 4000; left += 16) {
        struct arena arena;
        arena_init(&arena);
        ProtobufCAllocator allocator = arena_allocator(&arena);
        arena_alloc(&arena, 4080 - left); /* of a first chunk of 4 KiB */
        arena.limit = arena.bytes;
        ok = imc__v1__map_reply__unpack(&allocator, len, packed) != NULL;
        assert_true(ok || arena.refused);
        arena_free(&arena);
    }
    assert_true(ok);
}

static void malformed_is_not_refused_for_its_size(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {"\x1a", 1},
        {"\x1a\x7f", 2},
        {"\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12},
        {"\x09\x01\x02", 3},
        {"\x0d\x01", 2},
        {"\x0f", 1},
        {"\x00\x01", 2},
        {"\x0c", 1},
        {"\x80", 1},
    };
    (void)state;
    uint64_t before = unpack_refused();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct msg *msg = msg_copy(cases[i].bytes, cases[i].len);
        assert_false(taken(&imc__v1__push_batch__descriptor, msg, 0, NULL));
        msg_unref(msg);
    }
    assert_int_equal(unpack_refused(), before);
}

#define PUSH  (&imc__v1__push_msg__descriptor)
#define REPLY (&imc__v1__map_reply__descriptor)

static bool unpacks(const ProtobufCMessageDescriptor *type, const char *data, size_t len)
{
    struct unpack_input in = {.data = (const uint8_t *)data, .len = len};
    struct arena arena;
    const char *why = NULL;

    arena_init(&arena);
    bool ok = unpack(type, &arena, &in, &why) != NULL;
    assert_true(ok || strcmp(why, "malformed") == 0);
    arena_free(&arena);
    return ok;
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
    struct unpack_input input = {.data = packed, .len = len};
    struct arena arena;
    const char *why;
    arena_init(&arena);
    const Imc__V1__PushMsg *out = (const Imc__V1__PushMsg *)unpack(PUSH, &arena, &input, &why);
    assert_non_null(out);
    assert_int_equal(out->n_hints, 2);
    assert_string_equal(out->hints[1]->comet, "c1");
    assert_int_equal(out->operation, -1);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_counted_before_memory_is_taken),
        cmocka_unit_test(every_list_has_the_limit),
        cmocka_unit_test(packed_numbers_are_counted),
        cmocka_unit_test(nested_lists_are_bounded_by_memory),
        cmocka_unit_test(honest_answers_fit),
        cmocka_unit_test(any_allocation_may_be_refused),
        cmocka_unit_test(malformed_is_not_refused_for_its_size),
        cmocka_unit_test(a_string_with_a_nul_is_refused),
        cmocka_unit_test(also_one_in_a_message_within),
        cmocka_unit_test(bytes_may_have_any),
        cmocka_unit_test(what_is_no_message_is_none),
        cmocka_unit_test(what_was_packed_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

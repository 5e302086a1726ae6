#include "common/base/mem.h"
#include "common/base/msg.h"
#include "proto/bus.pb-c.h"
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void arena_serves_small_and_huge_aligned(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    for (size_t size = 0; size < 3000000; size = size * 3 + 1) {
        char *p = arena_alloc(&arena, size);
        assert_int_equal((uintptr_t)p % 16, 0);
        memset(p, 0xee, size);
    }
    arena_free(&arena);
    assert_null(arena.chunks);
}

static void texts_are_copied_into_an_arena(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    assert_string_equal(arena_strdup(&arena, "text"), "text");
    assert_memory_equal(arena_strndup(&arena, "a\0bc", 3), "a\0b", 4);
    assert_string_equal(arena_strndup(&arena, NULL, 0), "");
    arena_free(&arena);
}

static void protobuf_unpacks_into_an_arena(void **state)
{
    (void)state;
    Imc__V1__PushMsg in;
    uint8_t body[] = "hello";
    uint8_t packed[128];
    imc__v1__push_msg__init(&in);
    in.uid = -5;
    in.has_uid = 1;
    in.msg = (ProtobufCBinaryData){5, body};
    size_t len = imc__v1__push_msg__pack(&in, packed);

    struct arena arena;
    arena_init(&arena);
    ProtobufCAllocator allocator = arena_allocator(&arena);
    Imc__V1__PushMsg *out = imc__v1__push_msg__unpack(&allocator, len, packed);
    assert_non_null(out);
    assert_int_equal(out->uid, -5);
    assert_memory_equal(out->msg.data, "hello", 5);
    arena_free(&arena);
}

static void msg_lives_until_its_last_reference(void **state)
{
    (void)state;
    struct msg *msg = msg_copy("abc", 3);
    msg_ref(msg);
    msg_unref(msg);
    assert_memory_equal(msg->data, "abc", 3);
    msg_unref(msg);
    msg_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_serves_small_and_huge_aligned),
        cmocka_unit_test(texts_are_copied_into_an_arena),
        cmocka_unit_test(protobuf_unpacks_into_an_arena),
        cmocka_unit_test(msg_lives_until_its_last_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

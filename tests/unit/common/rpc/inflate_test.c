#include "common/rpc/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

enum { GZIP = 16, MOST = 4 << 20 };

static struct msg *packed(const uint8_t *data, size_t len)
{
    z_stream z = {.next_in = mem_unconst(data), .avail_in = (uInt)len};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + GZIP, 8, Z_DEFAULT_STRATEGY),
                     Z_OK);
    size_t room = deflateBound(&z, len);
    uint8_t *out = mem_alloc(room);
    z.next_out = out;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    struct msg *msg = msg_copy(out, room - z.avail_out);
    deflateEnd(&z);
    free(out);
    return msg;
}

/* Bytes that hardly shrink. */
static uint8_t *noise(size_t len)
{
    uint8_t *data = mem_alloc(len);
    uint32_t x = 1;
    for (size_t i = 0; i < len; i++) {
        x = x * 1664525 + 1013904223;
        data[i] = (uint8_t)(x >> 24);
    }
    return data;
}

static void check(const uint8_t *data, size_t len, size_t most, bool fits)
{
    struct msg *in = packed(data, len), *out = rpc_inflate(in, most);

    if (fits) {
        assert_non_null(out);
        assert_int_equal(out->len, len);
        assert_memory_equal(out->data, data, len);
    } else {
        assert_null(out);
    }
    msg_unref(out);
    msg_unref(in);
}

static void what_was_packed_comes_out(void **state)
{
    (void)state;
    uint8_t *data = noise(300000);
    size_t lens[] = {0, 1, 4095, 4096, 4097, 300000};

    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++)
        check(data, lens[i], MOST, true);
    free(data);
}

static void no_more_than_a_message_comes_out(void **state)
{
    (void)state;
    uint8_t *data = noise(200000);

    check(data, 100000, 100000, true);
    check(data, 100001, 100000, false);
    free(data);
}

static void a_bomb_is_refused(void **state)
{
    (void)state;
    uint8_t *zeros = mem_zalloc(MOST);

    check(zeros, 64 << 10, MOST, true);
    check(zeros, MOST, MOST, false); /* 4 kB: a thousandth */
    free(zeros);
}

static void what_is_broken_is_refused(void **state)
{
    (void)state;
    uint8_t *data = noise(1000);
    struct msg *in = packed(data, 1000);

    for (uint32_t len = 0; len < in->len; len++) {
        struct msg *part = msg_copy(in->data, len);
        assert_null(rpc_inflate(part, MOST));
        msg_unref(part);
    }
    struct msg *more = msg_new(in->len + 1);
    memcpy(more->data, in->data, in->len);
    more->data[in->len] = 0;
    assert_null(rpc_inflate(more, MOST));
    msg_unref(more);
    msg_unref(in);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_packed_comes_out),
        cmocka_unit_test(no_more_than_a_message_comes_out),
        cmocka_unit_test(a_bomb_is_refused),
        cmocka_unit_test(what_is_broken_is_refused),
    };

    return cmocka_run_group_tests_name("inflate", tests, NULL, NULL);
}

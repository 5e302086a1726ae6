#include "comet/wire/wire.h"
#include "common/protocol/ops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct push push_of(const char *body)
{
    return (struct push){
        .body = (const uint8_t *)body, .body_len = (uint32_t)strlen(body), .op = OP_PUSH};
}

/* The text of a WebSocket message with a header of HEADER bytes. */
static void assert_text(const struct msg *msg, size_t header, const char *text)
{
    assert_int_equal(msg->data[0], 0x81);
    assert_int_equal(msg->len, header + strlen(text));
    assert_memory_equal(msg->data + header, text, strlen(text));
}

static void tcp_push_is_imgos_bytes(void **state)
{
    (void)state;
    static const uint8_t expected[] = {0, 0, 0, 0x1a, 0,   0x10, 0,   0,   0,   0,   0,   5,   0,
                                       0, 0, 0, '{',  '"', 'a',  '"', ':', '1', '2', '3', '4', '}'};
    uint8_t out[64];
    struct push push = push_of("{\"a\":1234}");
    assert_int_equal(wire_push(WIRE_TCP, &push, out, sizeof out), sizeof expected);
    assert_memory_equal(out, expected, sizeof expected);
}

static void tcp_batch_is_frames_back_to_back(void **state)
{
    (void)state;
    const struct push pushes[] = {push_of("one"), push_of(""), push_of("three")};
    struct msg *msg = wire_pushes(WIRE_TCP, pushes, 3);
    uint8_t out[64];
    size_t at = 0;
    for (int i = 0; i < 3; i++) {
        size_t len = wire_push(WIRE_TCP, &pushes[i], out, sizeof out);
        assert_memory_equal(msg->data + at, out, len);
        at += len;
    }
    assert_int_equal(at, msg->len);
    msg_unref(msg);
}

static void goims_pushes_have_version_1(void **state)
{
    (void)state;
    static const uint8_t expected[] = {0, 0, 0, 0x11, 0, 0x10, 0, 1, 0, 0, 0, 5, 0, 0, 0, 0, 'a',
                                       0, 0, 0, 0x10, 0, 0x10, 0, 1, 0, 0, 0, 5, 0, 0, 0, 0};
    const struct push pushes[] = {push_of("a"), push_of("")};
    struct msg *msg = wire_pushes(WIRE_GOIM_TCP, pushes, 2);
    assert_int_equal(msg->len, sizeof expected);
    assert_memory_equal(msg->data, expected, sizeof expected);
    msg_unref(msg);
    static const uint8_t raw[] = {0x82, 16 + 33, 0, 0, 0, 16 + 33, 0, 0x10, 0,
                                  1,    0,       0, 0, 9, 0,       0, 0,    0};
    msg = wire_pushes(WIRE_GOIM_WS, pushes, 2);
    assert_int_equal(msg->len, sizeof raw + sizeof expected);
    assert_memory_equal(msg->data, raw, sizeof raw);
    assert_memory_equal(msg->data + sizeof raw, expected, sizeof expected);
    msg_unref(msg);
}

static void json_loses_its_byte_order_mark(void **state)
{
    (void)state;
    const struct push pushes[] = {push_of("\xef\xbb\xbf{\"a\":1}"), push_of("\xef\xbb\xbftext")};
    struct msg *msg = wire_pushes(WIRE_WS_JSON, pushes, 2);
    assert_text(msg, 2,
                "[{\"ver\":0,\"op\":5,\"seq\":0,\"body\":{\"a\":1}},"
                "{\"ver\":0,\"op\":5,\"seq\":0,\"body\":\"\xef\xbb\xbftext\"}]");
    msg_unref(msg);
}

static void json_push_is_imgos_bytes(void **state)
{
    (void)state;
    const struct push pushes[] = {push_of("{\"a\":1}"), push_of("not json \"\n, not at all"),
                                  push_of("")};
    struct msg *msg = wire_pushes(WIRE_WS_JSON, pushes, 1);
    assert_text(msg, 2, "[{\"ver\":0,\"op\":5,\"seq\":0,\"body\":{\"a\":1}}]");
    msg_unref(msg);
    msg = wire_pushes(WIRE_WS_JSON, pushes, 3);
    assert_text(msg, 4,
                "[{\"ver\":0,\"op\":5,\"seq\":0,\"body\":{\"a\":1}}"
                ",{\"ver\":0,\"op\":5,\"seq\":0,\"body\":\"not json \\\"\\n, not at all\"}"
                ",{\"ver\":0,\"op\":5,\"seq\":0,\"body\":{}}]");
    assert_int_equal(msg->data[1], 126);
    assert_int_equal(msg->data[2] << 8 | msg->data[3], msg->len - 4);
    msg_unref(msg);
}

static void one_push_alone_is_the_same_as_a_batch_of_one(void **state)
{
    (void)state;
    static char long_body[70000];
    memset(long_body, 'x', sizeof long_body - 1);
    const struct push pushes[] = {push_of("{}"), push_of("\x01\xff"), push_of(""),
                                  push_of(long_body)};
    uint8_t *out = malloc(100000);
    for (int i = 0; i < 4 * WIRES; i++) {
        enum wire wire = (enum wire)(i / 4);
        struct msg *msg = wire_pushes(wire, &pushes[i % 4], 1);
        assert_int_equal(wire_push(wire, &pushes[i % 4], out, 100000), msg->len);
        assert_memory_equal(out, msg->data, msg->len);
        msg_unref(msg);
    }
    free(out);
}

static void too_small_a_buffer_is_not_touched(void **state)
{
    (void)state;
    struct push push = push_of("some text");
    uint8_t out[128];
    for (enum wire wire = WIRE_TCP; wire < WIRES; wire++) {
        size_t need = wire_push(wire, &push, NULL, 0);
        memset(out, 0xaa, sizeof out);
        assert_int_equal(wire_push(wire, &push, out, need - 1), need);
        assert_int_equal(out[0], 0xaa);
        assert_int_equal(wire_push(wire, &push, out, need), need);
        assert_int_equal(out[need], 0xaa);
    }
}

static void long_messages_have_a_64_bit_length(void **state)
{
    (void)state;
    struct push push = {.body_len = 70000, .op = 5};
    uint8_t *body = malloc(70000);
    memset(body, '1', 70000);
    push.body = body;
    struct msg *msg = wire_pushes(WIRE_WS_JSON, &push, 1);
    assert_int_equal(msg->data[1], 127);
    assert_int_equal(msg->data[7] << 16 | msg->data[8] << 8 | msg->data[9], msg->len - 10);
    msg_unref(msg);
    free(body);
}

static void an_acknowledged_push_has_sequence_and_id(void **state)
{
    (void)state;
    struct push push = push_of("a");
    uint8_t out[256];
    push.id = 0x0102030405060708;
    static const uint8_t goim[] = {0,    0,    0,    25, 0, 24, 0, 1, 0, 0, 0, 5,  0xff,
                                   0xff, 0xff, 0xfe, 1,  2, 3,  4, 5, 6, 7, 8, 'a'};
    static const uint8_t raw[] = {0x82, 16 + 25, 0, 0, 0, 16 + 25, 0, 16, 0,
                                  1,    0,       0, 0, 9, 0,       0, 0,  0};
    static const char json[] =
        "[{\"ver\":0,\"op\":5,\"seq\":7,\"id\":\"18446744073709551615\",\"body\":\"a\"}]";
    assert_int_equal(wire_push_numbered(WIRE_GOIM_TCP, &push, UINT32_MAX - 1, out, sizeof out),
                     sizeof goim);
    assert_memory_equal(out, goim, sizeof goim);
    assert_int_equal(wire_push_numbered(WIRE_GOIM_WS, &push, UINT32_MAX - 1, out, sizeof out),
                     sizeof raw + sizeof goim);
    assert_memory_equal(out, raw, sizeof raw);
    assert_memory_equal(out + sizeof raw, goim, sizeof goim);
    push.id = UINT64_MAX;
    assert_int_equal(wire_push_numbered(WIRE_WS_JSON, &push, 7, out, sizeof out),
                     2 + sizeof json - 1);
    assert_memory_equal(out + 2, json, sizeof json - 1);
    for (enum wire wire = WIRE_TCP; wire < WIRES; wire++) {
        size_t need = wire_push_numbered(wire, &push, INT32_MIN, NULL, 0);
        out[0] = 0xaa;
        assert_int_equal(wire_push_numbered(wire, &push, INT32_MIN, out, need - 1), need);
        assert_int_equal(out[0], 0xaa);
    }
}

static void replies_echo_version_and_sequence(void **state)
{
    (void)state;
    uint8_t out[128];
    static const char json[] = "[{\"ver\":1,\"op\":8,\"seq\":77,\"body\":{}}]";
    const struct wire_unit auth = {.version = 1, .op = OP_AUTH_REPLY, .seq = 77};
    const struct wire_unit beat = {.version = 2, .op = OP_HEARTBEAT_REPLY, .seq = -1};
    size_t len = wire_reply(WIRE_WS_JSON, &auth, out, sizeof out);
    assert_int_equal(len, 2 + sizeof json - 1);
    assert_memory_equal(out + 2, json, sizeof json - 1);
    static const uint8_t frame[] = {0, 0, 0, 16, 0, 16, 0, 2, 0, 0, 0, 3, 0xff, 0xff, 0xff, 0xff};
    len = wire_reply(WIRE_TCP, &beat, out, sizeof out);
    assert_int_equal(len, sizeof frame);
    assert_memory_equal(out, frame, sizeof frame);
    len = wire_reply(WIRE_GOIM_WS, &beat, out, sizeof out);
    assert_int_equal(len, 2 + sizeof frame);
    assert_int_equal(out[0], 0x82);
    assert_memory_equal(out + 2, frame, sizeof frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_push_is_imgos_bytes),
        cmocka_unit_test(tcp_batch_is_frames_back_to_back),
        cmocka_unit_test(goims_pushes_have_version_1),
        cmocka_unit_test(json_push_is_imgos_bytes),
        cmocka_unit_test(json_loses_its_byte_order_mark),
        cmocka_unit_test(one_push_alone_is_the_same_as_a_batch_of_one),
        cmocka_unit_test(too_small_a_buffer_is_not_touched),
        cmocka_unit_test(long_messages_have_a_64_bit_length),
        cmocka_unit_test(an_acknowledged_push_has_sequence_and_id),
        cmocka_unit_test(replies_echo_version_and_sequence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "bench/run/transport.h"
#include "bench/run/ws.h"
#include "common/protocol/frame.h"
#include "common/protocol/ops.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char seen[512];
static uint8_t told[64]; /* the last body */
static size_t told_len;

static void note(void *arg, int32_t op, const uint8_t *body, size_t len)
{
    size_t at = strlen(seen);

    (void)arg;
    told_len = len < sizeof told ? len : sizeof told;
    if (told_len > 0)
        memcpy(told, body, told_len);
    snprintf(seen + at, sizeof seen - at, "%d:%.*s;", op, (int)len, (const char *)body);
}

static int setup(void **state)
{
    (void)state;
    seen[0] = '\0';
    return 0;
}

static const struct transport_who who = {.token = "tok", .room = "live://1", .mid = 7};

/* VERSION is the sequence, too, as in replies to the bench and in imgo's pushes. */
static size_t put_frame(uint8_t *out, uint16_t version, int32_t op, const char *body)
{
    size_t len = strlen(body);

    frame_header(out, version, op, version, len);
    memcpy(out + FRAME_HEADER, body, len);
    return FRAME_HEADER + len;
}

static size_t put_goim_push(uint8_t *out, const char *body)
{
    size_t len = put_frame(out, 1, OP_PUSH, body);

    out[15] = 0; /* the sequence */
    return len;
}

/* What a server sends: unmasked. */
static size_t put_message(uint8_t *out, unsigned opcode, const void *payload, size_t len)
{
    out[0] = (uint8_t)(0x80 | opcode);
    out[1] = (uint8_t)(len < 126 ? len : 126);
    out[2] = (uint8_t)(len >> 8);
    out[3] = (uint8_t)len;
    memcpy(out + (len < 126 ? 2 : 4), payload, len);
    return len + (len < 126 ? 2 : 4);
}

static size_t put_text(uint8_t *out, const char *text)
{
    return put_message(out, WS_TEXT, text, strlen(text));
}

/* A message of an operation 9 around LEN bytes of BODY. */
static size_t put_batch(uint8_t *out, const uint8_t *body, size_t len)
{
    uint8_t frame[512];

    frame_header(frame, 1, OP_RAW, 0, len);
    memcpy(frame + FRAME_HEADER, body, len);
    return put_message(out, WS_BINARY, frame, FRAME_HEADER + len);
}

/* What the reader of NAME makes of the LEN bytes of BUF. */
static long take(const char *name, const uint8_t *buf, size_t len)
{
    seen[0] = '\0';
    return transport_find(name)->take(buf, len, note, NULL);
}

static void frames_are_taken_whole(void **state)
{
    const struct transport *tcp = transport_find("tcp");
    uint8_t buf[256];
    size_t first = put_frame(buf, 1, OP_AUTH_REPLY, ""),
           both = first + put_frame(buf + first, 0, OP_PUSH, "abc");

    (void)state;
    assert_int_equal(tcp->take(buf, both - 1, note, NULL), first);
    assert_string_equal(seen, "8:;");
    seen[0] = '\0';
    assert_int_equal(tcp->take(buf, both, note, NULL), both);
    assert_string_equal(seen, "8:;5:abc;");
    buf[4] = 0xff;
    buf[0] = 0;
    assert_int_equal(tcp->take(buf, both, note, NULL), -EBADMSG);
}

static void imgos_auth_is_byte_for_byte(void **state)
{
    static const uint8_t wanted[] = {0, 0, 0, 0x13, 0, 0x10, 0,   1,   0,  0,
                                     0, 7, 0, 0,    0, 1,    't', 'o', 'k'};
    uint8_t out[TRANSPORT_OUT_MAX];

    (void)state;
    assert_int_equal(transport_find("tcp")->auth(out, &who), sizeof wanted);
    assert_memory_equal(out, wanted, sizeof wanted);
}

static void an_array_is_taken_apart(void **state)
{
    static const char text[] =
        "[{\"ver\":1,\"op\":8,\"seq\":1,\"body\":{}},"
        "{\"ver\":0,\"op\":5,\"seq\":0,\"body\":{\"t\":\"}],\\\"\",\"a\":[1,{}]}},"
        "{\"ver\":0,\"op\":5,\"seq\":0,\"body\":\"x\"},{\"ver\":0,\"op\":5,\"seq\":0,\"body\":12}]";
    const struct transport *ws = transport_find("ws");
    uint8_t buf[512];
    size_t len = put_text(buf, text);

    (void)state;
    assert_int_equal(ws->take(buf, len - 1, note, NULL), 0);
    assert_string_equal(seen, "");
    assert_int_equal(ws->take(buf, len, note, NULL), len);
    assert_string_equal(seen, "8:{};5:{\"t\":\"}],\\\"\",\"a\":[1,{}]};5:\"x\";5:12;");
}

static void nonsense_is_told(void **state)
{
    static const char *const texts[] = {
        "", "{}", "[", "[{\"op\":5}]", "[{\"op\":5,\"body\":{]", "[{\"op\":5,\"body\":1}",
    };
    const struct transport *ws = transport_find("ws");
    uint8_t buf[256];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t len = put_text(buf, texts[i]);
        assert_int_equal(ws->take(buf, len, note, NULL), -EBADMSG);
    }
    buf[0] = 0x80 | 0x40 | WS_TEXT;
    assert_int_equal(ws->take(buf, 2, note, NULL), -EBADMSG);
}

static void the_handshake_is_judged(void **state)
{
    static const char good[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    static const char bad[] = "HTTP/1.1 400 Bad Request\r\n\r\n";

    (void)state;
    assert_int_equal(ws_answer(good, sizeof good - 1), sizeof good - 1);
    assert_int_equal(ws_answer(good, sizeof good - 2), 0);
    assert_int_equal(ws_answer(bad, sizeof bad - 1), -EPROTO);
}

static void what_a_client_sends_is_masked(void **state)
{
    uint8_t out[TRANSPORT_OUT_MAX];
    size_t len = transport_find("ws")->auth(out, &who);
    char text[64] = "";

    (void)state;
    assert_int_equal(out[0], 0x80 | WS_TEXT);
    assert_int_equal(out[1], 0x80 | (len - 6));
    for (size_t i = 0; i < len - 6; i++)
        text[i] = (char)(out[6 + i] ^ out[2 + (i & 3)]);
    assert_string_equal(text, "{\"ver\":1,\"op\":7,\"seq\":1,\"body\":\"tok\"}");
}

/* Each row is wrong in one thing: version, sequence, operation, or length of the body. */
static void frames_of_another_form_are_told(void **state)
{
    static const struct {
        const char *name, *body;
        uint16_t version;
        int32_t op, seq;
        bool ok;
    } rows[] = {
        {"tcp", "x", 0, OP_PUSH, 0, true},
        {"tcp", "x", 1, OP_PUSH, 0, false},
        {"tcp", "x", 0, OP_PUSH, 1, false},
        {"tcp", "", 1, OP_HEARTBEAT_REPLY, 1, true},
        {"tcp", "1234", 1, OP_HEARTBEAT_REPLY, 1, false},
        {"tcp", "", 1, OP_AUTH_REPLY, 2, false},
        {"tcp", "x", 0, OP_RAW, 0, false},
        {"goim-tcp", "x", 1, OP_PUSH, 0, true},
        {"goim-tcp", "x", 0, OP_PUSH, 0, false},
        {"goim-tcp", "x", 1, OP_PUSH, 1, false},
        {"goim-tcp", "1234", 1, OP_HEARTBEAT_REPLY, 1, true},
        {"goim-tcp", "", 1, OP_HEARTBEAT_REPLY, 1, false},
        {"goim-tcp", "1234", 0, OP_HEARTBEAT_REPLY, 1, false},
        {"goim-tcp", "", 1, OP_AUTH_REPLY, 1, true},
        {"goim-tcp", "{}", 1, OP_AUTH_REPLY, 1, false},
        {"goim-tcp", "x", 1, OP_RAW, 0, false},
        {"goim-tcp", "x", 1, 1000, 0, false},
        {"goim-tcp", "{}", 1, OP_DISCONNECT, 0, true},
    };
    uint8_t buf[64];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len = put_frame(buf, rows[i].version, rows[i].op, rows[i].body);
        frame_write_be32(buf + 12, (uint32_t)rows[i].seq);
        assert_int_equal(take(rows[i].name, buf, len), rows[i].ok ? (long)len : -EBADMSG);
        assert_int_equal(seen[0] != '\0', rows[i].ok);
    }
}

static void a_goim_batch_is_taken_apart(void **state)
{
    uint8_t frames[64], reply[64], buf[256];
    size_t first = put_goim_push(frames, "abc"), both = first + put_goim_push(frames + first, "");
    size_t len = put_batch(buf, frames, both);
    size_t reply_len = put_frame(reply, 1, OP_HEARTBEAT_REPLY, "1234");
    size_t all = len + put_message(buf + len, WS_BINARY, reply, reply_len);

    (void)state;
    assert_int_equal(take("goim-ws", buf, all), all);
    assert_string_equal(seen, "5:abc;5:;3:1234;");
    assert_int_equal(take("goim-ws", buf, all - 1), len);
    assert_string_equal(seen, "5:abc;5:;");
    assert_int_equal(take("goim-ws", buf, len - 1), 0);
}

static void goim_messages_of_another_form_are_told(void **state)
{
    uint8_t frames[64], buf[256];
    size_t first = put_goim_push(frames, "abc");
    size_t both = first + put_frame(frames + first, 1, OP_AUTH_REPLY, "");

    (void)state;
    /* a push outside an operation 9; two frames in a message; text; an empty message */
    assert_int_equal(take("goim-ws", buf, put_message(buf, WS_BINARY, frames, first)), -EBADMSG);
    assert_int_equal(take("goim-ws", buf, put_message(buf, WS_BINARY, frames, both)), -EBADMSG);
    assert_int_equal(take("goim-ws", buf, put_message(buf, WS_TEXT, frames + first, both - first)),
                     -EBADMSG);
    assert_int_equal(take("goim-ws", buf, put_message(buf, WS_BINARY, "", 0)), -EBADMSG);
    /* an operation 9 that is empty, cut off, holds a reply, holds another operation 9 */
    assert_int_equal(take("goim-ws", buf, put_batch(buf, frames, 0)), -EBADMSG);
    assert_int_equal(take("goim-ws", buf, put_batch(buf, frames, first - 1)), -EBADMSG);
    assert_int_equal(take("goim-ws", buf, put_batch(buf, frames, first + 7)), -EBADMSG);
    assert_int_equal(take("goim-ws", buf, put_batch(buf, frames, both)), -EBADMSG);
    frame_header(frames + first, 1, OP_RAW, 0, 0);
    assert_int_equal(take("goim-ws", buf, put_batch(buf, frames, both)), -EBADMSG);
    /* JSON's reader takes no binary message */
    assert_int_equal(take("ws", buf, put_batch(buf, frames, first)), -EBADMSG);
}

/* A push of an acknowledged session: sequence SEQ, id 9. */
static size_t put_acked_push(uint8_t *out, int32_t seq, const char *body)
{
    size_t len = strlen(body);

    frame_header(out, 1, OP_PUSH, seq, len);
    frame_header_add_id(out, 9, len);
    memcpy(out + FRAME_HEADER_ID, body, len);
    return FRAME_HEADER_ID + len;
}

/* What is to be sent comes as an operation 18, once for all that was read. */
static void acknowledged_pushes_are_acknowledged(void **state)
{
    static const char ack[] = "\0\0\0\x10\0\x10\0\1\0\0\0\x12\0\0\0\5";
    uint8_t frames[128], buf[256];
    size_t len = put_acked_push(frames, 4, "abc");

    (void)state;
    len += put_acked_push(frames + len, 5, "");
    assert_int_equal(take("acked-tcp", frames, len), len);
    assert_int_equal(strncmp(seen, "5:abc;5:;18:", 12), 0);
    assert_int_equal(told_len, 16);
    assert_memory_equal(told, ack, 16);
    assert_int_equal(take("acked-ws", buf, put_batch(buf, frames, len)),
                     put_batch(buf, frames, len));
    assert_int_equal(strncmp(seen, "5:abc;5:;18:", 12), 0);
    assert_int_equal(told_len, 2 + 4 + 16);
    /* Neither a plain session's push, nor one without a sequence. */
    assert_int_equal(take("goim-tcp", frames, len), -EBADMSG);
    len = put_goim_push(frames, "abc");
    assert_int_equal(take("acked-tcp", frames, len), -EBADMSG);
    assert_int_equal(take("acked-ws", buf, put_batch(buf, frames, len)), -EBADMSG);
    len = put_acked_push(frames, 0, "abc");
    assert_int_equal(take("acked-tcp", frames, len), -EBADMSG);
}

static void an_operation_9_has_version_1_and_sequence_0(void **state)
{
    uint8_t frames[64], buf[256];
    size_t len = put_batch(buf, frames, put_goim_push(frames, "abc"));

    (void)state;
    assert_int_equal(take("goim-ws", buf, len), len);
    buf[2 + 7] = 0;
    assert_int_equal(take("goim-ws", buf, len), -EBADMSG);
    buf[2 + 7] = 1;
    buf[2 + 15] = 1;
    assert_int_equal(take("goim-ws", buf, len), -EBADMSG);
}

static void goims_auth_names_everything(void **state)
{
    static const char wanted[] =
        "{\"mid\":7,\"key\":\"tok\",\"room_id\":\"live://1\",\"platform\":\"bench\","
        "\"accepts\":[5],\"token\":\"tok\"}";
    uint8_t tcp[TRANSPORT_OUT_MAX], ws[TRANSPORT_OUT_MAX];
    size_t len = transport_find("goim-tcp")->auth(tcp, &who);

    (void)state;
    assert_int_equal(len, FRAME_HEADER + sizeof wanted - 1);
    assert_memory_equal(tcp + 6, "\0\1\0\0\0\7\0\0\0\1", 10);
    assert_memory_equal(tcp + FRAME_HEADER, wanted, sizeof wanted - 1);
    /* on WebSocket the same frame, masked, in a binary message */
    assert_int_equal(transport_find("goim-ws")->auth(ws, &who), len + 6);
    assert_int_equal(ws[0], 0x80 | WS_BINARY);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(ws[6 + i] ^ ws[2 + (i & 3)], tcp[i]);
}

/* A run of pushes is compared with these bytes, and with nothing else. */
static void a_goim_push_is_byte_for_byte(void **state)
{
    uint8_t out[TRANSPORT_OUT_MAX], wanted[64];
    size_t len = put_goim_push(wanted, "{\"test\":1}");

    (void)state;
    assert_int_equal(transport_find("goim-tcp")->push(out, "{\"test\":1}"), len);
    assert_memory_equal(out, wanted, len);
    assert_null(transport_find("goim-ws")->push);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(frames_are_taken_whole, setup),
        cmocka_unit_test_setup(imgos_auth_is_byte_for_byte, setup),
        cmocka_unit_test_setup(an_array_is_taken_apart, setup),
        cmocka_unit_test_setup(nonsense_is_told, setup),
        cmocka_unit_test_setup(the_handshake_is_judged, setup),
        cmocka_unit_test_setup(what_a_client_sends_is_masked, setup),
        cmocka_unit_test_setup(frames_of_another_form_are_told, setup),
        cmocka_unit_test_setup(a_goim_batch_is_taken_apart, setup),
        cmocka_unit_test_setup(goim_messages_of_another_form_are_told, setup),
        cmocka_unit_test_setup(an_operation_9_has_version_1_and_sequence_0, setup),
        cmocka_unit_test_setup(goims_auth_names_everything, setup),
        cmocka_unit_test_setup(acknowledged_pushes_are_acknowledged, setup),
        cmocka_unit_test_setup(a_goim_push_is_byte_for_byte, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "bench/run/transport.h"
#include "bench/run/ws.h"
#include "common/protocol/frame.h"
#include "common/protocol/ops.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char seen[512];

static void note(void *arg, int32_t op, const uint8_t *body, size_t len)
{
    size_t at = strlen(seen);

    (void)arg;
    snprintf(seen + at, sizeof seen - at, "%d:%.*s;", op, (int)len, (const char *)body);
}

static int setup(void **state)
{
    (void)state;
    seen[0] = '\0';
    return 0;
}

static size_t put_frame(uint8_t *out, int32_t op, const char *body)
{
    size_t len = strlen(body);

    frame_header(out, 0, op, 0, len);
    memcpy(out + FRAME_HEADER, body, len);
    return FRAME_HEADER + len;
}

/* What a server sends: unmasked. */
static size_t put_text(uint8_t *out, const char *text)
{
    size_t len = strlen(text);

    out[0] = 0x80 | WS_TEXT;
    out[1] = (uint8_t)(len < 126 ? len : 126);
    out[2] = (uint8_t)(len >> 8);
    out[3] = (uint8_t)len;
    memcpy(out + (len < 126 ? 2 : 4), text, len);
    return len + (len < 126 ? 2 : 4);
}

static void frames_are_taken_whole(void **state)
{
    const struct transport *tcp = transport_find("tcp");
    uint8_t buf[256];
    size_t first = put_frame(buf, OP_AUTH_REPLY, ""),
           both = first + put_frame(buf + first, 5, "abc");

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
    assert_int_equal(transport_find("tcp")->auth(out, "tok"), sizeof wanted);
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
    size_t len = transport_find("ws")->auth(out, "tok");
    char text[64] = "";

    (void)state;
    assert_int_equal(out[0], 0x80 | WS_TEXT);
    assert_int_equal(out[1], 0x80 | (len - 6));
    for (size_t i = 0; i < len - 6; i++)
        text[i] = (char)(out[6 + i] ^ out[2 + (i & 3)]);
    assert_string_equal(text, "{\"ver\":1,\"op\":7,\"seq\":1,\"body\":\"tok\"}");
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

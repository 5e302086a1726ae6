/* WebSocket: the handshake, messages, how it ends. */
#include "common/base/time.h"
#include "tests/unit/client/wire_fixture.h"

#include <errno.h>
#include <stdlib.h>

/* --- WebSocket --- */

/* The next frame of those that the peer received, unmasked; AT moves behind it. */
static void expect_frame(struct peer *peer, size_t *at, int first, const char *payload, size_t len)
{
    char *frame = peer->received + *at;

    assert_in_range(*at + 6 + len, 0, peer->received_len);
    assert_int_equal((uint8_t)frame[0], first);
    assert_int_equal((uint8_t)frame[1], 0x80 | len);
    for (size_t i = 0; i < len; i++)
        frame[6 + i] ^= frame[2 + i % 4];
    assert_memory_equal(frame + 6, payload, len);
    *at += 6 + len;
}

/* A ping inside a fragmented batch of two, then a close with code 4001. */
static void test_websocket(void **state)
{
    static const char bytes[] = "\x01\x1c[{\"op\":8,\"seq\":1,\"body\":{}},"
                                "\x89\x01p"
                                "\x80\x21{\"op\":5,\"seq\":0,\"body\":[1, \"a\"]}]"
                                "\x88\x05\x0f\xa1"
                                "bye";
    struct peer peer = {.kind = PEER_WS, .bytes = bytes, .len = sizeof bytes - 1};
    struct wire *wire = start(&peer);

    (void)state;
    expect(wire, 8, 1, "{}");
    expect(wire, 5, 0, "[1,\"a\"]");
    expect_end(wire, -ECONNRESET, "closed the WebSocket: code 4001 bye");
    assert_int_equal(wire_send(wire, 2, 2, "", 0), -ECONNRESET);
    peer_stop(&peer, wire);
    assert_string_equal(peer.host, peer.address);
}

/* Answers, without any message, until the peer has LEN bytes. */
static void await_received(struct peer *peer, struct wire *wire, size_t len)
{
    int64_t since = time_mono_ms();
    struct wire_message message;

    while (peer->received_len < len) {
        assert_in_range(time_mono_ms() - since, 0, LATE_MS);
        assert_int_equal(wire_next(wire, 10, &message), 0);
    }
}

/* What the peer got in answer to a ping and to a close. */
static void test_websocket_answers(void **state)
{
    struct peer peer = {.kind = PEER_WS, .bytes = "\x89\x01p", .len = 3, .keep_open = true};
    struct wire *wire = start(&peer);
    size_t at = 0;

    (void)state;
    await_received(&peer, wire, 6 + 35 + 6 + 1);
    peer_stop(&peer, wire);
    expect_frame(&peer, &at, 0x81, "{\"ver\":1,\"op\":7,\"seq\":1,\"body\":\"k\"}", 35);
    expect_frame(&peer, &at, 0x8a, "p", 1);
    expect_frame(&peer, &at, 0x88, "\x03\xe8", 2);
    peer = (struct peer){.kind = PEER_WS,
                         .bytes = "\x88\x05\x0f\xa1"
                                  "bye",
                         .len = 7,
                         .keep_open = true};
    wire = start(&peer);
    expect_end(wire, -ECONNRESET, "code 4001 bye");
    peer_stop(&peer, wire);
    at = 0;
    expect_frame(&peer, &at, 0x81, "{\"ver\":1,\"op\":7,\"seq\":1,\"body\":\"k\"}", 35);
    expect_frame(&peer, &at, 0x88,
                 "\x0f\xa1"
                 "bye",
                 5);
}

/* A goodbye is a close frame, and waits not long for a server that says nothing. */
static void test_websocket_goodbye(void **state)
{
    struct peer peer = {.kind = PEER_WS, .bytes = "", .keep_open = true};
    struct wire *wire = start(&peer);
    struct wire_message message;
    int64_t since = time_mono_ms();
    size_t at = 0;

    (void)state;
    assert_int_equal(wire_next(wire, 0, &message), 0);
    assert_int_equal(wire_next(wire, 200, &message), 0);
    assert_in_range(time_mono_ms() - since, 200, LATE_MS);
    assert_int_equal(wire_send(wire, 2, 2, "", 0), 0);
    peer_stop(&peer, wire);
    assert_in_range(time_mono_ms() - since, 1000, LATE_MS);
    expect_frame(&peer, &at, 0x81, "{\"ver\":1,\"op\":7,\"seq\":1,\"body\":\"k\"}", 35);
    expect_frame(&peer, &at, 0x81, "{\"ver\":1,\"op\":2,\"seq\":2,\"body\":{}}", 34);
    expect_frame(&peer, &at, 0x88, "\x03\xe8", 2);
    assert_int_equal(peer.received_len, at);
}

static void test_websocket_nonsense(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        int err;
        const char *words;
    } cases[] = {
        {"\x81\x02{}", 4, -EBADMSG, "no array"},
        {"\x81\x02[{", 4, -EBADMSG, "invalid JSON"},
        {"\x81\x06[\"\xff\xff\"]", 8, -EBADMSG, "invalid JSON"},
        {"\x81\x04[{}]", 6, -EBADMSG, "without \"op\""},
        {"\x82\x04[{}]", 6, -EBADMSG, "binary"},
        {"\x83\x01x", 3, -EBADMSG, "broke the WebSocket protocol"},          /* unknown opcode */
        {"\xc1\x01x", 3, -EBADMSG, "broke the WebSocket protocol"},          /* reserved bit */
        {"\x80\x01x", 3, -EBADMSG, "broke the WebSocket protocol"},          /* continues nothing */
        {"\x01\x01[\x81\x01]", 6, -EBADMSG, "broke the WebSocket protocol"}, /* continues not */
        {"\x88\x00", 2, -ECONNRESET, "closed the WebSocket"},
        {"\x88\x02\x0f\xa9", 4, -ECONNRESET, "code 4009"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer peer = {
            .kind = PEER_WS, .bytes = cases[i].bytes, .len = cases[i].len, .keep_open = true};
        struct wire *wire = start(&peer);
        expect_end(wire, cases[i].err, cases[i].words);
        peer_stop(&peer, wire);
    }
}

/* No close frame: the connection just ends; what had come before is told first. */
static void test_websocket_cut_off(void **state)
{
    struct peer peer = {.kind = PEER_WS, .bytes = "\x81\x0a[{\"op\":5}]", .len = 12};
    struct wire *wire = start(&peer);

    (void)state;
    expect(wire, 5, 0, "");
    expect_end(wire, -ECONNRESET, "closed the connection");
    peer_stop(&peer, wire);
}

/* Appends a frame of a server. */
static size_t put_frame(uint8_t *out, int first, const char *payload, size_t len)
{
    size_t n = 2;

    out[0] = (uint8_t)first;
    out[1] = len < 126 ? (uint8_t)len : len < 65536 ? 126 : 127;
    if (len >= 126)
        for (int shift = len < 65536 ? 8 : 56; shift >= 0; shift -= 8)
            out[n++] = (uint8_t)((uint64_t)len >> shift);
    memcpy(out + n, payload, len);
    return n + len;
}

/* 1 MiB twice: as one frame, and in fragments of odd lengths with pings between them. */
static void test_websocket_big(void **state)
{
    char *text = malloc(BIG + 64), *body = text + strlen("[{\"op\":5,\"seq\":0,\"body\":");
    uint8_t *bytes = malloc(3 * BIG);
    struct peer peer = {.kind = PEER_WS, .bytes = bytes, .quick = true};
    size_t len, part;
    struct wire *wire;

    (void)state;
    memcpy(text, "[{\"op\":5,\"seq\":0,\"body\":\"", 26);
    memset(body + 1, 'x', BIG);
    memcpy(body + 1 + BIG, "\"}]", 4);
    len = strlen(text);
    peer.len = put_frame(bytes, 0x81, text, len);
    for (size_t at = 0, step = 1; at < len; at += part, step = step * 3 + 1) {
        part = step < len - at ? step : len - at;
        peer.len +=
            put_frame(bytes + peer.len, (at == 0 ? 0x01 : 0) | (at + part == len ? 0x80 : 0),
                      text + at, part);
        peer.len += put_frame(bytes + peer.len, 0x89, "", 0);
    }
    wire = start(&peer);
    body[BIG + 2] = '\0'; /* as it is expected */
    expect(wire, 5, 0, body);
    expect(wire, 5, 0, body);
    peer_stop(&peer, wire);
    free(bytes);
    free(text);
}

/* --- opening --- */

static void test_handshake_refused(void **state)
{
    static const struct {
        enum peer_kind kind;
        const char *bytes, *words;
    } cases[] = {
        {PEER_RAW, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 403 Forbidden"},
        {PEER_RAW, "HTTP/1.1 302 Found\r\nLocation: /else\r\n\r\n", "HTTP/1.1 302 Found"},
        {PEER_RAW, "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "failed"},
        {PEER_RAW, "SSH-2.0-x\r\n\r\n", "handshake"},
        {PEER_RAW, "", "handshake"},
        {PEER_BAD_HASH, "", "failed"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer peer = {
            .kind = cases[i].kind, .bytes = cases[i].bytes, .len = strlen(cases[i].bytes)};
        peer_start(&peer);
        refused(WIRE_WS, peer.address, LATE_MS, -EPROTO, cases[i].words);
        peer_stop(&peer, NULL);
    }
}

/* Neither silence after the request nor a connection nobody accepts makes it wait longer. */
static void test_handshake_silence(void **state)
{
    int64_t since = time_mono_ms();
    char address[64];
    int listener = listen_on(AF_INET, address, sizeof address);

    (void)state;
    refused(WIRE_WS, address, 1500, -ETIMEDOUT, "no answer to the WebSocket handshake");
    assert_in_range(time_mono_ms() - since, 1500, LATE_MS);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_websocket),         cmocka_unit_test(test_websocket_answers),
        cmocka_unit_test(test_websocket_goodbye), cmocka_unit_test(test_websocket_nonsense),
        cmocka_unit_test(test_websocket_cut_off), cmocka_unit_test(test_websocket_big),
        cmocka_unit_test(test_handshake_refused), cmocka_unit_test(test_handshake_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

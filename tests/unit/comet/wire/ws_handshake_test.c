#include "comet/wire/ws_handshake.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEY      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION  "Sec-WebSocket-Version: 13\r\n"
#define UPGRADE  "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define HOST     "Host: example.com\r\n"
#define COMPLETE HOST UPGRADE KEY VERSION
#define GET      "GET /sub HTTP/1.1\r\n"

static struct ws_rules rules = {.path = "/sub", .origins = "", .max_header = 8192};
static struct ws_accepted accepted;
static struct ws_refusal refusal;

static long parse(const char *text)
{
    return ws_handshake_parse((const uint8_t *)text, strlen(text), &rules, &accepted, &refusal);
}

static void good_requests(void **state)
{
    (void)state;
    static const char *const requests[] = {
        GET COMPLETE "\r\n",
        "GET /sub?token=x HTTP/1.1\r\n" COMPLETE "\r\n",
        "GET http://example.com/sub HTTP/1.1\r\n" COMPLETE "\r\n",
        "GET HTTP://example.com:80/sub?token=http://x/y HTTP/1.1\r\n" COMPLETE "\r\n",
        "GET https://example.com/sub HTTP/1.1\r\n" COMPLETE "\r\n",
        GET "host:x\r\nUPGRADE: h2c , WebSocket\r\nconnection:keep-alive,\tupgrade \r\n"
            "sec-websocket-key:dGhlIHNhbXBsZSBub25jZQ==\r\nSEC-WEBSOCKET-VERSION: 13\r\n\r\n",
        GET HOST
        "Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" KEY VERSION
        "Origin: http://evil.example\r\nX-Empty:\r\nContent-Length: 0\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        assert_int_equal(parse(requests[i]), strlen(requests[i]));
        assert_memory_equal(accepted.key, "dGhlIHNhbXBsZSBub25jZQ==", WS_KEY_LEN);
    }
    /* Frames right behind it are not consumed, and any part of it is not enough. */
    assert_int_equal(parse(GET COMPLETE "\r\n\x81\x80"), strlen(requests[0]));
    for (size_t len = 0; len < strlen(requests[0]); len++)
        assert_int_equal(
            ws_handshake_parse((const uint8_t *)requests[0], len, &rules, &accepted, &refusal), 0);
}

static void bad_requests(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *text;
    } cases[] = {
        {404, "GET / HTTP/1.1\r\n" COMPLETE "\r\n"},
        {404, "GET /sub/ HTTP/1.1\r\n" COMPLETE "\r\n"},
        {404, "GET /SUB HTTP/1.1\r\n" COMPLETE "\r\n"},
        {404, "GET http://example.com HTTP/1.1\r\n" COMPLETE "\r\n"},
        {404, "GET http://example.com/ HTTP/1.1\r\n" COMPLETE "\r\n"},
        {404, "GET http://example.com/x/sub HTTP/1.1\r\n" COMPLETE "\r\n"},
        {404, "GET http://example.com?/sub HTTP/1.1\r\n" COMPLETE "\r\n"},
        {404, "GET http:///sub HTTP/1.1\r\n" COMPLETE "\r\n"},
        {404, "GET ftp://example.com/sub HTTP/1.1\r\n" COMPLETE "\r\n"},
        {405, "POST /sub HTTP/1.1\r\n" COMPLETE "\r\n"},
        {405, "HEAD /sub HTTP/1.1\r\n" COMPLETE "\r\n"},
        {505, "GET /sub HTTP/1.0\r\n" COMPLETE "\r\n"},
        {505, "GET /sub HTTP/1.11\r\n" COMPLETE "\r\n"},
        {400, "GET /sub\r\n" COMPLETE "\r\n"},
        {400, "GET  /sub HTTP/1.1\r\n" COMPLETE "\r\n"},
        {400, GET UPGRADE KEY VERSION "\r\n"},
        {400, GET HOST HOST UPGRADE KEY VERSION "\r\n"},
        {426, GET HOST "Connection: Upgrade\r\n" KEY VERSION "\r\n"},
        {426, GET HOST "Connection: Upgrade\r\nUpgrade: websockets\r\n" KEY VERSION "\r\n"},
        {400, GET HOST "Upgrade: websocket\r\n" KEY VERSION "\r\n"},
        {400, GET HOST "Upgrade: websocket\r\nConnection: close\r\n" KEY VERSION "\r\n"},
        {426, GET HOST UPGRADE KEY "\r\n"},
        {426, GET HOST UPGRADE KEY "Sec-WebSocket-Version: 8\r\n\r\n"},
        {400, GET HOST UPGRADE VERSION "\r\n"},
        {400, GET HOST UPGRADE VERSION "Sec-WebSocket-Key: c2hvcnQ=\r\n\r\n"},
        {400, GET HOST UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ!=\r\n\r\n"},
        {400, GET HOST UPGRADE VERSION KEY KEY "\r\n"},
        {400, GET COMPLETE "Content-Length: 5\r\n\r\n"},
        {400, GET COMPLETE "Transfer-Encoding: chunked\r\n\r\n"},
        {400, GET COMPLETE " folded\r\n\r\n"},
        {400, GET COMPLETE "no colon\r\n\r\n"},
        {400, GET COMPLETE "bad name : x\r\n\r\n"},
        {400, GET COMPLETE ": x\r\n\r\n"},
        {400, GET COMPLETE "X: a\x01"
                           "b\r\n\r\n"},
        {400, GET COMPLETE "X: a\nY: b\r\n\r\n"},
        {400, "GET /sub HTTP/1.1\nHost: x\n\n"},
        {400, "\x16\x03\x01"}, /* TLS */
        {400, "get /sub"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        refusal.status = 0;
        assert_int_equal(parse(cases[i].text), -EPROTO);
        assert_int_equal(refusal.status, cases[i].status);
    }
}

static void headers_have_a_limit(void **state)
{
    (void)state;
    char *text = calloc(1, 20000);
    strncpy(text, GET COMPLETE "X: ", 1000);
    size_t len = strlen(text);
    memset(text + len, 'x', 8192 - len - 4);
    memcpy(text + 8192 - 4, "\r\n\r\n", 4);
    assert_int_equal(parse(text), 8192); /* at the limit */
    memcpy(text + 8192 - 4, "x\r\n\r\n", 5);
    assert_int_equal(parse(text), -EPROTO);
    assert_int_equal(refusal.status, 431);
    free(text);
}

static void origins_are_checked_if_there_is_a_list(void **state)
{
    (void)state;
    static const char with[] = GET COMPLETE "Origin: https://Example.com\r\n\r\n";
    rules.origins = "https://other.example, https://example.com";
    assert_true(parse(with) > 0);
    assert_true(parse(GET COMPLETE "\r\n") > 0); /* no browser */
    rules.origins = "https://other.example";
    assert_int_equal(parse(with), -EPROTO);
    assert_int_equal(refusal.status, 403);
    rules.origins = "*";
    assert_true(parse(with) > 0);
    rules.origins = "";
}

static const char *protocol_of(const char *text)
{
    static char out[WS_PROTOCOL_MAX + 1];
    assert_true(parse(text) > 0);
    if (accepted.protocol == NULL)
        return "none";
    (void)snprintf(out, sizeof out, "%.*s", (int)accepted.protocol_len, accepted.protocol);
    return out;
}

static void one_of_the_subprotocols_is_taken_up(void **state)
{
    (void)state;
#define OFFER(list) "Sec-WebSocket-Protocol: " list "\r\n"
    assert_string_equal(protocol_of(GET COMPLETE "\r\n"), "none");
    assert_string_equal(protocol_of(GET COMPLETE OFFER("imgo, json") "\r\n"), "imgo");
    assert_string_equal(protocol_of(GET COMPLETE OFFER(" ,b") OFFER("c") "\r\n"), "b");
    rules.protocols = "json, c";
    assert_string_equal(protocol_of(GET COMPLETE OFFER("imgo, json") "\r\n"), "json");
    assert_string_equal(protocol_of(GET COMPLETE OFFER("imgo") OFFER("x,c,json") "\r\n"), "c");
    assert_string_equal(protocol_of(GET COMPLETE OFFER("JSON") "\r\n"), "none");
    rules.protocols = NULL;
    assert_int_equal(parse(GET COMPLETE OFFER("a b") "\r\n"), -EPROTO);
    assert_int_equal(refusal.status, 400);
    assert_int_equal(parse(GET COMPLETE OFFER("a\"b") "\r\n"), -EPROTO);
}

/* Some clients put a token there. */
static void a_subprotocol_has_a_longest_name(void **state)
{
    (void)state;
    char text[4096], out[WS_RESPONSE_MAX], name[WS_PROTOCOL_MAX + 2];
    for (size_t len = WS_PROTOCOL_MAX; len <= WS_PROTOCOL_MAX + 1; len++) {
        memset(name, 'n', sizeof name);
        name[len] = '\0';
        (void)snprintf(text, sizeof text, GET COMPLETE OFFER("%s") "\r\n", name);
        assert_int_equal(parse(text) > 0, len == WS_PROTOCOL_MAX);
    }
    name[WS_PROTOCOL_MAX] = '\0';
    (void)snprintf(text, sizeof text, GET COMPLETE OFFER("%s") "\r\n", name);
    assert_true(parse(text) > 0);
    size_t len = ws_handshake_accept(&accepted, out);
    assert_int_equal(len, 129 + 26 + WS_PROTOCOL_MAX);
    assert_memory_equal(out + len - 6, "nn\r\n\r\n", 6);
}

static void responses(void **state)
{
    (void)state;
    char out[WS_RESPONSE_MAX];
    struct ws_accepted plain = {.protocol = NULL};
    memcpy(plain.key, "dGhlIHNhbXBsZSBub25jZQ==", WS_KEY_LEN);
    size_t len = ws_handshake_accept(&plain, out);
    static const char upgraded[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                   "Connection: Upgrade\r\n"
                                   "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    assert_int_equal(len, sizeof upgraded - 1);
    assert_memory_equal(out, upgraded, len);
    len = ws_handshake_refuse(426, "old", out);
    static const char refused[] = "HTTP/1.1 426 Upgrade Required\r\n"
                                  "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\n"
                                  "Connection: close\r\nUpgrade: websocket\r\n"
                                  "Sec-WebSocket-Version: 13\r\n\r\nold\n";
    assert_int_equal(len, sizeof refused - 1);
    assert_memory_equal(out, refused, len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_requests),
        cmocka_unit_test(bad_requests),
        cmocka_unit_test(headers_have_a_limit),
        cmocka_unit_test(origins_are_checked_if_there_is_a_list),
        cmocka_unit_test(one_of_the_subprotocols_is_taken_up),
        cmocka_unit_test(a_subprotocol_has_a_longest_name),
        cmocka_unit_test(responses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

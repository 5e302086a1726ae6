/* Where a request ends, and what is refused because two readers might see two ends. */
#include "tests/unit/common/http/server_fixture.h"

static void test_chunked_body(void **state)
{
    static const char *const pieces[] = {"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chun",
                                         "ked\r\n\r\n5;x=y\r\nhel", "lo\r", "\n6\r\n world\r\n0",
                                         "\r\nTrailer: z\r\n\r\n"};
    struct client client;
    dial(&client, *state);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        put(&client, pieces[i]);
        usleep(5000);
    }
    expect(&client, 200, "body=hello world");
    put(&client, "GET /after HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&client, 200, "path=/after");
    hang_up(&client);
    dial(&client, *state);
    put(&client, "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
    expect(&client, 400, "chunk size");
    expect_end(&client);
    hang_up(&client);
    dial(&client, *state);
    put(&client, "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7d1\r\n");
    for (int i = 0; i < 2001; i++)
        send(client.fd, "x", 1, MSG_NOSIGNAL);
    expect(&client, 413, "longer than 2000 bytes");
    hang_up(&client);
}

static void test_no_length(void **state)
{
    struct client client;
    dial(&client, *state);
    put(&client, "POST /n?a=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&client, 200, "path=/n a0=1");
    put(&client, "POST /n?a=2 HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(&client, 200, "path=/n a0=2");
    hang_up(&client);
}

static void test_body_limit(void **state)
{
    struct client client;
    char text[MAX_BODY + 200];
    int n = snprintf(text, sizeof(text),
                     "POST /l HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", MAX_BODY);
    memset(text + n, 'y', MAX_BODY);
    text[n + MAX_BODY] = '\0';
    dial(&client, *state);
    put(&client, text);
    expect(&client, 200, "yyyy");
    hang_up(&client);
    dial(&client, *state);
    put(&client, "POST /l HTTP/1.1\r\nHost: x\r\nContent-Length: 2001\r\n\r\n");
    expect(&client, 413, "{\"status\":413");
    expect_end(&client);
    hang_up(&client);
    dial(&client, *state);
    put(&client, "POST /l HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\nabc");
    expect(&client, 400, "Content-Length");
    hang_up(&client);
    expect_alive(*state);
}

static void test_bad_framing(void **state)
{
    static const char *const heads[] = {"Content-Length: abc", "Content-Length: -5",
                                        "Content-Length: +5",
                                        "Content-Length: 5\r\nContent-Length: 5",
                                        "Content-Length: 5\r\nTransfer-Encoding: chunked"};
    struct client client;
    char text[256];
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        dial(&client, *state);
        snprintf(text, sizeof(text), "POST /b HTTP/1.1\r\nHost: x\r\n%s\r\n\r\nhello", heads[i]);
        put(&client, text);
        expect(&client, 400, "\"status\":400");
        expect_end(&client);
        hang_up(&client);
    }
    dial(&client, *state);
    put(&client, "POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\nhello");
    expect(&client, 400, "transfer-encoding");
    hang_up(&client);
}

static void test_garbage(void **state)
{
    static const char *const texts[] = {"\x16\x03\x01\x02\x01\x01\xfc\x03\x03",
                                        "hello there\r\n\r\n",
                                        "NOSUCH / HTTP/1.1\r\nHost: x\r\n\r\n",
                                        "GET / HTTP/9.9.9\r\n\r\n",
                                        "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
                                        "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n",
                                        "GET / HTTP/1.1\r\nBad Name: x\r\n\r\n",
                                        "\r\nhello",
                                        "\n"};
    struct client client;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        dial(&client, *state);
        put(&client, texts[i]);
        expect(&client, 400, "malformed");
        expect_end(&client);
        hang_up(&client);
    }
    expect_alive(*state);
}

/* The first bytes of a proper request: what follows makes it one or not. */
#define EIGHT_BLANKS "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"
#define HEAD(target) "POST " target " HTTP/1.1\r\nHost: x\r\n"
#define CHUNKS       HEAD("/c") "Transfer-Encoding: chunked\r\n\r\n"

struct strict_case {
    int status;
    const char *text;
    size_t len;
};
#define CASE(status, text)             \
    {                                  \
        status, text, sizeof(text) - 1 \
    }

/* RFC 9112: what two readers may read in two ways is read by none. */
static const struct strict_case strict_cases[] = {
    /* bytes in the head */
    CASE(400, HEAD("/") "e: \0n\r\n\r\n"),
    CASE(400, HEAD("/") "e: n\0\r\n\r\n"),
    CASE(400, HEAD("/") "e\0: n\r\n\r\n"),
    CASE(400, HEAD("/\0")),
    CASE(400, HEAD("/") "e: a\x01\r\n\r\n"),
    CASE(400, HEAD("/") "e: a\x7f\r\n\r\n"),
    CASE(200, HEAD("/") "e: a\tb\xc3\xa4\r\n\r\n"),
    CASE(400, HEAD("/\tx") "\r\n"),
    CASE(400, HEAD("/\xc3\xa4") "\r\n"),
    /* lines */
    CASE(400, "GET / HTTP/1.1\nHost: x\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: x\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: x\r\n\n"),
    CASE(400, "GET / HTTP/1.1\n\n"),
    CASE(400, HEAD("/") "e: a\rb: c\r\n\r\n"),
    CASE(400, HEAD("/") "e:\rb: c\r\n\r\n"),
    CASE(400, HEAD("/") "e: a\r\n b\r\n\r\n"),
    CASE(400, HEAD("/") "e: a\r\n\tb\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\n Host: x\r\n\r\n"),
    CASE(400, HEAD("/") "e : a\r\n\r\n"),
    CASE(400, HEAD("/") "e\t: a\r\n\r\n"),
    CASE(400, HEAD("/") ": a\r\n\r\n"),
    CASE(400, HEAD("/") "e\r\n\r\n"),
    CASE(200, "\r\n" HEAD("/") "\r\n"),
    CASE(200, EIGHT_BLANKS HEAD("/") "\r\n"),
    CASE(400, EIGHT_BLANKS "\r\n" HEAD("/") "\r\n"),
    CASE(400, "GET  / HTTP/1.1\r\nHost: x\r\n\r\n"),
    CASE(400, "GET /  HTTP/1.1\r\nHost: x\r\n\r\n"),
    CASE(200, HEAD("/") "e:\r\nf:\r\n\r\n"),
    /* versions */
    CASE(505, "GET / HTTP/1.2\r\nHost: x\r\n\r\n"),
    CASE(505, "GET / HTTP/2.0\r\nHost: x\r\n\r\n"),
    CASE(505, "GET / HTTP/0.9\r\nHost: x\r\n\r\n"),
    CASE(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    CASE(505, "GET /\r\n\r\n"),
    CASE(505, "GET / RTSP/1.0\r\nHost: x\r\n\r\n"),
    CASE(505, "OPTIONS / RTSP/1.0\r\nHost: x\r\n\r\n"),
    CASE(505, "SOURCE / ICE/1.0\r\nHost: x\r\n\r\n"),
    CASE(400, "GET / http/1.1\r\nHost: x\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1 \r\nHost: x\r\n\r\n"),
    /* hosts */
    CASE(400, "GET / HTTP/1.1\r\n\r\n"),
    CASE(200, "GET / HTTP/1.0\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"),
    CASE(400, "GET / HTTP/1.0\r\nHost: x\r\nhost: y\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: x, y\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n"),
    CASE(200, "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
    CASE(200, "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n"),
    CASE(200, "GET / HTTP/1.1\r\nHost: x:\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: x:y\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: [::1]:80:\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n"),
    CASE(200, "GET / HTTP/1.1\r\nHost: [::ffff:127.0.0.1]:80\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: []\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: []:80\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: [zz]\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: [127.0.0.1]\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: [1::2::3]\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: [::1%25lo]\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: [[::1]]\r\n\r\n"),
    CASE(400,
         "GET / HTTP/1.1\r\nHost: [0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: x[::1]\r\n\r\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: x]\r\n\r\n"),
    /* headers of which there is one */
    CASE(400, HEAD("/") "X-API-Key: a\r\nX-API-Key: b\r\n\r\n"),
    CASE(400, HEAD("/") "Authorization: Bearer a\r\nX-API-Key: b\r\n\r\n"),
    CASE(400, HEAD("/") "X-API-Key: b\r\nauthorization: bearer  a\r\n\r\n"),
    CASE(400, HEAD("/") "X-API-Key:\r\nauthorization: Bearer a\r\n\r\n"),
    CASE(400, HEAD("/") "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n"),
    /* framing */
    CASE(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    CASE(400, HEAD("/") "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
    CASE(400, HEAD("/") "Transfer-Encoding: chunked, chunked\r\n\r\n"),
    CASE(501, HEAD("/") "Transfer-Encoding: gzip, chunked\r\n\r\n"),
    CASE(400, HEAD("/") "Transfer-Encoding: chunked, gzip\r\n\r\n"),
    CASE(400, HEAD("/") "Transfer-Encoding: xchunked\r\n\r\n"),
    CASE(400, HEAD("/") "Transfer-Encoding:\r\n\r\n"),
    CASE(400, HEAD("/") "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"),
    CASE(400, HEAD("/") "Content-Length: 0\r\nContent-Length: 0\r\n\r\n"),
    CASE(400, HEAD("/") "Content-Length: 0, 0\r\n\r\n"),
    CASE(400, HEAD("/") "Content-Length:\r\n\r\n"),
    CASE(400, HEAD("/") "Content-Length: 0x1\r\n\r\na"),
    CASE(400, HEAD("/") "Content-Length: 1 1\r\n\r\na"),
    CASE(200, CHUNKS "1\r\na\r\n0\r\n\r\n"),
    CASE(400, CHUNKS "1\r\naXX0\r\n\r\n"),
    CASE(400, CHUNKS "1\r\na\n0\r\n\r\n"),
    CASE(400, CHUNKS "1\na\r\n0\r\n\r\n"),
    CASE(400, CHUNKS "1 \r\na\r\n0\r\n\r\n"),
    CASE(400, CHUNKS "0x1\r\na\r\n0\r\n\r\n"),
    CASE(400, CHUNKS "-1\r\na\r\n0\r\n\r\n"),
    CASE(400, CHUNKS "ffffffffffffffff1\r\na"),
    CASE(400, CHUNKS "1;a\nb\r\na\r\n0\r\n\r\n"),
    CASE(400, CHUNKS "0\r\nt: a\nb: c\r\n\r\n"),
    CASE(400, CHUNKS "0\r\n\n"),
    CASE(200, CHUNKS "1\r\n\n\r\n2\r\n\r\n\r\n1\r\n \r\n0\r\n\r\n"),
    CASE(200, CHUNKS "0\r\nt: a\r\nu:\r\n\r\n"),
    CASE(400, CHUNKS "0\r\nt: a\r\n b\r\n\r\n"),
    CASE(400, CHUNKS "0\r\nt: a\r\n\tb\r\n\r\n"),
    CASE(400, CHUNKS "0\r\nt:\r\n b\r\n\r\n"),
    CASE(400, CHUNKS "0\r\n t: a\r\n\r\n"),
    CASE(400, CHUNKS "1\r\na\r\n0\r\nt: a\r\nu: b\r\n  \r\n\r\n"),
    CASE(400, CHUNKS "0\r\nt: a\0\r\n\r\n"),
    CASE(400, CHUNKS "0\r\nt: a\x01\r\n\r\n"),
    CASE(400, CHUNKS "\r\n0\r\n\r\n"),
    /* targets: no proxy in front may have read another path */
    CASE(400, HEAD("/1/%70ush") "\r\n"),
    CASE(400, HEAD("/1%2fpush") "\r\n"),
    CASE(400, HEAD("/1%2Fpush") "\r\n"),
    CASE(400, HEAD("/1%5cpush") "\r\n"),
    CASE(400, HEAD("/1\\push") "\r\n"),
    CASE(400, HEAD("/a%00") "\r\n"),
    CASE(400, HEAD("/a%0d%0a") "\r\n"),
    CASE(400, HEAD("/a%7F") "\r\n"),
    CASE(400, HEAD("//a") "\r\n"),
    CASE(400, HEAD("/a//b") "\r\n"),
    CASE(400, HEAD("/a/../b") "\r\n"),
    CASE(400, HEAD("/a/%2e%2E/b") "\r\n"),
    CASE(400, HEAD("/a/.") "\r\n"),
    CASE(400, HEAD("/..") "\r\n"),
    CASE(200, HEAD("/..a/.b/c.") "\r\n"),
    CASE(400, HEAD("/a#b") "\r\n"),
    CASE(400, HEAD("/a?b#c") "\r\n"),
    CASE(200, HEAD("http://x/a") "\r\n"),
    CASE(200, HEAD("HTTP://X?a=1") "\r\n"),
    CASE(400, HEAD("http://y/a") "\r\n"),
    CASE(400, HEAD("http://x@y/a") "\r\n"),
    CASE(400, HEAD("http:///a") "\r\n"),
    CASE(400, HEAD("http://x//a") "\r\n"),
    CASE(400, HEAD("https://x/a") "\r\n"),
    CASE(400, HEAD("ftp://x/a") "\r\n"),
    CASE(400, HEAD("x:80") "\r\n"),
    CASE(400, HEAD("*") "\r\n"),
    CASE(400, HEAD("/{a}") "\r\n"),
    CASE(200, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"),
    CASE(400, "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n"),
    /* parameters; these end no connection */
    CASE(400, HEAD("/?a=b%00c") "Connection: close\r\n\r\n"),
    CASE(400, HEAD("/?a=%0A") "Connection: close\r\n\r\n"),
    CASE(400, HEAD("/?a=%0d") "Connection: close\r\n\r\n"),
    CASE(400, HEAD("/?a%00=b") "Connection: close\r\n\r\n"),
    CASE(200, HEAD("/?a=%2F%zz%") "\r\n"),
};

static void test_strictness(void **state)
{
    struct client client;
    for (size_t i = 0; i < sizeof(strict_cases) / sizeof(strict_cases[0]); i++) {
        const struct strict_case *c = &strict_cases[i];
        struct answer answer;
        dial(&client, *state);
        assert_int_equal(send(client.fd, c->text, c->len, MSG_NOSIGNAL), (ssize_t)c->len);
        get_answer(&client, &answer, false);
        if (answer.status != c->status)
            fail_msg("case %zu: wanted %d, got %s%s for:\n%s", i, c->status, answer.head,
                     answer.body, c->text);
        free(answer.body);
        if (c->status != 200)
            expect_end(&client);
        hang_up(&client);
    }
    expect_alive(*state);
}

/* What is refused in one piece is refused byte by byte, too. */
static void test_strict_byte_by_byte(void **state)
{
    struct client client;
    for (size_t k = 0; k < sizeof(strict_cases) / sizeof(strict_cases[0]); k++) {
        const struct strict_case *c = &strict_cases[k];
        struct answer answer;
        dial(&client, *state);
        for (size_t i = 0; i < c->len; i++) {
            if (send(client.fd, c->text + i, 1, MSG_NOSIGNAL) != 1)
                break; /* refused before its end */
        }
        get_answer(&client, &answer, false);
        if (answer.status != c->status)
            fail_msg("wanted %d, got %s%s for:\n%s", c->status, answer.head, answer.body, c->text);
        free(answer.body);
        hang_up(&client);
    }
}

/* A client may wish for another protocol; it gets this one. */
static void test_upgrade_is_ignored(void **state)
{
    struct client client;
    dial(&client, *state);
    put(&client,
        "GET /u HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n");
    expect(&client, 200, "path=/u");
    put(&client, "POST /v HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: "
                 "websocket\r\nContent-Length: 2\r\n\r\nhi");
    expect(&client, 200, "body=hi");
    hang_up(&client);
}

static void test_oversized_headers(void **state)
{
    struct client client;
    char *text = malloc(100000);
    int n = snprintf(text, 100000, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: ");
    memset(text + n, 'l', (size_t)(90000 - n));
    memcpy(text + 90000, "\r\n\r\n", 5);
    dial(&client, *state);
    send(client.fd, text, strlen(text), MSG_NOSIGNAL);
    expect(&client, 431, "longer than allowed");
    hang_up(&client);
    dial(&client, *state); /* 8,000 bytes are fine */
    memcpy(text + 8000, "\r\n\r\n", 5);
    put(&client, text);
    expect(&client, 200, "path=/ ");
    hang_up(&client);
    free(text);
    expect_alive(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(test_chunked_body),
        SERVER_TEST(test_no_length),
        SERVER_TEST(test_body_limit),
        SERVER_TEST(test_bad_framing),
        SERVER_TEST(test_garbage),
        SERVER_TEST(test_strictness),
        SERVER_TEST(test_strict_byte_by_byte),
        SERVER_TEST(test_upgrade_is_ignored),
        SERVER_TEST(test_oversized_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>

#include "client/wire.h"
#include "common/base/time.h"
#include "common/protocol/frame.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BIG = 1 << 20,
    LATE_MS = 60000, /* what comes at once does before that, however busy the machine is */
};

enum peer_kind {
    PEER_TCP,
    PEER_WS,       /* answers the handshake of RFC 6455 first */
    PEER_RAW,      /* waits for the client's first bytes only */
    PEER_BAD_HASH, /* a wrong Sec-WebSocket-Accept */
};

/* A server that accepts one connection, waits for something, sends what it is told, and keeps what
 * the client sends until that closes. */
struct peer {
    enum peer_kind kind;
    const void *bytes;
    size_t len;
    bool keep_open; /* sends no FIN after the bytes */
    bool quick;     /* does not send byte by byte */
    int listener;
    char address[64], host[64]; /* of the Host header that came */
    pthread_t thread;
    char received[2048];
    _Atomic size_t received_len;
};

static void answer_handshake(struct peer *peer, int fd)
{
    char request[2048], joined[128], accept[32], answer[256];
    uint8_t digest[20];
    size_t len = 0;
    const char *key, *host;
    int n;

    while (len < 4 || memcmp(request + len - 4, "\r\n\r\n", 4) != 0) {
        ssize_t got = recv(fd, request + len, sizeof request - 1 - len, 0);
        assert_true(got > 0);
        len += (size_t)got;
    }
    request[len] = '\0';
    assert_memory_equal(request, "GET /sub HTTP/1.1\r\n", 19);
    host = strcasestr(request, "\r\nHost: ");
    key = strcasestr(request, "Sec-WebSocket-Key: ");
    assert_non_null(host);
    assert_non_null(key);
    snprintf(peer->host, sizeof peer->host, "%.*s", (int)strcspn(host + 8, "\r"), host + 8);
    n = snprintf(joined, sizeof joined, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key + 19);
    EVP_Digest(joined, (size_t)n, digest, NULL, EVP_sha1(), NULL);
    EVP_EncodeBlock((uint8_t *)accept, digest, sizeof digest);
    n = snprintf(answer, sizeof answer,
                 "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Accept: %s%s\r\n\r\n",
                 peer->kind == PEER_BAD_HASH ? "x" : "", accept);
    assert_int_equal(send(fd, answer, (size_t)n, 0), n);
}

static void receive_some(struct peer *peer, int fd, bool all)
{
    ssize_t n;

    do {
        n = recv(fd, peer->received + peer->received_len,
                 sizeof peer->received - peer->received_len, 0);
        if (n > 0)
            peer->received_len += (size_t)n;
    } while (all && n > 0 && peer->received_len < sizeof peer->received);
}

static void *peer_run(void *arg)
{
    struct peer *peer = arg;
    const char *bytes = peer->bytes;
    size_t step = peer->quick ? peer->len : 1;
    int fd = accept(peer->listener, NULL, NULL);

    if (peer->kind == PEER_WS || peer->kind == PEER_BAD_HASH)
        answer_handshake(peer, fd);
    receive_some(peer, fd, false);
    /* Byte by byte: a client must not take a read for a message. */
    for (size_t at = 0; at < peer->len;) {
        ssize_t n =
            send(fd, bytes + at, step < peer->len - at ? step : peer->len - at, MSG_NOSIGNAL);
        if (n < 0)
            break;
        at += (size_t)n;
    }
    if (!peer->keep_open)
        (void)shutdown(fd, SHUT_WR);
    receive_some(peer, fd, true);
    close(fd);
    return NULL;
}

static int listen_on(int family, char *address, size_t len)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    void *addr = family == AF_INET ? (void *)&v4 : (void *)&v6;
    socklen_t size = family == AF_INET ? sizeof v4 : sizeof v6;
    int fd = socket(family, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, addr, size) != 0)
        return -1;
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, addr, &size), 0);
    if (family == AF_INET)
        snprintf(address, len, "127.0.0.1:%d", ntohs(v4.sin_port));
    else
        snprintf(address, len, "[::1]:%d", ntohs(v6.sin6_port));
    return fd;
}

static void peer_start(struct peer *peer)
{
    if (peer->listener == 0)
        peer->listener = listen_on(AF_INET, peer->address, sizeof peer->address);
    assert_true(peer->listener > 0);
    assert_int_equal(pthread_create(&peer->thread, NULL, peer_run, peer), 0);
}

static struct wire *open_to(struct peer *peer)
{
    struct wire *wire;
    char err[256] = "";

    if (wire_open(peer->kind == PEER_TCP ? WIRE_TCP : WIRE_WS, peer->address, LATE_MS, &wire, err,
                  sizeof err) != 0)
        fail_msg("%s", err);
    return wire;
}

/* A connection on which the client has said something, so that the bytes come. */
static struct wire *start(struct peer *peer)
{
    struct wire *wire;

    peer_start(peer);
    wire = open_to(peer);
    assert_int_equal(wire_send(wire, 7, 1, peer->kind == PEER_TCP ? "k" : "\"k\"",
                               peer->kind == PEER_TCP ? 1 : 3),
                     0);
    return wire;
}

static void peer_stop(struct peer *peer, struct wire *wire)
{
    wire_close(wire);
    pthread_join(peer->thread, NULL);
    close(peer->listener);
}

static void expect(struct wire *wire, int op, int seq, const char *body)
{
    struct wire_message message;

    if (wire_next(wire, LATE_MS, &message) != 1)
        fail_msg("%s", wire_error(wire));
    assert_int_equal(message.op, op);
    assert_int_equal(message.seq, seq);
    assert_int_equal(message.body_len, strlen(body));
    assert_memory_equal(message.body, body, message.body_len);
}

static void expect_end(struct wire *wire, int err, const char *words)
{
    struct wire_message message;
    int n = wire_next(wire, LATE_MS, &message);

    if (n != err || strstr(wire_error(wire), words) == NULL)
        fail_msg("%d, \"%s\"", n, wire_error(wire));
}

/* --- TCP --- */

/* The bytes that imgo exchanges (docs/protocol.md): token "k" asks, then the reply and two pushes.
 */
static void test_tcp(void **state)
{
    static const uint8_t bytes[] = "\0\0\0\x10\0\x10\0\1\0\0\0\x8\0\0\0\x4d"
                                   "\0\0\0\x12\0\x10\0\0\0\0\0\5\0\0\0\0hi"
                                   "\0\0\0\x15\0\x14\0\0\0\0\0\5\0\0\0\0....!";
    static const uint8_t auth[] = "\0\0\0\x11\0\x10\0\1\0\0\0\7\0\0\0\1k";
    struct peer peer = {.kind = PEER_TCP, .bytes = bytes, .len = sizeof bytes - 1};
    struct wire *wire = start(&peer);

    (void)state;
    expect(wire, 8, 0x4d, "");
    expect(wire, 5, 0, "hi");
    expect(wire, 5, 0, "!"); /* behind a longer header */
    expect_end(wire, -ECONNRESET, "closed");
    peer_stop(&peer, wire);
    assert_int_equal(peer.received_len, sizeof auth - 1);
    assert_memory_equal(peer.received, auth, sizeof auth - 1);
}

static void test_tcp_malformed(void **state)
{
    struct peer peer = {
        .kind = PEER_TCP, .bytes = "\0\0\0\x10\0\x08\0\1\0\0\0\x8\0\0\0\x4d", .len = 16};
    struct wire *wire = start(&peer);

    (void)state;
    expect_end(wire, -EBADMSG, "malformed");
    peer_stop(&peer, wire);
}

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

static void refused(enum wire_kind kind, const char *address, int timeout_ms, int want,
                    const char *words)
{
    struct wire *wire;
    char err[256] = "";
    int n = wire_open(kind, address, timeout_ms, &wire, err, sizeof err);

    if (n != want || strstr(err, words) == NULL)
        fail_msg("%d, \"%s\"", n, err);
}

static void test_bad_addresses(void **state)
{
    static const char *const bad[] = {"",           "host",     ":80",      "host:", "[::1]",
                                      "host:65536", "host:-80", "host:80x", "[]:80", "host:0"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(i % 2 == 0 ? WIRE_TCP : WIRE_WS, bad[i], 1000, -EINVAL, "is no address");
}

static void test_nobody_there(void **state)
{
    static const enum wire_kind kinds[] = {WIRE_TCP, WIRE_WS};
    int64_t since = time_mono_ms();
    char address[64];

    (void)state;
    close(listen_on(AF_INET, address, sizeof address));
    for (size_t i = 0; i < 2; i++) {
        refused(kinds[i], address, 2 * LATE_MS, -ECONNREFUSED,
                "cannot connect: Connection refused");
        assert_in_range(time_mono_ms() - since, 0, LATE_MS); /* told at once */
        refused(kinds[i], "[::1::]:80", LATE_MS, -EHOSTUNREACH, "cannot resolve");
    }
}

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

static void test_ipv6(void **state)
{
    struct peer peer = {.kind = PEER_WS, .bytes = "\x81\x0a[{\"op\":5}]", .len = 12};
    struct wire *wire;

    (void)state;
    peer.listener = listen_on(AF_INET6, peer.address, sizeof peer.address);
    if (peer.listener < 0)
        skip();
    wire = start(&peer);
    expect(wire, 5, 0, "");
    peer_stop(&peer, wire);
    assert_string_equal(peer.host, peer.address);
}

/* localhost is ::1 first on many machines: both are tried. */
static void test_next_address(void **state)
{
    struct peer peer = {.kind = PEER_WS, .bytes = "\x81\x0a[{\"op\":5}]", .len = 12};
    struct wire *wire;
    char port[16];

    (void)state;
    peer.listener = listen_on(AF_INET, peer.address, sizeof peer.address);
    snprintf(port, sizeof port, "%s", strchr(peer.address, ':'));
    snprintf(peer.address, sizeof peer.address, "localhost%s", port);
    wire = start(&peer);
    expect(wire, 5, 0, "");
    peer_stop(&peer, wire);
}

/* --- the process around it --- */

/* A proxy in the environment is not asked: the addresses are those of the cluster. */
static void test_no_proxy(void **state)
{
    struct peer peer = {.kind = PEER_WS, .bytes = "\x81\x0a[{\"op\":5}]", .len = 12};
    struct wire *wire;

    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    wire = start(&peer);
    expect(wire, 5, 0, "");
    peer_stop(&peer, wire);
    unsetenv("http_proxy");
}

static int open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

/* No descriptor stays, and SIGPIPE ends the process as before. */
static void test_nothing_stays(void **state)
{
    struct peer peer = {.kind = PEER_WS, .bytes = "", .keep_open = true};
    struct sigaction action;
    int before = open_files();

    (void)state;
    peer_stop(&peer, start(&peer));
    refused(WIRE_WS, peer.address, LATE_MS, -ECONNREFUSED, "refused");
    assert_int_equal(open_files(), before);
    assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
    assert_ptr_equal(action.sa_handler, SIG_DFL);
}

static volatile sig_atomic_t signals;

static void on_signal(int sig)
{
    (void)sig;
    signals = signals + 1;
}

static void *raise_soon(void *arg)
{
    usleep(100000);
    (void)kill(getpid(), *(int *)arg);
    return NULL;
}

/* Blocked signals are let in by a wait and end it: one that waits already, and one that comes. */
static void test_signals(void **state)
{
    static const enum peer_kind kinds[] = {PEER_TCP, PEER_WS};
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked, before;

    (void)state;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    for (size_t i = 0; i < 2; i++) {
        struct peer peer = {.kind = kinds[i], .bytes = "", .keep_open = true};
        struct wire *wire = start(&peer);
        struct wire_message message;
        int64_t since = time_mono_ms();
        int sig = SIGTERM;
        pthread_t thread;
        signals = 0;
        (void)kill(getpid(), SIGINT);
        assert_int_equal(signals, 0);
        assert_int_equal(wire_next(wire, 2 * LATE_MS, &message), 0);
        assert_int_equal(signals, 1);
        pthread_create(&thread, NULL, raise_soon, &sig);
        assert_int_equal(wire_next(wire, 2 * LATE_MS, &message), 0);
        assert_int_equal(signals, 2);
        pthread_join(thread, NULL);
        assert_in_range(time_mono_ms() - since, 100, LATE_MS);
        peer_stop(&peer, wire);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_tcp_malformed),
        cmocka_unit_test(test_websocket),
        cmocka_unit_test(test_websocket_answers),
        cmocka_unit_test(test_websocket_goodbye),
        cmocka_unit_test(test_websocket_nonsense),
        cmocka_unit_test(test_websocket_cut_off),
        cmocka_unit_test(test_websocket_big),
        cmocka_unit_test(test_bad_addresses),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_handshake_refused),
        cmocka_unit_test(test_handshake_silence),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_next_address),
        cmocka_unit_test(test_no_proxy),
        cmocka_unit_test(test_nothing_stays),
        cmocka_unit_test(test_signals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

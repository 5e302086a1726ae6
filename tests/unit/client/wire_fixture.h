/* wire_fixture.h - a server that accepts one connection and says what the test wants. */
#ifndef IMC_TESTS_UNIT_CLIENT_WIRE_FIXTURE_H
#define IMC_TESTS_UNIT_CLIENT_WIRE_FIXTURE_H

#include "client/wire.h"
#include "common/protocol/frame.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

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

static inline void answer_handshake(struct peer *peer, int fd)
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

static inline void receive_some(struct peer *peer, int fd, bool all)
{
    ssize_t n;

    do {
        n = recv(fd, peer->received + peer->received_len,
                 sizeof peer->received - peer->received_len, 0);
        if (n > 0)
            peer->received_len += (size_t)n;
    } while (all && n > 0 && peer->received_len < sizeof peer->received);
}

static inline void *peer_run(void *arg)
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

static inline int listen_on(int family, char *address, size_t len)
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

static inline void peer_start(struct peer *peer)
{
    if (peer->listener == 0)
        peer->listener = listen_on(AF_INET, peer->address, sizeof peer->address);
    assert_true(peer->listener > 0);
    assert_int_equal(pthread_create(&peer->thread, NULL, peer_run, peer), 0);
}

static inline struct wire *open_to(struct peer *peer)
{
    struct wire *wire;
    char err[256] = "";

    if (wire_open(peer->kind == PEER_TCP ? WIRE_TCP : WIRE_WS, peer->address, LATE_MS, &wire, err,
                  sizeof err) != 0)
        fail_msg("%s", err);
    return wire;
}

/* A connection on which the client has said something, so that the bytes come. */
static inline struct wire *start(struct peer *peer)
{
    struct wire *wire;

    peer_start(peer);
    wire = open_to(peer);
    assert_int_equal(wire_send(wire, 7, 1, peer->kind == PEER_TCP ? "k" : "\"k\"",
                               peer->kind == PEER_TCP ? 1 : 3),
                     0);
    return wire;
}

static inline void peer_stop(struct peer *peer, struct wire *wire)
{
    wire_close(wire);
    pthread_join(peer->thread, NULL);
    close(peer->listener);
}

static inline void expect(struct wire *wire, int op, int seq, const char *body)
{
    struct wire_message message;

    if (wire_next(wire, LATE_MS, &message) != 1)
        fail_msg("%s", wire_error(wire));
    assert_int_equal(message.op, op);
    assert_int_equal(message.seq, seq);
    assert_int_equal(message.body_len, strlen(body));
    assert_memory_equal(message.body, body, message.body_len);
}

static inline void expect_end(struct wire *wire, int err, const char *words)
{
    struct wire_message message;
    int n = wire_next(wire, LATE_MS, &message);

    if (n != err || strstr(wire_error(wire), words) == NULL)
        fail_msg("%d, \"%s\"", n, wire_error(wire));
}

/* --- opening --- */

static inline void refused(enum wire_kind kind, const char *address, int timeout_ms, int want,
                           const char *words)
{
    struct wire *wire;
    char err[256] = "";
    int n = wire_open(kind, address, timeout_ms, &wire, err, sizeof err);

    if (n != want || strstr(err, words) == NULL)
        fail_msg("%d, \"%s\"", n, err);
}

#endif

/*
 *   socket ──recv──► [TLS] ──► in[] ──frame_parse_reply──► message
 */
#include "client/wire.h"
#include "client/wire_internal.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/protocol/frame.h"
#include "common/tls/engine.h"
#include "common/tls/tls.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_SIZE = 64 << 10 };

struct wire_tcp {
    struct wire wire;
    int fd;
    uint8_t *in; /* received, not yet taken: in[in_at .. in_end) */
    size_t in_at, in_end, in_size;
    struct tls *tls;
    struct tls_engine *engine; /* NULL: no TLS */
};

static struct wire_tcp *tcp_of(struct wire *wire)
{
    return (struct wire_tcp *)wire;
}

/* 1: ready; 0: timeout; -EINTR: a signal; or -E…. Signals are let in only here, so none is missed
 * before the wait. */
static int wait_for(struct wire *wire, int fd, short events, int64_t deadline)
{
    struct pollfd pfd = {.fd = fd, .events = events};
    int64_t left = deadline - time_mono_ms();
    struct timespec timeout = {.tv_sec = left > 0 ? left / 1000 : 0,
                               .tv_nsec = left > 0 ? left % 1000 * 1000000 : 0};
    sigset_t none;
    int n;

    sigemptyset(&none);
    n = ppoll(&pfd, 1, &timeout, &none);
    return n >= 0 ? n : wire_fail_errno(wire, errno == EINTR ? "interrupted" : "poll");
}

/* --- opening --- */

static int await_connected(struct wire *wire, int fd, int64_t deadline)
{
    int err = wait_for(wire, fd, POLLOUT, deadline);
    socklen_t len = sizeof err;

    if (err <= 0)
        return err < 0 ? err : wire_fail(wire, -ETIMEDOUT, "cannot connect: timeout");
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err == 0)
        return 0;
    errno = err;
    return wire_fail_errno(wire, "cannot connect");
}

/* The descriptor, or -E…. */
static int connect_one(struct wire *wire, const struct addrinfo *ai, int64_t deadline)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err = 0, one = 1;

    if (fd < 0)
        return wire_fail_errno(wire, "socket");
    if (connect(fd, ai->ai_addr, ai->ai_addrlen) != 0)
        err = errno == EINPROGRESS ? await_connected(wire, fd, deadline)
                                   : wire_fail_errno(wire, "cannot connect");
    if (err != 0) {
        close(fd);
        return err;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

int wire_connect(struct wire *wire, const struct wire_address *address, int64_t deadline_ms)
{
    struct addrinfo *found = NULL;
    int fd = address_lookup(address->at.host, address->at.port_text, AF_UNSPEC, 0, &found);

    if (fd != 0)
        return wire_fail(wire, -EHOSTUNREACH, "cannot resolve '%s': %s", address->text,
                         gai_strerror(fd));
    fd = -EHOSTUNREACH;
    for (const struct addrinfo *ai = found; ai != NULL && fd < 0 && fd != -EINTR; ai = ai->ai_next)
        fd = connect_one(wire, ai, deadline_ms);
    freeaddrinfo(found);
    return fd;
}

/* --- the socket, and TLS --- */

static int send_all(struct wire_tcp *tcp, const void *data, size_t len)
{
    int64_t deadline = time_mono_ms() + WIRE_SEND_TIMEOUT_MS;
    const char *at = data;

    while (len > 0) {
        ssize_t n = send(tcp->fd, at, len, MSG_NOSIGNAL);
        int err;
        if (n >= 0) {
            at += n;
            len -= (size_t)n;
            continue;
        }
        if (errno != EAGAIN)
            return wire_fail_errno(&tcp->wire, "send");
        err = wait_for(&tcp->wire, tcp->fd, POLLOUT, deadline);
        if (err < 0 && err != -EINTR)
            return err;
        if (time_mono_ms() >= deadline)
            return wire_fail(&tcp->wire, -ETIMEDOUT, "the server takes nothing any more");
    }
    return 0;
}

/* Sends what TLS has to say. */
static int send_output(struct wire_tcp *tcp)
{
    const uint8_t *bytes;
    size_t n = tls_engine_output(tcp->engine, &bytes);
    int err = n > 0 ? send_all(tcp, bytes, n) : 0;

    if (err == 0)
        tls_engine_sent(tcp->engine, n);
    return err;
}

static int send_plaintext(struct wire_tcp *tcp, const uint8_t *data, size_t len)
{
    int err = 0;

    if (tcp->engine == NULL)
        return send_all(tcp, data, len);
    while (len > 0 && err == 0) {
        size_t n = tls_engine_write(tcp->engine, data, len);
        if (n == 0)
            return wire_fail(&tcp->wire, -EPIPE, "TLS has ended");
        data += n;
        len -= n;
        err = send_output(tcp);
    }
    return err;
}

/* recv() of the plaintext: bytes; 0: none yet; or -E…. */
static ssize_t receive(struct wire_tcp *tcp, uint8_t *buf, size_t len)
{
    uint8_t cipher[READ_SIZE / 2];
    bool tls = tcp->engine != NULL;
    size_t most = tls ? sizeof cipher : len;
    ssize_t n = recv(tcp->fd, tls ? cipher : buf, most, 0);
    size_t got;

    if (n == 0)
        return wire_fail(&tcp->wire, -ECONNRESET, "the server closed the connection");
    if (n < 0)
        return errno == EAGAIN ? 0 : wire_fail_errno(&tcp->wire, "receive");
    if (!tls)
        return n;
    tls_engine_feed(tcp->engine, cipher, (size_t)n);
    for (n = 0; (got = tls_engine_read(tcp->engine, buf + n, len - (size_t)n)) > 0;)
        n += (ssize_t)got;
    int err = send_output(tcp);
    if (tls_engine_state(tcp->engine) == TLS_FAILED)
        return wire_fail(&tcp->wire, -EPROTO, "TLS: %s", tls_engine_error(tcp->engine));
    if (n == 0 && tls_engine_state(tcp->engine) == TLS_CLOSED)
        return wire_fail(&tcp->wire, -ECONNRESET, "the server closed the connection");
    return err < 0 ? err : n;
}

static int make_engine(struct wire_tcp *tcp, const char *host)
{
    const struct tls_settings settings = {.ca = tcp->wire.trust->cacert};
    const struct tls_client_options options = {.name = "client",
                                               .insecure = tcp->wire.trust->insecure};
    struct tls_client *client;
    char err[TLS_ERROR_MAX];

    if (tls_open(&settings, &tcp->tls, err, sizeof err) != 0 ||
        tls_client_open(tcp->tls, &options, &client, err, sizeof err) != 0)
        return wire_fail(&tcp->wire, -EINVAL, "%s", err);
    tcp->engine = tls_engine_connect(client, host, NULL);
    return tcp->engine != NULL ? 0 : wire_fail(&tcp->wire, -EINVAL, "no TLS for %s", host);
}

/* Frames that come right behind the handshake stay in IN. */
static int shake_hands(struct wire_tcp *tcp, const char *host, int64_t deadline)
{
    int err = make_engine(tcp, host);

    if (err == 0)
        err = send_output(tcp);
    while (err == 0 && tls_engine_state(tcp->engine) == TLS_HANDSHAKE) {
        err = wait_for(&tcp->wire, tcp->fd, POLLIN, deadline);
        if (err == 0)
            return wire_fail(&tcp->wire, -ETIMEDOUT, "no answer to the TLS handshake");
        ssize_t n = err > 0 ? receive(tcp, tcp->in + tcp->in_end, tcp->in_size - tcp->in_end) : err;
        if (n >= 0)
            tcp->in_end += (size_t)n;
        err = n < 0 ? (int)n : 0;
    }
    return err;
}

static int tcp_open(struct wire *wire, const struct wire_address *address, int64_t deadline_ms)
{
    struct wire_tcp *tcp = tcp_of(wire);

    tcp->fd = wire_connect(wire, address, deadline_ms);
    if (tcp->fd < 0)
        return tcp->fd;
    tcp->in_size = READ_SIZE;
    tcp->in = mem_alloc(tcp->in_size);
    return wire->trust != NULL ? shake_hands(tcp, address->at.host, deadline_ms) : 0;
}

static void tcp_close(struct wire *wire)
{
    struct wire_tcp *tcp = tcp_of(wire);

    if (tcp->engine != NULL) {
        tls_engine_close(tcp->engine);
        (void)send_output(tcp);
    }
    if (tcp->fd >= 0)
        close(tcp->fd);
    tls_engine_free(tcp->engine);
    tls_close(tcp->tls);
    free(tcp->in);
}

/* --- sending and receiving --- */

static int tcp_send(struct wire *wire, int32_t op, int32_t seq, const char *body, size_t len)
{
    uint8_t *frame = mem_alloc(FRAME_HEADER + len);
    int err;

    frame_header(frame, 1, op, seq, len);
    memcpy(frame + FRAME_HEADER, body, len);
    err = send_plaintext(tcp_of(wire), frame, FRAME_HEADER + len);
    free(frame);
    return err;
}

/* Reads once. 0 or -E…. */
static int fill(struct wire_tcp *tcp)
{
    ssize_t n;

    if (tcp->in_at > 0) {
        memmove(tcp->in, tcp->in + tcp->in_at, tcp->in_end - tcp->in_at);
        tcp->in_end -= tcp->in_at;
        tcp->in_at = 0;
    }
    if (tcp->in_size - tcp->in_end < READ_SIZE) {
        tcp->in_size = tcp->in_size * 2 + READ_SIZE;
        tcp->in = mem_realloc(tcp->in, tcp->in_size);
    }
    n = receive(tcp, tcp->in + tcp->in_end, tcp->in_size - tcp->in_end);
    if (n > 0)
        tcp->in_end += (size_t)n;
    return n < 0 ? (int)n : 0;
}

/* 1: MESSAGE is set; 0: more must be read; or -EBADMSG. */
static int next_frame(struct wire_tcp *tcp, struct wire_message *message)
{
    long n = wire_parse_frame(tcp->in + tcp->in_at, tcp->in_end - tcp->in_at, message);

    if (n < 0)
        return wire_fail(&tcp->wire, -EBADMSG, "the server sent a malformed frame");
    if (n == 0)
        return 0;
    tcp->in_at += (size_t)n;
    return 1;
}

static int tcp_next(struct wire *wire, int64_t deadline_ms, struct wire_message *message)
{
    struct wire_tcp *tcp = tcp_of(wire);

    for (;;) {
        int n = next_frame(tcp, message);
        if (n != 0)
            return n;
        n = wait_for(wire, tcp->fd, POLLIN, deadline_ms);
        if (n <= 0)
            return n == -EINTR ? 0 : n;
        n = fill(tcp);
        if (n != 0)
            return n;
    }
}

const struct wire_ops wire_tcp = {
    .size = sizeof(struct wire_tcp),
    .open = tcp_open,
    .send = tcp_send,
    .next = tcp_next,
    .close = tcp_close,
};

/* conns.c - states of a connection:
 *
 *   CLOSED ─conns_connect─► CONNECTING ─on_connected─► GREETING ─on_greeted─► AUTH
 *                                 └► SHAKING (TLS) ─┘    └─ without greeting ──► │
 *   ONLINE ◄──────────────────────── on_message: operation 8 ────────────────────┘
 *
 *   any ─lost()─► CLOSED; before ONLINE the worker is told to try again */
#include "bench/load/conns.h"

#include "bench/base/clock.h"
#include "bench/base/net.h"
#include "common/base/mem.h"
#include "common/protocol/ops.h"
#include "common/tls/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 512, BUFFER = 1 << 20, CIPHER = 32 * 1024 };

enum conn_state {
    CONN_CLOSED,
    CONN_CONNECTING,
    CONN_SHAKING,
    CONN_GREETING,
    CONN_AUTH,
    CONN_ONLINE
};

struct bench_conn {
    int fd;
    enum conn_state state;
    uint64_t since_ns;
    uint8_t *rest; /* the beginning of a message whose end has not come */
    size_t rest_len;
    struct tls_engine *tls; /* NULL: it speaks plain */
};

struct conns {
    struct conns_options options;
    struct judge *judge;
    struct worker_stats *stats;
    int epoll;
    uint64_t now_ns; /* when the input that is being judged was read */
    size_t current;  /* the connection that it came on */
    bool closing;    /* the server said in it that it closes */
    char farewell[128];
    size_t gone;      /* target that has died; SIZE_MAX: none */
    uint32_t *failed; /* stack */
    size_t n_failed;
    uint8_t *buffer;
    uint8_t *cipher;             /* with TLS: what was read */
    struct tls_session *session; /* that is resumed, once there is one */
    struct bench_conn conns[];
};

int conns_new(const struct conns_options *options, struct judge *judge, struct worker_stats *stats,
              struct conns **out)
{
    struct conns *conns;
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    if (epoll < 0)
        return -errno;
    conns = mem_zalloc(sizeof *conns + options->n * sizeof conns->conns[0]);
    conns->options = *options;
    conns->judge = judge;
    conns->stats = stats;
    conns->epoll = epoll;
    conns->gone = SIZE_MAX;
    conns->buffer = mem_alloc(BUFFER);
    conns->cipher = mem_alloc(CIPHER);
    conns->failed = mem_alloc((options->n + 1) * sizeof *conns->failed);
    *out = conns;
    return 0;
}

void conns_target_gone(struct conns *conns, size_t target)
{
    conns->gone = target;
}

bool conns_is_online(const struct conns *conns, size_t i)
{
    return conns->conns[i].state == CONN_ONLINE;
}

size_t conns_next_failed(struct conns *conns)
{
    return conns->n_failed > 0 ? conns->failed[--conns->n_failed] : SIZE_MAX;
}

/* --- coming and going --- */

/* If there are enough workers, each has one server. A fan-out then wakes one worker, not all. Where
 * a room's members are told to be goes before that. */
static size_t target_of(const struct conns_options *options, size_t i)
{
    size_t of_all = options->first + i, rooms = options->people->rooms;

    if (options->members == MEMBERS_TOGETHER && rooms > 0)
        return of_all % rooms % options->n_targets;
    if (options->members == MEMBERS_SPREAD && rooms > 0)
        return (of_all % rooms + of_all / rooms) % options->n_targets;
    if (options->n_workers % options->n_targets == 0)
        return options->worker % options->n_targets;
    return of_all % options->n_targets;
}

int conns_connect(struct conns *conns, size_t i, bool anywhere)
{
    const struct conns_options *options = &conns->options;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u64 = i};
    struct bench_conn *conn = &conns->conns[i];
    size_t target = target_of(options, i);
    int fd;

    if (target == conns->gone && options->n_targets > 1)
        target = (target + 1 + i % (options->n_targets - 1)) % options->n_targets;

    if (conn->state != CONN_CLOSED)
        return 0;
    fd = net_connect(&options->targets[target], (unsigned)options->worker, (unsigned)i);
    if (fd < 0)
        return fd;
    if (epoll_ctl(conns->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        close(fd);
        return -ENOMEM;
    }
    conn->fd = fd;
    conn->state = CONN_CONNECTING;
    conn->since_ns = clock_ns();
    shared_add(&conns->stats->connecting, 1);
    judge_expect(conns->judge, i, anywhere);
    return 0;
}

void conns_close(struct conns *conns, size_t i)
{
    struct bench_conn *conn = &conns->conns[i];

    if (conn->state == CONN_CLOSED)
        return;
    if (conn->state == CONN_ONLINE)
        shared_set(&conns->stats->online, conns->stats->online - 1);
    else
        shared_set(&conns->stats->connecting, conns->stats->connecting - 1);
    close(conn->fd);
    free(conn->rest);
    conn->rest = NULL;
    conn->rest_len = 0;
    tls_engine_free(conn->tls);
    conn->tls = NULL;
    conn->state = CONN_CLOSED;
}

/* The server or the network ended the connection. */
static void lost(struct conns *conns, size_t i, const char *why)
{
    struct worker_stats *stats = conns->stats;
    bool was_online = conns->conns[i].state == CONN_ONLINE;

    if (stats->dropped + stats->connect_failures == 0)
        snprintf(stats->trouble, sizeof stats->trouble, "%s", why);
    conns_close(conns, i);
    if (was_online && conns->gone == SIZE_MAX) {
        shared_add(&stats->dropped, 1);
        return;
    }
    if (!was_online)
        shared_add(&stats->connect_failures, 1);
    conns->failed[conns->n_failed++] = (uint32_t)i;
}

static void lost_by_errno(struct conns *conns, size_t i, int error)
{
    char why[128];

    lost(conns, i, error != 0 ? strerror_r(error, why, sizeof why) : "the server closed it");
}

/* Sends what TLS has to say; it fits, too. */
static void say_tls(struct conns *conns, size_t i)
{
    struct tls_engine *tls = conns->conns[i].tls;
    const uint8_t *data;
    size_t len = tls_engine_output(tls, &data);

    if (len > 0 && send(conns->conns[i].fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
        lost_by_errno(conns, i, errno);
    else
        tls_engine_sent(tls, len);
}

/* Sends LEN bytes. What a client says here always fits into an empty socket. */
static void say(struct conns *conns, size_t i, const uint8_t *data, size_t len)
{
    struct tls_engine *tls = conns->conns[i].tls;

    if (tls != NULL) {
        tls_engine_write(tls, data, len);
        say_tls(conns, i);
    } else if (send(conns->conns[i].fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
        lost_by_errno(conns, i, errno);
}

static void say_auth(struct conns *conns, size_t i)
{
    const struct conns_options *options = &conns->options;
    const struct people *people = options->people;
    uint8_t out[TRANSPORT_OUT_MAX];
    char token[PEOPLE_NAME_MAX], room[PEOPLE_NAME_MAX];
    const struct transport_who who = {
        .token = token, .room = room, .mid = people->uid_base + options->first + i};

    conns->conns[i].state = CONN_AUTH;
    people_token(people, options->first + i, token);
    people_room_of(people, options->first + i, room);
    say(conns, i, out, options->transport->auth(out, &who));
}

/* The way is free: the first words of the transport. */
static void greet(struct conns *conns, size_t i)
{
    const struct transport *transport = conns->options.transport;
    uint8_t out[TRANSPORT_OUT_MAX];

    if (transport->greet == NULL) {
        say_auth(conns, i);
        return;
    }
    conns->conns[i].state = CONN_GREETING;
    say(conns, i, out, transport->greet(out, conns->options.host));
}

static void on_connected(struct conns *conns, size_t i, uint32_t events)
{
    struct bench_conn *conn = &conns->conns[i];
    int error = 0;
    socklen_t len = sizeof error;

    if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
        getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        lost_by_errno(conns, i, error);
        return;
    }
    if (conns->options.tls == NULL) {
        greet(conns, i);
        return;
    }
    conn->state = CONN_SHAKING;
    conn->tls = tls_engine_connect(conns->options.tls, "localhost", conns->session);
    if (conn->tls == NULL)
        lost(conns, i, "no TLS connection can be made");
    else
        say_tls(conns, i);
}

void conns_heartbeat(struct conns *conns, size_t i)
{
    uint8_t out[TRANSPORT_OUT_MAX];

    if (conns_is_online(conns, i))
        say(conns, i, out, conns->options.transport->heartbeat(out));
}

/* --- what the server sends --- */

static void on_message(void *arg, int32_t op, const uint8_t *body, size_t len)
{
    struct conns *conns = arg;
    struct bench_conn *conn = &conns->conns[conns->current];

    switch (op) {
    case OP_PUSH:
        judge_message(conns->judge, conns->current, body, len, conns->now_ns);
        break;
    case OP_AUTH_REPLY:
        if (conn->state != CONN_AUTH)
            break;
        conn->state = CONN_ONLINE;
        shared_set(&conns->stats->connecting, conns->stats->connecting - 1);
        shared_add(&conns->stats->online, 1);
        shared_add(&conns->stats->connects, 1);
        shared_set(&conns->stats->last_connect_ns, conns->now_ns);
        hist_record(&conns->stats->connect, conns->now_ns - conn->since_ns);
        break;
    case OP_ACK:
        say(conns, conns->current, body, len);
        break;
    case OP_DISCONNECT:
        conns->closing = true;
        snprintf(conns->farewell, sizeof conns->farewell, "%.*s", len < 120 ? (int)len : 120,
                 (const char *)body);
        break;
    default:
        break;
    }
}

/* Takes messages from the LEN bytes that connection I has got. Returns the bytes consumed, or
 * negative. */
static long take(struct conns *conns, size_t i, const uint8_t *data, size_t len)
{
    const struct transport *transport = conns->options.transport;
    long known = 0, n;

    if (conns->conns[i].state == CONN_GREETING) {
        known = transport->greeted(data, len);
        if (known <= 0)
            return known;
        say_auth(conns, i);
    }
    conns->current = i;
    conns->closing = false;
    if (conns->conns[i].state == CONN_ONLINE)
        known = (long)judge_run(conns->judge, i, data, len);
    if ((size_t)known == len)
        return known;
    n = transport->take(data + known, len - (size_t)known, on_message, conns);
    return n < 0 ? n : known + n;
}

static void keep_rest(struct bench_conn *conn, const uint8_t *data, size_t len)
{
    if (len == 0 && conn->rest == NULL)
        return;
    free(conn->rest);
    conn->rest = NULL;
    conn->rest_len = len;
    if (len == 0)
        return;
    conn->rest = mem_alloc(len);
    memcpy(conn->rest, data, len);
}

/* Connection I has got LEN bytes, in the buffer, that are not taken yet. */
static void on_bytes(struct conns *conns, size_t i, size_t len)
{
    struct bench_conn *conn = &conns->conns[i];
    long used = take(conns, i, conns->buffer, len);

    if (conn->state == CONN_CLOSED)
        return;
    if (used < 0)
        shared_add(&conns->stats->malformed, 1);
    if (used < 0)
        lost(conns, i, "the server sent what is not of the protocol");
    else if (conns->closing)
        lost(conns, i, conns->farewell);
    else
        keep_rest(conn, conns->buffer + used, len - (size_t)used);
}

/* The handshake is over: says what comes first. The session is kept, if others are to resume it. */
static void on_shaken(struct conns *conns, size_t i)
{
    struct bench_conn *conn = &conns->conns[i];

    if (tls_engine_state(conn->tls) == TLS_FAILED)
        lost(conns, i, tls_engine_error(conn->tls));
    else if (conn->state == CONN_SHAKING && tls_engine_state(conn->tls) == TLS_OPEN)
        greet(conns, i);
    if (conn->state != CONN_CLOSED && conns->options.resume && conns->session == NULL)
        conns->session = tls_engine_session(conn->tls);
}

/* As read_some(), through TLS. */
static bool read_tls(struct conns *conns, size_t i)
{
    struct bench_conn *conn = &conns->conns[i];
    size_t n;
    ssize_t got = recv(conn->fd, conns->cipher, CIPHER, MSG_DONTWAIT);

    if (got < 0 && errno == EAGAIN)
        return false;
    if (got <= 0) {
        lost_by_errno(conns, i, got < 0 ? errno : 0);
        return false;
    }
    conns->now_ns = clock_ns();
    shared_add(&conns->stats->reads, 1);
    shared_add(&conns->stats->bytes, (uint64_t)got);
    tls_engine_feed(conn->tls, conns->cipher, (size_t)got);
    while (conn->state != CONN_CLOSED &&
           (n = tls_engine_read(conn->tls, conns->buffer + conn->rest_len,
                                BUFFER - conn->rest_len)) > 0) {
        if (conn->rest_len > 0)
            memcpy(conns->buffer, conn->rest, conn->rest_len);
        on_bytes(conns, i, conn->rest_len + n);
    }
    if (conn->state != CONN_CLOSED)
        say_tls(conns, i);
    if (conn->state != CONN_CLOSED)
        on_shaken(conns, i);
    return conn->state != CONN_CLOSED;
}

/* Calls recv() once. True: there may be more. */
static bool read_some(struct conns *conns, size_t i, bool to_the_end)
{
    struct bench_conn *conn = &conns->conns[i];
    size_t rest = conn->rest_len, room = BUFFER - rest;

    if (conn->tls != NULL)
        return read_tls(conns, i);
    ssize_t got = recv(conn->fd, conns->buffer + rest, room, MSG_DONTWAIT);

    if (got < 0 && errno == EAGAIN)
        return false;
    if (got <= 0) {
        lost_by_errno(conns, i, got < 0 ? errno : 0);
        return false;
    }
    if (rest > 0)
        memcpy(conns->buffer, conn->rest, rest);
    conns->now_ns = clock_ns();
    shared_add(&conns->stats->reads, 1);
    shared_add(&conns->stats->bytes, (uint64_t)got);
    on_bytes(conns, i, rest + (size_t)got);
    return conn->state != CONN_CLOSED && ((size_t)got == room || to_the_end);
}

/* Epoll is edge-triggered. A socket that gave less than was asked for is empty, and epoll reports
 * it again when more comes. Epoll does not report a socket again that was closed, so that is read
 * to its end. */
static void on_input(struct conns *conns, size_t i, uint32_t events)
{
    bool to_the_end = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;

    while (read_some(conns, i, to_the_end))
        continue;
}

void conns_poll(struct conns *conns, int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(conns->epoll, events, EVENTS, timeout_ms);

    for (int k = 0; k < n; k++) {
        size_t i = events[k].data.u64;
        if (conns->conns[i].state == CONN_CONNECTING)
            on_connected(conns, i, events[k].events);
        if (conns->conns[i].state != CONN_CLOSED && (events[k].events & ~(uint32_t)EPOLLOUT) != 0)
            on_input(conns, i, events[k].events);
    }
    judge_flush(conns->judge);
}

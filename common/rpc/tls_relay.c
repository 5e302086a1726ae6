/* One thread serves all connections, by edges of epoll.
 *
 *     HANDSHAKE ─► OPEN ─► CLOSING: one end has ended; the rest goes to the other one ─► freed
 *         └──────────────► LINGER: our alert goes out, what the peer sends is dropped ─► freed
 */
#include "common/rpc/tls_relay.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/rpc/internal.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HANDSHAKE_MS = 5000, /* a peer that has not finished then is dropped */
    CLOSING_MS = 1000,   /* so long the rest of a connection may take */
    LOOK_MS = 200,
    EVENTS = 64,
    ROUNDS = 16, /* of a connection's turn; others come then */
    BITE = 15 * 1024,
    PEER_MAX = 64,
};

enum tunnel_state { TUNNEL_HANDSHAKE, TUNNEL_OPEN, TUNNEL_CLOSING, TUNNEL_LINGER, TUNNEL_OVER };

struct rpc_tunnel {
    _Atomic uint32_t refs; /* one of the relay, one of who took it */
    _Atomic uint64_t arrived;
    LIST_ENTRY(rpc_tunnel) link;
    STAILQ_ENTRY(rpc_tunnel) next; /* on `taken` or `again` */
    bool again;
    enum tunnel_state state;
    int wire, plain, grpc; /* GRPC: gRPC's end, as long as it is ours; else -1 */
    struct tls_engine *engine;
    int64_t due_ms; /* when HANDSHAKE, CLOSING and LINGER are over */
    uint8_t *rest;  /* plaintext that gRPC has not taken yet */
    size_t rest_at, rest_len;
    bool wire_ended, plain_ended;
    char peer[PEER_MAX];
};

STAILQ_HEAD(tunnel_queue, rpc_tunnel);

struct rpc_relay {
    struct tls_server *tls;
    rpc_relay_ready_fn ready;
    void *arg;
    int epoll, wake;
    pthread_t thread;
    LIST_HEAD(, rpc_tunnel) tunnels; /* the thread's */
    struct tunnel_queue again;       /* the thread's: those whose turn was too short */
    pthread_mutex_t lock;            /* guards what follows */
    pthread_cond_t changed;
    struct tunnel_queue taken;
    bool stop, stopped, close;
    uint8_t bytes[BITE];
};

/* --- life of a tunnel --- */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void rpc_tunnel_unref(struct rpc_tunnel *tunnel)
{
    if (tunnel != NULL && atomic_fetch_sub_explicit(&tunnel->refs, 1, memory_order_acq_rel) == 1)
        free(tunnel);
}

uint64_t rpc_tunnel_arrived(const struct rpc_tunnel *tunnel)
{
    return atomic_load_explicit(&tunnel->arrived, memory_order_relaxed);
}

static void tunnel_free(struct rpc_relay *relay, struct rpc_tunnel *tunnel)
{
    LIST_REMOVE(tunnel, link);
    if (tunnel->again)
        STAILQ_REMOVE(&relay->again, tunnel, rpc_tunnel, next);
    close_fd(&tunnel->wire);
    close_fd(&tunnel->plain);
    close_fd(&tunnel->grpc);
    tls_engine_free(tunnel->engine);
    tunnel->engine = NULL;
    mem_wiped_free(tunnel->rest, tunnel->rest_len);
    tunnel->rest = NULL;
    rpc_tunnel_unref(tunnel);
}

static void tunnel_limit(struct rpc_tunnel *tunnel, enum tunnel_state state)
{
    tunnel->state = state;
    tunnel->due_ms = time_mono_ms() + CLOSING_MS;
}

/* --- the handshake --- */

static void tunnel_opened(struct rpc_relay *relay, struct rpc_tunnel *tunnel)
{
    int fd = tunnel->grpc;

    if (strcmp(tls_engine_alpn(tunnel->engine), "h2") != 0) {
        log_warn("rpc peer refused", "peer=%s; it speaks TLS, but not HTTP/2: it is no gRPC",
                 tunnel->peer);
        tunnel->state = TUNNEL_OVER;
        return;
    }
    tunnel->state = TUNNEL_OPEN;
    tunnel->grpc = -1;
    pthread_mutex_lock(&relay->lock);
    bool stopped = relay->stop;
    pthread_mutex_unlock(&relay->lock);
    if (stopped)
        close_fd(&fd);
    else
        relay->ready(relay->arg, fd);
}

/* Fatal, protocol_version: RFC 8446, 5.1 and 6. */
static const uint8_t plain_alert[] = {21, 3, 1, 0, 2, 2, 70};

static void tunnel_failed(struct rpc_tunnel *tunnel)
{
    const char *advice =
        tls_engine_peer_is_plain(tunnel->engine)
            ? "rpc.tls is off there, or it is no daemon: rpc.tls has to be the same everywhere"
            : "look at tls.certificate and tls.ca there and here, and at both clocks";

    if (tunnel->state == TUNNEL_HANDSHAKE)
        log_warn("rpc peer refused", "peer=%s why=\"%s\"; %s", tunnel->peer,
                 tls_engine_error(tunnel->engine), advice);
    else
        log_warn("rpc peer cut", "peer=%s why=\"%s\"", tunnel->peer,
                 tls_engine_error(tunnel->engine));
    if (tls_engine_peer_is_plain(
            tunnel->engine)) /* OpenSSL says nothing then; diagnosis.c hears it */
        (void)send(tunnel->wire, plain_alert, sizeof plain_alert, MSG_NOSIGNAL);
    tunnel_limit(tunnel, TUNNEL_LINGER);
    close_fd(&tunnel->grpc);
    close_fd(&tunnel->plain);
}

/* --- bytes; each returns whether it got any further --- */

/* Ciphertext to the peer. */
static bool tunnel_send(struct rpc_tunnel *tunnel)
{
    const uint8_t *bytes;
    size_t len = tls_engine_output(tunnel->engine, &bytes);
    ssize_t n = len == 0 ? 0 : send(tunnel->wire, bytes, len, MSG_NOSIGNAL);

    if (n > 0)
        tls_engine_sent(tunnel->engine, (size_t)n);
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        tunnel->state = TUNNEL_OVER;
    return n > 0;
}

/* Ciphertext from the peer, once all that came before is decrypted. */
static bool tunnel_receive(struct rpc_relay *relay, struct rpc_tunnel *tunnel)
{
    if (tunnel->wire_ended)
        return false;
    ssize_t n = recv(tunnel->wire, relay->bytes, BITE, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    tunnel->wire_ended = n <= 0;
    if (n <= 0)
        return true;
    size_t taken = tls_engine_feed(tunnel->engine, relay->bytes, (size_t)n);
    assert(taken == (size_t)n); /* it has room for more than a record */
    (void)taken;
    return true;
}

static bool plain_write(struct rpc_tunnel *tunnel, const uint8_t *bytes, size_t len, size_t *done)
{
    ssize_t n = send(tunnel->plain, bytes, len, MSG_NOSIGNAL);

    *done = n > 0 ? (size_t)n : 0;
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        tunnel->plain_ended = true; /* gRPC has closed its end: nobody wants the rest */
    return n > 0;
}

static bool tunnel_write_rest(struct rpc_tunnel *tunnel)
{
    size_t done = 0;
    bool moved = plain_write(tunnel, tunnel->rest + tunnel->rest_at,
                             tunnel->rest_len - tunnel->rest_at, &done);

    tunnel->rest_at += done;
    if (tunnel->rest_at == tunnel->rest_len || tunnel->plain_ended) {
        mem_wiped_free(tunnel->rest, tunnel->rest_len);
        tunnel->rest = NULL;
    }
    return moved;
}

/* Plaintext to gRPC. */
static bool tunnel_decrypt(struct rpc_relay *relay, struct rpc_tunnel *tunnel)
{
    size_t done = 0;

    if (tunnel->rest != NULL)
        return tunnel_write_rest(tunnel);
    size_t len = tls_engine_read(tunnel->engine, relay->bytes, BITE);
    if (len == 0)
        return false;
    atomic_fetch_add_explicit(&tunnel->arrived, len, memory_order_relaxed);
    plain_write(tunnel, relay->bytes, len, &done);
    if (done < len && !tunnel->plain_ended) {
        tunnel->rest = mem_alloc(len - done);
        memcpy(tunnel->rest, relay->bytes + done, len - done);
        tunnel->rest_at = 0;
        tunnel->rest_len = len - done;
    }
    return true;
}

/* Plaintext from gRPC. It is read only when the peer has taken all that was encrypted before. */
static bool tunnel_encrypt(struct rpc_relay *relay, struct rpc_tunnel *tunnel)
{
    const uint8_t *waiting;

    if (tunnel->plain_ended || tls_engine_output(tunnel->engine, &waiting) > 0)
        return false;
    ssize_t n = recv(tunnel->plain, relay->bytes, BITE, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    tunnel->plain_ended = n <= 0;
    if (n > 0)
        tls_engine_write(tunnel->engine, relay->bytes, (size_t)n); /* nothing waits: it takes all */
    return true;
}

/* --- a turn --- */

static bool tunnel_move(struct rpc_relay *relay, struct rpc_tunnel *tunnel)
{
    bool moved = tunnel_decrypt(relay, tunnel);

    if (tls_engine_state(tunnel->engine) == TLS_FAILED) {
        tunnel_failed(tunnel);
        return true;
    }
    if (tunnel->state == TUNNEL_HANDSHAKE && tls_engine_state(tunnel->engine) == TLS_OPEN) {
        tunnel_opened(relay, tunnel);
        return true;
    }
    if (!moved && tunnel->rest == NULL)
        moved = tunnel_receive(relay, tunnel);
    /* During the handshake there is only an end to see: the connection was cut. */
    moved = tunnel_encrypt(relay, tunnel) || moved;
    /* Last: also what decrypting made, such as the handshake's next part. */
    return tunnel_send(tunnel) || moved;
}

/* One of both ends has ended. Is there a rest for the other one? */
static void tunnel_look_at_ends(struct rpc_tunnel *tunnel)
{
    const uint8_t *waiting;
    bool closed = tunnel->wire_ended || tls_engine_state(tunnel->engine) == TLS_CLOSED;

    if (!closed && !tunnel->plain_ended)
        return;
    if (tunnel->state == TUNNEL_HANDSHAKE) {
        if (closed)
            log_info("rpc peer left", "peer=%s; before its TLS handshake was over", tunnel->peer);
        tunnel->state = TUNNEL_OVER;
        return;
    }
    if (tunnel->state == TUNNEL_OPEN)
        tunnel_limit(tunnel, TUNNEL_CLOSING);
    if (tunnel->plain_ended)
        tls_engine_close(tunnel->engine);
    while (tunnel_send(tunnel))
        continue;
    if ((closed && tunnel->rest == NULL) ||
        (tunnel->plain_ended && tls_engine_output(tunnel->engine, &waiting) == 0))
        tunnel->state = TUNNEL_OVER;
}

static void tunnel_linger(struct rpc_relay *relay, struct rpc_tunnel *tunnel)
{
    const uint8_t *waiting;
    ssize_t n;

    while (tunnel_send(tunnel))
        continue;
    if (tunnel->state == TUNNEL_LINGER && tls_engine_output(tunnel->engine, &waiting) == 0)
        shutdown(tunnel->wire, SHUT_WR);
    while ((n = recv(tunnel->wire, relay->bytes, BITE, 0)) > 0)
        continue;
    if (n == 0 || (errno != EAGAIN && errno != EINTR))
        tunnel->state = TUNNEL_OVER;
}

/* Moves what can be moved. */
static void tunnel_turn(struct rpc_relay *relay, struct rpc_tunnel *tunnel)
{
    int rounds = 0;

    while (rounds < ROUNDS && tunnel->state < TUNNEL_LINGER && tunnel_move(relay, tunnel))
        rounds++;
    if (rounds == ROUNDS) {
        if (!tunnel->again)
            STAILQ_INSERT_TAIL(&relay->again, tunnel, next);
        tunnel->again = true;
        return;
    }
    if (tunnel->state == TUNNEL_LINGER)
        tunnel_linger(relay, tunnel);
    else if (tunnel->state != TUNNEL_OVER)
        tunnel_look_at_ends(tunnel);
    if (tunnel->state == TUNNEL_OVER)
        tunnel_free(relay, tunnel);
}

/* --- the thread --- */

static void relay_admit(struct rpc_relay *relay, struct rpc_tunnel *tunnel)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = tunnel};

    LIST_INSERT_HEAD(&relay->tunnels, tunnel, link);
    if (epoll_ctl(relay->epoll, EPOLL_CTL_ADD, tunnel->wire, &event) != 0 ||
        epoll_ctl(relay->epoll, EPOLL_CTL_ADD, tunnel->plain, &event) != 0) {
        log_warn("cannot accept", "what=rpc peer=%s err=%d", tunnel->peer, errno);
        tunnel_free(relay, tunnel);
        return;
    }
    tunnel_turn(relay, tunnel);
}

static void relay_admit_all(struct rpc_relay *relay)
{
    struct rpc_tunnel *tunnel;
    eventfd_t count;

    (void)eventfd_read(relay->wake, &count);
    for (;;) {
        pthread_mutex_lock(&relay->lock);
        tunnel = STAILQ_TAKE(&relay->taken, next);
        relay->stopped = relay->stop;
        pthread_cond_broadcast(&relay->changed);
        pthread_mutex_unlock(&relay->lock);
        if (tunnel == NULL)
            return;
        relay_admit(relay, tunnel);
    }
}

static void relay_look_at_time(struct rpc_relay *relay)
{
    struct rpc_tunnel *tunnel, *next;
    int64_t now = time_mono_ms();

    for (tunnel = LIST_FIRST(&relay->tunnels); tunnel != NULL; tunnel = next) {
        next = LIST_NEXT(tunnel, link);
        if (tunnel->state == TUNNEL_OPEN || now < tunnel->due_ms)
            continue;
        if (tunnel->state == TUNNEL_HANDSHAKE)
            log_info("rpc peer refused", "peer=%s; its TLS handshake took longer than %d ms",
                     tunnel->peer, HANDSHAKE_MS);
        tunnel_free(relay, tunnel);
    }
}

/* Those whose turn was too short. Each gets one more. */
static void relay_go_on(struct rpc_relay *relay)
{
    struct tunnel_queue now = STAILQ_HEAD_INITIALIZER(now);
    struct rpc_tunnel *tunnel;

    STAILQ_CONCAT(&now, &relay->again);
    while ((tunnel = STAILQ_TAKE(&now, next)) != NULL) {
        tunnel->again = false;
        tunnel_turn(relay, tunnel);
    }
}

static bool relay_is_over(struct rpc_relay *relay, int64_t *close_ms)
{
    pthread_mutex_lock(&relay->lock);
    bool close = relay->close;
    pthread_mutex_unlock(&relay->lock);
    if (!close)
        return false;
    if (*close_ms == 0)
        *close_ms = time_mono_ms() + CLOSING_MS;
    return LIST_EMPTY(&relay->tunnels) || time_mono_ms() >= *close_ms;
}

/* A tunnel may be freed by the first of its two events, so its second one is looked for. */
static void forget(struct epoll_event *events, int at, int n)
{
    for (int i = at + 1; i < n; i++)
        if (events[i].data.ptr == events[at].data.ptr)
            events[i].data.ptr = NULL;
}

static int relay_wait(struct rpc_relay *relay)
{
    if (!STAILQ_EMPTY(&relay->again))
        return 0;
    return LIST_EMPTY(&relay->tunnels) ? -1 : LOOK_MS;
}

static void *relay_thread(void *arg)
{
    struct rpc_relay *relay = arg;
    struct epoll_event events[EVENTS];
    int64_t look_ms = 0, close_ms = 0;

    pthread_setname_np(pthread_self(), "rpc-tls");
    while (!relay_is_over(relay, &close_ms)) {
        int n = epoll_wait(relay->epoll, events, EVENTS, relay_wait(relay));
        for (int i = 0; i < n; i++) {
            forget(events, i, n);
            if (events[i].data.ptr == relay)
                relay_admit_all(relay);
            else if (events[i].data.ptr != NULL)
                tunnel_turn(relay, events[i].data.ptr);
        }
        relay_go_on(relay);
        if (time_mono_ms() < look_ms)
            continue;
        relay_look_at_time(relay);
        look_ms = time_mono_ms() + LOOK_MS;
    }
    return NULL;
}

/* --- from other threads --- */

static struct rpc_tunnel *tunnel_new(struct rpc_relay *relay, int wire, const char *peer)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
        return NULL;
    struct rpc_tunnel *tunnel = mem_zalloc(sizeof *tunnel);
    atomic_init(&tunnel->refs, 2);
    tunnel->engine = tls_engine_accept(relay->tls);
    tunnel->wire = wire;
    tunnel->plain = pair[0];
    tunnel->grpc = pair[1];
    tunnel->due_ms = time_mono_ms() + HANDSHAKE_MS;
    snprintf(tunnel->peer, sizeof tunnel->peer, "%s", peer);
    return tunnel;
}

static void relay_wake(struct rpc_relay *relay)
{
    eventfd_write(relay->wake, 1);
}

struct rpc_tunnel *rpc_relay_take(struct rpc_relay *relay, int wire, const char *peer, int *fd)
{
    struct rpc_tunnel *tunnel = tunnel_new(relay, wire, peer);

    if (tunnel == NULL) {
        close(wire);
        return NULL;
    }
    *fd = tunnel->grpc;
    pthread_mutex_lock(&relay->lock);
    STAILQ_INSERT_TAIL(&relay->taken, tunnel, next);
    pthread_mutex_unlock(&relay->lock);
    relay_wake(relay);
    return tunnel;
}

int rpc_relay_open(struct tls_server *tls, rpc_relay_ready_fn ready, void *arg,
                   struct rpc_relay **out)
{
    struct rpc_relay *relay = mem_zalloc(sizeof *relay);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = relay};

    relay->tls = tls;
    relay->ready = ready;
    relay->arg = arg;
    STAILQ_INIT(&relay->taken);
    STAILQ_INIT(&relay->again);
    LIST_INIT(&relay->tunnels);
    pthread_mutex_init(&relay->lock, NULL);
    pthread_cond_init(&relay->changed, NULL);
    relay->epoll = epoll_create1(EPOLL_CLOEXEC);
    relay->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int err = relay->epoll < 0 || relay->wake < 0 ||
                      epoll_ctl(relay->epoll, EPOLL_CTL_ADD, relay->wake, &event) != 0
                  ? -errno
                  : rpc_thread_start(&relay->thread, relay_thread, relay);
    if (err == 0) {
        *out = relay;
        return 0;
    }
    close_fd(&relay->epoll);
    close_fd(&relay->wake);
    free(relay);
    return err;
}

void rpc_relay_stop(struct rpc_relay *relay)
{
    pthread_mutex_lock(&relay->lock);
    relay->stop = true;
    relay_wake(relay);
    while (!relay->stopped)
        pthread_cond_wait(&relay->changed, &relay->lock);
    pthread_mutex_unlock(&relay->lock);
}

void rpc_relay_close(struct rpc_relay *relay)
{
    struct rpc_tunnel *tunnel, *next;

    if (relay == NULL)
        return;
    pthread_mutex_lock(&relay->lock);
    relay->close = true;
    pthread_mutex_unlock(&relay->lock);
    relay_wake(relay);
    pthread_join(relay->thread, NULL);
    for (tunnel = LIST_FIRST(&relay->tunnels); tunnel != NULL; tunnel = next) {
        next = LIST_NEXT(tunnel, link);
        tunnel_free(relay, tunnel);
    }
    close(relay->epoll);
    close(relay->wake);
    pthread_cond_destroy(&relay->changed);
    pthread_mutex_destroy(&relay->lock);
    free(relay);
}

/* admission.c - decides which connections a gRPC server takes. It accepts them in place of gRPC,
 * which (1.51)
 *   - stops accepting for ever when one accept() fails, for example without free descriptors
 *   - has no limit of connections, and no limit of streams before the peer has agreed to one
 *   - keeps parts of messages until they are complete. When its quota for all parts is used up, it
 *     ends any streams and connections, even those of our daemons
 *
 *   gate thread:  accept ─► listed, with its address ─► grpc_server_add_channel_from_fd
 *                                                └─ or, with TLS, tls_relay.c gives it to gRPC
 *   calls thread: a stream ─► rpc_admission_enter ─► too many, or too often: the connection is cut
 *
 * gRPC owns an accepted socket, and does not tell us when it closes the socket. Descriptor numbers
 * are reused. So we compare inodes: the same inode means the same connection. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/saturate.h"
#include "common/base/time.h"
#include "common/net/listen.h"
#include "common/rpc/internal.h"
#include "common/rpc/tls_relay.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <linux/tcp.h> /* in place of netinet/tcp.h, which lacks tcpi_bytes_received */
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BACKLOG = 1024,
    ACCEPTS_PER_TURN = 64,
    LOOK_MS = 200,  /* how often the list is compared with what is open and has arrived */
    RETRY_MS = 100, /* the same while no more connections are taken */
    IDLE_MS = 500,  /* when the list is full, a connection that has had no stream for so long is
                     * cut */
    RATE_MS = 1000, /* the interval that RPC_OPENED_MAX is for */
    PEER_MAX = 64,
    FREE_EACH_LOOK = 1024,  /* bytes that a connection may send beside messages: pings … */
    PART_LEAST = 65536,     /* a connection with fewer bytes of incomplete messages is never cut for
                             * them */
    PARTS_ALWAYS = 8 << 20, /* all connections together may always have so much: two messages */
    MUCH = 1 << 20,         /* after a connection with so many bytes was cut, memory is given back
                             * to the kernel */
};

struct admitted_conn {
    uint64_t number;
    int fd;
    ino_t inode;
    uint32_t streams, calls;
    uint32_t opened; /* since SINCE_MS, without calls that were answered */
    int64_t since_ms, idle_ms;
    /* Bytes, as of the last look. ARRIVED: all that the kernel received. WHOLE: of complete
     * messages; WHOLE_BEFORE: the same at the look before. WHOLE_ENDED: of complete messages whose
     * streams have ended. PARTS: of incomplete messages. */
    uint64_t arrived, whole, whole_before, whole_ended, parts;
    int64_t whole_ms; /* when WHOLE last grew; 0: never */
    bool cut;
    struct rpc_tunnel *tunnel; /* NULL: no TLS */
    char peer[PEER_MAX];
};

struct rpc_admission {
    struct rpc *rpc;
    grpc_server *server;
    grpc_server_credentials *credentials;
    struct rpc_relay *relay; /* NULL: no TLS */
    int fds[LISTEN_MOST], n_fds, wake;
    bool started;
    pthread_t thread;

    pthread_mutex_t lock; /* guards what follows */
    struct admitted_conn *conns;
    size_t n, limit;
    uint64_t most_parts; /* bytes of incomplete messages that all connections together may have */
    uint64_t numbers;
    struct rpc_stats stats;
};

/* ── the list; under admission->lock ── */

static bool conn_is(const struct admitted_conn *conn, int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_ino == conn->inode;
}

/* Ends a connection. It works on a duplicate of the descriptor. gRPC may close the original
 * meanwhile, and another socket could get the same number. */
static void conn_cut(struct admitted_conn *conn)
{
    static const struct linger none = {.l_onoff = 1, .l_linger = 0};
    char waste[16384];
    int fd = fcntl(conn->fd, F_DUPFD_CLOEXEC, 0);

    conn->cut = true;
    if (fd < 0)
        return;
    if (conn_is(conn, fd)) {
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none); /* close() sends a reset */
        shutdown(fd, SHUT_RDWR);
        /* Bytes that have arrived are thrown away, so that gRPC does not read them. */
        while (recv(fd, waste, sizeof waste, MSG_DONTWAIT) > 0)
            continue;
    }
    close(fd);
}

static void conn_gone(const struct admitted_conn *conn)
{
    rpc_tunnel_unref(conn->tunnel);
    if (conn->cut || conn->arrived >= MUCH)
        mem_trim_soon(); /* gRPC has freed the connection's memory only now */
}

static void admission_sweep(struct rpc_admission *admission)
{
    size_t kept = 0;

    for (size_t i = 0; i < admission->n; i++) {
        if (conn_is(&admission->conns[i], admission->conns[i].fd))
            admission->conns[kept++] = admission->conns[i];
        else
            conn_gone(&admission->conns[i]);
    }
    admission->n = kept;
}

/* Cuts connections that have had no stream for IDLE_MS, the oldest connections first. gRPC then
 * closes them. */
static void admission_make_room(struct rpc_admission *admission)
{
    int64_t before = time_mono_ms() - IDLE_MS;
    int n = 0;

    for (size_t i = 0; i < admission->n && n < ACCEPTS_PER_TURN; i++) {
        struct admitted_conn *conn = &admission->conns[i];
        if (conn->streams + conn->calls > 0 || conn->cut || conn->idle_ms >= before)
            continue;
        conn_cut(conn);
        n++;
        log_warn("idle peer cut",
                 "peer=%s limit=%zu; all connections are taken, see rpc.connections", conn->peer,
                 admission->limit);
    }
    admission->stats.cut += (uint64_t)n;
}

static struct admitted_conn *admission_by_fd(struct rpc_admission *admission, int fd)
{
    for (size_t i = admission->n; i > 0; i--) {
        if (admission->conns[i - 1].fd == fd) /* if several had this number, the last one has it
                                               * now */
            return &admission->conns[i - 1];
    }
    return NULL;
}

/* ── parts of messages; the gate's thread ── */

static struct admitted_conn *admission_by_number(struct rpc_admission *admission, uint64_t number)
{
    size_t low = 0, high = admission->n;

    while (low < high) { /* the list is sorted by number */
        size_t middle = low + (high - low) / 2;
        if (admission->conns[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < admission->n && admission->conns[low].number == number;
    return found ? &admission->conns[low] : NULL;
}

/* Sums WHOLE of each connection over its streams. Under rpc->lock and admission->lock. */
static void admission_add_up(struct rpc_admission *admission)
{
    for (size_t i = 0; i < admission->n; i++)
        admission->conns[i].whole = admission->conns[i].whole_ended;
    for (struct rpc_stream *stream = admission->rpc->live; stream != NULL;
         stream = stream->live_next) {
        struct admitted_conn *conn =
            stream->server != NULL ? admission_by_number(admission, stream->conn) : NULL;
        if (conn != NULL)
            conn->whole += atomic_load_explicit(&stream->whole, memory_order_relaxed);
    }
}

/* What gRPC gets, so that of TLS the plaintext counts. False: the connection has ended. */
static bool conn_arrived(const struct admitted_conn *conn, uint64_t *arrived)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;

    if (conn->tunnel != NULL)
        *arrived = rpc_tunnel_arrived(conn->tunnel);
    else if (getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0)
        *arrived = info.tcpi_bytes_received;
    else
        return false;
    return true;
}

/* Bytes that have arrived but belong to no complete message. They are parts of messages, or frames
 * without a message, which keep gRPC busy. */
static uint64_t conn_parts(struct admitted_conn *conn, int64_t now)
{
    uint64_t arrived;

    if (conn->cut || !conn_is(conn, conn->fd) || !conn_arrived(conn, &arrived))
        return 0;
    uint64_t gone = conn->whole - conn->whole_before + FREE_EACH_LOOK;
    conn->parts += arrived - conn->arrived;
    conn->parts = saturate_sub(conn->parts, gone);
    if (conn->whole > conn->whole_before)
        conn->whole_ms = now;
    conn->whole_before = conn->whole;
    conn->arrived = arrived;
    return conn->parts;
}

/* Cuts the connection whose last complete message is the longest ago. Returns how many bytes that
 * frees; 0: there is none to cut. */
static uint64_t admission_cut_parts(struct rpc_admission *admission)
{
    struct admitted_conn *last = NULL;

    for (size_t i = 0; i < admission->n; i++) {
        struct admitted_conn *conn = &admission->conns[i];
        if (!conn->cut && conn->parts >= PART_LEAST &&
            (last == NULL || conn->whole_ms < last->whole_ms))
            last = conn;
    }
    if (last == NULL)
        return 0;
    conn_cut(last);
    admission->stats.cut++;
    log_warn("peer cut", "peer=%s bytes=%llu; parts of messages that do not become whole",
             last->peer, (unsigned long long)last->parts);
    return last->parts;
}

static void admission_look(struct rpc_admission *admission)
{
    int64_t now = time_mono_ms();
    uint64_t parts = 0, freed = 1;

    pthread_mutex_lock(&admission->rpc->lock);
    pthread_mutex_lock(&admission->lock);
    admission_add_up(admission);
    pthread_mutex_unlock(&admission->rpc->lock);
    for (size_t i = 0; i < admission->n; i++)
        parts += conn_parts(&admission->conns[i], now);
    for (; parts > admission->most_parts && freed > 0; parts -= freed)
        freed = admission_cut_parts(admission);
    admission_sweep(admission);
    pthread_mutex_unlock(&admission->lock);
}

/* ── the gate's thread ── */

static void peer_text(const struct sockaddr_storage *address, char buf[PEER_MAX])
{
    char host[INET6_ADDRSTRLEN] = "?", port[8] = "0";
    bool v6 = address->ss_family == AF_INET6;

    getnameinfo((const struct sockaddr *)address, sizeof *address, host, sizeof host, port,
                sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(buf, PEER_MAX, v6 ? "ipv6:[%s]:%s" : "ipv4:%s:%s", host, port);
}

/* Under admission->lock. False: the list is full, and a connection has to end first. */
static bool admission_has_room(struct rpc_admission *admission)
{
    if (admission->n == admission->limit)
        admission_sweep(admission);
    if (admission->n < admission->limit)
        return true;
    admission->stats.waited++;
    admission_make_room(admission);
    return false;
}

/* FD is what gRPC gets. */
static void admission_list(struct rpc_admission *admission, int fd, struct rpc_tunnel *tunnel,
                           const char peer[PEER_MAX])
{
    struct admitted_conn *conn = &admission->conns[admission->n++];
    struct stat st = {0};

    fstat(fd, &st);
    *conn = (struct admitted_conn){.number = ++admission->numbers,
                                   .fd = fd,
                                   .inode = st.st_ino,
                                   .idle_ms = time_mono_ms(),
                                   .tunnel = tunnel};
    memcpy(conn->peer, peer, PEER_MAX);
    admission->stats.accepted++;
}

/* The socket FD was accepted. It is listed before anything can happen on it. */
static void admission_take(struct rpc_admission *admission, int fd,
                           const struct sockaddr_storage *address)
{
    char peer[PEER_MAX];
    struct rpc_tunnel *tunnel = NULL;

    peer_text(address, peer);
    pthread_mutex_lock(&admission->lock);
    if (admission->relay != NULL)
        tunnel = rpc_relay_take(admission->relay, fd, peer, &fd);
    if (tunnel != NULL || admission->relay == NULL)
        admission_list(admission, fd, tunnel, peer);
    else
        admission->stats.accept_errors++;
    pthread_mutex_unlock(&admission->lock);
    if (admission->relay == NULL)
        grpc_server_add_channel_from_fd(admission->server, fd, admission->credentials);
}

/* relay thread: the handshake of FD's peer is over. */
static void admission_ready(void *arg, int fd)
{
    struct rpc_admission *admission = arg;

    grpc_server_add_channel_from_fd(admission->server, fd, admission->credentials);
}

/* Accepts a connection. 1: accepted, and more may wait; 0: none waits; -E…: not possible now. */
static int admission_accept(struct rpc_admission *admission, int listener)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    int one = 1;

    pthread_mutex_lock(&admission->lock);
    bool room = admission_has_room(admission);
    pthread_mutex_unlock(&admission->lock);
    if (!room)
        return -EAGAIN;
    int fd = accept4(listener, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        int err = errno;
        if (err == EAGAIN || err == EINTR || err == ECONNABORTED)
            return err != EAGAIN;
        pthread_mutex_lock(&admission->lock);
        admission->stats.accept_errors++;
        pthread_mutex_unlock(&admission->lock);
        log_warn("cannot accept", "what=rpc err=%d; trying again", err);
        return -err;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    admission_take(admission, fd, &address);
    return 1;
}

/* False: no connection can be taken for now. */
static bool admission_accept_all(struct rpc_admission *admission, const struct pollfd *polled)
{
    for (int i = 0; i < admission->n_fds; i++) {
        int more = polled[i].revents != 0;
        for (int n = 0; more > 0 && n < ACCEPTS_PER_TURN; n++)
            more = admission_accept(admission, admission->fds[i]);
        if (more < 0)
            return false;
    }
    return true;
}

static void *admission_thread(void *arg)
{
    struct rpc_admission *admission = arg;
    struct pollfd polled[LISTEN_MOST + 1];
    bool open = true;
    int64_t look_ms = 0;

    pthread_setname_np(pthread_self(), "rpc-gate");
    for (;;) {
        /* The wake-up comes first, because it is polled even while the listeners are not. */
        polled[0] = (struct pollfd){.fd = admission->wake, .events = POLLIN};
        for (int i = 0; i < admission->n_fds; i++)
            polled[i + 1] = (struct pollfd){.fd = admission->fds[i], .events = POLLIN};
        int n = poll(polled, open ? (nfds_t)admission->n_fds + 1 : 1, open ? LOOK_MS : RETRY_MS);
        if (n > 0 && polled[0].revents != 0)
            return NULL;
        if (!open)
            for (int i = 0; i < admission->n_fds; i++)
                polled[i + 1].revents = POLLIN;
        open = admission_accept_all(admission, polled + 1);
        if (time_mono_ms() < look_ms)
            continue;
        admission_look(admission);
        look_ms = time_mono_ms() + LOOK_MS;
    }
}

/* ── streams; calls thread ── */

static bool conn_allows(struct admitted_conn *conn, bool call)
{
    int64_t now = time_mono_ms();

    if (now - conn->since_ms >= RATE_MS) {
        conn->since_ms = now;
        conn->opened = 0;
    }
    if (conn->cut || ++conn->opened > RPC_OPENED_MAX + (call ? RPC_CALLS_MAX : 0))
        return false;
    return call ? conn->calls < RPC_CALLS_MAX : conn->streams < RPC_STREAMS_MAX;
}

uint64_t rpc_admission_enter(struct rpc_admission *admission, const char *name, bool call,
                             char **peer)
{
    int fd = strncmp(name, "fd:", 3) == 0 ? (int)strtol(name + 3, NULL, 10) : -1;
    uint64_t number = 0;

    pthread_mutex_lock(&admission->lock);
    struct admitted_conn *conn = admission_by_fd(admission, fd);
    *peer = mem_strdup(conn != NULL ? conn->peer : "gone");
    if (conn != NULL && conn_allows(conn, call)) {
        conn->streams += !call;
        conn->calls += call;
        number = conn->number;
    } else {
        admission->stats.refused++;
    }
    if (conn != NULL && number == 0 && !conn->cut) {
        conn_cut(conn);
        admission->stats.cut++;
        mem_trim_soon();
        log_warn("peer cut",
                 "peer=%s streams=%u calls=%u opened=%u; more at once, or within a second, than "
                 "any honest peer opens",
                 conn->peer, conn->streams, conn->calls, conn->opened);
    }
    pthread_mutex_unlock(&admission->lock);
    return number;
}

/* What a call took is given back once it is answered. So a peer may make any number of calls, but
 * may not begin and abandon them. */
void rpc_admission_leave(struct rpc_admission *admission, const struct rpc_stream *stream)
{
    bool call = rpc_is_call(stream);

    pthread_mutex_lock(&admission->lock);
    struct admitted_conn *conn = admission_by_number(admission, stream->conn);
    if (conn != NULL) {
        assert((call ? conn->calls : conn->streams) > 0);
        conn->streams -= !call;
        conn->calls -= call;
        conn->opened -= stream->settled && conn->opened > 0;
        conn->whole_ended += atomic_load_explicit(&stream->whole, memory_order_relaxed);
        conn->idle_ms = time_mono_ms();
    }
    pthread_mutex_unlock(&admission->lock);
}

void rpc_admission_stats(struct rpc_admission *admission, struct rpc_stats *out)
{
    pthread_mutex_lock(&admission->lock);
    out->connections = (int64_t)admission->n;
    out->accepted = admission->stats.accepted;
    out->waited = admission->stats.waited;
    out->cut = admission->stats.cut;
    out->accept_errors = admission->stats.accept_errors;
    out->refused = admission->stats.refused;
    pthread_mutex_unlock(&admission->lock);
}

/* ── life ── */

int rpc_admission_open(struct rpc *rpc, grpc_server *server, const char *address,
                       struct rpc_admission **out)
{
    struct rpc_admission *admission = mem_zalloc(sizeof *admission);
    int err = listen_open(address, BACKLOG, admission->fds);

    if (err < 0)
        goto free_gate;
    admission->n_fds = err;
    admission->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (admission->wake < 0) {
        err = -errno;
        goto close_fds;
    }
    admission->server = server;
    admission->credentials = grpc_insecure_server_credentials_create();
    admission->rpc = rpc;
    admission->limit = (size_t)rpc->limits.connections;
    admission->most_parts = (uint64_t)rpc->limits.held / 8 * 3; /* three quarters of the quota */
    if (admission->most_parts < PARTS_ALWAYS)
        admission->most_parts = PARTS_ALWAYS;
    admission->conns = mem_alloc(admission->limit * sizeof *admission->conns);
    pthread_mutex_init(&admission->lock, NULL);
    struct tls_server *tls = rpc_security_server(rpc);
    err = tls != NULL ? rpc_relay_open(tls, admission_ready, admission, &admission->relay) : 0;
    if (err != 0)
        rpc_admission_free(admission);
    else
        *out = admission;
    return err;

close_fds:
    listen_close(admission->fds, admission->n_fds);
free_gate:
    free(admission);
    return err;
}

int rpc_admission_start(struct rpc_admission *admission)
{
    int err = rpc_thread_start(&admission->thread, admission_thread, admission);

    admission->started = err == 0;
    return err;
}

void rpc_admission_stop(struct rpc_admission *admission)
{
    if (admission->started) {
        eventfd_write(admission->wake, 1);
        pthread_join(admission->thread, NULL);
    }
    if (admission->started && admission->relay != NULL)
        rpc_relay_stop(admission->relay);
    admission->started = false;
    listen_close(admission->fds, admission->n_fds);
    admission->n_fds = 0;
}

void rpc_admission_free(struct rpc_admission *admission)
{
    rpc_admission_stop(admission);
    rpc_relay_close(admission->relay);
    for (size_t i = 0; i < admission->n; i++)
        rpc_tunnel_unref(admission->conns[i].tunnel);
    close(admission->wake);
    grpc_server_credentials_release(admission->credentials);
    pthread_mutex_destroy(&admission->lock);
    free(admission->conns);
    free(admission);
}

int rpc_admission_port(const struct rpc_admission *admission)
{
    return listen_port(admission->fds[0]);
}

/* admission.c - who is let in to a gRPC server. It accepts in place of gRPC, whose 1.51
 *   - stops accepting for ever when one accept() fails, as it does without free descriptors
 *   - has no limit of connections, and none of streams before the peer has agreed to one
 *
 *   gate thread:  accept ─► listed, with its address ─► grpc_server_add_channel_from_fd
 *   calls thread: a stream ─► rpc_gate_enter ─► too many, or too often: the connection is cut
 *
 * gRPC owns an accepted socket and tells nobody when it closes it: a descriptor is still the
 * connection it was while its inode is the same. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/net/listen.h"
#include "common/rpc/internal.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
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
    LOOK_MS = 1000, /* how often the list is compared with what is open */
    RETRY_MS = 100, /* the same while nobody more is let in */
    IDLE_MS = 500,  /* when it is full, a connection that has had no stream for so long gives way */
    RATE_MS = 1000, /* of RPC_OPENED_MAX */
    PEER_MAX = 64,
};

struct gate_conn {
    uint64_t number;
    int fd;
    ino_t inode;
    uint32_t streams, opened; /* OPENED: since SINCE_MS */
    int64_t since_ms, idle_ms;
    bool cut;
    char peer[PEER_MAX];
};

struct rpc_gate {
    grpc_server *server;
    grpc_server_credentials *credentials;
    int fds[LISTEN_MOST], n_fds, wake;
    bool started;
    pthread_t thread;

    pthread_mutex_t lock; /* guards what follows */
    struct gate_conn *conns;
    size_t n, limit;
    uint64_t numbers;
    struct rpc_stats stats;
};

/* ── the list; under gate->lock ── */

static bool conn_is(const struct gate_conn *conn, int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_ino == conn->inode;
}

/* Through a descriptor of our own: gRPC may close its own meanwhile, and another socket take the
 * number. */
static void conn_cut(struct gate_conn *conn)
{
    static const struct linger none = {.l_onoff = 1, .l_linger = 0};
    char waste[16384];
    int fd = fcntl(conn->fd, F_DUPFD_CLOEXEC, 0);

    conn->cut = true;
    if (fd < 0)
        return;
    if (conn_is(conn, fd)) {
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none); /* a reset at the close */
        shutdown(fd, SHUT_RDWR);
        /* What has arrived could still be read: gRPC is not to. */
        while (recv(fd, waste, sizeof waste, MSG_DONTWAIT) > 0)
            continue;
    }
    close(fd);
}

static void gate_sweep(struct rpc_gate *gate)
{
    size_t kept = 0;

    for (size_t i = 0; i < gate->n; i++) {
        if (conn_is(&gate->conns[i], gate->conns[i].fd))
            gate->conns[kept++] = gate->conns[i];
        else if (gate->conns[i].cut)
            mem_trim_soon(); /* what it took is free only now */
    }
    gate->n = kept;
}

/* Those that have had no stream for a while, the longest here first; the closing itself is gRPC's.
 */
static void gate_make_room(struct rpc_gate *gate)
{
    int64_t before = rpc_now_ms() - IDLE_MS;
    int n = 0;

    for (size_t i = 0; i < gate->n && n < ACCEPTS_PER_TURN; i++) {
        struct gate_conn *conn = &gate->conns[i];
        if (conn->streams > 0 || conn->cut || conn->idle_ms >= before)
            continue;
        conn_cut(conn);
        n++;
        log_warn("idle peer cut",
                 "peer=%s limit=%zu; all connections are taken, see rpc.connections", conn->peer,
                 gate->limit);
    }
    gate->stats.cut += (uint64_t)n;
}

static struct gate_conn *gate_by_fd(struct rpc_gate *gate, int fd)
{
    for (size_t i = gate->n; i > 0; i--) {
        if (gate->conns[i - 1].fd == fd) /* the last one with the number is the one that has it */
            return &gate->conns[i - 1];
    }
    return NULL;
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

/* Under the lock. False: somebody has to go first. */
static bool gate_has_room(struct rpc_gate *gate)
{
    if (gate->n == gate->limit)
        gate_sweep(gate);
    if (gate->n < gate->limit)
        return true;
    gate->stats.waited++;
    gate_make_room(gate);
    return false;
}

static void gate_list(struct rpc_gate *gate, int fd, const struct sockaddr_storage *address)
{
    struct gate_conn *conn = &gate->conns[gate->n++];
    struct stat st = {0};

    fstat(fd, &st);
    *conn = (struct gate_conn){
        .number = ++gate->numbers, .fd = fd, .inode = st.st_ino, .idle_ms = rpc_now_ms()};
    peer_text(address, conn->peer);
    gate->stats.accepted++;
}

/* 1: and perhaps more wait; 0: nobody does; -E…: not now. */
static int gate_accept(struct rpc_gate *gate, int listener)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    int one = 1;

    pthread_mutex_lock(&gate->lock);
    bool room = gate_has_room(gate);
    pthread_mutex_unlock(&gate->lock);
    if (!room)
        return -EAGAIN;
    int fd = accept4(listener, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        int err = errno;
        if (err == EAGAIN || err == EINTR || err == ECONNABORTED)
            return err != EAGAIN;
        pthread_mutex_lock(&gate->lock);
        gate->stats.accept_errors++;
        pthread_mutex_unlock(&gate->lock);
        log_warn("cannot accept", "rpc err=%d; trying again", err);
        return -err;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    pthread_mutex_lock(&gate->lock);
    gate_list(gate, fd, &address);
    pthread_mutex_unlock(&gate->lock);
    grpc_server_add_channel_from_fd(gate->server, fd, gate->credentials);
    return 1;
}

/* False: nobody can be let in for now. */
static bool gate_accept_all(struct rpc_gate *gate, const struct pollfd *polled)
{
    for (int i = 0; i < gate->n_fds; i++) {
        int more = polled[i].revents != 0;
        for (int n = 0; more > 0 && n < ACCEPTS_PER_TURN; n++)
            more = gate_accept(gate, gate->fds[i]);
        if (more < 0)
            return false;
    }
    return true;
}

static void *gate_thread(void *arg)
{
    struct rpc_gate *gate = arg;
    struct pollfd polled[LISTEN_MOST + 1];
    bool open = true;

    pthread_setname_np(pthread_self(), "rpc-gate");
    for (;;) {
        /* The wake-up comes first: it is polled also while listeners are not. */
        polled[0] = (struct pollfd){.fd = gate->wake, .events = POLLIN};
        for (int i = 0; i < gate->n_fds; i++)
            polled[i + 1] = (struct pollfd){.fd = gate->fds[i], .events = POLLIN};
        int n = poll(polled, open ? (nfds_t)gate->n_fds + 1 : 1, open ? LOOK_MS : RETRY_MS);
        if (n > 0 && polled[0].revents != 0)
            return NULL;
        if (!open)
            for (int i = 0; i < gate->n_fds; i++)
                polled[i + 1].revents = POLLIN;
        open = gate_accept_all(gate, polled + 1);
        pthread_mutex_lock(&gate->lock);
        gate_sweep(gate);
        pthread_mutex_unlock(&gate->lock);
    }
}

/* ── streams; calls thread ── */

static bool conn_allows(struct gate_conn *conn)
{
    int64_t now = rpc_now_ms();

    if (now - conn->since_ms >= RATE_MS) {
        conn->since_ms = now;
        conn->opened = 0;
    }
    return !conn->cut && ++conn->opened <= RPC_OPENED_MAX && conn->streams < RPC_STREAMS_MAX;
}

uint64_t rpc_gate_enter(struct rpc_gate *gate, const char *name, char **peer)
{
    int fd = strncmp(name, "fd:", 3) == 0 ? (int)strtol(name + 3, NULL, 10) : -1;
    uint64_t number = 0;

    pthread_mutex_lock(&gate->lock);
    struct gate_conn *conn = gate_by_fd(gate, fd);
    *peer = mem_strdup(conn != NULL ? conn->peer : "gone");
    if (conn != NULL && conn_allows(conn)) {
        conn->streams++;
        number = conn->number;
    } else {
        gate->stats.refused++;
    }
    if (conn != NULL && number == 0 && !conn->cut) {
        conn_cut(conn);
        gate->stats.cut++;
        mem_trim_soon();
        log_warn("peer cut",
                 "peer=%s streams=%u opened=%u; more streams at once, or within a "
                 "second, than any daemon opens",
                 conn->peer, conn->streams, conn->opened);
    }
    pthread_mutex_unlock(&gate->lock);
    return number;
}

void rpc_gate_leave(struct rpc_gate *gate, uint64_t number)
{
    pthread_mutex_lock(&gate->lock);
    for (size_t i = 0; i < gate->n; i++) {
        struct gate_conn *conn = &gate->conns[i];
        if (conn->number != number)
            continue;
        assert(conn->streams > 0);
        conn->streams--;
        conn->idle_ms = rpc_now_ms();
        break;
    }
    pthread_mutex_unlock(&gate->lock);
}

void rpc_gate_stats(struct rpc_gate *gate, struct rpc_stats *out)
{
    pthread_mutex_lock(&gate->lock);
    out->connections = (int64_t)gate->n;
    out->accepted = gate->stats.accepted;
    out->waited = gate->stats.waited;
    out->cut = gate->stats.cut;
    out->accept_errors = gate->stats.accept_errors;
    out->refused = gate->stats.refused;
    pthread_mutex_unlock(&gate->lock);
}

/* ── life ── */

int rpc_gate_open(struct rpc *rpc, grpc_server *server, const char *address, struct rpc_gate **out)
{
    struct rpc_gate *gate = mem_zalloc(sizeof *gate);
    int err = listen_open(address, BACKLOG, gate->fds);

    if (err < 0)
        goto free_gate;
    gate->n_fds = err;
    gate->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (gate->wake < 0) {
        err = -errno;
        goto close_fds;
    }
    gate->server = server;
    gate->credentials = grpc_insecure_server_credentials_create();
    gate->limit = (size_t)rpc->limits.connections;
    gate->conns = mem_alloc(gate->limit * sizeof *gate->conns);
    pthread_mutex_init(&gate->lock, NULL);
    *out = gate;
    return 0;

close_fds:
    listen_close(gate->fds, gate->n_fds);
free_gate:
    free(gate);
    return err;
}

int rpc_gate_start(struct rpc_gate *gate)
{
    int err = rpc_thread_start(&gate->thread, gate_thread, gate);

    gate->started = err == 0;
    return err;
}

void rpc_gate_stop(struct rpc_gate *gate)
{
    if (gate->started) {
        eventfd_write(gate->wake, 1);
        pthread_join(gate->thread, NULL);
    }
    gate->started = false;
    listen_close(gate->fds, gate->n_fds);
    gate->n_fds = 0;
}

void rpc_gate_free(struct rpc_gate *gate)
{
    rpc_gate_stop(gate);
    close(gate->wake);
    grpc_server_credentials_release(gate->credentials);
    pthread_mutex_destroy(&gate->lock);
    free(gate->conns);
    free(gate);
}

int rpc_gate_port(const struct rpc_gate *gate)
{
    return listen_port(gate->fds[0]);
}

/* kernel's queue ─► on_readable: accept4, a bite per turn ─► conn_accept
 *                        ├─ TLS, and conn.handshakes are under way: left in the kernel's queue
 *                        ├─ logic.connects and as many again wait to be admitted: CROWDED_MS
 *                        ├─ over conn.max: closed at once, counted
 *                        ├─ no descriptor left: the spare one makes room to refuse, counted
 *                        └─ not even that: all listeners pause for PAUSE_MS */
#include "comet/net/listener.h"
#include "comet/net/client_address.h"
#include "comet/net/conn_internal.h"
#include "comet/net/conn_tls.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/pace.h"
#include "common/net/address.h"
#include "common/net/listen.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BITE = 64, /* connections accepted per turn and listener */
    BACKLOG = 4096,
    PAUSE_MS = 100,
    CROWDED_MS = 2,   /* nobody is accepted while so many wait to be admitted as may be under way */
    FILES_KEPT = 256, /* descriptors for everything that is not a client's connection */
};

struct listener {
    uv_poll_t poll;
    struct frontend *frontend;
    const char *address; /* config's */
    enum listener_kind kind;
    int fd;       /* -1: off */
    bool bound;   /* poll is initialised */
    bool put_off; /* it accepts nothing until handshakes have ended */
};

/* Listeners of one kind stand together, one for each address of the kind's host name. */
enum { SOCKETS = LISTENERS * LISTEN_MOST };

struct listeners {
    struct listener at[SOCKETS];
    uv_timer_t pause;
    int spare_fd;
    int64_t max_connections;
    struct pace told; /* refusals in the log */
    uint64_t untold;
    bool accepting, stopped;
};

/* --- accepting --- */

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Closes with a reset: no FIN to wait for, and no TIME_WAIT that is ours. A flood is told in the
 * log in a few lines. */
static void close_refused(struct listener *listener, int fd, const union endpoint *peer,
                          const char *why)
{
    static const struct linger reset = {.l_onoff = 1};
    struct listeners *listeners = listener->frontend->listeners;
    uint64_t now = loop_now_ms(&listener->frontend->worker->loop);
    char text[ENDPOINT_IP_MAX] = "";
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    if (pace_wait(&listeners->told, now) > 0) {
        listeners->untold++;
        return;
    }
    pace_spend(&listeners->told, now);
    if (peer != NULL)
        endpoint_ip(&peer->any, text, sizeof text);
    log_warn("connection refused", "listen=%s peer=%s why=\"%s\" untold=%llu", listener->address,
             text, why, (unsigned long long)listeners->untold);
    listeners->untold = 0;
}

static void refuse(struct listener *listener, int fd, const union endpoint *peer,
                   enum comet_metric metric, const char *why)
{
    metric_add(listener->frontend->worker->counters, metric, 1); /* before the close is seen */
    close_refused(listener, fd, peer, why);
}

static void poll_all(struct listeners *listeners, bool on);

static void on_pause_over(uv_timer_t *timer)
{
    struct listeners *listeners = container_of(timer, struct listeners, pause);
    if (listeners->spare_fd < 0)
        listeners->spare_fd = open_spare();
    poll_all(listeners, true);
}

/* Stops polling for MS: the listening socket stays readable, so polling on would spin. */
static void pause_accepting(struct listeners *listeners, uint64_t ms)
{
    poll_all(listeners, false);
    uv_timer_start(&listeners->pause, on_pause_over, ms, 0);
}

/* Clients come faster than logic admits them. Those who wait in the kernel cost nobody anything. */
static bool is_crowded(const struct worker *worker)
{
    return worker->connects_waiting >= (size_t)worker->config->logic_connects;
}

/* No descriptor is left (EMFILE, ENFILE): closes the spare one for a moment to accept and refuse a
 * client. 0: a client was refused. -EAGAIN: no client waits. */
static int refuse_with_spare(struct listener *listener)
{
    struct listeners *listeners = listener->frontend->listeners;
    if (listeners->spare_fd < 0)
        return -EMFILE;
    close(listeners->spare_fd);
    int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC), rc = fd < 0 ? -errno : 0;
    if (fd >= 0)
        refuse(listener, fd, NULL, COMET_REFUSED_FULL,
               "no file descriptor left: raise the limit of open files");
    listeners->spare_fd = open_spare();
    return rc;
}

static bool is_tls(enum listener_kind kind)
{
    return kind == LISTENER_TCPS || kind == LISTENER_WSS;
}

static struct tls_server *tls_of(const struct listener *listener)
{
    const struct worker *worker = listener->frontend->worker;
    return listener->kind == LISTENER_TCPS ? worker->tcps : worker->wss;
}

static void take(struct listener *listener, int fd, const union endpoint *peer)
{
    static const int accepted[LISTENERS] = {COMET_ACCEPTED_TCP, COMET_ACCEPTED_WS,
                                            COMET_ACCEPTED_TCPS, COMET_ACCEPTED_WSS};
    bool is_ws = listener->kind == LISTENER_WS || listener->kind == LISTENER_WSS;
    struct frontend *frontend = listener->frontend;
    struct client_arrival arrival;
    if (conn_total() >= frontend->listeners->max_connections) {
        refuse(listener, fd, peer, COMET_REFUSED_FULL, "conn.max reached");
        return;
    }
    if (frontend->worker->memory != MEMORY_OK) {
        refuse(listener, fd, peer, COMET_REFUSED_MEMORY, "memory is short, see memory.limit");
        return;
    }
    if (!client_address_accept(frontend, peer, &arrival)) {
        close_refused(listener, fd, peer, arrival.why);
        return;
    }
    struct conn *conn = conn_accept(frontend, fd, is_ws);
    client_address_begin(frontend, conn, &arrival);
    if (conn != NULL && is_tls(listener->kind))
        conn_tls_begin(conn, tls_of(listener));
    if (conn != NULL)
        metric_add(frontend->worker->counters, (size_t)accepted[listener->kind], 1);
}

/* True: the caller goes on with the next client. */
static bool accept_one(struct listener *listener)
{
    union endpoint peer = {0};
    socklen_t len = sizeof peer;
    int fd = accept4(listener->fd, &peer.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC),
        rc = fd < 0 ? -errno : 0;
    if (fd >= 0)
        take(listener, fd, &peer);
    else if (rc == -EMFILE || rc == -ENFILE)
        rc = refuse_with_spare(listener);
    if (rc == 0 || rc == -ECONNABORTED || rc == -EINTR)
        return true;
    if (rc != -EAGAIN) {
        log_error("accept failed", "listen=%s err=%s pause_ms=%d", listener->address,
                  uv_err_name(rc), PAUSE_MS);
        pause_accepting(listener->frontend->listeners, PAUSE_MS);
    }
    return false;
}

/* Too many handshakes are under way: clients wait in the kernel's queue. */
static bool put_off(struct listener *listener)
{
    if (!is_tls(listener->kind) || !frontend_tls_is_full(listener->frontend))
        return false;
    listener->put_off = true;
    uv_poll_stop(&listener->poll);
    metric_add(listener->frontend->worker->counters, COMET_TLS_PUT_OFF, 1);
    return true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = container_of(poll, struct listener, poll);
    (void)events;
    if (status < 0) {
        log_error("listener failed", "listen=%s err=%s", listener->address, uv_err_name(status));
        pause_accepting(listener->frontend->listeners, PAUSE_MS);
        return;
    }
    if (is_crowded(listener->frontend->worker)) {
        metric_add(listener->frontend->worker->counters, COMET_CROWDED, 1);
        pause_accepting(listener->frontend->listeners, CROWDED_MS);
        return;
    }
    for (int i = 0; i < BITE && !put_off(listener) && accept_one(listener); i++)
        continue;
}

void listeners_take_up(struct frontend *frontend)
{
    struct listeners *listeners = frontend->listeners;
    for (int i = LISTENER_TCPS * LISTEN_MOST; i < SOCKETS; i++) {
        struct listener *listener = &listeners->at[i];
        if (!listener->put_off || listeners->stopped)
            continue;
        listener->put_off = false;
        /* Otherwise when the pause, or the rest, is over. */
        if (listeners->accepting && !uv_is_active((uv_handle_t *)&listeners->pause))
            uv_poll_start(&listener->poll, UV_READABLE, on_readable);
    }
}

static void poll_all(struct listeners *listeners, bool on)
{
    for (int i = 0; i < SOCKETS; i++) {
        struct listener *listener = &listeners->at[i];
        if (!listener->bound || listeners->stopped)
            continue;
        if (on)
            uv_poll_start(&listener->poll, UV_READABLE, on_readable);
        else
            uv_poll_stop(&listener->poll);
    }
}

void listeners_accept(struct frontend *frontend)
{
    loop_assert_owner(&frontend->worker->loop);
    struct listeners *listeners = frontend->listeners;
    if (listeners->accepting || listeners->stopped)
        return;
    listeners->accepting = true;
    for (int i = 0; i < SOCKETS; i++) {
        struct listener *listener = &listeners->at[i];
        if (listener->bound && listen(listener->fd, BACKLOG) != 0)
            log_error("cannot listen", "listen=%s err=%s", listener->address, uv_err_name(-errno));
    }
    poll_all(listeners, true);
}

void listeners_rest(struct frontend *frontend)
{
    loop_assert_owner(&frontend->worker->loop);
    struct listeners *listeners = frontend->listeners;
    if (!listeners->accepting || listeners->stopped)
        return;
    listeners->accepting = false;
    uv_timer_stop(&listeners->pause);
    poll_all(listeners, false);
    for (int i = 0; i < SOCKETS; i++) {
        if (listeners->at[i].bound) /* Linux: the port stays ours, and listen() works again */
            shutdown(listeners->at[i].fd, SHUT_RD);
    }
}

/* --- opening --- */

static int complain(const char *address, int error, char *err, size_t errlen)
{
    char text[128];
    const char *advice = "is it an address of this machine, as host:port?";
    if (error == EADDRINUSE)
        advice = "another program, or another comet, has this port: stop it or choose another port";
    else if (error == EACCES)
        advice = "ports below 1024 need the capability CAP_NET_BIND_SERVICE: choose another port";
    (void)snprintf(err, errlen, "cannot listen on %s: %s; %s", address,
                   uv_strerror_r(-error, text, sizeof text), advice);
    return -error;
}

/* "host:port", "[v6]:port", ":port". */
static struct addrinfo *resolve(const char *text, char *err, size_t errlen)
{
    struct address address;
    struct addrinfo *found;
    if (address_parse(text, strlen(text), &address) != 0) {
        (void)snprintf(err, errlen, "cannot listen on %s: want host:port, as in 0.0.0.0:8080",
                       text);
        return NULL;
    }
    bool any = address.host[0] == '\0' || strcmp(address.host, "*") == 0;
    int rc = address_lookup(any ? NULL : address.host, address.port_text, AF_UNSPEC,
                            AI_PASSIVE | AI_NUMERICSERV, &found);
    if (rc == 0)
        return found;
    (void)snprintf(err, errlen, "cannot listen on %s: %s", text, gai_strerror(rc));
    return NULL;
}

/* Binds once without SO_REUSEPORT, to learn whether another process has the port. With that option
 * a second comet of the same system user would share the port unnoticed. */
static int probe(const struct addrinfo *to)
{
    const int one = 1;
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), rc = 0;
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, to->ai_addr, to->ai_addrlen) != 0)
        rc = -errno;
    close(fd);
    return rc;
}

/* A bound socket or -E…. */
static int bind_socket(const struct addrinfo *to)
{
    const int one = 1;
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* accepted sockets inherit it */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) == 0 &&
        bind(fd, to->ai_addr, to->ai_addrlen) == 0)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

/* If the port of TO is 0, the system chooses one. 0 or -E…. */
static int listener_open(struct listener *listener, const struct addrinfo *to)
{
    struct worker *worker = listener->frontend->worker;
    int rc = worker->loop.index == 0 ? probe(to) : 0;
    if (rc == 0)
        rc = bind_socket(to);
    if (rc < 0)
        return rc;
    listener->fd = rc;
    rc = uv_poll_init(&worker->loop.uv, &listener->poll, listener->fd);
    listener->bound = rc == 0;
    if (rc == 0)
        return 0;
    close(listener->fd);
    listener->fd = -1;
    return rc;
}

/* Binds all addresses of the kind's host name, with the same port. */
static int kind_open(struct frontend *frontend, enum listener_kind kind, char *err, size_t errlen)
{
    struct listener *first = &frontend->listeners->at[kind * LISTEN_MOST], *next = first;
    struct addrinfo *list = resolve(first->address, err, errlen);
    int rc = -EADDRNOTAVAIL;
    if (list == NULL)
        return -EINVAL;
    for (struct addrinfo *to = list; to != NULL && next < first + LISTEN_MOST; to = to->ai_next) {
        if (next > first)
            endpoint_set_port(to->ai_addr, listen_port(first->fd));
        rc = listener_open(next, to);
        if (rc == 0)
            next++;
        else if (rc != -EADDRNOTAVAIL && rc != -EAFNOSUPPORT)
            break; /* a host name may have addresses of a family that is switched off here */
    }
    freeaddrinfo(list);
    if (rc == -EADDRNOTAVAIL || rc == -EAFNOSUPPORT)
        rc = next > first ? 0 : rc;
    return rc == 0 ? 0 : complain(first->address, -rc, err, errlen);
}

static int64_t connection_limit(int64_t configured)
{
    struct rlimit files = {0};
    if (configured > 0)
        return configured;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY)
        return INT64_MAX;
    int64_t limit = (int64_t)files.rlim_cur;
    return limit > 2 * FILES_KEPT ? limit - FILES_KEPT : limit / 2;
}

int listeners_open(struct frontend *frontend, char *err, size_t errlen)
{
    const struct comet_config *config = frontend->worker->config;
    const char *addresses[LISTENERS] = {config->tcp_listen, config->ws_listen, config->tcps_listen,
                                        config->wss_listen};
    struct listeners *listeners = mem_zalloc(sizeof *listeners);
    frontend->listeners = listeners;
    listeners->max_connections = connection_limit(config->most_clients);
    listeners->spare_fd = open_spare();
    listeners->told = (struct pace){.period_ms = 1000, .burst = 5};
    uv_timer_init(&frontend->worker->loop.uv, &listeners->pause);
    for (int i = 0; i < SOCKETS; i++)
        listeners->at[i] = (struct listener){.frontend = frontend,
                                             .kind = (enum listener_kind)(i / LISTEN_MOST),
                                             .fd = -1,
                                             .address = addresses[i / LISTEN_MOST]};
    for (int i = 0; i < LISTENERS; i++) {
        if (addresses[i] == NULL || *addresses[i] == '\0')
            continue;
        int rc = kind_open(frontend, (enum listener_kind)i, err, errlen);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int listeners_port(const struct frontend *frontend, enum listener_kind kind)
{
    int fd = frontend->listeners->at[kind * LISTEN_MOST].fd;
    return fd < 0 ? 0 : listen_port(fd);
}

/* --- closing --- */

static void on_closed(uv_handle_t *handle)
{
    struct listener *listener = container_of(handle, struct listener, poll);
    close(listener->fd);
    listener->fd = -1;
    listener->bound = false;
    listener->frontend->open_handles--;
}

static void on_pause_closed(uv_handle_t *handle)
{
    struct listeners *listeners = container_of(handle, struct listeners, pause);
    listeners->at[0].frontend->open_handles--;
}

void listeners_stop(struct frontend *frontend)
{
    loop_assert_owner(&frontend->worker->loop);
    struct listeners *listeners = frontend->listeners;
    if (listeners->stopped)
        return;
    listeners->stopped = true;
    for (int i = 0; i < SOCKETS; i++) {
        if (!listeners->at[i].bound)
            continue;
        frontend->open_handles++;
        uv_close((uv_handle_t *)&listeners->at[i].poll, on_closed);
    }
    frontend->open_handles++;
    uv_close((uv_handle_t *)&listeners->pause, on_pause_closed);
}

void listeners_free(struct frontend *frontend)
{
    assert(frontend->listeners->stopped);
    if (frontend->listeners->spare_fd >= 0)
        close(frontend->listeners->spare_fd);
    free(frontend->listeners);
    frontend->listeners = NULL;
}

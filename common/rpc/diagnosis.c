/* diagnosis.c - why a peer cannot be reached, as far as TLS is the reason. gRPC says only that the
 * connection failed. So a thread connects once more by itself, and logs what it finds.
 *
 *   a stream was not connected in time ─► rpc_diagnose ─► a thread, for some seconds at most:
 *       with TLS:    handshake ─► failed, or refused by an alert? logged
 *       without TLS: HTTP/2's first bytes ─► answered by TLS? logged */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/net/address.h"
#include "common/rpc/internal.h"
#include "common/tls/engine.h"
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    AGAIN_MS = 10000, /* a channel is looked at no more often */
    AT_ONCE = 4,      /* threads */
    LIMIT_MS = 3000,
    SLICE_MS = 50, /* how often it looks whether the process ends */
    ALERT = 21,    /* first byte of a TLS alert: RFC 8446, 5.1 */
};

struct diagnosis {
    struct rpc *rpc;
    struct rpc_identity *identity;
    struct address address;
    char *text; /* the address as it is configured */
    int fd;
    int64_t due_ms;
};

/* Waits for EVENTS. False: it takes too long. */
static bool wait_for(const struct diagnosis *diagnosis, short events)
{
    struct pollfd polled = {.fd = diagnosis->fd, .events = events};

    while (time_mono_ms() < diagnosis->due_ms && !atomic_load(&diagnosis->rpc->closing)) {
        if (poll(&polled, 1, SLICE_MS) > 0)
            return true;
    }
    return false;
}

static bool connect_to(struct diagnosis *diagnosis, const struct addrinfo *at)
{
    int err = 0;
    socklen_t len = sizeof err;

    diagnosis->fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (diagnosis->fd < 0)
        return false;
    if ((connect(diagnosis->fd, at->ai_addr, at->ai_addrlen) == 0 || errno == EINPROGRESS) &&
        wait_for(diagnosis, POLLOUT) &&
        getsockopt(diagnosis->fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err == 0)
        return true;
    close(diagnosis->fd);
    diagnosis->fd = -1;
    return false;
}

/* False: it cannot even connect, which the stream's owner has logged already. */
static bool connect_any(struct diagnosis *diagnosis)
{
    struct addrinfo *list = NULL;

    if (address_lookup(diagnosis->address.host, diagnosis->address.port_text, AF_UNSPEC, 0,
                       &list) != 0)
        return false;
    for (const struct addrinfo *at = list; at != NULL && diagnosis->fd < 0; at = at->ai_next)
        connect_to(diagnosis, at);
    freeaddrinfo(list);
    return diagnosis->fd >= 0;
}

static bool send_all(const struct diagnosis *diagnosis, const void *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = send(diagnosis->fd, (const char *)bytes + at, len - at, MSG_NOSIGNAL);
        if (n < 0 && (errno != EAGAIN || !wait_for(diagnosis, POLLOUT)))
            return false;
        at += n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* The peer has to say something: after the handshake gRPC's server begins, or TLS refuses. */
static void handshake(const struct diagnosis *diagnosis, struct tls_engine *engine)
{
    uint8_t bytes[8192];
    const uint8_t *out;
    size_t len;

    for (;;) {
        if (tls_engine_read(engine, bytes, sizeof bytes) > 0)
            return;
        while ((len = tls_engine_output(engine, &out)) > 0) {
            if (!send_all(diagnosis, out, len))
                return;
            tls_engine_sent(engine, len);
        }
        if (tls_engine_state(engine) >= TLS_CLOSED || !wait_for(diagnosis, POLLIN))
            return;
        ssize_t n = recv(diagnosis->fd, bytes, sizeof bytes, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return;
        if (n > 0)
            tls_engine_feed(engine, bytes, (size_t)n);
    }
}

static void look_with_tls(const struct diagnosis *diagnosis)
{
    const char *name = rpc_identity_tls_name(diagnosis->identity);
    struct tls_engine *engine =
        tls_engine_connect(rpc_identity_client(diagnosis->identity),
                           name != NULL ? name : diagnosis->address.host, NULL);

    if (engine == NULL)
        return;
    handshake(diagnosis, engine);
    if (tls_engine_peer_is_plain(engine))
        log_warn("rpc peer without TLS",
                 "peer=%s; rpc.tls is off there, or it is no daemon: rpc.tls has to be the same "
                 "everywhere",
                 diagnosis->text);
    else if (tls_engine_state(engine) == TLS_FAILED)
        log_warn("no TLS with rpc peer",
                 "peer=%s name=%s why=\"%s\"; look at tls.certificate and tls.ca here and there, "
                 "at rpc.tls_name, and at both clocks",
                 diagnosis->text, name != NULL ? name : diagnosis->address.host,
                 tls_engine_error(engine));
    tls_engine_free(engine);
}

static void look_without_tls(const struct diagnosis *diagnosis)
{
    static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0"; /* RFC 9113 */
    uint8_t first = 0;

    if (send_all(diagnosis, hello, sizeof hello) && wait_for(diagnosis, POLLIN) &&
        recv(diagnosis->fd, &first, 1, 0) == 1 && first == ALERT)
        log_warn("rpc peer with TLS",
                 "peer=%s; rpc.tls is off here: rpc.tls has to be the same everywhere",
                 diagnosis->text);
}

static void *diagnosis_thread(void *arg)
{
    struct diagnosis *diagnosis = arg;
    struct rpc *rpc = diagnosis->rpc;

    if (connect_any(diagnosis)) {
        if (rpc_identity_client(diagnosis->identity) != NULL)
            look_with_tls(diagnosis);
        else
            look_without_tls(diagnosis);
        close(diagnosis->fd);
    }
    rpc_identity_unref(diagnosis->identity);
    free(diagnosis->text);
    free(diagnosis);
    pthread_mutex_lock(&rpc->lock);
    rpc->diagnoses--;
    pthread_cond_broadcast(&rpc->idle);
    pthread_mutex_unlock(&rpc->lock);
    return NULL;
}

/* Takes one of the AT_ONCE places. */
static bool take_place(struct rpc *rpc)
{
    pthread_mutex_lock(&rpc->lock);
    bool free_place = rpc->diagnoses < AT_ONCE && !atomic_load(&rpc->closing);
    rpc->diagnoses += free_place;
    pthread_mutex_unlock(&rpc->lock);
    return free_place;
}

void rpc_diagnose(struct rpc_channel *channel)
{
    int64_t now = time_mono_ms();
    struct diagnosis *diagnosis;
    struct address address;
    pthread_t thread;

    if ((channel->diagnosed_ms != 0 && now - channel->diagnosed_ms < AGAIN_MS) ||
        address_parse(channel->address, strlen(channel->address), &address) != 0 ||
        !take_place(channel->rpc))
        return;
    channel->diagnosed_ms = now;
    diagnosis = mem_zalloc(sizeof *diagnosis);
    diagnosis->rpc = channel->rpc;
    diagnosis->identity = rpc_identity_get(channel->rpc);
    diagnosis->address = address;
    diagnosis->text = mem_strdup(channel->address);
    diagnosis->fd = -1;
    diagnosis->due_ms = now + LIMIT_MS;
    if (rpc_thread_start(&thread, diagnosis_thread, diagnosis) == 0) {
        pthread_detach(thread);
        return;
    }
    rpc_identity_unref(diagnosis->identity);
    free(diagnosis->text);
    free(diagnosis);
    pthread_mutex_lock(&channel->rpc->lock);
    channel->rpc->diagnoses--;
    pthread_mutex_unlock(&channel->rpc->lock);
}

/* recv ─► feed ─► engine ─► plaintext ─► conn_read.c      conn_write.c ─► engine ─► output ─► send
 *                   │ a hello
 *                   └─► waiting ─► conn_tls_shake_all: at most SHAKES_PER_TURN at the end of a turn
 *
 * So whoever is connected comes first: their bytes are handled before the turn ends. */
#include "comet/net/conn_tls.h"
#include "comet/net/conn_read.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/net/address.h"
#include "common/tls/engine.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    SHAKES_PER_TURN = 4,     /* some tenths of a millisecond each */
    RECORD = 16 * 1024,      /* plaintext of a record at most: RFC 8446, 5.1 */
    ENGINE_KEEPS = 8 * 1024, /* of memory, while the client is a stranger */
    ENGINE_BARE = 512,       /* the same, until its first record has come whole */
};

/* --- what a loop has --- */

static void shake_all(struct loop *loop, struct loop_task *task);

struct frontend_tls *frontend_tls_open(struct frontend *frontend,
                                       void (*has_room)(struct frontend *frontend))
{
    const struct comet_config *config = frontend->worker->config;
    bool wanted = (config->tcps_listen != NULL && config->tcps_listen[0] != '\0') ||
                  (config->wss_listen != NULL && config->wss_listen[0] != '\0');
    if (!wanted)
        return NULL;
    struct frontend_tls *tls = mem_zalloc(sizeof *tls);
    tls->frontend = frontend;
    tls->has_room = has_room;
    tls->conns = slab_open("TLS connections", sizeof(struct conn_tls));
    tls->in = mem_alloc(FRONTEND_READ);
    tls->plain = mem_alloc(RECORD);
    tls->shake.run = shake_all;
    tls->kernel = frontend->worker->tls_kernel;
    TAILQ_INIT(&tls->waiting);
    return tls;
}

void frontend_tls_close(struct frontend_tls *tls)
{
    if (tls == NULL)
        return;
    assert(TAILQ_EMPTY(&tls->waiting) && tls->shaking == 0);
    slab_close(tls->conns);
    free(tls->in);
    free(tls->plain);
    free(tls);
}

bool frontend_tls_is_full(const struct frontend *frontend)
{
    return frontend->tls != NULL &&
           frontend->tls->shaking >= (size_t)frontend->worker->config->handshakes;
}

static void count_shaking(struct conn_tls *tls, bool on)
{
    struct frontend *frontend = conn_frontend(tls->conn);
    if (tls->counted == on)
        return;
    bool was_full = frontend_tls_is_full(frontend);
    tls->counted = on;
    frontend->tls->shaking += on ? 1 : (size_t)-1;
    if (was_full && !frontend_tls_is_full(frontend))
        frontend->tls->has_room(frontend);
}

/* --- life --- */

static void count_open(const struct conn_tls *tls, int n)
{
    conn_count(tls->conn, tls_engine_in_kernel(tls->engine) ? COMET_TLS_KERNEL : COMET_TLS_DAEMON,
               n);
}

void conn_tls_begin(struct conn *conn, struct tls_server *server)
{
    conn->tls = slab_alloc(conn_frontend(conn)->tls->conns);
    *conn->tls = (struct conn_tls){.conn = conn, .server = server};
}

void conn_tls_end(struct conn *conn)
{
    struct conn_tls *tls = conn->tls;
    struct frontend_tls *all = conn_frontend(conn)->tls;
    if (tls->engine != NULL && tls_engine_state(tls->engine) == TLS_CLOSED)
        (void)conn_tls_close(conn);
    count_shaking(tls, false);
    if (tls->open)
        count_open(tls, -1);
    if (tls->waits)
        TAILQ_REMOVE(&all->waiting, tls, link);
    tls_engine_free(tls->engine);
    conn->tls = NULL;
    slab_free(all->conns, tls);
}

bool conn_tls_handshake_over(const struct conn_tls *tls)
{
    return tls->engine != NULL && tls_engine_state(tls->engine) != TLS_HANDSHAKE;
}

bool conn_tls_is_over(const struct conn *conn)
{
    const struct tls_engine *engine = conn->tls->engine;
    return engine != NULL &&
           (tls_engine_state(engine) == TLS_CLOSED || tls_engine_state(engine) == TLS_FAILED);
}

size_t conn_tls_kept(const struct conn *conn)
{
    const struct tls_engine *engine = conn->tls->engine;
    if (engine == NULL)
        return 0;
    return (tls_engine_has_begun(engine) ? ENGINE_KEEPS : ENGINE_BARE) + tls_engine_held(engine);
}

/* --- reading --- */

static void tell_failure(struct conn *conn)
{
    char peer[64];
    const struct tls_engine *engine = conn->tls->engine;
    if (tls_engine_peer_is_plain(engine))
        conn_count(conn, COMET_TLS_PLAIN, 1);
    conn_peer(conn, peer, sizeof peer);
    log_info("TLS failed", "peer=%s listener=%s reason=\"%s\"", peer, conn->is_ws ? "wss" : "tcps",
             tls_engine_error(engine));
}

/* The handshake is over, and nothing waits to be sent: from now on the kernel seals, if it can. */
static void settle_who_seals(struct conn_tls *tls)
{
    if (tls->open || tls_engine_state(tls->engine) != TLS_OPEN)
        return;
    int rc = conn_frontend(tls->conn)->tls->kernel
                 ? tls_engine_to_kernel(tls->engine, tls->conn->fd)
                 : 0;
    if (rc < 0 && rc != -EOPNOTSUPP)
        log_warn("the kernel does not seal a TLS connection",
                 "err=\"%s\"; the daemon does it itself", uv_strerror(rc));
    tls->open = true;
    count_open(tls, 1);
}

/* All plaintext that there is. What the engine has to say is sent. */
static ssize_t take_plaintext(struct conn *conn, uint8_t *buf)
{
    struct conn_tls *tls = conn->tls;
    size_t n = 0, got;
    bool failed = conn_tls_is_over(conn);
    while (n < FRONTEND_READ &&
           (got = tls_engine_read(tls->engine, buf + n, FRONTEND_READ - n)) > 0)
        n += got;
    if (conn_tls_handshake_over(tls))
        count_shaking(tls, false);
    if (!failed && tls_engine_state(tls->engine) == TLS_FAILED)
        tell_failure(conn);
    int rc = conn_tls_flush(conn);
    if (rc == 0)
        settle_who_seals(tls);
    return rc < 0 ? rc : (ssize_t)n;
}

/* The first record has come whole: it waits for its turn. */
static void wait_for_turn(struct conn_tls *tls)
{
    struct frontend_tls *all = conn_frontend(tls->conn)->tls;
    if (tls->waits)
        return;
    tls->waits = true;
    TAILQ_INSERT_TAIL(&all->waiting, tls, link);
    loop_defer(&tls->conn->worker->loop, &all->shake);
}

/* 0: the peer has sent its FIN, or more than may be. -EAGAIN: nothing came. */
static ssize_t take_bytes(struct conn *conn, size_t most)
{
    struct conn_tls *tls = conn->tls;
    uint8_t *in = conn_frontend(conn)->tls->in;
    size_t room = tls->engine != NULL ? tls_engine_room(tls->engine) : TLS_ENGINE_IN;
    most = most < room ? most : room;
    ssize_t n = most > 0 ? recv(conn->fd, in, most, 0) : 0;
    if (n <= 0)
        return n == 0 ? 0 : errno == EINTR ? -EAGAIN : -errno;
    if (tls->engine == NULL)
        tls->engine = tls_engine_accept(tls->server);
    size_t fed = tls_engine_feed(tls->engine, in, (size_t)n);
    assert(fed == (size_t)n);
    (void)fed;
    return n;
}

ssize_t conn_tls_receive(struct conn *conn, uint8_t *buf, size_t most, size_t *wire)
{
    struct conn_tls *tls = conn->tls;
    ssize_t n = take_bytes(conn, most);
    *wire = n > 0 ? (size_t)n : 0;
    if (n == -EAGAIN)
        return 0;
    if (n <= 0)
        return n < 0 ? n : -EPIPE;
    if (!tls->counted && !conn_tls_handshake_over(tls)) {
        if (tls_engine_ready(tls->engine)) {
            wait_for_turn(tls);
            count_shaking(tls, true);
        }
        return 0;
    }
    return tls->waits ? 0 : take_plaintext(conn, buf);
}

/* --- handshakes, a few a turn --- */

static void shake(struct conn_tls *tls)
{
    struct conn *conn = tls->conn;
    tls->waits = false;
    TAILQ_REMOVE(&conn_frontend(conn)->tls->waiting, tls, link);
    if (!conn->broken)
        conn_read_decrypted(conn, 0, take_plaintext(conn, conn_read_buffer(conn)));
}

static void shake_all(struct loop *loop, struct loop_task *task)
{
    struct frontend_tls *all = container_of(task, struct frontend_tls, shake);
    struct conn_tls *tls;
    for (int i = 0; i < SHAKES_PER_TURN && (tls = TAILQ_FIRST(&all->waiting)) != NULL; i++)
        shake(tls);
    if (!TAILQ_EMPTY(&all->waiting))
        loop_defer(loop, task);
}

/* --- writing --- */

bool conn_tls_has_output(const struct conn *conn)
{
    const uint8_t *bytes;
    const struct tls_engine *engine = conn->tls->engine;
    return engine != NULL && tls_engine_output(engine, &bytes) > 0;
}

static int send_by_kernel(struct conn *conn)
{
    int rc = tls_engine_kernel_flush(conn->tls->engine, conn->fd);
    if (rc == -EBUSY)
        log_warn("the kernel cannot change keys of TLS",
                 "a connection ends; Linux 6.14 can, or set tls.kernel = auto");
    return rc;
}

static int send_output(struct conn *conn)
{
    struct tls_engine *engine = conn->tls->engine;
    const uint8_t *bytes;
    size_t n;
    if (tls_engine_in_kernel(engine))
        return send_by_kernel(conn);
    while ((n = tls_engine_output(engine, &bytes)) > 0) {
        ssize_t sent = send(conn->fd, bytes, n, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN ? 1 : -errno;
        conn_count(conn, COMET_WRITES, 1);
        conn_count(conn, COMET_WRITE_BYTES, sent);
        tls_engine_sent(engine, (size_t)sent);
    }
    return 0;
}

int conn_tls_flush(struct conn *conn)
{
    if (conn->tls->engine == NULL)
        return 0;
    int rc = send_output(conn);
    if (rc > 0 && !conn->writable_armed)
        conn_poll_update(conn);
    return rc;
}

int conn_tls_close(struct conn *conn)
{
    if (conn->tls->engine != NULL)
        tls_engine_close(conn->tls->engine);
    return conn->state == CONN_CLOSED ? send_output(conn) : conn_tls_flush(conn);
}

/* The next record's plaintext: what follows the first SKIP bytes of IOV, at most RECORD bytes. It
 * stays where it is if it is in one piece. */
static struct iovec next_record(struct conn *conn, const struct iovec *iov, int n, size_t skip)
{
    uint8_t *plain = conn_frontend(conn)->tls->plain;
    size_t len = 0;
    while (n > 0 && skip >= iov->iov_len) {
        skip -= iov->iov_len;
        iov++;
        n--;
    }
    if (n == 0)
        return (struct iovec){NULL, 0};
    size_t first = iov->iov_len - skip;
    if (n == 1 || first >= RECORD)
        return (struct iovec){(uint8_t *)iov->iov_base + skip, first < RECORD ? first : RECORD};
    for (; n > 0 && len < RECORD; n--, iov++, skip = 0) {
        size_t piece = iov->iov_len - skip;
        piece = piece < RECORD - len ? piece : RECORD - len;
        if (piece > 0)
            memcpy(plain + len, (const uint8_t *)iov->iov_base + skip, piece);
        len += piece;
    }
    return (struct iovec){plain, len};
}

/* The kernel makes the records. */
static ssize_t send_plaintext(struct conn *conn, const struct iovec *iov, int n)
{
    ssize_t sent = conn_write_socket(conn, iov, n);
    if (sent <= 0)
        return sent;
    tls_engine_kernel_sent(conn->tls->engine, (size_t)sent);
    int rc = conn_tls_flush(conn);
    return rc < 0 ? rc : sent;
}

ssize_t conn_tls_send(struct conn *conn, const struct iovec *iov, int n)
{
    struct conn_tls *tls = conn->tls;
    struct iovec record;
    int rc = send_output(conn);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    size_t done = tls->begun; /* the kernel has it all now */
    tls->begun = 0;
    if (done > 0)
        return (ssize_t)done;
    if (tls_engine_in_kernel(tls->engine))
        return send_plaintext(conn, iov, n);
    while ((record = next_record(conn, iov, n, done)).iov_len > 0) {
        size_t written = tls_engine_write(tls->engine, record.iov_base, record.iov_len);
        if (written == 0)
            return -EPIPE;
        rc = send_output(conn);
        if (rc < 0)
            return rc;
        if (rc > 0) {
            tls->begun = written;
            break;
        }
        done += written;
    }
    return (ssize_t)done;
}

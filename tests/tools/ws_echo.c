/* usage: ws_echo HOST:PORT
 *
 * Sends every WebSocket message back as it is. Conformance suites use it to test the connections of
 * comet's clients, from the handshake to the close (comet/net, comet/wire). There are no sessions:
 * a client is admitted right after its handshake. */
#include "comet/base/config.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/net/conn_internal.h"
#include "comet/net/frontend.h"
#include "comet/net/handle_table.h"
#include "comet/wire/ws_frame.h"
#include "comet/wire/ws_reader.h"

#include <stdio.h>

static void on_message(struct conn *conn, const struct ws_item *item)
{
    uint8_t header[WS_HEADER_MAX];
    struct iovec iov[] = {
        {header, ws_header_write(header, item->text ? WS_OP_TEXT : WS_OP_BINARY, item->len)},
        {item->data, item->len},
    };

    if (conn_write(conn, iov, item->len > 0 ? 2 : 1, TICKET_NONE) == WRITE_FULL)
        conn_kick(conn, CLOSE_TOO_SLOW, "too slow: echoes are not being read");
}

static void on_nothing(struct conn *conn)
{
    (void)conn;
}

static void on_closed(struct conn *conn)
{
    if (conn->handle != 0)
        handle_table_remove(conn->worker->table, conn->handle);
    conn->handle = 0;
}

static const struct conn_events events = {
    .message = on_message,
    .drained = on_nothing,
    .stalled = on_nothing,
    .leaving = on_nothing,
    .closed = on_closed,
};

/* Admits clients before anything is read that came after their handshake. */
static void let_in(uv_prepare_t *prepare)
{
    struct worker *worker = prepare->data;
    struct conn *next;

    for (struct conn *conn = LIST_FIRST(&worker->frontend->live); conn != NULL; conn = next) {
        next = LIST_NEXT(conn, link);
        if (conn->state != CONN_AUTH || conn->broken)
            continue;
        conn->handle = handle_table_add(worker->table, conn);
        conn->state = CONN_CONNECTING;
        conn_opened(conn);
    }
}

int main(int argc, char **argv)
{
    static _Atomic int64_t counters[COMET_METRIC_COUNT];
    static char none[] = "";
    static struct worker worker;
    char err[256] = "";

    if (argc != 2) {
        fprintf(stderr, "usage: %s HOST:PORT\n", argv[0]);
        return 2;
    }
    const struct comet_config config = {
        .tcp_listen = none,
        .ws_listen = argv[1],
        .allowed_origins = none,
        .protocols = none,
        .handshake_ms = 5000,
        .heartbeat_ms = 300000,
        .linger_ms = 2000,
        .max_body = 4 << 20, /* a message may be four times as long */
        .max_auth = 4 << 20,
        .strangers = 64 << 20,
        .logic_connects = 1,     /* nobody waits for a logic */
        .sendq_bytes = 64 << 20, /* a suite may send a lot before it reads */
        .spill_ms = 60000,
    };
    worker.config = &config;
    worker.counters = counters;
    worker.table = handle_table_open(0);
    if (loop_init(&worker.loop, "ws_echo", 0) != 0 ||
        frontend_open(&worker, &events, err, sizeof err) != 0) {
        fprintf(stderr, "%s: %s\n", argv[0], err);
        return 1;
    }
    uv_prepare_t prepare = {.data = &worker};
    uv_prepare_init(&worker.loop.uv, &prepare);
    uv_prepare_start(&prepare, let_in);
    frontend_accept(&worker, true);
    loop_run(&worker.loop);
    return 0;
}

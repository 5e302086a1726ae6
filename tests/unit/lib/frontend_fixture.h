/* frontend_fixture.h - one worker with a real frontend in the test's own thread, and a
 * comet/session/session.c that only takes notes.
 *
 * The loop is stepped by hand, so that a test sees every state in between, and its time is the
 * test's (clock.h): it passes in step_for() and nowhere else. Include it in one file per test
 * program. */
#ifndef IMC_TESTS_UNIT_LIB_FRONTEND_FIXTURE_H
#define IMC_TESTS_UNIT_LIB_FRONTEND_FIXTURE_H

#include "comet/fanout/room.h"
#include "comet/fanout/room_claims.h"
#include "comet/net/conn_internal.h"
#include "comet/net/frontend.h"
#include "comet/net/handle_table.h"
#include "comet/net/listener.h"
#include "comet/net/load_shedding.h"
#include "comet/net/mass_kick.h"
#include "comet/session/client_ops.h"
#include "comet/session/held_joins.h"
#include "comet/session/session.h"
#include "comet/session/upstream.h"
#include "common/base/mem.h"
#include "common/protocol/frame.h"
#include "tests/unit/lib/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct comet_config fixture_config;
static struct worker fixture;
static _Atomic int64_t fixture_counters[COMET_METRIC_COUNT];

/* What comet/session/session.c was told. */
static struct {
    bool hold; /* do not admit at once */
    int connects, drained, stalled, closed;
    char token[256];
    struct conn *last;
} session_notes;

void session_connect(struct conn *conn, const uint8_t *token, size_t len, int32_t seq)
{
    session_notes.connects++;
    (void)snprintf(session_notes.token, sizeof session_notes.token, "%.*s", (int)len,
                   (const char *)token);
    session_notes.last = conn;
    conn->auth_seq = seq;
    conn->handle = handle_table_add(conn->worker->table, conn);
    conn->state = CONN_CONNECTING;
    if (session_notes.hold)
        return;
    conn_opened(conn);
    conn_reply(conn, conn->auth_version, OP_AUTH_REPLY, seq, NULL, 0);
}

static void note_drained(struct conn *conn)
{
    (void)conn;
    session_notes.drained++;
}

static void note_stalled(struct conn *conn)
{
    (void)conn;
    session_notes.stalled++;
}

void session_closed(struct conn *conn)
{
    session_notes.closed++;
    upstream_conn_closed(conn);
    if (conn->handle != 0)
        handle_table_remove(conn->worker->table, conn->handle);
    conn->handle = 0;
}

static const struct conn_events fixture_events = {
    .frame = client_op_frame,
    .message = client_op_message,
    .drained = note_drained,
    .stalled = note_stalled,
    .leaving = rooms_leave,
    .closed = session_closed,
};

static void fixture_defaults(void)
{
    static char any[] = "127.0.0.1:0", empty[] = "";
    fixture_config = (struct comet_config){
        .tcp_listen = any,
        .ws_listen = any,
        .tcps_listen = empty,
        .wss_listen = empty,
        .allowed_origins = empty,
        .protocols = empty,
        .pass_headers = empty,
        .pass_headers_max = 200,
        .handshake_ms = 5000,
        .handshakes = 4096,
        .heartbeat_ms = 60000,
        .linger_ms = 1000,
        .max_body = 4096,
        .max_auth = 4096,
        .strangers = 64 << 20,
        .sendq_bytes = 64 * 1024,
        .spill_ms = 100,
        .walk_slice = 64,
        .rooms_per_session = 4,
        .rooms_max = 1000,
        .walk_bytes = 64 * 1024,
        .upstream_window = 16,
        .upstream_timeout_ms = 30000,
        .upstream_max_waiting = 1 << 20,
        .logic_connects = 4,
    };
}

static int fixture_open(void)
{
    char err[256] = "";
    memset(&fixture, 0, sizeof fixture);
    memset(&session_notes, 0, sizeof session_notes);
    memset(fixture_counters, 0, sizeof fixture_counters);
    clock_take();
    fixture.config = &fixture_config;
    fixture.counters = fixture_counters;
    assert_int_equal(loop_init(&fixture.loop, "test", 0), 0);
    fixture.table = handle_table_open(0);
    rooms_open(&fixture);
    fixture.upstream = upstream_open(&fixture); /* off */
    int rc = frontend_open(&fixture, &fixture_events, err, sizeof err);
    if (rc != 0) {
        print_message("%s\n", err);
        upstream_close(fixture.upstream);
        rooms_close(&fixture);
        loop_close(&fixture.loop);
        handle_table_close(fixture.table);
        return rc;
    }
    frontend_accept(&fixture, true);
    return 0;
}

static inline int fixture_setup(void **state)
{
    (void)state;
    fixture_defaults();
    return fixture_open();
}

static inline void fixture_close(void)
{
    frontend_hang_up(&fixture);
    upstream_close(fixture.upstream);
    rooms_close(&fixture);
    room_claims_close(&fixture);
    held_joins_close(&fixture);
    frontend_close(&fixture);
}

static int fixture_teardown(void **state)
{
    (void)state;
    fixture_close();
    loop_close(&fixture.loop);
    handle_table_close(fixture.table);
    clock_give_back();
    assert_int_equal(fixture_counters[COMET_CONNECTIONS], 0);
    assert_int_equal(fixture_counters[COMET_QUEUED_BYTES], 0);
    assert_int_equal(fixture_counters[COMET_ROOMS], 0);
    assert_int_equal(fixture_counters[COMET_STRANGER_BYTES], 0);
    assert_int_equal(fixture_counters[COMET_UPSTREAM_WAITING], 0);
    assert_int_equal(fixture_counters[COMET_UPSTREAM_BYTES], 0);
    assert_int_equal(fixture_counters[COMET_UPSTREAM_HELD], 0);
    return 0;
}

/* The sessions in room NAME. */
static inline size_t members_of(const char *name)
{
    size_t found = 0, len;
    for (size_t slot = 0; slot < handle_table_slots(fixture.table); slot++) {
        const struct conn *conn = handle_table_at(fixture.table, slot);
        const char *is_in = conn == NULL ? "" : room_name(conn->main.room, &len);
        found += conn != NULL && len == strlen(name) && memcmp(is_in, name, len) == 0;
    }
    return found;
}

static inline void step(void)
{
    uv_run(&fixture.loop.uv, UV_RUN_NOWAIT);
}

/* MS milliseconds pass, and in each the loop turns as often as one thing leads to another. */
static inline void step_for(unsigned ms)
{
    enum { TURNS = 4 };
    for (unsigned i = 0; i < ms; i++) {
        clock_move(1);
        for (int turn = 0; turn < TURNS; turn++)
            step();
    }
}

/* Until the frontend has noticed: what the kernel hands over takes its own time. */
#define step_until(condition) assert_true(until(condition, step()))

/* Those there are and those there were: the accepted, and the refused. */
static inline int64_t connections_taken(void)
{
    return (int64_t)frontend_connections(&fixture) + fixture_counters[COMET_CLOSED_BY_PEER] +
           fixture_counters[COMET_CLOSED_BY_US] + fixture_counters[COMET_REFUSED_FULL] +
           fixture_counters[COMET_REFUSED_MEMORY] + fixture_counters[COMET_REFUSED_ADDRESS] +
           fixture_counters[COMET_REFUSED_RATE] + fixture_counters[COMET_REFUSED_PROXY];
}

/* From 127.0.0.HOST. */
static inline int client_connect_from(enum listener_kind kind, uint8_t host)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in from = to;
    to.sin_port = htons((uint16_t)listeners_port(fixture.frontend, kind));
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + host);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    int64_t before = connections_taken();
    step_until(connections_taken() > before);
    return fd;
}

static inline int client_connect(enum listener_kind kind)
{
    return client_connect_from(kind, 1);
}

/* Steps until the kernel has handed the bytes over (TCP: acknowledged) and they have been dealt
 * with. */
static inline void client_send(int fd, const void *bytes, size_t len)
{
    int unsent = 1;
    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
    step_until(ioctl(fd, SIOCOUTQ, &unsent) != 0 || unsent == 0);
    for (int i = 0; i < 5; i++)
        step();
}

/* Steps until LEN bytes have come; false if the connection ended, or they never came. */
static inline bool client_read(int fd, void *out, size_t len)
{
    size_t at = 0;
    uint64_t hopeless = clock_real_ms() + CLOCK_HOPELESS_MS;
    while (at < len && clock_real_ms() < hopeless) {
        step();
        ssize_t n = recv(fd, (char *)out + at, len - at, MSG_DONTWAIT);
        if (n > 0)
            at += (size_t)n;
        else if (n == 0 || errno != EAGAIN)
            return false;
        else
            usleep(200);
    }
    return at == len;
}

/* Everything until the end of the stream; the bytes, or SIZE_MAX if it did not end. */
static inline size_t client_read_all(int fd, void *out, size_t outlen)
{
    size_t at = 0;
    uint64_t hopeless = clock_real_ms() + CLOCK_HOPELESS_MS;
    while (clock_real_ms() < hopeless) {
        step();
        ssize_t n = recv(fd, (char *)out + at, outlen - at, MSG_DONTWAIT);
        if (n > 0)
            at += (size_t)n;
        else if (n == 0 || errno != EAGAIN)
            return at;
        else
            usleep(200);
    }
    return SIZE_MAX;
}

static inline void client_send_frame(int fd, int32_t op, int32_t seq, const char *body)
{
    uint8_t frame[8192];
    size_t len = strlen(body);
    frame_header(frame, 1, op, seq, len);
    memcpy(frame + FRAME_HEADER, body, len);
    client_send(fd, frame, FRAME_HEADER + len);
}

/* One frame from the server; its operation, -1 if none came. BODY is terminated. */
static inline int32_t client_read_frame(int fd, struct frame *frame, char *body, size_t body_size)
{
    uint8_t bytes[16384];
    if (!client_read(fd, bytes, FRAME_HEADER))
        return -1;
    size_t len = (size_t)bytes[2] << 8 | bytes[3];
    if (!client_read(fd, bytes + FRAME_HEADER, len - FRAME_HEADER))
        return -1;
    assert_int_equal(frame_parse_reply(bytes, len, sizeof bytes, frame), len);
    (void)snprintf(body, body_size, "%.*s", (int)frame->body_len, (const char *)frame->body);
    return frame->op;
}

static inline int client_login(void)
{
    struct frame frame;
    char body[64];
    int fd = client_connect(LISTENER_TCP);
    client_send_frame(fd, OP_AUTH, 77, "token");
    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_AUTH_REPLY);
    return fd;
}

/* --- WebSocket --- */

static inline int client_upgrade(enum listener_kind kind)
{
    static const char request[] = "GET /sub HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                                  "Connection: keep-alive, Upgrade\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                  "Sec-WebSocket-Version: 13\r\n\r\n";
    char response[129 + 1] = "";
    int fd = client_connect(kind);
    client_send(fd, request, sizeof request - 1);
    assert_true(client_read(fd, response, sizeof response - 1));
    assert_non_null(strstr(response, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"));
    return fd;
}

/* A masked frame; FIRST is its first byte. */
static inline size_t ws_client_frame(uint8_t *out, uint8_t first, const void *payload, size_t len)
{
    static const uint8_t mask[4] = {0x11, 0x22, 0x33, 0x44};
    size_t at = 2;
    assert_true(len <= 65535);
    out[0] = first;
    out[1] = (uint8_t)(0x80 | (len < 126 ? len : 126));
    if (len >= 126) {
        out[at++] = (uint8_t)(len >> 8);
        out[at++] = (uint8_t)len;
    }
    memcpy(out + at, mask, 4);
    at += 4;
    for (size_t i = 0; i < len; i++)
        out[at + i] = ((const uint8_t *)payload)[i] ^ mask[i & 3];
    return at + len;
}

static inline void client_send_ws(int fd, uint8_t first, const void *payload, size_t len)
{
    uint8_t frame[70000];
    client_send(fd, frame, ws_client_frame(frame, first, payload, len));
}

static inline void client_send_text(int fd, const char *text)
{
    client_send_ws(fd, 0x81, text, strlen(text));
}

/* One frame; its first byte, -1 if none came. OUT is terminated. */
static inline int client_read_ws(int fd, char *out, size_t outlen, size_t *len)
{
    uint8_t header[4];
    if (!client_read(fd, header, 2))
        return -1;
    *len = header[1];
    if (*len == 126) {
        assert_true(client_read(fd, header + 2, 2));
        *len = (size_t)header[2] << 8 | header[3];
    }
    assert_true(*len < outlen);
    if (!client_read(fd, out, *len))
        return -1;
    out[*len] = '\0';
    return header[0];
}

#endif

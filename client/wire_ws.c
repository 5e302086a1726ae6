/*
 *   ws_send ─► out[] ──on_writable──► libwebsockets ◄══► comet
 *   ws_next ◄─ arrived[] ◄─JSON─ whole[] ◄──on_receive──┘
 *           ◄─ frames[] ◄─goim──┘
 *
 * libwebsockets calls on_event() only from lws_service(), and only service() calls that. So
 * everything happens while the caller waits for it. */
#include "client/wire.h"
#include "client/wire_internal.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/protocol/frame.h"
#include "common/protocol/ops.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <libwebsockets.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BUFFER_SIZE = 64 << 10, /* buffer of libwebsockets: one read, one part of a long message */
    DESCRIPTORS = 4,   /* libwebsockets' wake-up, the signals, the connection, one in reserve */
    GOODBYE_MS = 1000, /* how long we wait for the answer to our close */
};

struct wire_ws {
    struct wire wire;
    struct lws_context *context;
    struct lws *wsi; /* NULL: there is no connection yet, or no more */
    lws_sorted_usec_list_t timer;
    bool timed_out, signalled;
    bool is_asking;                    /* connected, and the handshake was sent */
    bool is_open, is_gone, is_closing; /* is_closing: a close frame is to be sent */
    int blame;          /* -E…: why the connection ends or ended; the first reason counts */
    unsigned char *out; /* what is to be sent, behind LWS_PRE bytes of room */
    size_t out_len;
    char *whole; /* the parts of the message that is arriving */
    size_t whole_len, whole_size;
    json_t *arrived; /* an array: what is not handed out yet */
    size_t arrived_at;
    char *body; /* the body of the last message, made from JSON */
    bool goim;  /* messages are frames, not JSON */
    struct {
        char *data;
        size_t at, len, size; /* not handed out yet: data[at .. len) */
    } frames;                 /* without the operation 9 around pushes */
};

static struct wire_ws *ws_of(struct wire *wire)
{
    return (struct wire_ws *)wire;
}

/* --- libwebsockets' log --- */

/* What libwebsockets logged as an error, to be reported at the end. It has one log for the whole
 * process. */
static char log_kept[1024];

static void on_log(int level, const char *line)
{
    size_t len = strlen(log_kept);

    (void)level;
    snprintf(log_kept + len, sizeof log_kept - len, "imc-client: libwebsockets: %s%s", line,
             strchr(line, '\n') != NULL ? "" : "\n");
}

static void print_log(void)
{
    (void)fputs(log_kept, stderr);
    log_kept[0] = '\0';
}

/* --- what happened, seen from service() --- */

__attribute__((format(printf, 3, 4))) static void blame(struct wire_ws *ws, int err,
                                                        const char *fmt, ...)
{
    va_list args;

    if (ws->blame != 0)
        return;
    ws->blame = err;
    va_start(args, fmt);
    vsnprintf(ws->wire.error, sizeof ws->wire.error, fmt, args);
    va_end(args);
}

/* The connection does not exist any more. */
static void on_gone(struct wire_ws *ws)
{
    ws->is_gone = true;
    ws->wsi = NULL;
    /* A timer of libwebsockets may have ended it. lws_service() runs timers before it waits, so
     * wake it. */
    lws_cancel_service(ws->context);
}

/* Checks the answer to our request; libwebsockets goes on only if it is good. */
static int on_answer(struct wire_ws *ws, struct lws *wsi)
{
    char status[128] = "";

    if (lws_http_client_http_response(wsi) == 101)
        return 0;
    (void)lws_hdr_copy(wsi, status, sizeof status, WSI_TOKEN_HTTP);
    blame(ws, -EPROTO, "the server refused the WebSocket handshake: HTTP/1.1 %s", status);
    return -1;
}

static void on_not_opened(struct wire_ws *ws, const char *why)
{
    if (ws->is_asking)
        blame(ws, -EPROTO, "the WebSocket handshake failed: %s", why != NULL ? why : "no reason");
    else
        blame(ws, -ENOTCONN, "cannot connect");
    on_gone(ws);
}

static int take_json(struct wire_ws *ws)
{
    json_error_t why;
    json_t *batch = json_loadb(ws->whole, ws->whole_len, JSON_ALLOW_NUL, &why);

    ws->whole_len = 0;
    if (batch == NULL)
        blame(ws, -EBADMSG, "the server sent invalid JSON: %s", why.text);
    else if (!json_is_array(batch))
        blame(ws, -EBADMSG, "the server sent JSON, but no array");
    else
        (void)json_array_extend(ws->arrived, batch);
    json_decref(batch);
    return ws->blame != 0 ? -1 : 0;
}

/* Takes a message that is one frame. Of operation 9 the body counts, which is frames of pushes. */
static int take_frame(struct wire_ws *ws)
{
    const char *data = ws->whole;
    struct wire_message whole;
    size_t len = ws->whole_len;

    ws->whole_len = 0;
    if (len == 0 || wire_parse_frame(data, len, &whole) != (long)len) {
        blame(ws, -EBADMSG, "the server sent a WebSocket message that is not one frame");
        return -1;
    }
    if (whole.op == OP_RAW) {
        data = whole.body;
        len = whole.body_len;
    }
    if (ws->frames.size - ws->frames.len < len) {
        ws->frames.size = ws->frames.size * 2 + len;
        ws->frames.data = mem_realloc(ws->frames.data, ws->frames.size);
    }
    if (len > 0)
        memcpy(ws->frames.data + ws->frames.len, data, len);
    ws->frames.len += len;
    return 0;
}

/* Takes a part of a message. */
static int on_receive(struct wire_ws *ws, struct lws *wsi, const char *data, size_t len)
{
    if ((lws_frame_is_binary(wsi) != 0) != ws->goim) {
        blame(ws, -EBADMSG, "the server sent a %s WebSocket message to a %s session",
              ws->goim ? "text" : "binary", ws->goim ? "goim" : "JSON");
        return -1;
    }
    if (len > WIRE_MAX_MESSAGE - ws->whole_len) {
        blame(ws, -EMSGSIZE, "the server sent too long a WebSocket message");
        return -1;
    }
    if (ws->whole_size - ws->whole_len < len) {
        ws->whole_size = ws->whole_size * 2 + len;
        ws->whole = mem_realloc(ws->whole, ws->whole_size);
    }
    if (len > 0)
        memcpy(ws->whole + ws->whole_len, data, len);
    ws->whole_len += len;
    if (!lws_is_final_fragment(wsi))
        return 0;
    return ws->goim ? take_frame(ws) : take_json(ws);
}

/* Reads the server's close frame: two bytes of code and a reason, both optional. libwebsockets
 * answers the frame and ends. */
static void on_close_frame(struct wire_ws *ws, const unsigned char *data, size_t len)
{
    if (len < 2)
        blame(ws, -ECONNRESET, "the server closed the WebSocket");
    else
        blame(ws, -ECONNRESET, "the server closed the WebSocket: code %d%s%.*s",
              data[0] << 8 | data[1], len > 2 ? " " : "", (int)len - 2, (const char *)data + 2);
}

/* The connection ended without a close frame: the server closed it, or libwebsockets refused to go
 * on. */
static void on_closed(struct wire_ws *ws, struct lws *wsi)
{
    char byte;
    ssize_t n = recv(lws_get_socket_fd(wsi), &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN))
        blame(ws, -ECONNRESET, "the server closed the connection");
    else
        blame(ws, -EBADMSG, "the server broke the WebSocket protocol, or answers no pings");
    on_gone(ws);
}

static int on_writable(struct wire_ws *ws, struct lws *wsi)
{
    int n;

    if (ws->is_closing) {
        ws->is_closing = false; /* a second call would end it before the server has answered */
        lws_close_reason(wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
        return -1;
    }
    if (ws->out == NULL)
        return 0;
    /* libwebsockets sends what the socket takes and keeps the rest: is_sent(). */
    n = lws_write(wsi, ws->out + LWS_PRE, ws->out_len,
                  ws->goim ? LWS_WRITE_BINARY : LWS_WRITE_TEXT);
    free(ws->out);
    ws->out = NULL;
    return n < 0 ? -1 : 0;
}

/* Runs the handlers of pending signals. Signals are unblocked only here, so that none is missed. */
static void on_signal_waiting(struct wire_ws *ws)
{
    sigset_t waited, before;

    sigemptyset(&waited);
    sigaddset(&waited, SIGINT);
    sigaddset(&waited, SIGTERM);
    (void)pthread_sigmask(SIG_UNBLOCK, &waited, &before);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    ws->signalled = true;
}

static void on_timer(lws_sorted_usec_list_t *timer)
{
    struct wire_ws *ws = lws_container_of(timer, struct wire_ws, timer);

    ws->timed_out = true;
    lws_cancel_service(ws->context); /* it runs timers before it waits: wake it */
}

/* The only function that libwebsockets calls. Non-zero: libwebsockets is to end the connection. */
static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    struct wire_ws *ws = lws_context_user(lws_get_context(wsi));

    (void)user;
    switch (reason) {
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
        ws->is_asking = true;
        return 0;
    case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP:
        return on_answer(ws, wsi);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        on_not_opened(ws, in);
        return 0;
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        ws->is_open = true;
        return 0;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return on_receive(ws, wsi, in, len);
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return on_writable(ws, wsi);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        on_close_frame(ws, in, len);
        return 0;
    case LWS_CALLBACK_CLIENT_CLOSED:
        on_closed(ws, wsi);
        return 0;
    case LWS_CALLBACK_RAW_RX_FILE:
        on_signal_waiting(ws);
        return 0;
    default:
        return 0;
    }
}

/* --- waiting --- */

/* Lets libwebsockets work until DONE. 1: it is done; 0: not before the deadline; -EINTR: a signal;
 * or -E…: why the connection is gone. */
static int service(struct wire_ws *ws, bool (*done)(const struct wire_ws *ws), int64_t deadline_ms)
{
    int64_t left = deadline_ms - time_mono_ms();
    int result;

    ws->timed_out = ws->signalled = false;
    lws_sul_schedule(ws->context, 0, &ws->timer, on_timer, left > 0 ? left * LWS_US_PER_MS : 1);
    for (;;) {
        result = done(ws) ? 1 : ws->is_gone ? ws->blame : ws->signalled ? -EINTR : 0;
        if (result != 0 || ws->timed_out)
            break;
        if (lws_service(ws->context, 0) < 0) {
            blame(ws, -EIO, "libwebsockets gave up");
            ws->is_gone = true;
        }
    }
    lws_sul_cancel(&ws->timer);
    return result;
}

static bool is_open(const struct wire_ws *ws)
{
    return ws->is_open;
}

static bool is_sent(const struct wire_ws *ws)
{
    return ws->out == NULL && ws->wsi != NULL && !lws_partial_buffered(ws->wsi);
}

static bool has_message(const struct wire_ws *ws)
{
    return ws->arrived_at < json_array_size(ws->arrived) || ws->frames.at < ws->frames.len;
}

static bool is_gone(const struct wire_ws *ws)
{
    return ws->is_gone;
}

/* --- opening --- */

static const struct lws_protocols protocols[] = {
    {.name = "imc", .callback = on_event},
    {0},
};

/* Makes a wait end when a signal comes that main() keeps blocked. */
static int watch_signals(struct wire_ws *ws)
{
    lws_sock_file_fd_type fd;
    sigset_t waited;

    sigemptyset(&waited);
    sigaddset(&waited, SIGINT);
    sigaddset(&waited, SIGTERM);
    fd.filefd = signalfd(-1, &waited, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd.filefd < 0)
        return wire_fail_errno(&ws->wire, "signalfd");
    if (lws_adopt_descriptor_vhost(lws_get_vhost_by_name(ws->context, "default"),
                                   LWS_ADOPT_RAW_FILE_DESC, fd, protocols[0].name, NULL) != NULL)
        return 0;
    return wire_fail(&ws->wire, -EIO, "libwebsockets takes no signalfd");
}

static int start_library(struct wire_ws *ws, unsigned timeout_s)
{
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .user = ws,
        .pt_serv_buf_size = BUFFER_SIZE,
        .fd_limit_per_thread = DESCRIPTORS,
        .timeout_secs = timeout_s,
        .connect_timeout_secs = timeout_s,
        /* Port 0 means no proxy. Without this libwebsockets would use http_proxy of the
         * environment. */
        .http_proxy_address = ":0",
        .alpn = "http/1.1",
    };
    if (ws->wire.trust != NULL) {
        info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        info.client_ssl_ca_filepath = ws->wire.trust->cacert;
    }
    struct sigaction pipe_action;

    lws_set_log_level(LLL_ERR, on_log);
    /* libwebsockets makes the process ignore SIGPIPE, and "imc-client | head" would never end. */
    (void)sigaction(SIGPIPE, NULL, &pipe_action);
    ws->context = lws_create_context(&info);
    (void)sigaction(SIGPIPE, &pipe_action, NULL);
    if (ws->context == NULL)
        return wire_fail(&ws->wire, -EIO, "libwebsockets does not start");
    return watch_signals(ws);
}

static void ask(struct wire_ws *ws, const struct wire_address *address)
{
    struct lws_client_connect_info info = {
        .context = ws->context,
        .address = address->at.host,
        .port = address->at.port,
        .path = "/sub",
        .host = address->text,
        .local_protocol_name = protocols[0].name,
        .ssl_connection = LCCSCF_HTTP_NO_FOLLOW_REDIRECT,
        .pwsi = &ws->wsi,
    };
    if (ws->wire.trust != NULL)
        info.ssl_connection |= LCCSCF_USE_SSL;
    if (ws->wire.trust != NULL && ws->wire.trust->insecure)
        info.ssl_connection |= LCCSCF_ALLOW_SELFSIGNED | LCCSCF_ALLOW_EXPIRED |
                               LCCSCF_ALLOW_INSECURE | LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK;

    if (lws_client_connect_via_info(&info) == NULL && !ws->is_gone)
        on_not_opened(ws, NULL);
}

/* Finds out why the connection failed by connecting once more: libwebsockets says only that it
 * did. */
static int explain(struct wire_ws *ws, const struct wire_address *address, int64_t deadline_ms)
{
    int fd = wire_connect(&ws->wire, address, deadline_ms);

    if (fd < 0)
        return fd;
    close(fd);
    return wire_fail(&ws->wire, -ECONNREFUSED, "cannot connect: it failed once, try again");
}

static int ws_open(struct wire *wire, const struct wire_address *address, int64_t deadline_ms)
{
    struct wire_ws *ws = ws_of(wire);
    int64_t left_ms = deadline_ms - time_mono_ms();
    int n;

    ws->arrived = json_array();
    /* We keep the deadline. The timeouts of libwebsockets, in seconds, only must not come first. */
    n = start_library(ws, (unsigned)(left_ms > 0 ? left_ms / 1000 : 0) + 2);
    if (n != 0)
        return n;
    ask(ws, address);
    n = service(ws, is_open, deadline_ms);
    if (n > 0)
        return 0;
    if (n == -EINTR)
        return wire_fail(wire, n, "interrupted");
    if (n == -ENOTCONN)
        return explain(ws, address, deadline_ms);
    if (n < 0)
        return n;
    return wire_fail(wire, -ETIMEDOUT,
                     ws->is_asking ? "no answer to the WebSocket handshake"
                                   : "cannot connect: timeout");
}

static int ws_open_goim(struct wire *wire, const struct wire_address *address, int64_t deadline_ms)
{
    ws_of(wire)->goim = true;
    return ws_open(wire, address, deadline_ms);
}

static void ws_close(struct wire *wire)
{
    struct wire_ws *ws = ws_of(wire);

    if (ws->is_open && !ws->is_gone) {
        ws->is_closing = true;
        (void)lws_callback_on_writable(ws->wsi);
        (void)service(ws, is_gone, time_mono_ms() + GOODBYE_MS);
    }
    if (ws->context != NULL)
        lws_context_destroy(ws->context);
    print_log();
    json_decref(ws->arrived);
    free(ws->body);
    free(ws->frames.data);
    free(ws->whole);
    free(ws->out);
}

/* --- messages --- */

/* Writes the message to OUT, which has room for LEN + 96 bytes; returns its length. */
static size_t write_json(char *out, int32_t op, int32_t seq, const char *body, size_t len)
{
    return (size_t)snprintf(out, len + 96,
                            "{\"ver\":1,\"op\":%" PRId32 ",\"seq\":%" PRId32 ",\"body\":%.*s}", op,
                            seq, (int)(len > 0 ? len : 2), len > 0 ? body : "{}");
}

static size_t write_frame(char *out, int32_t op, int32_t seq, const char *body, size_t len)
{
    frame_header((uint8_t *)out, 1, op, seq, len);
    memcpy(out + FRAME_HEADER, body, len);
    return FRAME_HEADER + len;
}

static int ws_send(struct wire *wire, int32_t op, int32_t seq, const char *body, size_t len)
{
    struct wire_ws *ws = ws_of(wire);
    int64_t deadline = time_mono_ms() + WIRE_SEND_TIMEOUT_MS;
    int n = -EINTR;

    free(ws->out);
    ws->out = mem_alloc(LWS_PRE + len + 96);
    ws->out_len =
        (ws->goim ? write_frame : write_json)((char *)ws->out + LWS_PRE, op, seq, body, len);
    if (!ws->is_gone)
        (void)lws_callback_on_writable(ws->wsi);
    while (n == -EINTR)
        n = service(ws, is_sent, deadline);
    if (n == 0)
        return wire_fail(wire, -ETIMEDOUT, "the server takes nothing any more");
    /* What came before the end is handed out first, because it may say why. */
    return n > 0 || has_message(ws) ? 0 : n;
}

static int next_of_arrived(struct wire_ws *ws, struct wire_message *message)
{
    json_t *object = json_array_get(ws->arrived, ws->arrived_at++);
    json_t *op = json_object_get(object, "op"), *body = json_object_get(object, "body");

    if (!json_is_integer(op))
        return wire_fail(&ws->wire, -EBADMSG, "the server sent JSON without \"op\"");
    free(ws->body);
    ws->body = body != NULL ? json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    message->op = (int32_t)json_integer_value(op);
    message->seq = (int32_t)json_integer_value(json_object_get(object, "seq"));
    const char *id = json_string_value(json_object_get(object, "id"));
    message->id = id != NULL ? strtoull(id, NULL, 10) : 0;
    message->body = ws->body != NULL ? ws->body : "";
    message->body_len = strlen(message->body);
    if (!has_message(ws)) {
        (void)json_array_clear(ws->arrived);
        ws->arrived_at = 0;
    }
    return 1;
}

static int next_of_frames(struct wire_ws *ws, struct wire_message *message)
{
    long n =
        wire_parse_frame(ws->frames.data + ws->frames.at, ws->frames.len - ws->frames.at, message);

    if (n <= 0)
        return wire_fail(&ws->wire, -EBADMSG, "the server sent a malformed frame in operation 9");
    ws->frames.at += (size_t)n;
    if (ws->frames.at == ws->frames.len) /* the bytes stay until the next message comes */
        ws->frames.at = ws->frames.len = 0;
    return 1;
}

static int ws_next(struct wire *wire, int64_t deadline_ms, struct wire_message *message)
{
    struct wire_ws *ws = ws_of(wire);
    int n = service(ws, has_message, deadline_ms);

    if (n <= 0)
        return n == -EINTR ? 0 : n;
    return ws->goim ? next_of_frames(ws, message) : next_of_arrived(ws, message);
}

const struct wire_ops wire_ws = {
    .size = sizeof(struct wire_ws),
    .open = ws_open,
    .send = ws_send,
    .next = ws_next,
    .close = ws_close,
};

const struct wire_ops wire_ws_frames = {
    .size = sizeof(struct wire_ws),
    .open = ws_open_goim,
    .send = ws_send,
    .next = ws_next,
    .close = ws_close,
};

/* One device on the command line.
 *
 *   wire_open ─► op 7 (token, goim: an object) ─► op 8 ─► listen: print pushes, heartbeats between
 *       ▲                                  └─► end: N messages, op 6, a signal, or the time is over
 *       └──── --reconnect: the next node, or the same address ────┘ */
#include "client/watch.h"
#include "client/reconnect.h"
#include "common/base/base64.h"
#include "common/base/mem.h"
#include "common/base/random.h"
#include "common/base/time.h"
#include "common/protocol/ops.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_TIMEOUT_MS = 10000 };

struct device {
    const struct watch_options *opt;
    struct wire *wire;
    int32_t seq;
    int64_t received;
    int64_t deadline_ms, heartbeat_ms; /* when they are due */
    int64_t close_code;                /* of the last operation 6 */
    struct reconnect reconnect;
};

static const char *program;
static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
    interrupted = sig;
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", program);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
}

/* --- printing --- */

/* Prints BODY in one line: control bytes as \xNN, a backslash doubled. UTF-8 stays as it is. */
static void print_escaped(const char *body, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)body[i];
        if (c == '\\')
            (void)fputs("\\\\", stdout);
        else if (c < 0x20 || c == 0x7f)
            printf("\\x%02x", c);
        else
            putchar(c);
    }
}

/* {"op":5,"seq":0,"id":"7532550330477165568","body":"hello"}, or body_base64 for what is no text.
 */
static void print_json(const struct wire_message *message)
{
    json_t *object = json_pack("{s:i, s:i}", "op", message->op, "seq", message->seq);
    json_t *text = json_stringn(message->body, message->body_len);

    if (message->id != 0)
        json_object_set_new(object, "id", json_sprintf("%" PRIu64, message->id));
    if (text != NULL) {
        json_object_set_new(object, "body", text);
    } else {
        char *base64 = mem_alloc(base64_size(message->body_len));
        base64_encode(message->body, message->body_len, base64);
        json_object_set_new(object, "body_base64", json_string(base64));
        free(base64);
    }
    (void)json_dumpf(object, stdout, JSON_COMPACT);
    json_decref(object);
}

static void print_message(const struct watch_options *opt, const struct wire_message *message)
{
    if (opt->raw) {
        (void)fwrite(message->body, 1, message->body_len, stdout);
    } else if (opt->json) {
        print_json(message);
    } else {
        printf("op=%" PRId32 " seq=%" PRId32, message->op, message->seq);
        if (message->id != 0)
            printf(" id=%" PRIu64, message->id);
        (void)fputs(" body=", stdout);
        print_escaped(message->body, message->body_len);
    }
    putchar('\n');
    (void)fflush(stdout);
}

/* "imc watch: it names 10.0.0.2:8080, 10.0.0.3:8080" */
static void print_nodes(const struct reconnect *reconnect)
{
    if (reconnect->n_nodes == 0)
        return;
    say("it names %s", reconnect->nodes[0]);
    for (int i = 1; i < reconnect->n_nodes; i++)
        fprintf(stderr, ", %s", reconnect->nodes[i]);
    (void)fputc('\n', stderr);
}

static int print_disconnect(struct device *session, const struct wire_message *message)
{
    json_t *body = json_loadb(message->body, message->body_len, 0, NULL);
    const char *reason = json_string_value(json_object_get(body, "reason"));

    session->close_code = json_integer_value(json_object_get(body, "code"));
    say("disconnected by the server: code %" PRId64 ": %s\n", session->close_code,
        reason != NULL ? reason : "no reason given");
    reconnect_take(&session->reconnect, body);
    print_nodes(&session->reconnect);
    json_decref(body);
    return WATCH_DISCONNECTED;
}

/* --- the session; functions return an exit code, or -1 to go on --- */

static int print_lost(const struct device *session)
{
    say("%s\n", wire_error(session->wire));
    return WATCH_LOST;
}

/* The auth object that asks for acknowledgements: --goim's, or one with the token. NULL: --goim's
 * is not JSON, which the server is to say, or the token is not UTF-8. */
static char *acked_auth(const struct watch_options *opt)
{
    json_t *auth = opt->goim != NULL ? json_loads(opt->goim, 0, NULL)
                                     : json_pack("{s:s}", "token", opt->token);
    char *text = NULL;

    if (json_object_set_new(auth, "ack", json_true()) == 0)
        text = json_dumps(auth, JSON_COMPACT);
    json_decref(auth);
    return text;
}

static int send_auth(struct device *session)
{
    char *acked = session->opt->ack ? acked_auth(session->opt) : NULL;
    const char *token = session->opt->token != NULL ? session->opt->token : session->opt->goim;
    json_t *json;
    char *quoted;
    int err;

    if (acked != NULL) {
        err = wire_send(session->wire, OP_AUTH, ++session->seq, acked, strlen(acked));
        free(acked);
        return err;
    }
    if (session->opt->kind != WIRE_WS)
        return wire_send(session->wire, OP_AUTH, ++session->seq, token, strlen(token));
    json = json_string(token);
    if (json == NULL)
        return -EINVAL; /* not UTF-8 */
    quoted = json_dumps(json, JSON_ENCODE_ANY);
    err = wire_send(session->wire, OP_AUTH, ++session->seq, quoted, strlen(quoted));
    free(quoted);
    json_decref(json);
    return err;
}

/* goim's reply to a heartbeat has four bytes, imgo's has none. */
static void print_online(const struct wire_message *message)
{
    uint32_t online;

    if (message->body_len != sizeof online)
        return;
    memcpy(&online, message->body, sizeof online);
    say("%" PRIu32 " in the room\n", ntohl(online));
}

static int handle_message(struct device *session, const struct wire_message *message)
{
    switch (message->op) {
    case OP_HEARTBEAT_REPLY:
        print_online(message);
        return -1;
    case OP_AUTH_REPLY:
        say("authenticated\n");
        reconnect_succeeded(&session->reconnect);
        return -1;
    case OP_DISCONNECT:
        return print_disconnect(session, message);
    default:
        print_message(session->opt, message);
        session->received++;
        if (session->opt->ack && message->id != 0 &&
            wire_send(session->wire, OP_ACK, message->seq, "", 0) != 0)
            return print_lost(session);
        return session->received == session->opt->count ? EXIT_SUCCESS : -1;
    }
}

static int on_time_over(const struct device *session)
{
    if (session->opt->count == 0)
        return EXIT_SUCCESS;
    say("%" PRId64 " of %" PRId64 " messages in %" PRId64 " s\n", session->received,
        session->opt->count, session->opt->timeout);
    return WATCH_TOO_FEW;
}

static int turn(struct device *session)
{
    struct wire_message message;
    int64_t now = time_mono_ms(), until = session->heartbeat_ms;
    int n;

    if (interrupted != 0)
        return EXIT_SUCCESS;
    if (session->deadline_ms != 0 && now >= session->deadline_ms)
        return on_time_over(session);
    if (now >= session->heartbeat_ms) {
        session->heartbeat_ms = until = now + session->opt->heartbeat * 1000;
        if (wire_send(session->wire, OP_HEARTBEAT, ++session->seq, "", 0) != 0)
            return print_lost(session);
    }
    if (session->deadline_ms != 0 && session->deadline_ms < until)
        until = session->deadline_ms;
    /* At most a minute, so that the time fits into an int. */
    n = wire_next(session->wire, until - now < 60000 ? (int)(until - now) : 60000, &message);
    if (n < 0)
        return print_lost(session);
    return n > 0 ? handle_message(session, &message) : -1;
}

/* One connection, from its beginning to its end. */
static int visit(struct device *session, const char *address)
{
    const struct watch_options *opt = session->opt;
    const struct wire_target target = {opt->kind, address, opt->tls ? &opt->trust : NULL};
    char err[256];
    int code = -1;

    if (wire_open_to(&target, CONNECT_TIMEOUT_MS, &session->wire, err, sizeof err) != 0) {
        if (interrupted != 0)
            return EXIT_SUCCESS;
        say("%s: %s\n", address, err);
        return WATCH_CONNECT;
    }
    session->heartbeat_ms = time_mono_ms() + opt->heartbeat * 1000;
    if (send_auth(session) != 0)
        code = print_lost(session);
    while (code < 0)
        code = turn(session);
    wire_close(session->wire);
    session->wire = NULL;
    return code;
}

static bool is_final(const struct device *session, int code)
{
    if (!session->opt->reconnect || interrupted != 0)
        return true;
    if (code == WATCH_DISCONNECTED)
        return !reconnect_helps(session->close_code);
    return code != WATCH_CONNECT && code != WATCH_LOST;
}

/* Waits before the next try. -1: go on; an exit code: a signal came, or the time is over. */
static int pause_before(const struct device *session)
{
    double random = (double)(random_number() >> 11) / (double)(UINT64_C(1) << 53);
    int64_t until = time_mono_ms() + reconnect_pause_ms(&session->reconnect, random);
    sigset_t none;

    sigemptyset(&none);
    for (int64_t now; (now = time_mono_ms()) < until && interrupted == 0;) {
        int64_t end = session->deadline_ms != 0 && session->deadline_ms < until
                          ? session->deadline_ms
                          : until;
        if (now >= end)
            return on_time_over(session);
        struct timespec left = {.tv_sec = (end - now) / 1000,
                                .tv_nsec = (end - now) % 1000 * 1000000};
        (void)ppoll(NULL, 0, &left, &none);
    }
    return interrupted != 0 ? EXIT_SUCCESS : -1;
}

static int run(const struct watch_options *opt)
{
    struct device session = {.opt = opt};
    const char *address = opt->address;

    const char *with_tls = opt->kind == WIRE_TCP ? "tcps" : "wss";
    reconnect_init(&session.reconnect, address, opt->tls ? with_tls : "nodes");
    session.deadline_ms = opt->timeout > 0 ? time_mono_ms() + opt->timeout * 1000 : 0;
    for (;;) {
        int code = visit(&session, address);
        if (is_final(&session, code))
            return code;
        code = pause_before(&session);
        if (code >= 0)
            return code;
        address = reconnect_next(&session.reconnect);
        say("connecting to %s\n", address);
    }
}

int watch_run(const struct watch_options *options)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked;

    program = options->program;
    /* Signals are blocked except while wire.c waits. So none comes between looking at the flag and
     * the wait. */
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    return run(options);
}

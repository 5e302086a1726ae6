/* imc-client - one device on the command line: connects, authenticates as a client of imgo or of
 * goim v2, prints what it is sent.
 *
 *   wire_open ─► op 7 (token, goim: an object) ─► op 8 ─► listen: print pushes, heartbeats between
 *       ▲                                  └─► end: N messages, op 6, a signal, or the time is over
 *       └──── --reconnect: the next node, or the same address ────┘
 *
 * Messages go to stdout, one a line; everything else to stderr. */
#include "client/reconnect.h"
#include "client/wire.h"
#include "common/base/mem.h"
#include "common/base/random.h"
#include "common/base/time.h"
#include "common/protocol/ops.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXIT_USAGE = 2,
    EXIT_CONNECT = 3,
    EXIT_DISCONNECTED = 4,
    EXIT_LOST = 5,
    EXIT_TOO_FEW = 6,
    CONNECT_TIMEOUT_MS = 10000,
};

struct client_options {
    enum wire_kind kind;
    const char *address, *token, *goim; /* one of token and goim */
    int64_t count;                      /* 0: until something else ends the run */
    int64_t timeout;                    /* seconds, 0: none */
    int64_t heartbeat;
    bool raw, tls, reconnect, ack;
    struct wire_trust trust; /* with tls */
};

struct device {
    const struct client_options *opt;
    struct wire *wire;
    int32_t seq;
    int64_t received;
    int64_t deadline_ms, heartbeat_ms; /* when they are due */
    int64_t close_code;                /* of the last operation 6 */
    struct reconnect reconnect;
};

static const char usage[] =
    "usage: imc-client --tcp HOST:PORT --token TOKEN [--count N] [--timeout S] [--raw]\n"
    "       imc-client --ws  HOST:PORT --token TOKEN ...\n"
    "       imc-client --tcp HOST:PORT --goim AUTH ...\n"
    "\n"
    "Connects to a comet as a client of imgo, or of goim v2, and prints each message it is sent:\n"
    "  op=5 seq=0 body=hello\n"
    "\n"
    "  --tcp HOST:PORT   frames over TCP (comet's tcp.listen, port 8080)\n"
    "  --ws HOST:PORT    WebSocket (comet's ws.listen, port 8090): JSON, goim: frames\n"
    "  --token TOKEN     the token that /1/admin/token/new was given\n"
    "  --goim AUTH       a goim v2 client, which sends AUTH, a JSON object:\n"
    "                    '{\"token\":\"TOKEN\",\"room_id\":\"live://1\",\"accepts\":[5,1000]}';\n"
    "                    it prints how many are in the room with every heartbeat\n"
    "  --ack             acknowledges each message, after it was printed; with --token the auth "
    "is\n"
    "                    an object, and the device has no key of its own\n"
    "  --tls             TLS: comet's tcps.listen (8081) or wss.listen (8095); the certificate "
    "has\n"
    "                    to be for HOST, and signed by somebody the system believes, or by\n"
    "  --cacert FILE     a certificate in FILE (PEM)\n"
    "  --insecure        TLS with anybody who answers\n"
    "  --count N         end after N messages\n"
    "  --timeout S       end after S seconds\n"
    "  --heartbeat S     a heartbeat every S seconds (default 30)\n"
    "  --reconnect       connect again if that may help: to the nodes that a comet names when it\n"
    "                    drains, otherwise to HOST:PORT, after pauses that grow\n"
    "  --raw             print only the bodies, byte for byte, a newline after each\n"
    "  --version, --help\n"
    "\n"
    "Exit codes: 0 all N messages came, or the time is over and no N was given, or SIGINT;\n"
    "2 bad arguments, 3 cannot connect, 4 the server sent a disconnect (its code and reason\n"
    "are printed), 5 the connection was lost, 6 fewer than N messages in time. With --reconnect\n"
    "3 and 5 do not end it, and 4 only if another try is of no use.\n";

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
    interrupted = sig;
}

/* --- arguments --- */

static int fail_usage(const char *what, const char *value)
{
    fprintf(stderr, "imc-client: %s%s%s (see --help)\n", what, value != NULL ? ": " : "",
            value != NULL ? value : "");
    return -EINVAL;
}

static int parse_number(const char *name, const char *text, int64_t *out)
{
    char *end;
    long long n;

    errno = 0;
    n = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || n < 1 || n > 1000000000)
        return fail_usage(name, text);
    *out = n;
    return 0;
}

static int set_address(struct client_options *opt, enum wire_kind kind, const char *address)
{
    if (opt->address != NULL)
        return fail_usage("one of --tcp and --ws, once", NULL);
    opt->kind = kind;
    opt->address = address;
    return 0;
}

static int apply_option(struct client_options *opt, int c, const char *value)
{
    switch (c) {
    case 't':
        return set_address(opt, WIRE_TCP, value);
    case 'w':
        return set_address(opt, WIRE_WS, value);
    case 'k':
        opt->token = value;
        return 0;
    case 'g':
        opt->goim = value;
        return 0;
    case 'n':
        return parse_number("--count takes a number from 1", value, &opt->count);
    case 's':
        return parse_number("--timeout takes seconds from 1", value, &opt->timeout);
    case 'b':
        return parse_number("--heartbeat takes seconds from 1", value, &opt->heartbeat);
    case 'a':
        opt->ack = true;
        return 0;
    case 'R':
        opt->reconnect = true;
        return 0;
    case 'r':
        opt->raw = true;
        return 0;
    case 'T':
        opt->tls = true;
        return 0;
    case 'C':
        opt->tls = true;
        opt->trust.cacert = value;
        return 0;
    case 'I':
        opt->tls = true;
        opt->trust.insecure = true;
        return 0;
    default:
        return -EINVAL; /* getopt has said what is wrong */
    }
}

/* 0: go on; 1: help or version was printed; -EINVAL. */
static int parse_options(struct client_options *opt, int argc, char **argv)
{
    static const struct option longs[] = {
        {"tcp", required_argument, NULL, 't'},
        {"ws", required_argument, NULL, 'w'},
        {"goim", required_argument, NULL, 'g'},
        {"token", required_argument, NULL, 'k'},
        {"count", required_argument, NULL, 'n'},
        {"timeout", required_argument, NULL, 's'},
        {"heartbeat", required_argument, NULL, 'b'},
        {"ack", no_argument, NULL, 'a'},
        {"raw", no_argument, NULL, 'r'},
        {"tls", no_argument, NULL, 'T'},
        {"reconnect", no_argument, NULL, 'R'},
        {"cacert", required_argument, NULL, 'C'},
        {"insecure", no_argument, NULL, 'I'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int c;

    opt->heartbeat = 30;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread yet */
    while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (c == 'h' || c == 'V')
            return fputs(c == 'h' ? usage : "imc-client " IMC_VERSION "\n", stdout) < 0 ? -EIO : 1;
        if (apply_option(opt, c, optarg) != 0)
            return -EINVAL;
    }
    if (optind != argc)
        return fail_usage("unexpected argument", argv[optind]);
    if (opt->address == NULL)
        return fail_usage("--tcp HOST:PORT or --ws HOST:PORT is missing", NULL);
    if ((opt->token != NULL) == (opt->goim != NULL))
        return fail_usage("--token TOKEN or --goim AUTH, one of them", NULL);
    if (opt->goim != NULL && opt->kind == WIRE_WS)
        opt->kind = WIRE_WS_FRAMES;
    return 0;
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

static void print_message(const struct client_options *opt, const struct wire_message *message)
{
    if (opt->raw) {
        (void)fwrite(message->body, 1, message->body_len, stdout);
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

/* "imc-client: it names 10.0.0.2:8080, 10.0.0.3:8080" */
static void print_nodes(const struct reconnect *reconnect)
{
    for (int i = 0; i < reconnect->n_nodes; i++)
        fprintf(stderr, "%s%s%s", i == 0 ? "imc-client: it names " : ", ", reconnect->nodes[i],
                i + 1 == reconnect->n_nodes ? "\n" : "");
}

static int print_disconnect(struct device *session, const struct wire_message *message)
{
    json_t *body = json_loadb(message->body, message->body_len, 0, NULL);
    const char *reason = json_string_value(json_object_get(body, "reason"));

    session->close_code = json_integer_value(json_object_get(body, "code"));
    fprintf(stderr, "imc-client: disconnected by the server: code %" PRId64 ": %s\n",
            session->close_code, reason != NULL ? reason : "no reason given");
    reconnect_take(&session->reconnect, body);
    print_nodes(&session->reconnect);
    json_decref(body);
    return EXIT_DISCONNECTED;
}

/* --- the session; functions return an exit code, or -1 to go on --- */

static int print_lost(const struct device *session)
{
    fprintf(stderr, "imc-client: %s\n", wire_error(session->wire));
    return EXIT_LOST;
}

/* The auth object that asks for acknowledgements: --goim's, or one with the token. NULL: --goim's
 * is not JSON, which the server is to say, or the token is not UTF-8. */
static char *acked_auth(const struct client_options *opt)
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
    fprintf(stderr, "imc-client: %" PRIu32 " in the room\n", ntohl(online));
}

static int handle_message(struct device *session, const struct wire_message *message)
{
    switch (message->op) {
    case OP_HEARTBEAT_REPLY:
        print_online(message);
        return -1;
    case OP_AUTH_REPLY:
        fprintf(stderr, "imc-client: authenticated\n");
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
    fprintf(stderr, "imc-client: %" PRId64 " of %" PRId64 " messages in %" PRId64 " s\n",
            session->received, session->opt->count, session->opt->timeout);
    return EXIT_TOO_FEW;
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
    const struct client_options *opt = session->opt;
    const struct wire_target target = {opt->kind, address, opt->tls ? &opt->trust : NULL};
    char err[256];
    int code = -1;

    if (wire_open_to(&target, CONNECT_TIMEOUT_MS, &session->wire, err, sizeof err) != 0) {
        if (interrupted != 0)
            return EXIT_SUCCESS;
        fprintf(stderr, "imc-client: %s: %s\n", address, err);
        return EXIT_CONNECT;
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
    if (code == EXIT_DISCONNECTED)
        return !reconnect_helps(session->close_code);
    return code != EXIT_CONNECT && code != EXIT_LOST;
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

static int run(const struct client_options *opt)
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
        fprintf(stderr, "imc-client: connecting to %s\n", address);
    }
}

int main(int argc, char **argv)
{
    struct client_options opt = {0};
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked;
    int err = parse_options(&opt, argc, argv);

    if (err != 0)
        return err > 0 ? EXIT_SUCCESS : EXIT_USAGE;
    /* Signals are blocked except while wire.c waits. So none comes between looking at the flag and
     * the wait. */
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    return run(&opt);
}

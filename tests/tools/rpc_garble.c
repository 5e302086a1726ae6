/* rpc_garble - sends bytes of the caller's choice on a gRPC stream, for tests of what daemons do
 * with them.
 *
 *   stdin: a message a line, in hex ──► rpc_stream ══► a daemon
 *   stdout: "answer HEX" ◄── each message that comes back; "closed WHY", or "open" after SECONDS or
 *                            when ANSWERS messages have come
 *
 * Exit code: 0 closed by the daemon, 3 still open, 2 usage. */
#include "common/base/mem.h"
#include "common/rpc/rpc.h"
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CONNECT_MS = 10000, SHOWN = 4096, EXIT_USAGE = 2, EXIT_OPEN = 3, MAX_MESSAGE = 128 << 20 };

struct garble {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool closed, given_up;
    long answers, wanted; /* WANTED 0: until the stream is closed */
};

static void on_message(struct rpc_stream *stream, void *arg, struct msg *msg)
{
    struct garble *garble = arg;

    (void)stream;
    fputs("answer ", stdout);
    for (size_t i = 0; i < msg->len && i < SHOWN; i++)
        printf("%02x", msg->data[i]);
    putchar('\n');
    msg_unref(msg);
    pthread_mutex_lock(&garble->lock);
    garble->answers++;
    pthread_cond_signal(&garble->changed);
    pthread_mutex_unlock(&garble->lock);
}

static void on_closed(struct rpc_stream *stream, void *arg, const char *why)
{
    struct garble *garble = arg;

    (void)stream;
    pthread_mutex_lock(&garble->lock);
    if (!garble->given_up)
        printf("closed %s\n", why);
    garble->closed = true;
    pthread_cond_signal(&garble->changed);
    pthread_mutex_unlock(&garble->lock);
}

static const struct rpc_stream_events events = {.message = on_message, .closed = on_closed};

/* NULL: not hex. */
static struct msg *parse_hex(const char *text, size_t len)
{
    struct msg *msg = msg_new(len / 2);
    char digits[3] = "", *end;

    for (size_t i = 0; i < msg->len; i++) {
        memcpy(digits, text + 2 * i, 2);
        msg->data[i] = (uint8_t)strtoul(digits, &end, 16);
        if (end != digits + 2)
            goto fail;
    }
    if (len % 2 == 0)
        return msg;

fail:
    msg_unref(msg);
    return NULL;
}

static int send_lines(struct rpc_stream *stream)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    int result = 0;

    while (result == 0 && (len = getline(&line, &size, stdin)) >= 0) {
        if (len > 0 && line[len - 1] == '\n')
            len--;
        struct msg *msg = parse_hex(line, (size_t)len);
        if (msg == NULL)
            result = -EINVAL;
        else if (rpc_stream_send(stream, msg) != 0)
            break; /* the stream closed meanwhile: closed() says why */
    }
    free(line);
    return result;
}

static bool is_enough(const struct garble *garble)
{
    return garble->wanted > 0 && garble->answers >= garble->wanted && !garble->given_up;
}

static bool wait_closed(struct garble *garble, long wait_s)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += wait_s;
    pthread_mutex_lock(&garble->lock);
    while (!garble->closed && !is_enough(garble)) {
        if (pthread_cond_timedwait(&garble->changed, &garble->lock, &until) == ETIMEDOUT)
            break;
    }
    bool closed = garble->closed;
    pthread_mutex_unlock(&garble->lock);
    return closed;
}

static int run(struct rpc *rpc, char **argv)
{
    struct garble garble = {.lock = PTHREAD_MUTEX_INITIALIZER,
                            .changed = PTHREAD_COND_INITIALIZER,
                            .wanted = strtol(argv[4], NULL, 10)};
    long wait_s = strtol(argv[3], NULL, 10);
    struct rpc_channel *channel = rpc_channel_open(rpc, argv[1]);
    struct rpc_stream *stream = rpc_stream_open(channel, argv[2], CONNECT_MS, &events, &garble);
    int result = send_lines(stream) != 0 ? EXIT_USAGE : EXIT_SUCCESS;
    bool closed = result == EXIT_SUCCESS && wait_closed(&garble, wait_s);

    if (result == EXIT_SUCCESS && !closed) {
        puts("open");
        result = EXIT_OPEN;
    }
    fflush(stdout);
    if (!closed) {
        pthread_mutex_lock(&garble.lock);
        garble.given_up = true;
        pthread_mutex_unlock(&garble.lock);
        rpc_stream_close(stream);
        wait_closed(&garble, CONNECT_MS / 1000); /* it refers to GARBLE until then */
    }
    rpc_stream_unref(stream);
    rpc_channel_close(channel);
    return result;
}

int main(int argc, char **argv)
{
    struct rpc *rpc;

    if (argc != 5) {
        fputs("usage: rpc_garble HOST:PORT PATH SECONDS ANSWERS < lines of hex\n", stderr);
        return EXIT_USAGE;
    }
    if (rpc_open(&rpc, MAX_MESSAGE) != 0)
        return EXIT_FAILURE;
    int result = run(rpc, argv);
    rpc_close(rpc);
    return result;
}

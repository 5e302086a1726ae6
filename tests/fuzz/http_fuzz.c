/* The HTTP server over a socket pair, fed in two pieces: whatever comes, each handler sees texts
 * without control bytes, each answer is one, and nothing is held when the connection is over. */
#include "common/http/http.h"
#include "common/http/internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BODY = 4096, MAX_HELD = 16384, MOST_TURNS = 1000 };

static struct loop loop;
static struct http_server *server;

static void check(int holds)
{
    if (!holds)
        abort();
}

static void check_text(const char *text)
{
    for (; text != NULL && *text != '\0'; text++)
        check((unsigned char)*text >= 0x20 || *text == '\t');
}

static int under_way; /* requests whose head came, and which are not over */

static void end(struct http_request *request, void *arg)
{
    (void)arg;
    check(http_context(request) == &under_way);
    under_way--;
}

static void head(struct http_request *request, void *arg)
{
    (void)arg;
    check(http_context(request) == NULL);
    http_set_context(request, &under_way);
    under_way++;
    check(http_path(request)[0] == '/' || strcmp(http_path(request), "*") == 0);
    check(strstr(http_path(request), "//") == NULL && strstr(http_path(request), "/../") == NULL);
    if (strncmp(http_path(request), "/no", 3) == 0)
        http_respond(request, 401, NULL, "no", 2, NULL);
}

static void handle(struct http_request *request, void *arg)
{
    static const char *const names[] = {"host", "authorization", "x-api-key", "content-type"};
    size_t len;

    (void)arg;
    check(http_body(request, &len) != NULL && len <= MAX_BODY);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        check_text(http_header(request, names[i]));
    for (size_t i = 0; i < 3; i++) {
        check_text(http_query(request, "a", i));
        check_text(http_form(request, "a", i));
    }
    check(!http_form_is_bad(request) || http_form(request, "a", 0) == NULL);
    http_respond(request, 200, NULL, "ok", 2, NULL);
}

static void open_server(void)
{
    struct http_options options = {.address = "127.0.0.1:0",
                                   .max_body = MAX_BODY,
                                   .max_held = MAX_HELD,
                                   .head = head,
                                   .end = end,
                                   .handle = handle};

    /* As a daemon does: answers to pipelined requests come after the close. */
    signal(SIGPIPE, SIG_IGN);
    check(loop_init(&loop, "fuzz", 0) == 0);
    check(http_server_open(&loop, &options, &server) == 0);
}

static void turn(int fd)
{
    char answer[4096];

    uv_run(&loop.uv, UV_RUN_NOWAIT);
    while (recv(fd, answer, sizeof answer, MSG_DONTWAIT) > 0)
        continue;
}

static void feed(int fd, const uint8_t *data, size_t len)
{
    for (int i = 0; len > 0 && i < MOST_TURNS; i++) {
        ssize_t n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
        turn(fd);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fds[2];
    size_t first = size > 0 ? data[0] * size / 256 : 0;

    if (server == NULL)
        open_server();
    if (size == 0)
        return 0;
    data++;
    size--;
    first = first < size ? first : size;
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    http_conn_open(server, fds[0], "127.0.0.1");
    feed(fds[1], data, first);
    feed(fds[1], data + first, size - first);
    turn(fds[1]);
    shutdown(fds[1], SHUT_WR);
    turn(fds[1]);
    close(fds[1]);
    for (int i = 0; !LIST_EMPTY(&server->conns) && i < MOST_TURNS; i++)
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    check(LIST_EMPTY(&server->conns) && http_server_pending(server) == 0);
    check(http_server_held(server) == 0 && under_way == 0);
    return 0;
}

/* http_lanes.c - one lane:
 *
 *   idle ─ post ─► connect, if closed ─► send ─► EPOLLOUT: send the rest ─► recv ─► answer()
 *    ▲                                                                                  │
 *    └──────────────────────────────────────────────────────────────────────────────────┘
 *
 * Reads only what servers of this project write: a status line, Content-Length, no chunks. */
#include "bench/load/http_lanes.h"

#include "bench/base/clock.h"
#include "bench/base/net.h"
#include "common/base/mem.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_SIZE = 16384, HEAD_MAX = 2048, EVENTS = 256 };

struct http_lane {
    int fd; /* -1: closed */
    bool busy;
    bool arming; /* waits for EPOLLOUT */
    char *out;
    size_t out_len, out_at, out_size;
    size_t in_len;
    char in[IN_SIZE];
};

struct http_lanes {
    struct sockaddr_in address;
    char host[128], key_line[256];
    int epoll;
    http_lanes_answer *answer;
    void *arg;
    size_t n;
    struct http_lane lanes[];
};

static void lane_close(struct http_lane *lane)
{
    if (lane->fd >= 0)
        close(lane->fd);
    lane->fd = -1;
    lane->in_len = lane->out_len = lane->out_at = 0;
    lane->arming = false;
}

/* Blocks: the server is near, and this happens once per lane. */
static int lane_open(struct http_lanes *client, size_t i)
{
    struct http_lane *lane = &client->lanes[i];
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};
    int on = 1, failed = 0, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&client->address, sizeof client->address) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        epoll_ctl(client->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        failed = -errno;
        close(fd);
        return failed;
    }
    lane->fd = fd;
    return 0;
}

static int start(struct http_lanes *client, char *err, size_t errlen)
{
    char why[128];
    int failed;

    client->epoll = epoll_create1(EPOLL_CLOEXEC);
    failed = client->epoll < 0 ? -errno : lane_open(client, 0);
    if (failed != 0)
        snprintf(err, errlen, "%s: %s", client->host, strerror_r(-failed, why, sizeof why));
    return failed;
}

int http_lanes_open(const struct http_lanes_options *options, struct http_lanes **out, char *err,
                    size_t errlen)
{
    size_t lanes = options->lanes;
    struct http_lanes *client = mem_zalloc(sizeof *client + lanes * sizeof client->lanes[0]);
    int failed;

    client->epoll = -1;
    client->answer = options->answer;
    client->arg = options->arg;
    client->n = lanes;
    for (size_t i = 0; i < lanes; i++)
        client->lanes[i].fd = -1;
    snprintf(client->host, sizeof client->host, "%s", options->address);
    if (options->key != NULL)
        snprintf(client->key_line, sizeof client->key_line, "X-API-Key: %s\r\n", options->key);
    failed = net_address(options->address, &client->address, err, errlen);
    if (failed == 0)
        failed = start(client, err, errlen);
    if (failed != 0)
        http_lanes_close(client);
    else
        *out = client;
    return failed;
}

void http_lanes_close(struct http_lanes *client)
{
    if (client == NULL)
        return;
    for (size_t i = 0; i < client->n; i++) {
        lane_close(&client->lanes[i]);
        free(client->lanes[i].out);
    }
    if (client->epoll >= 0)
        close(client->epoll);
    free(client);
}

bool http_lanes_idle(const struct http_lanes *client, size_t lane)
{
    return !client->lanes[lane].busy;
}

static void finish(struct http_lanes *client, size_t i, int status, const char *body, size_t len)
{
    client->lanes[i].busy = false;
    client->answer(client->arg, i, status, body, len);
}

static void lane_broke(struct http_lanes *client, size_t i)
{
    lane_close(&client->lanes[i]);
    if (client->lanes[i].busy)
        finish(client, i, 0, "", 0);
}

/* --- sending --- */

static void arm(struct http_lanes *client, size_t i, bool writing)
{
    struct epoll_event event = {.events = writing ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.u64 = i};

    if (client->lanes[i].arming == writing)
        return;
    client->lanes[i].arming = writing;
    epoll_ctl(client->epoll, EPOLL_CTL_MOD, client->lanes[i].fd, &event);
}

static void flush(struct http_lanes *client, size_t i)
{
    struct http_lane *lane = &client->lanes[i];
    ssize_t n = send(lane->fd, lane->out + lane->out_at, lane->out_len - lane->out_at,
                     MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0 && errno != EAGAIN) {
        lane_broke(client, i);
        return;
    }
    lane->out_at += n > 0 ? (size_t)n : 0;
    arm(client, i, lane->out_at < lane->out_len);
}

static void append(struct http_lane *lane, const char *data, size_t len)
{
    if (lane->out_len + len > lane->out_size) {
        lane->out_size = (lane->out_len + len) * 2;
        lane->out = mem_realloc(lane->out, lane->out_size);
    }
    memcpy(lane->out + lane->out_len, data, len);
    lane->out_len += len;
}

int http_lanes_post(struct http_lanes *client, size_t i, const char *target, const char *body,
                    size_t len)
{
    struct http_lane *lane = &client->lanes[i];
    char head[HEAD_MAX];
    int n, failed = lane->fd < 0 ? lane_open(client, i) : 0;

    if (failed != 0)
        return failed;
    n = snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: %s\r\n%sContent-Length: %zu\r\n\r\n",
                 target, client->host, client->key_line, len);
    if (n < 0 || (size_t)n >= sizeof head)
        return -EMSGSIZE;
    lane->busy = true;
    lane->out_len = lane->out_at = 0;
    append(lane, head, (size_t)n);
    append(lane, body, len);
    flush(client, i);
    return 0;
}

/* --- receiving --- */

static size_t content_length(const char *head, const char *end)
{
    static const char name[] = "\r\nContent-Length:";
    size_t len = sizeof name - 1;

    for (; head + len < end; head++)
        if (strncasecmp(head, name, len) == 0)
            return strtoul(head + len, NULL, 10);
    return 0;
}

/* Takes the answer at the start of the lane's input, if it is whole. */
static void read_answer(struct http_lanes *client, size_t i)
{
    struct http_lane *lane = &client->lanes[i];
    const char *end = memmem(lane->in, lane->in_len, "\r\n\r\n", 4);
    size_t head, body;
    int status;

    if (end == NULL)
        return;
    head = (size_t)(end + 4 - lane->in);
    body = content_length(lane->in, end + 2);
    if (lane->in_len < head + body)
        return;
    status = lane->in_len > 12 ? (int)strtol(lane->in + 9, NULL, 10) : 0;
    lane->in_len = 0;
    finish(client, i, status, lane->in + head, body);
}

static void on_input(struct http_lanes *client, size_t i)
{
    struct http_lane *lane = &client->lanes[i];
    ssize_t n = recv(lane->fd, lane->in + lane->in_len, IN_SIZE - lane->in_len - 1, MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return;
    /* On an idle lane only the close can come: the server closes connections that it takes for
     * dead. */
    if (n <= 0 || !lane->busy) {
        lane_broke(client, i);
        return;
    }
    lane->in_len += (size_t)n;
    lane->in[lane->in_len] = '\0';
    read_answer(client, i);
}

void http_lanes_poll(struct http_lanes *client, int64_t timeout_ns)
{
    struct timespec timeout = {timeout_ns / CLOCK_SECOND, timeout_ns % CLOCK_SECOND};
    struct epoll_event events[EVENTS];
    int n = epoll_pwait2(client->epoll, events, EVENTS, &timeout, NULL);

    for (int k = 0; k < n; k++) {
        size_t i = events[k].data.u64;
        if (client->lanes[i].fd >= 0 && (events[k].events & EPOLLOUT) != 0)
            flush(client, i);
        if (client->lanes[i].fd >= 0 && (events[k].events & ~EPOLLOUT) != 0)
            on_input(client, i);
    }
}

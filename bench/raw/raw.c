/* raw.c - sender and reader are children that share one page of memory:
 *
 *   parent ─fork─► sender: listen, accept N ─► rounds of send() ─► result
 *          └fork─► reader: connect N, epoll, recv(MSG_TRUNC) ─► drained bytes ─► (sender looks)
 */
#include "bench/raw/raw.h"

#include "bench/base/clock.h"
#include "bench/base/net.h"
#include "common/base/mem.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SPARE_FILES = 32,
    EVENTS = 512,
    IN_FLIGHT = 128,
    CONNECT_S = 30,
    NAP_NS = 100000,
    READ_MAX = 1 << 20
};

struct raw_shared {
    _Atomic uint64_t drained; /* bytes that the reader has taken */
    int failed;               /* -E… of a child */
    struct raw_result result;
};

struct raw {
    struct raw_options options;
    struct raw_shared *shared;
    int listener;
    struct sockaddr_in address;
    int *fds;
    char *frame;
};

static int open_listener(struct raw *raw)
{
    socklen_t len = sizeof raw->address;

    raw->address = (struct sockaddr_in){.sin_family = AF_INET};
    raw->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    raw->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (raw->listener < 0 || bind(raw->listener, (struct sockaddr *)&raw->address, len) != 0 ||
        listen(raw->listener, 4096) != 0 ||
        getsockname(raw->listener, (struct sockaddr *)&raw->address, &len) != 0)
        return -errno;
    return 0;
}

/* --- reader --- */

static int connect_some(struct raw *raw, int epoll, size_t *opened)
{
    struct epoll_event event = {.events = EPOLLIN};
    int fd = net_connect(&raw->address, NET_GROUPS - 1, (unsigned)*opened);

    if (fd < 0)
        return fd;
    event.data.fd = fd;
    (*opened)++;
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

/* Reads until the parent ends it. The kernel drops the bytes. */
static int run_reader(struct raw *raw)
{
    static char nothing[READ_MAX]; /* never touched */
    struct epoll_event events[EVENTS];
    size_t opened = 0;
    int failed, epoll = epoll_create1(EPOLL_CLOEXEC);

    for (;;) {
        uint64_t bytes = 0;
        if (opened < raw->options.sockets && (failed = connect_some(raw, epoll, &opened)) != 0)
            return failed;
        int n = epoll_wait(epoll, events, EVENTS, opened < raw->options.sockets ? 0 : -1);
        for (int i = 0; i < n; i++) {
            ssize_t got = recv(events[i].data.fd, nothing, READ_MAX, MSG_TRUNC | MSG_DONTWAIT);
            if (got == 0)
                return 0;
            bytes += got > 0 ? (uint64_t)got : 0;
        }
        if (bytes > 0)
            atomic_fetch_add_explicit(&raw->shared->drained, bytes, memory_order_relaxed);
    }
}

/* --- sender --- */

static int accept_all(struct raw *raw)
{
    const struct timeval limit = {.tv_sec = CONNECT_S};

    if (setsockopt(raw->listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0)
        return -errno;
    raw->fds = mem_alloc(raw->options.sockets * sizeof *raw->fds);
    for (size_t i = 0; i < raw->options.sockets; i++) {
        raw->fds[i] = accept4(raw->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (raw->fds[i] < 0)
            return -errno;
    }
    return 0;
}

static int send_round(struct raw *raw, uint64_t *bytes)
{
    struct raw_result *result = &raw->shared->result;

    for (size_t i = 0; i < raw->options.sockets; i++) {
        ssize_t n = send(raw->fds[i], raw->frame, raw->options.bytes, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return -errno;
        *bytes += n > 0 ? (uint64_t)n : 0;
        if (n == (ssize_t)raw->options.bytes)
            result->writes++;
        else
            result->full++;
    }
    return 0;
}

static int run_sender(struct raw *raw)
{
    struct raw_result *result = &raw->shared->result;
    uint64_t bytes = 0, round = raw->options.sockets * raw->options.bytes, start, cpu;
    int failed = accept_all(raw);

    if (failed != 0)
        return failed;
    assert(raw->fds != NULL);
    raw->frame = mem_zalloc(raw->options.bytes);
    result->sockets = raw->options.sockets;
    start = clock_ns();
    cpu = clock_read(CLOCK_PROCESS_CPUTIME_ID);
    while (failed == 0 && (double)(clock_ns() - start) < raw->options.seconds * 1e9) {
        uint64_t drained = atomic_load_explicit(&raw->shared->drained, memory_order_relaxed);
        if (bytes - drained > raw->options.rounds_ahead * round)
            clock_sleep_ns(NAP_NS);
        else
            failed = send_round(raw, &bytes);
    }
    result->cpu_s = (double)(clock_read(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e9;
    result->wall_s = (double)(clock_ns() - start) / 1e9;
    return failed;
}

/* --- parent --- */

static pid_t start_child(struct raw *raw, int (*run)(struct raw *raw))
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int failed = run(raw);
    if (failed != 0)
        raw->shared->failed = failed;
    _exit(failed != 0);
}

static int run_children(struct raw *raw)
{
    int status = 0, failed = 0;
    pid_t reader = start_child(raw, run_reader), sender;

    if (reader < 0)
        return -errno;
    sender = start_child(raw, run_sender);
    if (sender < 0)
        failed = -errno;
    else
        waitpid(sender, &status, 0);
    kill(reader, SIGKILL);
    waitpid(reader, NULL, 0);
    if (failed == 0 && status != 0)
        failed = raw->shared->failed != 0 ? raw->shared->failed : -ECHILD;
    return failed;
}

int raw_measure(const struct raw_options *options, struct raw_result *result, char *err,
                size_t errlen)
{
    struct raw raw = {.options = *options, .listener = -1};
    size_t files = net_file_limit() - SPARE_FILES;
    char why[128];
    int failed;

    if (raw.options.sockets > files)
        raw.options.sockets = files;
    raw.shared =
        mmap(NULL, sizeof *raw.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (raw.shared == MAP_FAILED)
        return -ENOMEM;
    failed = open_listener(&raw);
    if (failed == 0)
        failed = run_children(&raw);
    if (failed == 0)
        *result = raw.shared->result;
    else
        snprintf(err, errlen, "the raw limit could not be measured: %s",
                 strerror_r(-failed, why, sizeof why));
    if (raw.listener >= 0)
        close(raw.listener);
    munmap(raw.shared, sizeof *raw.shared);
    return failed;
}

double raw_per_cpu_s(const struct raw_result *result)
{
    return result->cpu_s > 0 ? (double)result->writes / result->cpu_s : 0;
}

#include "comet/net/poller.h"
#include "common/base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { EVENTS_PER_TURN = 1024 };

struct poller {
    poller_fn fn;
    int epoll;
    uv_poll_t poll;
    int at, n; /* events[at … n) are not reported yet */
    void (*done)(void *arg);
    void *done_arg;
    struct epoll_event events[EVENTS_PER_TURN];
};

/* Reports at most EVENTS_PER_TURN. The rest comes in the next turn, because the descriptor stays
 * readable. */
static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct poller *poller = container_of(poll, struct poller, poll);

    (void)status;
    (void)events;
    poller->n = epoll_wait(poller->epoll, poller->events, EVENTS_PER_TURN, 0);
    for (poller->at = 0; poller->at < poller->n;) {
        struct epoll_event *event = &poller->events[poller->at++];
        if (event->data.ptr != NULL)
            poller->fn(event->data.ptr, event->events);
    }
    poller->at = poller->n = 0;
}

int poller_open(struct loop *loop, poller_fn fn, struct poller **out)
{
    struct poller *poller = mem_zalloc(sizeof *poller);
    int err;

    poller->fn = fn;
    poller->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (poller->epoll < 0) {
        err = -errno;
        goto fail;
    }
    err = uv_poll_init(&loop->uv, &poller->poll, poller->epoll);
    if (err != 0)
        goto fail_epoll;
    uv_poll_start(&poller->poll, UV_READABLE, on_ready);
    *out = poller;
    return 0;

fail_epoll:
    close(poller->epoll);
fail:
    free(poller);
    return err;
}

int poller_set(struct poller *poller, int fd, void *socket, uint32_t before, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = socket};
    int op = before == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;

    if (before == events || epoll_ctl(poller->epoll, op, fd, &event) == 0)
        return 0;
    return -errno;
}

void poller_forget(struct poller *poller, const void *socket)
{
    for (int i = poller->at; i < poller->n; i++) {
        if (poller->events[i].data.ptr == socket)
            poller->events[i].data.ptr = NULL;
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct poller *poller = container_of((uv_poll_t *)handle, struct poller, poll);

    close(poller->epoll);
    poller->done(poller->done_arg);
    free(poller);
}

void poller_close(struct poller *poller, void (*done)(void *arg), void *arg)
{
    if (poller == NULL)
        return;
    poller->done = done;
    poller->done_arg = arg;
    uv_close((uv_handle_t *)&poller->poll, on_closed);
}

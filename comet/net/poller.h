/* poller.h - watches all sockets of a loop by an epoll descriptor of its own, which libuv watches
 * like one socket. Owner loop only.
 *
 * A uv_poll_t would cost 160 bytes per connection. It would also take five system calls between
 * accept() and the first event, instead of one.
 *
 *      sockets ──EPOLLIN …──► epoll ──readable──► uv_poll ─► on_ready ─► fn(), socket by socket */
#ifndef IMC_COMET_NET_POLLER_H
#define IMC_COMET_NET_POLLER_H

#include "common/base/loop.h"

#include <sys/epoll.h>

struct poller;

/* EVENTS are those asked for, and EPOLLERR or EPOLLHUP, which come unasked when SOCKET has
 * failed. */
typedef void (*poller_fn)(void *socket, uint32_t events);

/* 0 or -E…. */
int poller_open(struct loop *loop, poller_fn fn, struct poller **out);
/* From now on EVENTS of FD are reported with SOCKET, level triggered. With EVENTS 0 nothing is
 * reported, not even a failure. BEFORE is what was set last, 0 if nothing. 0 or -E…; after an error
 * nothing has changed. */
int poller_set(struct poller *poller, int fd, void *socket, uint32_t before, uint32_t events);
/* Reports nothing more of SOCKET. To be called before its descriptor is closed, which ends the
 * watching. */
void poller_forget(struct poller *poller, const void *socket);
/* DONE is called in a later turn of the loop, when the poller is gone. POLLER may be NULL. */
void poller_close(struct poller *poller, void (*done)(void *arg), void *arg);

#endif

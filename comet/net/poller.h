/* poller.h - the sockets of a loop on one epoll descriptor of their own, which libuv watches as
 * one. Owner loop only.
 *
 * A uv_poll_t would cost 160 bytes of each connection, and five system calls between accept() and
 * the first event where one does.
 *
 *      sockets ──EPOLLIN …──► epoll ──readable──► uv_poll ─► on_ready ─► fn(), socket by socket */
#ifndef IMC_COMET_NET_POLLER_H
#define IMC_COMET_NET_POLLER_H

#include "common/base/loop.h"

#include <sys/epoll.h>

struct poller;

/* A socket of which something was asked, or that has failed (EPOLLERR, EPOLLHUP: never asked for).
 */
typedef void (*poller_fn)(void *socket, uint32_t events);

/* 0 or -E…. */
int poller_open(struct loop *loop, poller_fn fn, struct poller **out);
/* From now on EVENTS of FD are told with SOCKET, level triggered; 0: not even that it has failed.
 * BEFORE is what was set last, 0 if nothing. 0 or -E…, when nothing has changed. */
int poller_set(struct poller *poller, int fd, void *socket, uint32_t before, uint32_t events);
/* Before its descriptor is closed, which ends the watching: nothing more of SOCKET is told. */
void poller_forget(struct poller *poller, const void *socket);
/* DONE runs when it is gone, later in a turn of the loop. NULL is fine. */
void poller_close(struct poller *poller, void (*done)(void *arg), void *arg);

#endif

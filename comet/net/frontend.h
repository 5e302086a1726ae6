/* frontend.h - the client side of a loop: listeners and connections. Owner loop only,
 * except frontend_open/close (before the loop runs / after it stopped). */
#ifndef IMC_COMET_NET_FRONTEND_H
#define IMC_COMET_NET_FRONTEND_H

#include <stdbool.h>
#include <stddef.h>

struct conn_events;
struct worker;

/* Binds the listeners of worker->config with SO_REUSEPORT and starts accepting only after
 * frontend_accept(). EVENTS (conn.h) are told of every connection. 0 or -E… with ERR telling which
 * address and what to do. */
int frontend_open(struct worker *worker, const struct conn_events *events, char *err,
                  size_t errlen);
void frontend_accept(struct worker *worker, bool on);
/* Accepts nobody any more, and closes every connection. */
void frontend_hang_up(struct worker *worker);
/* The same, then frees everything. */
void frontend_close(struct worker *worker);
/* Connections in any state. */
size_t frontend_connections(const struct worker *worker);
/* Those whose socket has not taken all that was written to it. */
size_t frontend_behind(const struct worker *worker);

#endif

/* frontend.h - the client side of a loop: listeners and connections. Owner loop only,
 * except frontend_open/close (before the loop runs / after it stopped). */
#ifndef IMC_COMET_NET_FRONTEND_H
#define IMC_COMET_NET_FRONTEND_H

#include <stdbool.h>
#include <stddef.h>

struct conn_events;
struct worker;

/* Binds the listeners of worker->config with SO_REUSEPORT. They accept only after
 * frontend_accept(). EVENTS (conn.h) are called for every connection. 0 or -E…; ERR names the
 * address and says what to do. */
int frontend_open(struct worker *worker, const struct conn_events *events, char *err,
                  size_t errlen);
void frontend_accept(struct worker *worker, bool on);
/* Refuses clients until frontend_accept(worker, true). frontend_accept(worker, false) is for
 * good. */
void frontend_rest(struct worker *worker);
/* LITTLE: few bytes of a connection are read at a time, because what is behind a frame may have to
 * be kept for long (conn_hold). */
void frontend_read_little(struct worker *worker, bool little);
/* Stops accepting, and closes every connection. */
void frontend_hang_up(struct worker *worker);
/* Does the same, then frees everything. */
void frontend_close(struct worker *worker);
/* The number of connections in any state. */
size_t frontend_connections(const struct worker *worker);
/* The number of connections whose socket has not taken all that was written to it. */
size_t frontend_behind(const struct worker *worker);

#endif

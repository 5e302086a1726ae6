/* frontend.h - the client side of a loop: listeners, connections, rooms, walks. Owner loop only,
 * except edge_open/close (before the loop runs / after it stopped). */
#ifndef IMC_COMET_NET_FRONTEND_H
#define IMC_COMET_NET_FRONTEND_H

#include "comet/worker.h"
#include "common/protocol/ops.h"

/* Binds the listeners of worker->config with SO_REUSEPORT and starts accepting only after
 * edge_accept(). 0 or -E… with ERR telling which address and what to do. */
int edge_open(struct worker *worker, char *err, size_t errlen);
void edge_accept(struct worker *worker, bool on);
/* Kicks every connection with CODE, spread over OVER_MS, or sooner at drain.rate; DONE when none is
 * left. */
void edge_kick_all(struct worker *worker, enum close_code code, const char *reason,
                   uint64_t over_ms, void (*done)(struct worker *worker));
/* Likewise the sessions that are in a room now, or (ALL) every session there is now, with code 12:
 * they missed something. */
void edge_recall(struct worker *worker, bool all, uint64_t over_ms);
void edge_close(struct worker *worker);
/* Connections in any state. */
size_t edge_connections(const struct worker *worker);
/* Memory is nearly used up: closes some of those who cost most (load_shedding.c). */
void edge_let_go(struct worker *worker);

#endif

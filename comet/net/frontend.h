/* frontend.h - the client side of a loop: listeners, connections, rooms, walks. Owner loop only,
 * except frontend_open/close (before the loop runs / after it stopped). */
#ifndef IMC_COMET_NET_FRONTEND_H
#define IMC_COMET_NET_FRONTEND_H

#include "comet/base/worker.h"
#include "common/protocol/ops.h"

/* Binds the listeners of worker->config with SO_REUSEPORT and starts accepting only after
 * frontend_accept(). 0 or -E… with ERR telling which address and what to do. */
int frontend_open(struct worker *worker, char *err, size_t errlen);
void frontend_accept(struct worker *worker, bool on);
/* Kicks every connection with CODE, spread over OVER_MS, or sooner at drain.rate; DONE when none is
 * left. */
void mass_kick_all(struct worker *worker, enum close_code code, const char *reason,
                   uint64_t over_ms, void (*done)(struct worker *worker));
/* Likewise the sessions that are in a room now, or (ALL) every session there is now, with code 12:
 * they missed something. */
void mass_kick_recall(struct worker *worker, bool all, uint64_t over_ms);
void frontend_close(struct worker *worker);
/* Connections in any state. */
size_t frontend_connections(const struct worker *worker);
/* Memory is nearly used up: closes some of those who cost most (load_shedding.c). */
void load_shedding_run(struct worker *worker);

#endif

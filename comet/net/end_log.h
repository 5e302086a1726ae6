/* end_log.h - says in the log, at debug, that a connection ended, and why. Owner loop only.
 *
 *   … debug comet session closed reason=heartbeat_missed code=11 uid=7 key="a-1" address=10.1.2.3
 *       transport=wss wire=goim lasted_ms=61440
 *
 * The reason is the label of imc_comet_kicked_total if operation 6 said it, otherwise that of
 * imc_comet_closed_total; docs/codes.md explains each. A connection that logic never admitted is
 * "connection closed". */
#ifndef IMC_COMET_NET_END_LOG_H
#define IMC_COMET_NET_END_LOG_H

#include "common/protocol/ops.h"
#include <stdbool.h>

struct conn;

enum { END_REASON_MAX = 23 };

/* The connection ends; nothing of it is freed yet. */
void end_log(const struct conn *conn);
/* "kicked", of CODE; BY_US counts for CLOSE_NONE only. */
void end_reason(enum close_code code, bool by_us, char out[END_REASON_MAX + 1]);

#endif

/* loop_metrics.h - what is measured on the loops of every daemon, whatever it is for. The table
 * beside the daemon's own; each loop has a block of it (loop_measure()). */
#ifndef IMC_COMMON_BASE_LOOP_METRICS_H
#define IMC_COMMON_BASE_LOOP_METRICS_H

#include "common/base/loop.h"
#include "common/base/metrics.h"

#define LOOP_METRICS(H)                                                                          \
    H(LAG, "imc_loop_lag_seconds", NULL, LE_1MS, LE_10S,                                         \
      "How late a loop came to a timer, tried ten times a second on each loop: whatever comes "  \
      "waits so long. Above 0.1: the loop is overloaded or something blocks it. Add daemons or " \
      "cores, or profile this one.")                                                             \
    H(REDIS, "imc_redis_command_seconds", NULL, LE_50US, LE_10S,                                 \
      "From a command to Redis until its answer. If it grows, look at Redis's SLOWLOG and CPU, " \
      "then at the network, then at imc_loop_lag_seconds of this daemon.")                       \
    H(RPC_SESSIONS, "imc_rpc_batch_seconds", "call=\"sessions\"", LE_100US, LE_10S,              \
      "From a batch to another daemon until its answer: sessions, connects (a logic asks the "   \
      "business), upstream (it waits for Kafka), map (logic to router), push (job to comet), "   \
      "settle (job to logic, which stores). If it grows, look at the daemons that are asked: "   \
      "their imc_loop_lag_seconds, and what they wait for.")                                     \
    H(RPC_CONNECTS, "imc_rpc_batch_seconds", "call=\"connects\"", LE_100US, LE_10S, "")          \
    H(RPC_UPSTREAM, "imc_rpc_batch_seconds", "call=\"upstream\"", LE_100US, LE_10S, "")          \
    H(RPC_MAP, "imc_rpc_batch_seconds", "call=\"map\"", LE_100US, LE_10S, "")                    \
    H(RPC_PUSH, "imc_rpc_batch_seconds", "call=\"push\"", LE_100US, LE_10S, "")                  \
    H(RPC_SETTLE, "imc_rpc_batch_seconds", "call=\"settle\"", LE_100US, LE_10S, "")

enum loop_metric {
#define H(id, ...) LOOP_##id, LOOP_##id##_LAST = LOOP_##id + HISTOGRAM_SLOTS - 1,
    LOOP_METRICS(H)
#undef H
};

enum { LOOP_METRIC_ROWS = 0 LOOP_METRICS(METRIC_ONE) };
extern const struct metric_row loop_metric_rows[LOOP_METRIC_ROWS];

/* LOOP, before it runs, or on its thread: from now on its lag is measured, and what is observed on
 * it counts. BLOCK is one of a table of loop_metric_rows, for this loop alone. */
void loop_measure(struct loop *loop, _Atomic int64_t *block);

/* Owner only. Something took US microseconds. Does nothing if LOOP is not measured. */
static inline void loop_observe(const struct loop *loop, enum loop_metric metric, int64_t us)
{
    if (loop->metrics != NULL)
        metric_observe(loop->metrics, metric, us, 1);
}

#endif

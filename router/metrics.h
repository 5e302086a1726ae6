/* metrics.h - the router's metrics, a row each. Counters of the main loop's block, but for those of
 * the rpc thread. */
#ifndef IMC_ROUTER_METRICS_H
#define IMC_ROUTER_METRICS_H

#include "common/base/metrics.h"

/* As common/base/metrics.h has it; rows of one name stand together. */
#define ROUTER_METRICS(X, H)                                                                     \
    X(SESSIONS, "imc_router_sessions", NULL, METRIC_GAUGE,                                       \
      "Live sessions in this router's share of the map")                                         \
    X(UIDS, "imc_router_uids", NULL, METRIC_GAUGE,                                               \
      "Different uids, dead sessions included until they are swept")                             \
    X(ROOMS, "imc_router_rooms", NULL, METRIC_GAUGE,                                             \
      "Rooms that this router counts, those that became empty in the last seconds included")     \
    X(COMETS, "imc_router_comets", NULL, METRIC_GAUGE, "Comets that are believed to live")       \
    X(MAP_BYTES, "imc_router_map_bytes", NULL, METRIC_GAUGE, "Memory of the map")                \
    X(INCOMPLETE, "imc_router_incomplete", NULL, METRIC_GAUGE,                                   \
      "1 while not every live comet has registered its sessions: an empty lookup then says "     \
      "nothing")                                                                                 \
    X(MISSING_COMETS, "imc_router_missing_comets", NULL, METRIC_GAUGE,                           \
      "Live comets that have not registered all their loops")                                    \
    X(UNSWEPT, "imc_router_unswept_sessions", NULL, METRIC_GAUGE,                                \
      "Dead sessions whose memory the sweep has not taken back yet")                             \
    X(PUT_OK, "imc_router_puts_total", "status=\"ok\"", METRIC_COUNTER,                          \
      "Sessions put, by outcome")                                                                \
    X(PUT_TOO_MANY, "imc_router_puts_total", "status=\"too_many\"", METRIC_COUNTER, "")          \
    X(PUT_STALE, "imc_router_puts_total", "status=\"stale_comet\"", METRIC_COUNTER, "")          \
    X(PUT_REFUSED, "imc_router_puts_total", "status=\"refused\"", METRIC_COUNTER, "")            \
    X(PUT_RING, "imc_router_puts_total", "status=\"ring_mismatch\"", METRIC_COUNTER, "")         \
    X(NO_MEMORY, "imc_router_no_memory_total", NULL, METRIC_COUNTER,                             \
      "Of the refused sessions, those for want of memory (memory.limit)")                        \
    X(DEL_FOUND, "imc_router_dels_total", "found=\"yes\"", METRIC_COUNTER,                       \
      "Sessions to delete, by whether they were there")                                          \
    X(DEL_UNKNOWN, "imc_router_dels_total", "found=\"no\"", METRIC_COUNTER, "")                  \
    X(LOOKUP_HIT, "imc_router_lookups_total", "found=\"yes\"", METRIC_COUNTER,                   \
      "Uids looked up, by whether a session was there")                                          \
    X(LOOKUP_MISS, "imc_router_lookups_total", "found=\"no\"", METRIC_COUNTER, "")               \
    X(ROOM_WORDS, "imc_router_room_words_total", NULL, METRIC_COUNTER,                           \
      "Times a loop of a comet said how many sessions a room has on it")                         \
    X(ROOM_LISTS, "imc_router_room_lists_total", NULL, METRIC_COUNTER,                           \
      "Lists of the rooms with the most sessions that were made: each is a walk over all rooms") \
    X(ROOM_TOTALS, "imc_router_room_totals_total", NULL, METRIC_COUNTER,                         \
      "Rooms that were asked for by name")                                                       \
    X(REGISTERED, "imc_router_registered_loops_total", NULL, METRIC_COUNTER,                     \
      "Loops of comets that said they had put everything")                                       \
    X(FORGET, "imc_router_forgets_total", NULL, METRIC_COUNTER,                                  \
      "Comets whose sessions were to be forgotten")                                              \
    X(LOOKUPS_CUT, "imc_router_lookups_cut_total", NULL, METRIC_COUNTER,                         \
      "Lookups answered with some of a user's sessions only, because more fit no answer")        \
    X(COUNTS_CUT, "imc_router_counts_cut_total", NULL, METRIC_COUNTER,                           \
      "Lists of counts that map.max_counted made incomplete")                                    \
    X(SWEEPS, "imc_router_sweeps_total", NULL, METRIC_COUNTER, "Passes over the map that ended") \
    X(SWEPT_DEAD, "imc_router_swept_sessions_total", "reason=\"dead\"", METRIC_COUNTER,          \
      "Sessions that sweeps took out, by reason")                                                \
    X(SWEPT_MOVED, "imc_router_swept_sessions_total", "reason=\"moved\"", METRIC_COUNTER, "")    \
    X(RING_CHANGES, "imc_router_ring_changes_total", NULL, METRIC_COUNTER,                       \
      "Times the set of live routers changed")                                                   \
    X(BATCHES, "imc_router_batches_total", NULL, METRIC_COUNTER, "Batches carried out")          \
    X(MISMATCHES, "imc_router_ring_mismatches_total", NULL, METRIC_COUNTER,                      \
      "Batches of a caller that saw other routers than this one does")                           \
    X(MALFORMED, "imc_router_malformed_batches_total", NULL, METRIC_COUNTER,                     \
      "Batches that could not be decoded; their stream was closed")                              \
    X(STREAMS, "imc_router_streams", NULL, METRIC_GAUGE, "Open streams of logics")

enum router_metric {
#define X(id, ...) ROUTER_##id,
#define H(id, ...) ROUTER_##id, ROUTER_##id##_LAST = ROUTER_##id + HISTOGRAM_SLOTS - 1,
    ROUTER_METRICS(X, H)
#undef X
#undef H
        ROUTER_METRIC_COUNT /* of values in a block */
};

enum { ROUTER_METRIC_ROWS = 0 ROUTER_METRICS(METRIC_ONE, METRIC_ONE) };
extern const struct metric_row router_metric_rows[ROUTER_METRIC_ROWS];

#endif

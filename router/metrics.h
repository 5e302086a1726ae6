/* metrics.h - the router's metrics, a row each. Counters of the main loop's block, but for those of
 * the rpc thread. */
#ifndef IMC_ROUTER_METRICS_H
#define IMC_ROUTER_METRICS_H

#include "common/base/metrics.h"

/* clang-format off */
#define ROUTER_METRICS(X) \
    X(SESSIONS,       "imc_router_sessions", NULL, GAUGE, "Live sessions in this router's share of the map") \
    X(UIDS,           "imc_router_uids", NULL, GAUGE, "Different uids, dead sessions included until they are swept") \
    X(ROOMS,          "imc_router_rooms", NULL, GAUGE, "Rooms with a session, dead sessions included until they are swept") \
    X(COMETS,         "imc_router_comets", NULL, GAUGE, "Comets that are believed to live") \
    X(MAP_BYTES,      "imc_router_map_bytes", NULL, GAUGE, "Memory of the map") \
    X(INCOMPLETE,     "imc_router_incomplete", NULL, GAUGE, "1 while not every live comet has registered its sessions: an empty lookup then says nothing") \
    X(MISSING_COMETS, "imc_router_missing_comets", NULL, GAUGE, "Live comets that have not registered all their loops") \
    X(UNSWEPT,        "imc_router_unswept_sessions", NULL, GAUGE, "Dead sessions whose memory the sweep has not taken back yet") \
    X(PUT_OK,         "imc_router_puts_total", "status=\"ok\"", COUNTER, "Sessions put, by outcome") \
    X(PUT_TOO_MANY,   "imc_router_puts_total", "status=\"too_many\"", COUNTER, "") \
    X(PUT_STALE,      "imc_router_puts_total", "status=\"stale_comet\"", COUNTER, "") \
    X(PUT_REFUSED,    "imc_router_puts_total", "status=\"refused\"", COUNTER, "") \
    X(PUT_RING,       "imc_router_puts_total", "status=\"ring_mismatch\"", COUNTER, "") \
    X(NO_MEMORY,      "imc_router_no_memory_total", NULL, COUNTER, "Of the refused sessions, those for want of memory (memory.limit)") \
    X(DEL_FOUND,      "imc_router_dels_total", "found=\"yes\"", COUNTER, "Sessions to delete, by whether they were there") \
    X(DEL_UNKNOWN,    "imc_router_dels_total", "found=\"no\"", COUNTER, "") \
    X(LOOKUP_HIT,     "imc_router_lookups_total", "found=\"yes\"", COUNTER, "Uids looked up, by whether a session was there") \
    X(LOOKUP_MISS,    "imc_router_lookups_total", "found=\"no\"", COUNTER, "") \
    X(REGISTERED,     "imc_router_registered_loops_total", NULL, COUNTER, "Loops of comets that said they had put everything") \
    X(FORGET,         "imc_router_forgets_total", NULL, COUNTER, "Comets whose sessions were to be forgotten") \
    X(LOOKUPS_CUT,    "imc_router_lookups_cut_total", NULL, COUNTER, "Lookups answered with some of a user's sessions only, because more fit no answer") \
    X(COUNTS_CUT,     "imc_router_counts_cut_total", NULL, COUNTER, "Lists of counts that map.max_counted made incomplete") \
    X(SWEEPS,         "imc_router_sweeps_total", NULL, COUNTER, "Passes over the map that ended") \
    X(SWEPT_DEAD,     "imc_router_swept_sessions_total", "reason=\"dead\"", COUNTER, "Sessions that sweeps took out, by reason") \
    X(SWEPT_MOVED,    "imc_router_swept_sessions_total", "reason=\"moved\"", COUNTER, "") \
    X(RING_CHANGES,   "imc_router_ring_changes_total", NULL, COUNTER, "Times the set of live routers changed") \
    X(BATCHES,        "imc_router_batches_total", NULL, COUNTER, "Batches carried out") \
    X(MISMATCHES,     "imc_router_ring_mismatches_total", NULL, COUNTER, "Batches of a caller that saw other routers than this one does") \
    X(MALFORMED,      "imc_router_malformed_batches_total", NULL, COUNTER, "Batches that could not be decoded; their stream was closed") \
    X(STREAMS,        "imc_router_streams", NULL, GAUGE, "Open streams of logics")
/* clang-format on */

enum router_metric {
#define X(id, name, labels, type, help) ROUTER_##id,
    ROUTER_METRICS(X)
#undef X
        ROUTER_METRIC_COUNT
};

extern const struct metric_row router_metric_rows[ROUTER_METRIC_COUNT];

#endif

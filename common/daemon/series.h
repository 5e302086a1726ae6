/* series.h - what a daemon measured in the last hour: a few numbers every five seconds, in a ring
 * of fixed size. The console shows them. Owner loop only.
 *
 * A slot is Unix time in units of SERIES_STEP_MS, so that slots of several daemons can be added up.
 * A daemon that stood still has left out slots. */
#ifndef IMC_COMMON_DAEMON_SERIES_H
#define IMC_COMMON_DAEMON_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SERIES_STEP_MS = 5000,
    SERIES_SLOTS = 720,   /* an hour */
    SERIES_LATELY_S = 300 /* of refusals: whole minutes of Unix time, and the one that goes on */
};

/* X(ID, name, kind). New ones come last: daemons of two versions send each other lists of values.
 */
#define SERIES(X)                                \
    X(CONNECTIONS, "connections", SERIES_SUM)    \
    X(SESSIONS, "sessions", SERIES_SUM)          \
    X(CONNECTS, "connects", SERIES_COUNT_OF)     \
    X(DELIVERIES, "deliveries", SERIES_COUNT_OF) \
    X(PUSHES, "pushes", SERIES_COUNT_OF)         \
    X(REQUESTS, "requests", SERIES_COUNT_OF)     \
    X(ERRORS, "errors", SERIES_COUNT_OF)         \
    X(REFUSED, "refused", SERIES_COUNT_OF)       \
    X(BACKLOG_MS, "backlog_ms", SERIES_MOST)     \
    X(LATENCY_US, "latency_us", SERIES_MOST)     \
    X(LAG_US, "lag_us", SERIES_MOST)             \
    X(CPU_MS, "cpu_ms", SERIES_COUNT_OF)         \
    X(MEMORY, "memory", SERIES_SUM)              \
    X(DELIVERY_US, "delivery_us", SERIES_MOST)   \
    X(TYPICAL_US, "typical_us", SERIES_MOST)

/* What a value is, and what several daemons make together. */
enum series_kind {
    SERIES_SUM,      /* as it was at the end of the slot; added up */
    SERIES_COUNT_OF, /* how many in the slot; added up */
    SERIES_MOST,     /* the highest of the slot; the highest of all */
};

enum series_id {
#define X(id, name, kind) SERIES_##id,
    SERIES(X)
#undef X
        SERIES_COUNT
};

/* A row of a daemon's table: METRIC counts as part of ID. Those of one ID are added up. The table
 * ends with metric SERIES_END. */
struct series_row {
    enum series_id id;
    size_t metric;
};
#define SERIES_END ((size_t)-1)

struct series_sample {
    uint64_t slot; /* 0: none */
    int64_t values[SERIES_COUNT];
};

struct series {
    struct series_sample samples[SERIES_SLOTS]; /* by slot % SERIES_SLOTS */
    uint64_t last;                              /* the newest slot; 0: none */
};

const char *series_name(enum series_id id);
enum series_kind series_kind_of(enum series_id id);
/* The slot that ended last at Unix time NOW_MS. */
static inline uint64_t series_slot(uint64_t now_ms)
{
    return now_ms / SERIES_STEP_MS;
}
/* Keeps SAMPLE, unless it is older than the ring or of slot 0. */
void series_put(struct series *series, const struct series_sample *sample);
/* The sample of SLOT; NULL: there is none. */
const struct series_sample *series_at(const struct series *series, uint64_t slot);
/* The next sample after SLOT; NULL: there is none. */
const struct series_sample *series_after(const struct series *series, uint64_t slot);

#endif

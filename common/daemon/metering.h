/* metering.h - takes the samples of a daemon's series, and knows which counters of refusals went up
 * lately. Main loop only. */
#ifndef IMC_COMMON_DAEMON_METERING_H
#define IMC_COMMON_DAEMON_METERING_H

#include "common/base/histogram.h"
#include "common/daemon/series.h"

struct arena;
struct daemon;
struct Imc__V1__ReportBatch;

/* How often something took how long, in a slot: differences of a histogram of metrics.h. */
struct metering_times {
    int64_t totals[HISTOGRAM_BOUNDS + 1]; /* as they were at the end of the slot before */
    int64_t counts[HISTOGRAM_BOUNDS + 1]; /* of the slot */
};

enum {
    METERING_MINUTES = SERIES_LATELY_S / 60 + 1, /* the last one goes on */
    METERING_REFUSALS = 64,                      /* of a report */
    METERING_TIMES = 128,                        /* four to each power of two */
};

struct metering {
    struct daemon *daemon;
    int64_t totals[SERIES_COUNT];        /* of counters, at the end of the slot before */
    uint64_t slot;                       /* the one that has not ended; 0: none yet */
    struct metering_times lag, delivery; /* of all loops; of spec->delivery */
    uint32_t times[METERING_TIMES];      /* metering_took(), since the slot began */
    /* All metrics as they were at the beginning of the last minutes: n_metrics values for each. */
    int64_t *minutes;
    uint64_t minute;
};

void metering_init(struct metering *metering, struct daemon *daemon);
void metering_end(struct metering *metering);
/* Call it ten times a second. True: a slot has ended, and SAMPLE has it. */
bool metering_look(struct metering *metering, uint64_t now_ms, struct series_sample *sample);
/* The time that a share of 1 / 100 * PERCENT does not exceed; 0: nothing took time. Within a bucket
 * of the histogram times are taken to be spread evenly. */
int64_t metering_percentile(const int64_t counts[HISTOGRAM_BOUNDS + 1], unsigned percent);
void metering_took(struct metering *metering, uint64_t us);
/* Adds counters of what was refused or dropped, those that are not 0. */
void metering_refusals(const struct metering *metering, struct Imc__V1__ReportBatch *batch,
                       struct arena *arena);

#endif

#include "bench/check/judge.h"

#include "bench/check/seqcheck.h"
#include "bench/check/tally.h"
#include "common/base/mem.h"
#include "common/base/saturate.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct judge {
    const struct people *people;
    const struct shared *shared;
    struct worker_stats *stats;
    struct tally *tally; /* for messages without a stamp: does all the work */
    size_t first;
    size_t at[STREAM_KINDS]; /* where the kind's lanes begin among the checks of a connection */
    size_t per_conn;
    struct seqcheck checks[];
};

struct judge *judge_new(const struct judge_options *options, struct worker_stats *stats)
{
    const struct people *people = options->people;
    size_t at[STREAM_KINDS], per_conn = 0;
    struct judge *judge;

    for (int kind = 0; people->plain == NULL && kind < STREAM_KINDS; kind++) {
        at[kind] = per_conn;
        per_conn += people->lanes[kind];
    }
    judge = mem_zalloc(sizeof *judge + options->n * per_conn * sizeof judge->checks[0]);
    judge->people = people;
    judge->shared = options->shared;
    judge->stats = stats;
    judge->first = options->first;
    judge->per_conn = per_conn;
    if (people->plain != NULL)
        judge->tally =
            tally_new(options->transport, people->plain, options->n, options->shared, stats);
    else
        memcpy(judge->at, at, sizeof at);
    return judge;
}

void judge_free(struct judge *judge)
{
    if (judge == NULL)
        return;
    tally_free(judge->tally);
    free(judge);
}

void judge_expect(struct judge *judge, size_t i, bool anywhere)
{
    for (size_t k = 0; k < judge->per_conn; k++)
        seqcheck_init(&judge->checks[i * judge->per_conn + k], anywhere);
}

static void count_verdict(struct worker_stats *stats, enum seq_verdict verdict)
{
    shared_add(&stats->deliveries, 1);
    if (verdict != SEQ_TWICE)
        shared_add(&stats->fresh, 1);
    switch (verdict) {
    case SEQ_NEXT:
        break;
    case SEQ_GAP:
        shared_add(&stats->gaps, 1);
        break;
    case SEQ_LATE:
        shared_add(&stats->late, 1);
        break;
    case SEQ_TWICE:
        shared_add(&stats->twice, 1);
        break;
    }
}

void judge_message(struct judge *judge, size_t i, const uint8_t *body, size_t len, uint64_t now_ns)
{
    const struct people *people = judge->people;
    struct worker_stats *stats = judge->stats;
    struct stamp stamp;

    if (judge->tally != NULL) {
        tally_message(judge->tally, i, body, len);
    } else if (stamp_read(body, len, &stamp) != 0) {
        shared_add(&stats->malformed, 1);
    } else if (stamp.run != people->run) {
        shared_add(&stats->foreign, 1);
    } else if (stamp.number != people_number(people, stamp.kind, judge->first + i) ||
               stamp.lane >= people->lanes[stamp.kind]) {
        shared_add(&stats->stray, 1);
    } else {
        size_t check = i * judge->per_conn + judge->at[stamp.kind] + stamp.lane;
        count_verdict(stats, seqcheck_take(&judge->checks[check], stamp.seq));
        shared_set(&stats->last_delivery_ns, now_ns);
        hist_record(&stats->latency[stamp.kind], saturate_sub(now_ns, stamp.time_ns));
    }
}

size_t judge_run(struct judge *judge, size_t i, const uint8_t *data, size_t len)
{
    return judge->tally != NULL ? tally_take(judge->tally, i, data, len) : 0;
}

void judge_flush(struct judge *judge)
{
    if (judge->tally != NULL)
        tally_flush(judge->tally);
}

static uint32_t accepted_of(const struct judge *judge, enum stream_kind kind, size_t stream)
{
    const struct shared *shared = judge->shared;

    return atomic_load_explicit(&shared->accepted[shared->first_of_kind[kind] + stream],
                                memory_order_relaxed);
}

/* With plain messages: all that was sent to the room, over any lane. */
static uint64_t accepted_plain(const struct judge *judge)
{
    uint64_t sum = 0;

    for (size_t lane = 0; lane < judge->people->lanes[STREAM_ROOM]; lane++)
        sum += accepted_of(judge, STREAM_ROOM, lane);
    return sum;
}

uint64_t judge_lost(const struct judge *judge, size_t i)
{
    const struct people *people = judge->people;
    uint64_t lost = 0;

    if (judge->tally != NULL)
        return tally_lost(judge->tally, i, accepted_plain(judge));
    for (int kind = 0; kind < STREAM_KINDS; kind++) {
        size_t number = people_number(people, kind, judge->first + i);
        for (size_t lane = 0; number != SIZE_MAX && lane < people->lanes[kind]; lane++) {
            uint32_t n = accepted_of(judge, kind, people_stream(people, kind, number, lane));
            uint32_t taken = judge->checks[i * judge->per_conn + judge->at[kind] + lane].taken;
            lost += saturate_sub(n, taken);
        }
    }
    return lost;
}

uint64_t judge_extra(const struct judge *judge, size_t i)
{
    return judge->tally != NULL ? tally_extra(judge->tally, i, accepted_plain(judge)) : 0;
}

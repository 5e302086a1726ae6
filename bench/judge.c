#include "bench/judge.h"

#include "bench/seqcheck.h"
#include "common/mem.h"

#include <stdlib.h>
#include <string.h>

struct judge {
    const struct people *people;
    struct worker_stats *stats;
    size_t first;
    size_t at[STREAM_KINDS]; /* of the kind's lanes among a connection's checks */
    size_t per_conn;
    struct seqcheck checks[];
};

struct judge *judge_new(const struct people *people, size_t first, size_t n,
                        struct worker_stats *stats)
{
    size_t at[STREAM_KINDS], per_conn = 0;
    struct judge *judge;

    for (int kind = 0; kind < STREAM_KINDS; kind++) {
        at[kind] = per_conn;
        per_conn += people->lanes[kind];
    }
    judge = mem_zalloc(sizeof *judge + n * per_conn * sizeof judge->checks[0]);
    judge->people = people;
    judge->stats = stats;
    judge->first = first;
    judge->per_conn = per_conn;
    memcpy(judge->at, at, sizeof at);
    return judge;
}

void judge_free(struct judge *judge)
{
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

    if (stamp_read(body, len, &stamp) != 0) {
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
        hist_record(&stats->latency[stamp.kind],
                    now_ns > stamp.time_ns ? now_ns - stamp.time_ns : 0);
    }
}

uint64_t judge_lost(const struct judge *judge, size_t i, const struct shared *shared)
{
    const struct people *people = judge->people;
    uint64_t lost = 0;

    for (int kind = 0; kind < STREAM_KINDS; kind++) {
        size_t number = people_number(people, kind, judge->first + i);
        for (size_t lane = 0; number != SIZE_MAX && lane < people->lanes[kind]; lane++) {
            size_t stream = people_stream(people, kind, number, lane);
            const uint32_t *accepted = &shared->accepted[shared->first_of_kind[kind] + stream];
            uint32_t n = __atomic_load_n(accepted, __ATOMIC_RELAXED);
            uint32_t taken = judge->checks[i * judge->per_conn + judge->at[kind] + lane].taken;
            lost += n > taken ? n - taken : 0;
        }
    }
    return lost;
}

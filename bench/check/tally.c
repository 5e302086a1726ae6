#include "bench/check/tally.h"

#include "bench/base/clock.h"
#include "bench/check/ages.h"
#include "bench/check/alike.h"
#include "common/base/mem.h"
#include "common/base/saturate.h"

#include <stdlib.h>
#include <string.h>

struct tally {
    struct worker_stats *stats;
    struct ages *ages;
    const char *body;
    size_t body_len;
    uint8_t frame[TRANSPORT_OUT_MAX]; /* an expected push; frame_len 0: its bytes are not fixed */
    size_t frame_len;
    uint64_t taken, flushed; /* totals */
    uint32_t counts[];       /* per connection */
};

struct tally *tally_new(const struct transport *transport, const char *body, size_t n,
                        const struct shared *shared, struct worker_stats *stats)
{
    struct tally *tally = mem_zalloc(sizeof *tally + n * sizeof tally->counts[0]);

    tally->stats = stats;
    tally->ages = ages_new(shared->due_ns, &stats->latency[STREAM_ROOM]);
    tally->body = body;
    tally->body_len = strlen(body);
    if (transport->push != NULL)
        tally->frame_len = transport->push(tally->frame, body);
    return tally;
}

void tally_free(struct tally *tally)
{
    if (tally == NULL)
        return;
    ages_free(tally->ages);
    free(tally);
}

static void count(struct tally *tally, size_t i, size_t n)
{
    ages_add(tally->ages, tally->counts[i], n);
    tally->counts[i] += (uint32_t)n;
    tally->taken += n;
}

size_t tally_take(struct tally *tally, size_t i, const uint8_t *data, size_t len)
{
    size_t n = 0;

    if (tally->frame_len > 0)
        n = alike_count(data, len, tally->frame, tally->frame_len);
    if (n > 0)
        count(tally, i, n);
    return n * tally->frame_len;
}

void tally_message(struct tally *tally, size_t i, const uint8_t *body, size_t len)
{
    if (len == tally->body_len && memcmp(body, tally->body, len) == 0)
        count(tally, i, 1);
    else
        shared_add(&tally->stats->malformed, 1);
}

void tally_flush(struct tally *tally)
{
    uint64_t now;

    if (tally->flushed == tally->taken)
        return;
    now = clock_ns();
    ages_flush(tally->ages, now);
    shared_add(&tally->stats->deliveries, tally->taken - tally->flushed);
    shared_add(&tally->stats->fresh, tally->taken - tally->flushed);
    shared_set(&tally->stats->last_delivery_ns, now);
    tally->flushed = tally->taken;
}

uint64_t tally_lost(const struct tally *tally, size_t i, uint64_t accepted)
{
    return saturate_sub(accepted, tally->counts[i]);
}

uint64_t tally_extra(const struct tally *tally, size_t i, uint64_t accepted)
{
    return saturate_sub(tally->counts[i], accepted);
}

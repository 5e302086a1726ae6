/* tally.h - counts messages that are all alike (--plain). They carry no stamp, so the K-th message
 * of a connection is taken for the K-th push. What is missing at the end was lost, and what is too
 * many came twice. The order cannot be checked. 4 bytes a connection. One process. */
#ifndef IMC_BENCH_CHECK_TALLY_H
#define IMC_BENCH_CHECK_TALLY_H

#include "bench/run/shared_page.h"
#include "bench/run/transport.h"

struct tally;

/* For N connections that get every push. All messages have BODY. */
struct tally *tally_new(const struct transport *transport, const char *body, size_t n,
                        const struct shared *shared, struct worker_stats *stats);
void tally_free(struct tally *tally);
/* DATA begins with a message to connection I. Takes the expected pushes that are whole, and returns
 * their bytes. What follows is something else, or a part of the next push. */
size_t tally_take(struct tally *tally, size_t i, const uint8_t *data, size_t len);
/* Counts one message that was taken out of its frame already. */
void tally_message(struct tally *tally, size_t i, const uint8_t *body, size_t len);
/* Records the ages of what was taken since the last call. */
void tally_flush(struct tally *tally);
/* Of ACCEPTED messages: how many connection I has not got, and how many it got too many. */
uint64_t tally_lost(const struct tally *tally, size_t i, uint64_t accepted);
uint64_t tally_extra(const struct tally *tally, size_t i, uint64_t accepted);

#endif

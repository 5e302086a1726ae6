/* tally.h - counts messages that are all alike (--plain): no stamp in them tells one from the
 * other, so the K-th that a connection gets is the K-th push. What is missing at the end was lost,
 * what is too many came twice; order cannot be seen. 4 bytes a connection. One process. */
#ifndef IMC_BENCH_CHECK_TALLY_H
#define IMC_BENCH_CHECK_TALLY_H

#include "bench/run/shared_page.h"
#include "bench/run/transport.h"

struct tally;

/* For N connections that get every push. BODY is every message's. */
struct tally *tally_new(const struct transport *transport, const char *body, size_t n,
                        const struct shared *shared, struct worker_stats *stats);
void tally_free(struct tally *tally);
/* DATA begins with a message to connection I: takes the whole expected pushes there. Bytes taken;
 * what follows is something else, or the begin of one more. */
size_t tally_take(struct tally *tally, size_t i, const uint8_t *data, size_t len);
/* One message that was taken out of its frame already. */
void tally_message(struct tally *tally, size_t i, const uint8_t *body, size_t len);
/* Records the age of what was taken since the last time. */
void tally_flush(struct tally *tally);
/* Of ACCEPTED messages, how many connection I has not got, and how many it got beyond. */
uint64_t tally_lost(const struct tally *tally, size_t i, uint64_t accepted);
uint64_t tally_extra(const struct tally *tally, size_t i, uint64_t accepted);

#endif

/* feed.h - follows the events (docs/events.md) in Kafka while somebody asks for them: /v1/events,
 * and so imc and the console. Main loop, and a thread of its own.
 *
 *   /v1/events ─► feed_ask() ──► starts it                        the thread: feed_run()
 *              └► feed_print() ◄── feed_ring ◄─ in the order of time ◄── Kafka, from the last
 *                                               events before it began    FEED_BEFORE on
 *
 * It ends when nobody has asked for FEED_UNASKED_MS, and a next one begins with an empty ring. It
 * belongs to no group and commits nothing, so the business's consumers do not notice it. */
#ifndef IMC_LOGIC_FEED_FEED_H
#define IMC_LOGIC_FEED_FEED_H

#include "logic/base/logic.h"
#include "logic/feed/feed_ring.h"

#include <stdio.h>

enum {
    FEED_BEFORE = 2000, /* events before it began, of all partitions together */
    FEED_UNASKED_MS = 45000,
    FEED_WHY_MAX = 512,
};

struct feed;

struct feed *feed_open(struct logic *logic);
/* NULL is fine. Blocks for a few seconds at most, if the thread runs. */
void feed_close(struct feed *feed);

/* Where events are, if events.topic of this logic does not say it: as a job has it. */
void feed_told(struct feed *feed, const char *topic);
/* "": nobody says it, and there is nothing to be asked for. */
const char *feed_topic(const struct feed *feed);

/* Up to where somebody has read. LIFE is of the run of the thread that read it, 0: of none; by MS
 * another run finds where to go on. */
struct feed_place {
    uint64_t life, number, ms;
};
/* Somebody wants events: the thread runs, or begins to. */
void feed_ask(struct feed *feed);
/* False: what was there before the feed began is not all here yet, and it is too early to read. */
bool feed_is_ready(struct feed *feed);
/* The place before the newest N events that fit FILTER. */
struct feed_place feed_newest(struct feed *feed, const struct feed_filter *filter, size_t n);
/* The place of now, before what comes later, whether the thread runs yet or not. */
struct feed_place feed_now(struct feed *feed);
/* Writes events after *PLACE that fit FILTER, at most N of them, with commas between. Returns how
 * many. *PLACE goes on. *GAP becomes true if events after *PLACE are gone, or may be: of another
 * run only those are written that are later than *PLACE. From feed_now() on none has gone yet. */
size_t feed_print(struct feed *feed, const struct feed_filter *filter, size_t n,
                  struct feed_place *place, bool *gap, FILE *out);
/* Why no events come now; "": all is well. */
void feed_why(struct feed *feed, char why[FEED_WHY_MAX]);

#endif

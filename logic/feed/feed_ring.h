/* feed_ring.h - the last events that were read from events.topic, and which of them a reader wants.
 * Pure; one thread at a time.
 *
 * Events are numbered from 1 in the order in which they were put. The oldest ones give way: there
 * are at most FEED_EVENTS, of FEED_BYTES together. */
#ifndef IMC_LOGIC_FEED_FEED_RING_H
#define IMC_LOGIC_FEED_FEED_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FEED_EVENTS = 4096,
    FEED_BYTES = 4 << 20,
    FEED_EVENT_MAX = 8192, /* bytes; ours take some 500 */
};

struct feed_event {
    char *text; /* JSON of an object, LEN bytes */
    size_t len;
    unsigned type;   /* its bit of enum event_type; 0: another event */
    bool has_uid;    /* its subject is a user */
    int64_t uid, ms; /* MS: Kafka's time of it */
};

struct feed_filter {
    unsigned types; /* bits of enum event_type; 0: all events */
    bool has_uid;
    int64_t uid;
};

struct feed_ring {
    uint64_t last; /* number of the newest event; 0: none was put */
    uint64_t kept; /* so many up to that are here */
    size_t bytes;
    struct feed_event events[FEED_EVENTS]; /* by number % FEED_EVENTS */
};

/* Reads an event as job writes it: a CloudEvent in JSON. TEXT is copied into OUT->text, to be
 * freed. False: it is none, or too long. */
bool feed_event_read(const void *text, size_t len, struct feed_event *out);

/* Takes EVENT's text over. */
void feed_ring_put(struct feed_ring *ring, const struct feed_event *event);
/* The next event after number *AT that fits FILTER; *AT becomes its number. NULL: there is none,
 * and *AT is the newest number. */
const struct feed_event *feed_ring_next(const struct feed_ring *ring,
                                        const struct feed_filter *filter, uint64_t *at);
/* The number after which N events fit FILTER, or as many as there are. */
uint64_t feed_ring_newest(const struct feed_ring *ring, const struct feed_filter *filter, size_t n);
/* The number after which all events are later than MS. */
uint64_t feed_ring_later(const struct feed_ring *ring, int64_t ms);
/* MS of the newest event; 0: none is here. */
int64_t feed_ring_ms(const struct feed_ring *ring);
/* Has an event after number AT given way already? */
bool feed_ring_has_lost(const struct feed_ring *ring, uint64_t at);
void feed_ring_clear(struct feed_ring *ring);

#endif

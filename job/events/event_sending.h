/* event_sending.h - the events of a partition on their way to the business, by event_outlet.h, and
 * what is deleted from the log when the business has them. Main loop only.
 *
 *   event_queue ─► WAITING ─pump─► SENT ─► TOLD: it is there ─► its deletions, too: DONE
 *                     ▲              │
 *                     └── failed ◄───┘
 *
 * The group commits nothing behind an event that is not DONE. So whatever the log has in front of
 * what is committed, and has not deleted, was not told. */
#ifndef IMC_JOB_EVENTS_EVENT_SENDING_H
#define IMC_JOB_EVENTS_EVENT_SENDING_H

#include "common/base/list.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EVENT_SHOWN_MAX = 192 /* bytes of an event in the log */ };

struct event;
struct event_partition;
struct grave;

STAILQ_HEAD(event_queue, event);
STAILQ_HEAD(grave_queue, grave);

struct event_sending {
    struct event_queue waiting, sent; /* in the order of the records; those of sent are older */
    struct grave_queue graves;        /* records that can be deleted */
    bool failed;                      /* an event in `sent` has failed */
};

/* An event of the record at OFFSET, with JSON, LEN bytes, which it takes. */
struct event *event_new(struct event_partition *partition, int64_t uid, int64_t offset, char *json,
                        size_t len);
/* When the business has EVENT, the record with KEY is deleted. Before event_queue(). */
void event_buries(struct event *event, const void *key, size_t len);
void event_queue(struct event *event);
/* The record with KEY is deleted: nothing is to be told of it. */
void event_bury(struct event_partition *partition, const void *key, size_t len);

void event_sending_init(struct event_partition *partition);
/* What was not told is forgotten: taken back from the outlet, or freed when that is done with it.
 */
void event_sending_end(struct event_partition *partition);
/* Sends what waits. */
void event_sending_pump(struct event_partition *partition);
/* Offset of the first record of which not everything is DONE; -1: there is none. */
int64_t event_sending_first(const struct event_partition *partition);

#endif

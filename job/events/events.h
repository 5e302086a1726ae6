/* events.h - tells the business which sessions were opened and have ended: reads the log of
 * sessions (events.log), and hands CloudEvents to events.topic or events.url. docs/events.md. Main
 * loop only.
 *
 * It is a consumer group of its own, so what holds it up holds up no push. */
#ifndef IMC_JOB_EVENTS_EVENTS_H
#define IMC_JOB_EVENTS_EVENTS_H

#include "job/base/job.h"
#include "job/kafka/kafka_consumer.h"

struct events;
struct membership;

/* NULL in *OUT if events.log is empty. 0, or -E… after logging. The job must hold its lease.
 * MEMBERSHIP, who lives, outlives this. READY is told of the condition "events". */
int events_open(struct job *job, struct membership *membership, kafka_ready_fn ready, void *arg,
                struct events **out);
/* Reads no further, waits up to WAIT_MS for what was read, commits, leaves the group; then DONE. */
void events_drain(struct events *events, int64_t wait_ms, void (*done)(void *arg), void *arg);
/* At once. NULL is fine. Before the process ends: kafka_shutdowns_wait(). */
void events_close(struct events *events);
/* SIGHUP: the key of events.url. 0; or -E…, and ERR says why. */
int events_reload(struct events *events, char *err, size_t errlen);
void events_scrape(const struct events *events);

#endif

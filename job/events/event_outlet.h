/* event_outlet.h - where session events go: to the topic events.topic, or by HTTP to events.url.
 * Main loop only.
 *
 * What was given in order is there in order: all events of one partition of the topic, or of one
 * user at the URL. */
#ifndef IMC_JOB_EVENTS_EVENT_OUTLET_H
#define IMC_JOB_EVENTS_EVENT_OUTLET_H

#include "common/kafka/ordered_producer.h"
#include "common/webhook/webhook.h"
#include "job/base/job.h"

/* Headers of a record, and what Kafka counts besides key and value. */
enum { EVENT_RECORD_HEAD_BYTES = 192 };

struct event_outlet;

/* Nobody waits for an event, nor for what job writes into the log of sessions: so many go together,
 * which saves Kafka and job work. */
enum { EVENTS_LINGER_MS = 50 };

/* Embedded in what waits for an event. done() is called exactly once, unless it is cancelled, and
 * never within event_outlet_send(). ERR 0: it is there, and safe. -EAGAIN: it may be there; send it
 * again. */
struct event_parcel {
    union {
        struct ordered_ticket topic;
        struct webhook_ticket post;
    } by;             /* event_outlet.c's */
    const char *json; /* the CloudEvent; borrowed until done() or event_outlet_cancel() */
    size_t len;
    int64_t uid;
    void (*done)(struct event_parcel *parcel, int err);
};

struct event_outlet_options {
    struct job *job;
    struct producer_bus bus;
    /* Does it take events? WHY not. */
    void (*ready)(bool ready, const char *why, void *arg);
    void (*count)(enum ordered_count what, void *arg);
    void *arg; /* of both */
};

/* 0, or -E… after logging. */
int event_outlet_open(const struct event_outlet_options *options, struct event_outlet **out);
/* 0: PARCEL is taken. -EAGAIN: not now, try again later. -EMSGSIZE: the topic takes no such
 * message. */
int event_outlet_send(struct event_outlet *outlet, struct event_parcel *parcel);
/* True: PARCEL, which is not done, is forgotten, and done() is not called. False: it will be. */
bool event_outlet_cancel(struct event_outlet *outlet, struct event_parcel *parcel);
/* What it is called in the log: the topic, or "events.url". */
const char *event_outlet_name(const struct event_outlet *outlet);
/* SIGHUP. 0; or -E…, and ERR says why. */
int event_outlet_reload(struct event_outlet *outlet, char *err, size_t errlen);
/* Sets the gauges. */
void event_outlet_scrape(const struct event_outlet *outlet);
void event_outlet_close(struct event_outlet *outlet); /* NULL is fine */

#endif

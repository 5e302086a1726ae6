#include "job/events/event_sending.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "job/base/job.h"
#include "job/events/event_partition.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum event_state { EVENT_WAITING, EVENT_SENT, EVENT_TOLD, EVENT_DONE, EVENT_FAILED };

struct event {
    struct event_parcel parcel;
    STAILQ_ENTRY(event) link;
    struct event_partition *partition;
    int64_t offset;
    char *json;                /* the parcel's */
    struct grave_queue graves; /* until it is TOLD */
    uint32_t unburied;         /* deletions that the log does not have yet */
    uint8_t state;             /* enum event_state */
};

/* A record that is to be deleted. */
struct grave {
    struct ordered_ticket ticket;
    STAILQ_ENTRY(grave) link;
    struct event_partition *partition;
    struct event *event; /* which waits for it; NULL: none does */
    size_t len;
    char key[];
};

static void pump_soon(struct event_partition *partition)
{
    loop_defer(partition->outlets->job->loop, &partition->outlets->pump);
}

/* --- deletions --- */

static void event_free(struct event *event)
{
    struct grave *grave;

    while ((grave = STAILQ_TAKE(&event->graves, link)) != NULL)
        free(grave);
    event->partition->outlets->waiting--;
    free(event->json);
    free(event);
}

/* What is done at the head is over, and its offset may be committed. */
static void sent_trim(struct event_partition *partition)
{
    struct event_sending *sending = &partition->sending;
    struct event *event;

    while (!sending->failed && (event = STAILQ_FIRST(&sending->sent)) != NULL &&
           event->state == EVENT_DONE) {
        STAILQ_REMOVE_HEAD(&sending->sent, link);
        event_free(event);
    }
}

static struct grave *grave_new(struct event_partition *partition, const void *key, size_t len)
{
    struct grave *grave = mem_zalloc(sizeof *grave + len);

    grave->partition = partition;
    grave->len = len;
    memcpy(grave->key, key, len);
    return grave;
}

/* If it is a session's, that needs no deletion any more. */
static void grave_dig(struct event_partition *partition, struct grave *grave)
{
    struct session_name name;
    struct session *session = session_name_read(grave->key, grave->len, &name)
                                  ? session_table_find(&partition->table, &name)
                                  : NULL;

    if (session != NULL && session->state == SESSION_CLOSED) {
        session->buried = 1;
        session->telling = 0;
    }
    STAILQ_INSERT_TAIL(&partition->sending.graves, grave, link);
}

void event_bury(struct event_partition *partition, const void *key, size_t len)
{
    grave_dig(partition, grave_new(partition, key, len));
    pump_soon(partition);
}

static void on_buried(struct ordered_ticket *ticket, int err)
{
    struct grave *grave = container_of(ticket, struct grave, ticket);
    struct event_partition *partition = grave->partition;

    if (err != 0 && !partition->gone) {
        STAILQ_INSERT_TAIL(&partition->sending.graves, grave, link);
        event_partition_unref(partition);
        return;
    }
    if (grave->event != NULL && !partition->gone && --grave->event->unburied == 0) {
        grave->event->state = EVENT_DONE;
        sent_trim(partition);
        pump_soon(partition);
    }
    free(grave);
    event_partition_unref(partition);
}

static void graves_pump(struct event_partition *partition)
{
    struct grave_queue *graves = &partition->sending.graves;
    struct grave *grave;

    while ((grave = STAILQ_FIRST(graves)) != NULL) {
        struct kafka_message message = {.key = grave->key, .key_len = grave->len};
        grave->ticket.done = on_buried;
        if (ordered_producer_send(partition->outlets->log, &message,
                                  grave->len + EVENT_RECORD_HEAD_BYTES, partition->id,
                                  &grave->ticket) != 0)
            return;
        STAILQ_REMOVE_HEAD(graves, link);
        event_partition_ref(partition);
    }
}

/* --- events --- */

/* The business has EVENT, or never takes it. */
static void event_told(struct event *event)
{
    struct grave *grave;

    event->state = event->unburied > 0 ? EVENT_TOLD : EVENT_DONE;
    while ((grave = STAILQ_TAKE(&event->graves, link)) != NULL)
        grave_dig(event->partition, grave);
}

static void on_event_done(struct event_parcel *parcel, int err)
{
    struct event *event = container_of(parcel, struct event, parcel);
    struct event_partition *partition = event->partition;

    if (partition->gone) {
        event_free(event);
        event_partition_unref(partition);
        return;
    }
    if (err == 0) {
        event_told(event);
    } else {
        event->state = EVENT_FAILED;
        partition->sending.failed = true;
    }
    sent_trim(partition);
    pump_soon(partition);
    event_partition_unref(partition);
}

struct event *event_new(struct event_partition *partition, int64_t uid, int64_t offset, char *json,
                        size_t len)
{
    struct event *event = mem_zalloc(sizeof *event);

    *event = (struct event){
        .parcel = {.json = json, .len = len, .uid = uid, .done = on_event_done},
        .partition = partition,
        .offset = offset,
        .json = json,
    };
    STAILQ_INIT(&event->graves);
    return event;
}

void event_buries(struct event *event, const void *key, size_t len)
{
    struct grave *grave = grave_new(event->partition, key, len);

    grave->event = event;
    event->unburied++;
    STAILQ_INSERT_TAIL(&event->graves, grave, link);
}

void event_queue(struct event *event)
{
    STAILQ_INSERT_TAIL(&event->partition->sending.waiting, event, link);
    event->partition->outlets->waiting++;
    pump_soon(event->partition);
}

/* What failed is sent again, in order, before what waits. */
static void sent_again(struct event_partition *partition)
{
    struct event_sending *sending = &partition->sending;
    struct event_queue old = STAILQ_HEAD_INITIALIZER(old), again = STAILQ_HEAD_INITIALIZER(again);
    struct event *event;

    sending->failed = false;
    STAILQ_CONCAT(&old, &sending->sent);
    while ((event = STAILQ_TAKE(&old, link)) != NULL) {
        if (event->state == EVENT_FAILED) {
            event->state = EVENT_WAITING;
            STAILQ_INSERT_TAIL(&again, event, link);
        } else {
            STAILQ_INSERT_TAIL(&sending->sent, event, link);
        }
    }
    STAILQ_CONCAT(&again, &sending->waiting);
    STAILQ_CONCAT(&sending->waiting, &again);
    sent_trim(partition);
}

/* The topic takes no such message, ever. */
static void event_drop(struct event_partition *partition, struct event *event)
{
    size_t len = event->parcel.len;

    log_error("session event is too large",
              "topic=%s bytes=%zu event=\"%.*s\"; raise its max.message.bytes",
              event_outlet_name(partition->outlets->outlet), len,
              (int)(len < EVENT_SHOWN_MAX ? len : EVENT_SHOWN_MAX), event->json);
    job_count(partition->outlets->job, JOB_EVENTS_LARGE);
    STAILQ_INSERT_TAIL(&partition->sending.sent, event, link);
    event_told(event);
    sent_trim(partition);
}

void event_sending_pump(struct event_partition *partition)
{
    struct event_sending *sending = &partition->sending;
    struct event *event;

    if (sending->failed)
        sent_again(partition);
    while ((event = STAILQ_FIRST(&sending->waiting)) != NULL) {
        STAILQ_REMOVE_HEAD(&sending->waiting, link);
        int err = event_outlet_send(partition->outlets->outlet, &event->parcel);
        if (err == -EMSGSIZE) {
            event_drop(partition, event);
            continue;
        }
        if (err != 0) {
            STAILQ_INSERT_HEAD(&sending->waiting, event, link);
            break;
        }
        event->state = EVENT_SENT;
        event_partition_ref(partition);
        STAILQ_INSERT_TAIL(&sending->sent, event, link);
    }
    graves_pump(partition);
}

int64_t event_sending_first(const struct event_partition *partition)
{
    const struct event *first = STAILQ_FIRST(&partition->sending.sent);

    if (first == NULL)
        first = STAILQ_FIRST(&partition->sending.waiting);
    return first != NULL ? first->offset : -1;
}

void event_sending_init(struct event_partition *partition)
{
    STAILQ_INIT(&partition->sending.waiting);
    STAILQ_INIT(&partition->sending.sent);
    STAILQ_INIT(&partition->sending.graves);
}

void event_sending_end(struct event_partition *partition)
{
    struct event_sending *sending = &partition->sending;
    struct event *event;
    struct grave *grave;

    while ((event = STAILQ_TAKE(&sending->waiting, link)) != NULL)
        event_free(event);
    while ((event = STAILQ_TAKE(&sending->sent, link)) != NULL) {
        bool cancelled = event->state == EVENT_SENT &&
                         event_outlet_cancel(partition->outlets->outlet, &event->parcel);
        if (event->state != EVENT_SENT || cancelled)
            event_free(event); /* the others: on_event_done() */
        if (cancelled)
            event_partition_unref(partition);
    }
    while ((grave = STAILQ_TAKE(&sending->graves, link)) != NULL)
        free(grave);
}

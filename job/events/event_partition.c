#include "job/events/event_partition.h"
#include "common/base/decimal.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/membership/membership.h"
#include "job/base/job.h"
#include "job/events/event_json.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum event_state { EVENT_WAITING, EVENT_SENT, EVENT_DONE, EVENT_FAILED };

enum {
    HEAD_BYTES = 192, /* headers, and what Kafka counts besides key and value */
    LOST_PER_LOOK = 20000,
};

struct event {
    struct ordered_ticket ticket;
    STAILQ_ENTRY(event) link;
    struct event_partition *partition;
    int64_t offset, uid;
    char *json;
    size_t len;
    struct session_name name;
    uint8_t state; /* enum event_state */
    bool bury;     /* its session's records are needed no more when it is done */
};

/* A session whose records are to be deleted. */
struct grave {
    struct ordered_ticket ticket;
    STAILQ_ENTRY(grave) link;
    struct event_partition *partition;
    struct session_name name;
};

/* The end of a session, written because its comet is dead. */
struct lost_end {
    struct ordered_ticket ticket;
    struct event_partition *partition;
    struct session_name name;
};

static void count(const struct event_partition *partition, enum job_metric metric)
{
    job_count(partition->outlets->job, metric);
}

static void pump_soon(struct event_partition *partition)
{
    loop_defer(partition->outlets->job->loop, &partition->outlets->pump);
}

static void partition_unref(struct event_partition *partition)
{
    if (--partition->refs > 0)
        return;
    assert(partition->gone);
    free(partition);
}

/* --- deletions --- */

static void bury(struct event_partition *partition, const struct session_name *name)
{
    struct session *session = session_table_find(&partition->table, name);
    struct grave *grave = mem_zalloc(sizeof *grave);

    if (session != NULL && session->state == SESSION_CLOSED) {
        session->buried = 1;
        session->telling = 0;
    }
    grave->partition = partition;
    grave->name = *name;
    STAILQ_INSERT_TAIL(&partition->graves, grave, link);
    pump_soon(partition);
}

static void on_buried(struct ordered_ticket *ticket, int err)
{
    struct grave *grave = container_of(ticket, struct grave, ticket);
    struct event_partition *partition = grave->partition;

    if (err != 0 && !partition->gone)
        STAILQ_INSERT_TAIL(&partition->graves, grave, link);
    else
        free(grave);
    partition_unref(partition);
}

static bool grave_send(struct event_partition *partition, struct grave *grave)
{
    char key[SESSION_NAME_MAX];
    struct kafka_message message = {.key = key, .key_len = session_name_write(&grave->name, key)};

    grave->ticket.done = on_buried;
    return ordered_producer_send(partition->outlets->log, &message, message.key_len + HEAD_BYTES,
                                 partition->id, &grave->ticket) == 0;
}

static void graves_pump(struct event_partition *partition)
{
    struct grave *grave;

    while ((grave = STAILQ_FIRST(&partition->graves)) != NULL) {
        STAILQ_REMOVE_HEAD(&partition->graves, link);
        if (!grave_send(partition, grave)) {
            STAILQ_INSERT_HEAD(&partition->graves, grave, link);
            return;
        }
        partition->refs++;
    }
}

/* --- events --- */

static void event_free(struct event *event)
{
    event->partition->outlets->waiting--;
    free(event->json);
    free(event);
}

/* What is done at the head is over, and its offset may be committed. */
static void sent_trim(struct event_partition *partition)
{
    struct event *event;

    while ((event = STAILQ_FIRST(&partition->sent)) != NULL && event->state == EVENT_DONE) {
        STAILQ_REMOVE_HEAD(&partition->sent, link);
        event_free(event);
    }
}

static void on_event_done(struct ordered_ticket *ticket, int err)
{
    struct event *event = container_of(ticket, struct event, ticket);
    struct event_partition *partition = event->partition;

    if (partition->gone) {
        event_free(event);
        partition_unref(partition);
        return;
    }
    event->state = err == 0 ? EVENT_DONE : EVENT_FAILED;
    partition->failed |= err != 0;
    if (err == 0 && event->bury)
        bury(partition, &event->name);
    if (!partition->failed)
        sent_trim(partition);
    pump_soon(partition);
    partition_unref(partition);
}

/* What failed is sent again, in order, before what waits. */
static void sent_again(struct event_partition *partition)
{
    struct event_queue old = STAILQ_HEAD_INITIALIZER(old), again = STAILQ_HEAD_INITIALIZER(again);
    struct event *event;

    partition->failed = false;
    STAILQ_CONCAT(&old, &partition->sent);
    while ((event = STAILQ_TAKE(&old, link)) != NULL) {
        if (event->state == EVENT_FAILED) {
            event->state = EVENT_WAITING;
            STAILQ_INSERT_TAIL(&again, event, link);
        } else {
            STAILQ_INSERT_TAIL(&partition->sent, event, link);
        }
    }
    STAILQ_CONCAT(&again, &partition->waiting);
    STAILQ_CONCAT(&partition->waiting, &again);
    sent_trim(partition);
}

static int event_send(struct event_partition *partition, struct event *event)
{
    char *value = mem_alloc(event->len + DECIMAL_MOST);
    struct kafka_message message = {.value = value, .value_len = event->len};
    rd_kafka_headers_t *headers = rd_kafka_headers_new(1);

    memcpy(value, event->json, event->len);
    message.key = value + event->len;
    message.key_len = decimal_put(value + event->len, event->uid);
    rd_kafka_header_add(headers, "content-type", -1, "application/cloudevents+json; charset=UTF-8",
                        -1);
    message.headers = headers;
    event->ticket.done = on_event_done;
    int err = ordered_producer_send(partition->outlets->topic, &message,
                                    event->len + message.key_len + HEAD_BYTES, -1, &event->ticket);
    if (err != 0) {
        rd_kafka_headers_destroy(headers);
        free(value);
    }
    return err;
}

/* The topic takes no such message, ever. */
static void event_drop(struct event_partition *partition, struct event *event)
{
    char session[SESSION_NAME_MAX];

    session_name_write(&event->name, session);
    log_error("session event is too large",
              "topic=%s session=%s bytes=%zu; raise its "
              "max.message.bytes",
              partition->outlets->job->config->events_topic, session, event->len);
    count(partition, JOB_EVENTS_LARGE);
    event->state = EVENT_DONE;
    STAILQ_INSERT_TAIL(&partition->sent, event, link);
    if (event->bury)
        bury(partition, &event->name);
    sent_trim(partition);
}

void event_partition_pump(struct event_partition *partition)
{
    struct event *event;

    if (partition->failed)
        sent_again(partition);
    while ((event = STAILQ_FIRST(&partition->waiting)) != NULL) {
        STAILQ_REMOVE_HEAD(&partition->waiting, link);
        int err = event_send(partition, event);
        if (err == -EMSGSIZE) {
            event_drop(partition, event);
            continue;
        }
        if (err != 0) {
            STAILQ_INSERT_HEAD(&partition->waiting, event, link);
            break;
        }
        event->state = EVENT_SENT;
        partition->refs++;
        STAILQ_INSERT_TAIL(&partition->sent, event, link);
    }
    graves_pump(partition);
}

/* --- what a record means --- */

struct record {
    struct event_partition *partition;
    struct session_name name;
    const Imc__V1__SessionRecord *value;
    const rd_kafka_message_t *message;
    bool live; /* events follow from it */
};

/* LAST: of its session. */
static void record_emit(const struct record *record, enum event_type type, unsigned number,
                        bool last)
{
    struct event_partition *partition = record->partition;
    const struct session_event about = {
        .type = type,
        .name = &record->name,
        .record = record->value,
        .offset = record->message->offset,
        .number = number,
        .written_ms = (uint64_t)rd_kafka_message_timestamp(record->message, NULL),
    };

    if (!record->live)
        return;
    if ((partition->outlets->types & 1U << type) == 0) {
        if (last)
            bury(partition, &record->name);
        return;
    }
    struct event *event = mem_zalloc(sizeof *event);
    *event = (struct event){.partition = partition,
                            .offset = record->message->offset,
                            .uid = record->value->uid,
                            .name = record->name,
                            .bury = last};
    event->json = event_json(&about, &event->len);
    if (last)
        session_table_find(&partition->table, &record->name)->telling = 1;
    STAILQ_INSERT_TAIL(&partition->waiting, event, link);
    partition->outlets->waiting++;
    count(partition, type == EVENT_CONNECTED ? JOB_EVENTS_CONNECTED : JOB_EVENTS_DISCONNECTED);
    pump_soon(partition);
}

static void record_opened(const struct record *record, const struct session *session)
{
    struct event_partition *partition = record->partition;

    if (session == NULL) {
        session_table_open(&partition->table, &record->name, record->value->uid,
                           record->value->opened_ms);
        record_emit(record, EVENT_CONNECTED, 0, false);
        return;
    }
    count(partition, session->state == SESSION_CLOSED ? JOB_EVENTS_LATE : JOB_EVENTS_REPEATED);
    /* It stands behind the deletion, unless the end is still being told. */
    if (session->state == SESSION_CLOSED && record->live && !session->telling)
        bury(partition, &record->name);
}

/* A session that is not known: either nobody's, or its beginning was removed from the log, because
 * its end is there. The end tells all that the beginning did. */
static void record_ended_unknown(const struct record *record)
{
    session_table_add_closed(&record->partition->table, &record->name);
    if (!record->value->anybody) {
        record_emit(record, EVENT_CONNECTED, 0, false);
        record_emit(record, EVENT_DISCONNECTED, 1, true);
    } else if (record->live) {
        bury(record->partition, &record->name);
    }
}

static void record_ended(const struct record *record, struct session *session)
{
    struct event_partition *partition = record->partition;

    if (session == NULL) {
        record_ended_unknown(record);
        return;
    }
    if (session->state == SESSION_CLOSED) {
        count(partition, JOB_EVENTS_REPEATED);
        if (record->live && !session->telling)
            bury(partition, &record->name);
        return;
    }
    /* Whose it is, only the table knows then. */
    Imc__V1__SessionRecord value = *record->value;
    struct record known = *record;
    value.uid = session->uid;
    if (value.anybody)
        value.opened_ms = session->opened_ms;
    known.value = &value;
    session_table_close(&partition->table, session);
    record_emit(&known, EVENT_DISCONNECTED, 1, true);
}

static void record_deleted(const struct record *record, struct session *session)
{
    if (session == NULL)
        session = session_table_add_closed(&record->partition->table, &record->name);
    else if (session->state != SESSION_CLOSED)
        session_table_close(&record->partition->table, session);
    session->buried = 1;
}

static void record_take(struct record *record)
{
    const rd_kafka_message_t *message = record->message;
    struct session *session = session_table_find(&record->partition->table, &record->name);
    struct arena arena;

    if (message->payload == NULL) {
        record_deleted(record, session);
        return;
    }
    arena_init(&arena);
    record->value = session_record_read(&arena, message->payload, message->len);
    if (record->value != NULL && record->value->what == IMC__V1__SESSION_RECORD__WHAT__OPENED)
        record_opened(record, session);
    else if (record->value != NULL && record->value->what == IMC__V1__SESSION_RECORD__WHAT__ENDED)
        record_ended(record, session);
    else
        count(record->partition, JOB_EVENTS_MALFORMED);
    arena_free(&arena);
}

/* The end of SESSION was told: here, or by an earlier owner that died before it deleted the
 * records. */
static void bury_if_told(struct event_partition *partition, const struct session *session)
{
    struct session_name name;

    if (session->buried || session->telling)
        return;
    session_table_name(session, &name);
    bury(partition, &name);
}

static void forget_some(struct event_partition *partition)
{
    size_t most = (size_t)partition->outlets->job->config->events_remember;

    while (partition->table.n_closed > most) {
        bury_if_told(partition, TAILQ_FIRST(&partition->table.closed));
        session_table_forget(&partition->table);
    }
}

void event_partition_record(struct event_partition *partition, const rd_kafka_message_t *message)
{
    struct record record = {
        .partition = partition,
        .message = message,
        .live = message->offset >= partition->emit_from,
    };

    if (!partition->known) {
        partition->skipped = true;
        return;
    }
    if (message->offset < partition->next)
        return; /* reading began anew */
    count(partition, JOB_EVENTS_READ);
    if (session_name_read(message->key, message->key_len, &record.name))
        record_take(&record);
    else
        count(partition, JOB_EVENTS_MALFORMED);
    partition->next = message->offset + 1;
    forget_some(partition);
}

void event_partition_known(struct event_partition *partition, int64_t offset)
{
    partition->known = true;
    partition->emit_from = offset;
}

static void partition_reset(struct event_partition *partition)
{
    struct event *event;
    struct grave *grave;

    while ((event = STAILQ_TAKE(&partition->waiting, link)) != NULL)
        event_free(event);
    while ((event = STAILQ_TAKE(&partition->sent, link)) != NULL) {
        if (event->state != EVENT_SENT)
            event_free(event);
    }
    while ((grave = STAILQ_TAKE(&partition->graves, link)) != NULL)
        free(grave);
    session_table_free(&partition->table);
}

bool event_partition_end(struct event_partition *partition, int64_t offset)
{
    if (!partition->known)
        return true;
    if (offset < partition->emit_from)
        return false;
    if (offset > partition->next)
        partition->next = offset;
    struct session *session;
    if (!partition->caught_up) {
        TAILQ_FOREACH(session, &partition->table.closed, link)
            bury_if_told(partition, session);
    }
    partition->caught_up = true;
    return true;
}

int64_t event_partition_position(const struct event_partition *partition)
{
    const struct event *first = STAILQ_FIRST(&partition->sent);

    if (!partition->known)
        return -1;
    if (first == NULL)
        first = STAILQ_FIRST(&partition->waiting);
    int64_t position = first != NULL ? first->offset : partition->next;
    return position > partition->emit_from ? position : partition->emit_from;
}

/* --- comets that are dead --- */

static void on_lost_written(struct ordered_ticket *ticket, int err)
{
    struct lost_end *end = container_of(ticket, struct lost_end, ticket);
    struct event_partition *partition = end->partition;
    struct session *session =
        partition->gone ? NULL : session_table_find(&partition->table, &end->name);

    if (err != 0 && session != NULL && session->state == SESSION_ENDING)
        session->state = SESSION_OPEN; /* event_partition_look() tries again */
    free(end);
    partition_unref(partition);
}

static bool session_end_lost(struct event_partition *partition, struct session *session)
{
    struct lost_end *end = mem_zalloc(sizeof *end);
    Imc__V1__SessionRecord record;
    imc__v1__session_record__init(&record);
    struct kafka_message message;

    end->partition = partition;
    end->ticket.done = on_lost_written;
    session_table_name(session, &end->name);
    record.what = IMC__V1__SESSION_RECORD__WHAT__ENDED;
    record.how = IMC__V1__SESSION_RECORD__HOW__LOST;
    record.uid = session->uid;
    record.opened_ms = session->opened_ms;
    record.ended_ms = partition->outlets->now_ms(partition->outlets->job);
    session_record_make(&end->name, &record, &message);
    if (ordered_producer_send(partition->outlets->log, &message,
                              message.value_len + message.key_len + HEAD_BYTES, partition->id,
                              &end->ticket) != 0) {
        free(message.value);
        free(end);
        return false;
    }
    session->state = SESSION_ENDING;
    partition->refs++;
    count(partition, JOB_EVENTS_LOST);
    return true;
}

/* No epoch comes back: a comet that others took for dead begins another one. */
static bool life_is_over(const struct event_partition *partition, struct comet_life *life)
{
    const struct membership *membership = partition->outlets->membership;
    const struct job_config *config = partition->outlets->job->config;
    uint64_t now = loop_now_ms(partition->outlets->job->loop);
    const struct member *member = membership_find(membership, MEMBER_COMET, life->comet);

    if (member != NULL && member->epoch > life->epoch)
        return true;
    if (member != NULL && member->epoch == life->epoch) {
        life->absent_ms = 0;
        return false;
    }
    /* It is dead, or younger than our list. */
    if (life->absent_ms == 0 || !membership_fresh(membership))
        life->absent_ms = now;
    return now - life->absent_ms >= (uint64_t)config->daemon.lease_ttl_ms;
}

void event_partition_look(struct event_partition *partition)
{
    struct comet_life *life;
    struct session *session;
    int left = LOST_PER_LOOK;

    if (!partition->caught_up || !membership_ready(partition->outlets->membership))
        return;
    LIST_FOREACH(life, &partition->table.lives, link) {
        if (life->n_open == 0 || !life_is_over(partition, life))
            continue;
        TAILQ_FOREACH(session, &life->open, link) {
            if (session->state != SESSION_OPEN)
                continue;
            if (left-- == 0 || !session_end_lost(partition, session))
                return;
        }
    }
}

/* --- life --- */

static void partition_init(struct event_partition *partition)
{
    STAILQ_INIT(&partition->waiting);
    STAILQ_INIT(&partition->sent);
    STAILQ_INIT(&partition->graves);
    session_table_init(&partition->table);
    partition->committed = -1;
}

struct event_partition *event_partition_open(struct event_outlets *outlets, int32_t id)
{
    struct event_partition *partition = mem_zalloc(sizeof *partition);

    loop_assert_owner(outlets->job->loop);
    *partition = (struct event_partition){.outlets = outlets, .id = id, .refs = 1};
    partition_init(partition);
    return partition;
}

void event_partition_close(struct event_partition *partition)
{
    loop_assert_owner(partition->outlets->job->loop);
    partition->gone = true;
    partition_reset(partition);
    partition_unref(partition);
}

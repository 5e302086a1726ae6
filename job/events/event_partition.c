#include "job/events/event_partition.h"
#include "common/base/mem.h"
#include "job/base/job.h"
#include "job/events/event_json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    REPLACES_MOST = 16, /* sessions whose ends one that comes in time makes untold */
    SILENT_MS = 30000,  /* nothing comes, though something must */
};

static void count(const struct event_partition *partition, enum job_metric metric)
{
    job_count(partition->outlets->job, metric);
}

void event_partition_ref(struct event_partition *partition)
{
    partition->refs++;
}

void event_partition_unref(struct event_partition *partition)
{
    if (--partition->refs > 0)
        return;
    assert(partition->gone);
    free(partition);
}

/* --- what a record tells --- */

struct record {
    struct event_partition *partition;
    struct session_name name;
    const Imc__V1__SessionRecord *value;
    const rd_kafka_message_t *message;
    bool live;       /* events follow from it */
    unsigned number; /* of its events until now */
};

static bool is_wanted(const struct event_partition *partition, enum event_type type)
{
    return (partition->outlets->types & 1U << type) != 0;
}

static void name_bury(struct event_partition *partition, const struct session_name *name)
{
    char key[SESSION_NAME_MAX];

    event_bury(partition, key, session_name_write(name, key));
}

/* The event that ABOUT begins to describe, not queued yet. NULL: it is not told. */
static struct event *record_event(struct record *record, struct session_event *about)
{
    _Static_assert(JOB_EVENTS_EXPIRED - JOB_EVENTS_CONNECTED == EVENT_EXPIRED,
                   "metrics in the order of the types");
    size_t len;

    if (!record->live || !is_wanted(record->partition, about->type))
        return NULL;
    about->offset = record->message->offset;
    about->number = record->number++;
    about->written_ms = (uint64_t)rd_kafka_message_timestamp(record->message, NULL);
    char *json = event_json(about, &len);
    count(record->partition, JOB_EVENTS_CONNECTED + about->type);
    return event_new(record->partition, about->record->uid, about->offset, json, len);
}

/* Tells ABOUT. Then the N sessions OVER, which are closed, need no records any more. */
static void record_tell(struct record *record, struct session_event *about,
                        const struct session_name *over, size_t n)
{
    struct event_partition *partition = record->partition;
    struct event *event = record_event(record, about);
    char key[SESSION_NAME_MAX];

    for (size_t i = 0; i < n && record->live; i++) {
        if (event == NULL) {
            name_bury(partition, &over[i]);
            continue;
        }
        session_table_find(&partition->table, &over[i])->telling = 1;
        event_buries(event, key, session_name_write(&over[i], key));
    }
    if (event != NULL)
        event_queue(event);
}

static void tell_disconnected(struct record *record, const struct session_name *name,
                              const Imc__V1__SessionRecord *value)
{
    struct session_event about = {.type = EVENT_DISCONNECTED, .name = name, .record = value};

    record_tell(record, &about, name, 1);
}

/* --- sessions whose ends wait --- */

/* The end of SESSION, of which VALUE tells all, is not told yet. */
static void absence_begin(struct event_partition *partition, struct session *session,
                          const Imc__V1__SessionRecord *value)
{
    size_t len = imc__v1__session_record__get_packed_size(value);
    struct absence *absence = mem_zalloc(sizeof *absence + len);

    absence->session = session;
    absence->uid = session->uid;
    absence->ended_ms = value->ended_ms;
    absence->len = len;
    imc__v1__session_record__pack(value, absence->record);
    absences_add(&partition->absences, absence);
}

/* ABSENCE is over, and its session is closed. */
static void absence_end(struct event_partition *partition, struct absence *absence)
{
    session_table_close(&partition->table, absence->session);
    partition->n_ending -= absence->asked;
    absences_remove(&partition->absences, absence);
}

/* The session of RECORD came too late to make the end of ABSENCE untold. */
static void absence_tell(struct record *record, struct absence *absence,
                         const struct session_name *name)
{
    struct arena arena;

    arena_init(&arena);
    const Imc__V1__SessionRecord *value =
        session_record_read(&arena, absence->record, absence->len);
    absence_end(record->partition, absence);
    tell_disconnected(record, name, value);
    arena_free(&arena);
}

/* When the session came. One that is there again came with its record. */
static uint64_t came_ms(const struct record *record)
{
    return record->value->again ? (uint64_t)rd_kafka_message_timestamp(record->message, NULL)
                                : record->value->opened_ms;
}

/* Somebody of the uid is there. */
static void tell_connected(struct record *record)
{
    struct event_partition *partition = record->partition;
    const Imc__V1__SessionRecord *value = record->value;
    uint64_t wait = (uint64_t)partition->outlets->job->config->events_debounce_ms;
    struct session_name replaced[REPLACES_MOST], name;
    struct session_event about = {
        .type = EVENT_CONNECTED, .name = &record->name, .record = value, .replaces = replaced};
    struct absence *absence;

    while (about.n_replaces < REPLACES_MOST &&
           (absence = absences_of(&partition->absences, value->uid)) != NULL) {
        session_table_name(absence->session, &name);
        if (came_ms(record) >= absence->ended_ms + wait) {
            absence_tell(record, absence, &name);
        } else {
            replaced[about.n_replaces++] = name;
            absence_end(partition, absence);
            if (record->live)
                count(partition, JOB_EVENTS_REPLACED);
        }
    }
    record_tell(record, &about, replaced, about.n_replaces);
}

/* --- what a record means --- */

static void record_opened(struct record *record, const struct session *session)
{
    struct event_partition *partition = record->partition;

    if (session == NULL) {
        session_table_open(&partition->table, &record->name, record->value->uid,
                           record->value->opened_ms);
        tell_connected(record);
        return;
    }
    count(partition, session->state >= SESSION_ABSENT ? JOB_EVENTS_LATE : JOB_EVENTS_REPEATED);
    /* It stands behind the deletion, unless the end is still being told. */
    if (session->state == SESSION_CLOSED && record->live && !session->telling)
        name_bury(partition, &record->name);
}

/* The end is to wait, or it is behind what was committed: then it was told if its deletion comes.
 */
static bool is_to_wait(const struct record *record)
{
    if (record->value->due)
        return false;
    if (!record->live)
        return true;
    return record->partition->outlets->job->config->events_debounce_ms > 0 &&
           is_wanted(record->partition, EVENT_DISCONNECTED);
}

/* A session that is not known: either nobody's, or its beginning was removed from the log, because
 * its end is there. The end tells all that the beginning did. */
static void record_ended_unknown(struct record *record)
{
    struct event_partition *partition = record->partition;

    if (record->value->anybody) {
        session_table_add_closed(&partition->table, &record->name);
        if (record->live)
            name_bury(partition, &record->name);
        return;
    }
    tell_connected(record);
    if (is_to_wait(record)) {
        absence_begin(
            partition,
            session_table_add_absent(&partition->table, &record->name, record->value->uid),
            record->value);
        return;
    }
    session_table_add_closed(&partition->table, &record->name);
    tell_disconnected(record, &record->name, record->value);
}

static void record_ended_open(struct record *record, struct session *session)
{
    struct event_partition *partition = record->partition;
    /* Whose it is, only the table knows if it is anybody's. */
    Imc__V1__SessionRecord value = *record->value;

    partition->n_ending -= session->state == SESSION_ENDING;
    value.uid = session->uid;
    if (value.anybody)
        value.opened_ms = session->opened_ms;
    value.anybody = false;
    if (is_to_wait(record)) {
        session_table_leave(&partition->table, session);
        absence_begin(partition, session, &value);
        return;
    }
    session_table_close(&partition->table, session);
    tell_disconnected(record, &record->name, &value);
}

static void record_ended(struct record *record, struct session *session)
{
    struct event_partition *partition = record->partition;

    if (session == NULL) {
        record_ended_unknown(record);
    } else if (session->state == SESSION_ABSENT && record->value->due) {
        absence_end(partition, absences_find(&partition->absences, session));
        tell_disconnected(record, &record->name, record->value);
    } else if (session->state < SESSION_ABSENT) {
        record_ended_open(record, session);
    } else {
        count(partition, JOB_EVENTS_REPEATED);
        if (session->state == SESSION_CLOSED && record->live && !session->telling)
            name_bury(partition, &record->name);
    }
}

static void record_deleted(const struct record *record, struct session *session)
{
    struct event_partition *partition = record->partition;

    partition->n_ending -= session != NULL && session->state == SESSION_ENDING;
    if (session == NULL)
        session = session_table_add_closed(&partition->table, &record->name);
    else if (session->state == SESSION_ABSENT)
        absence_end(partition, absences_find(&partition->absences, session));
    else if (session->state != SESSION_CLOSED)
        session_table_close(&partition->table, session);
    session->buried = 1;
}

static void session_take(struct record *record, struct arena *arena)
{
    const rd_kafka_message_t *message = record->message;
    struct session *session = session_table_find(&record->partition->table, &record->name);

    if (message->payload == NULL) {
        record_deleted(record, session);
        return;
    }
    record->value = session_record_read(arena, message->payload, message->len);
    if (record->value != NULL && record->value->what == IMC__V1__SESSION_RECORD__WHAT__OPENED)
        record_opened(record, session);
    else if (record->value != NULL && record->value->what == IMC__V1__SESSION_RECORD__WHAT__ENDED)
        record_ended(record, session);
    else
        count(record->partition, JOB_EVENTS_MALFORMED);
}

/* --- what is no session's beginning or end --- */

/* The record's key is the event's id. That of a room begins with the session's name. */
static bool fact_read(struct record *record, struct arena *arena, struct session_event *about)
{
    const rd_kafka_message_t *message = record->message;
    char id[MESSAGE_FACT_MAX];

    record->value = session_record_read(arena, message->payload, message->len);
    if (record->value == NULL)
        return false;
    about->record = record->value;
    about->type = event_type_of_record((int)record->value->what);
    if (about->type == EVENT_TYPES ||
        (1U << about->type & (EVENTS_OF_ROOMS | EVENTS_OF_MESSAGES)) == 0)
        return false;
    if ((1U << about->type & EVENTS_OF_ROOMS) != 0) {
        about->name = &record->name;
        about->id = session_fact_read(message->key, message->key_len, arena, &record->name);
        return about->id != NULL;
    }
    size_t len = message_fact_write(record->value->uid, record->value->message,
                                    record->value->session, event_type_names[about->type].what, id);
    about->id = memcpy(arena_alloc(arena, len + 1), id, len + 1);
    return message->key_len == len && memcmp(message->key, id, len) == 0;
}

/* It is of a room, and its session is in none any more: that has ended, as the log says in front of
 * this record, or behind it if compaction has removed the beginning. */
static bool is_late(const struct record *record, const struct session_event *about)
{
    const struct session *session;

    if ((1U << about->type & EVENTS_OF_ROOMS) == 0)
        return false;
    session = session_table_find(&record->partition->table, &record->name);
    return session == NULL || session->state >= SESSION_ABSENT;
}

static void fact_take(struct record *record, struct arena *arena)
{
    const rd_kafka_message_t *message = record->message;
    struct session_event about = {.type = EVENT_TYPES};
    struct event *event = NULL;

    if (message->payload == NULL)
        return;
    if (!fact_read(record, arena, &about)) {
        count(record->partition, JOB_EVENTS_MALFORMED);
        return;
    }
    if (!is_late(record, &about))
        event = record_event(record, &about);
    else if (record->live)
        count(record->partition, JOB_EVENTS_LATE);
    if (event != NULL) {
        event_buries(event, message->key, message->key_len);
        event_queue(event);
    } else if (record->live) {
        event_bury(record->partition, message->key, message->key_len);
    }
}

/* --- records --- */

/* A session that ended behind what was committed, in a way that nothing had to be told of. */
static void bury_if_not_yet(struct event_partition *partition, const struct session *session)
{
    struct session_name name;

    if (session->buried || session->telling)
        return;
    session_table_name(session, &name);
    name_bury(partition, &name);
}

static void forget_some(struct event_partition *partition)
{
    size_t most = (size_t)partition->outlets->job->config->events_remember;

    while (partition->table.n_closed > most) {
        bury_if_not_yet(partition, TAILQ_FIRST(&partition->table.closed));
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
    struct arena arena;

    event_partition_heard(partition);
    if (!partition->known) {
        partition->skipped = true;
        return;
    }
    if (message->offset < partition->next)
        return; /* reading began anew */
    count(partition, JOB_EVENTS_READ);
    arena_init(&arena);
    if (session_name_read(message->key, message->key_len, &record.name))
        session_take(&record, &arena);
    else
        fact_take(&record, &arena);
    arena_free(&arena);
    partition->next = message->offset + 1;
    forget_some(partition);
}

void event_partition_known(struct event_partition *partition, int64_t offset)
{
    partition->known = true;
    partition->emit_from = offset;
}

void event_partition_heard(struct event_partition *partition)
{
    partition->heard_ms = loop_now_ms(partition->outlets->job->loop);
}

bool event_partition_is_silent(const struct event_partition *partition)
{
    uint64_t now = loop_now_ms(partition->outlets->job->loop);
    bool awaited = !partition->caught_up || partition->n_ending > 0;

    return awaited && now - partition->heard_ms >= SILENT_MS;
}

bool event_partition_reached(struct event_partition *partition, int64_t end)
{
    if (!partition->known || partition->caught_up)
        return false;
    if (partition->goal == 0 && end > 0)
        partition->goal = end;
    return partition->goal > 0 && partition->next >= partition->goal;
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
            bury_if_not_yet(partition, session);
    }
    partition->caught_up = true;
    return true;
}

int64_t event_partition_position(const struct event_partition *partition)
{
    int64_t first = event_sending_first(partition);

    if (!partition->known)
        return -1;
    int64_t position = first >= 0 ? first : partition->next;
    return position > partition->emit_from ? position : partition->emit_from;
}

/* --- life --- */

void event_partition_pump(struct event_partition *partition)
{
    event_sending_pump(partition);
}

struct event_partition *event_partition_open(struct event_outlets *outlets, int32_t id)
{
    struct event_partition *partition = mem_zalloc(sizeof *partition);

    loop_assert_owner(outlets->job->loop);
    *partition = (struct event_partition){.outlets = outlets, .id = id, .refs = 1};
    event_sending_init(partition);
    absences_init(&partition->absences);
    session_table_init(&partition->table);
    partition->committed = -1;
    event_partition_heard(partition);
    return partition;
}

void event_partition_close(struct event_partition *partition)
{
    loop_assert_owner(partition->outlets->job->loop);
    partition->gone = true;
    event_sending_end(partition);
    absences_free(&partition->absences);
    session_table_free(&partition->table);
    event_partition_unref(partition);
}

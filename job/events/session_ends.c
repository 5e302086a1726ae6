/* session_ends.c - ends of sessions that job writes into the log: of comets that are dead, and
 * those that are due because nobody of the uid came back within events.debounce. The events follow
 * when the records are read, as from all others: so the log decides what came first. */
#include "common/base/mem.h"
#include "common/membership/membership.h"
#include "job/base/job.h"
#include "job/events/event_partition.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ENDS_PER_LOOK = 20000 };

/* An end on its way to the log. */
struct own_end {
    struct ordered_ticket ticket;
    struct event_partition *partition;
    struct session_name name;
};

static void end_failed(struct event_partition *partition, struct session *session)
{
    if (session->state == SESSION_ENDING)
        session->state = SESSION_OPEN;
    else if (session->state == SESSION_ABSENT &&
             absences_find(&partition->absences, session)->asked)
        absences_unasked(&partition->absences, absences_find(&partition->absences, session));
    else
        return; /* somebody's was read */
    partition->n_ending--;
}

/* If it failed, event_partition_look() tries again. */
static void on_written(struct ordered_ticket *ticket, int err)
{
    struct own_end *end = container_of(ticket, struct own_end, ticket);
    struct event_partition *partition = end->partition;
    struct session *session =
        partition->gone ? NULL : session_table_find(&partition->table, &end->name);

    if (err != 0 && session != NULL)
        end_failed(partition, session);
    free(end);
    event_partition_unref(partition);
}

/* False: the log takes nothing now. */
static bool end_write(struct event_partition *partition, const struct session *session,
                      const Imc__V1__SessionRecord *record)
{
    struct own_end *end = mem_zalloc(sizeof *end);
    struct kafka_message message;

    end->partition = partition;
    end->ticket.done = on_written;
    session_table_name(session, &end->name);
    session_record_make(&end->name, record, &message);
    if (ordered_producer_send(partition->outlets->log, &message,
                              message.value_len + message.key_len + EVENT_RECORD_HEAD_BYTES,
                              partition->id, &end->ticket) != 0) {
        free(message.value);
        free(end);
        return false;
    }
    event_partition_ref(partition);
    partition->n_ending++;
    return true;
}

/* --- comets that are dead --- */

static bool end_lost(struct event_partition *partition, struct session *session)
{
    Imc__V1__SessionRecord record;
    imc__v1__session_record__init(&record);

    record.what = IMC__V1__SESSION_RECORD__WHAT__ENDED;
    record.how = IMC__V1__SESSION_RECORD__HOW__LOST;
    record.uid = session->uid;
    record.opened_ms = session->opened_ms;
    record.ended_ms = partition->outlets->now_ms(partition->outlets->job);
    if (!end_write(partition, session, &record))
        return false;
    session->state = SESSION_ENDING;
    job_count(partition->outlets->job, JOB_EVENTS_LOST);
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

static void look_for_lost(struct event_partition *partition)
{
    struct comet_life *life;
    struct session *session;
    int left = ENDS_PER_LOOK;

    LIST_FOREACH(life, &partition->table.lives, link) {
        if (life->n_open == 0 || !life_is_over(partition, life))
            continue;
        TAILQ_FOREACH(session, &life->open, link) {
            if (session->state != SESSION_OPEN)
                continue;
            if (left-- == 0 || !end_lost(partition, session))
                return;
        }
    }
}

/* --- ends that are due --- */

static bool end_due(struct event_partition *partition, struct absence *absence)
{
    struct arena arena;

    arena_init(&arena);
    const Imc__V1__SessionRecord *read = session_record_read(&arena, absence->record, absence->len);
    assert(read != NULL);
    Imc__V1__SessionRecord record = *read;
    record.due = true;
    bool written = end_write(partition, absence->session, &record);
    if (written)
        absences_asked(&partition->absences, absence);
    arena_free(&arena);
    return written;
}

static void look_for_due(struct event_partition *partition)
{
    uint64_t wait = (uint64_t)partition->outlets->job->config->events_debounce_ms;
    uint64_t now = partition->outlets->now_ms(partition->outlets->job);
    struct absence *absence;
    int left = ENDS_PER_LOOK;

    while ((absence = TAILQ_FIRST(&partition->absences.waiting)) != NULL && left-- > 0 &&
           absence->ended_ms + wait <= now) {
        if (!end_due(partition, absence))
            return;
    }
}

void event_partition_look(struct event_partition *partition)
{
    if (!partition->caught_up)
        return;
    if (membership_ready(partition->outlets->membership))
        look_for_lost(partition);
    look_for_due(partition);
}

#include "logic/peers/session_event_requests.h"
#include "common/events/event_types.h"
#include "logic/events/session_log.h"

#include <stdio.h>

/* A record on its way to Kafka. */
struct event_write {
    struct ordered_ticket ticket;
    struct session_batch *sb;
    uint32_t *status; /* of its event */
};

static void on_done(struct ordered_ticket *ticket, int err)
{
    struct event_write *write = container_of(ticket, struct event_write, ticket);

    if (err != 0)
        *write->status = IMC__V1__LOGIC_STATUS__UNAVAILABLE;
    session_batch_drop(write->sb);
}

static uint64_t before(uint64_t now, uint64_t ms)
{
    return now > ms ? now - ms : 1;
}

static Imc__V1__SessionRecord record_of(const struct session_batch *sb,
                                        const Imc__V1__SessionEvent *in)
{
    Imc__V1__SessionRecord record;
    imc__v1__session_record__init(&record);
    uint64_t end = before(logic_now_ms(sb->logic), in->ago_ms);

    record.what =
        in->ended ? IMC__V1__SESSION_RECORD__WHAT__ENDED : IMC__V1__SESSION_RECORD__WHAT__OPENED;
    record.uid = in->uid;
    record.opened_ms = before(end, in->open_ms);
    record.ended_ms = in->ended ? end : 0;
    record.address = in->address;
    record.key = in->key;
    record.room = in->room;
    record.again = !in->ended;
    record.anybody = in->anybody;
    record.code = in->code;
    if (in->refused || in->anybody)
        record.how = IMC__V1__SESSION_RECORD__HOW__REFUSED;
    else if (in->code != 0)
        record.how = IMC__V1__SESSION_RECORD__HOW__CLOSED;
    return record;
}

/* Adds a record to what the batch waits for. To PARTITION; -1: that of its uid. */
static void write_begin(struct session_batch *sb, uint32_t *status, const struct session_name *name,
                        const Imc__V1__SessionRecord *record, int32_t partition)
{
    struct event_write *write = arena_alloc(&sb->batch->arena, sizeof *write);

    *write = (struct event_write){.ticket.done = on_done, .sb = sb, .status = status};
    sb->pending++;
    int err = partition < 0
                  ? session_log_write(sb->logic, name, record, &write->ticket)
                  : session_log_write_to(sb->logic, name, record, partition, &write->ticket);
    if (err != 0)
        on_done(&write->ticket, err);
}

/* The session has entered a room, or left one. */
static void change_start(struct session_batch *sb, uint32_t *status,
                         const struct session_name *name, const Imc__V1__SessionEvent *in)
{
    bool entered = in->change == IMC__V1__SESSION_EVENT__CHANGE__ENTERED;
    enum event_type type = entered ? EVENT_JOINED : EVENT_LEFT;
    struct event_write *write = arena_alloc(&sb->batch->arena, sizeof *write);
    char key[SESSION_FACT_MAX];
    Imc__V1__SessionRecord record;

    if ((sb->logic->event_types & 1U << type) == 0)
        return;
    imc__v1__session_record__init(&record);
    record.what = (Imc__V1__SessionRecord__What)event_type_names[type].record;
    record.uid = in->uid;
    record.room = in->room;
    record.at_ms = before(logic_now_ms(sb->logic), in->ago_ms);
    *write = (struct event_write){.ticket.done = on_done, .sb = sb, .status = status};
    sb->pending++;
    size_t len = session_fact_write(name, in->number, event_type_names[type].what, key);
    int err = session_log_write_with(sb->logic, key, len, &record, &write->ticket);
    if (err != 0)
        on_done(&write->ticket, err);
}

/* An event whose uid is not known has a record in each partition. */
static void event_start(struct session_batch *sb, uint32_t *status, const Imc__V1__SessionEvent *in)
{
    const Imc__V1__SessionRecord record = record_of(sb, in);
    struct session_name name = {.epoch = in->epoch, .handle = in->handle};
    int n = session_log_partitions(sb->logic);

    (void)snprintf(name.comet, sizeof name.comet, "%s", sb->in->comet);
    if (in->change != IMC__V1__SESSION_EVENT__CHANGE__NONE) {
        change_start(sb, status, &name, in);
        return;
    }
    if (!in->anybody)
        write_begin(sb, status, &name, &record, -1);
    for (int i = 0; in->anybody && i < n; i++)
        write_begin(sb, status, &name, &record, i);
    if (in->anybody && n == 0)
        *status = IMC__V1__LOGIC_STATUS__UNAVAILABLE;
}

/* Until this has returned the batch waits for something more: records that are refused at once do
 * not end it. */
void session_events_start(struct session_batch *sb)
{
    for (size_t i = 0; i < sb->in->n_session_events; i++) {
        uint32_t *status = &sb->reply.session_events[i];
        if (sb->logic->session_log != NULL)
            event_start(sb, status, sb->in->session_events[i]);
        else
            *status = IMC__V1__LOGIC_STATUS__NOT_CONFIGURED;
    }
}

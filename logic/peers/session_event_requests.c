#include "logic/peers/session_event_requests.h"
#include "logic/events/session_log.h"

#include <errno.h>
#include <stdio.h>

/* An event whose uid is not known has a record in each partition. */
struct event_item {
    struct session_batch *sb;
    uint32_t *status;
    size_t left; /* records without an answer, and 1 while they are being sent */
};

struct event_write {
    struct ordered_ticket ticket;
    struct event_item *item;
};

static void item_drop(struct event_item *item, int err)
{
    if (err != 0)
        *item->status = IMC__V1__LOGIC_STATUS__UNAVAILABLE;
    if (--item->left == 0)
        session_batch_drop(item->sb);
}

static void on_done(struct ordered_ticket *ticket, int err)
{
    struct event_write *write = container_of(ticket, struct event_write, ticket);

    item_drop(write->item, err);
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

/* To PARTITION; -1: that of its uid. */
static void item_write(struct event_item *item, const struct session_name *name,
                       const Imc__V1__SessionRecord *record, int32_t partition)
{
    struct logic *logic = item->sb->logic;
    struct event_write *write = arena_alloc(&item->sb->batch->arena, sizeof *write);

    *write = (struct event_write){.ticket.done = on_done, .item = item};
    item->left++;
    int err = partition < 0 ? session_log_write(logic, name, record, &write->ticket)
                            : session_log_write_to(logic, name, record, partition, &write->ticket);
    if (err != 0)
        item_drop(item, err);
}

static void item_start(struct event_item *item, const Imc__V1__SessionEvent *in)
{
    const Imc__V1__SessionRecord record = record_of(item->sb, in);
    struct session_name name = {.epoch = in->epoch, .handle = in->handle};
    int n = session_log_partitions(item->sb->logic);

    item->left = 1;
    (void)snprintf(name.comet, sizeof name.comet, "%s", item->sb->in->comet);
    if (!in->anybody)
        item_write(item, &name, &record, -1);
    for (int i = 0; in->anybody && i < n; i++)
        item_write(item, &name, &record, i);
    item_drop(item, in->anybody && n == 0 ? -EAGAIN : 0);
}

void session_events_start(struct session_batch *sb)
{
    sb->pending += sb->in->n_session_events;
    for (size_t i = 0; i < sb->in->n_session_events; i++) {
        struct event_item *item = arena_alloc(&sb->batch->arena, sizeof *item);
        *item = (struct event_item){.sb = sb, .status = &sb->reply.session_events[i]};
        if (sb->logic->session_log != NULL) {
            item_start(item, sb->in->session_events[i]);
            continue;
        }
        *item->status = IMC__V1__LOGIC_STATUS__NOT_CONFIGURED;
        session_batch_drop(sb);
    }
}

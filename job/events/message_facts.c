#include "job/events/message_facts.h"
#include "common/base/decimal.h"
#include "common/base/mem.h"
#include "common/events/event_types.h"
#include "common/events/session_record.h"
#include "job/base/job.h"
#include "job/base/message.h"
#include "job/events/event_partition.h"
#include "job/partition/partition.h"

#include <errno.h>
#include <stdlib.h>

/* A message with its last word on the way to the log. */
struct message_fact_write {
    struct ordered_ticket ticket;
    STAILQ_ENTRY(message_fact_write) link;
    struct message_facts *facts;
    struct message *message;
    uint64_t at_ms;
};

static void write_free(struct message_fact_write *write)
{
    write->facts->n--;
    message_unref(write->message);
    free(write);
}

/* If the message is another job's by now, that one tells it again. */
static void on_written(struct ordered_ticket *ticket, int err)
{
    struct message_fact_write *write = container_of(ticket, struct message_fact_write, ticket);
    struct message_facts *facts = write->facts;

    if (err != 0 && write->message->partition != NULL) {
        STAILQ_INSERT_TAIL(&facts->waiting, write, link); /* event_outlets' tick sends it */
        return;
    }
    if (write->message->partition != NULL)
        partition_resolve(write->message);
    write_free(write);
}

/* As ordered_producer_send(). */
static int write_send(struct message_fact_write *write)
{
    struct ordered_producer *log = write->facts->outlets->log;
    const struct message *message = write->message;
    const struct event_type_name *type = &event_type_names[message->fact];
    char key[MESSAGE_FACT_MAX], uid[DECIMAL_MOST], why[] = "ttl";
    Imc__V1__SessionRecord record;
    struct kafka_message out;

    if (ordered_producer_partitions(log) == 0)
        return -EAGAIN;
    imc__v1__session_record__init(&record);
    record.what = (Imc__V1__SessionRecord__What)type->record;
    record.uid = message->uid;
    record.message = message->id;
    record.at_ms = write->at_ms;
    if (message->fact == FACT_EXPIRED)
        record.why = why;
    size_t len = message_fact_write(message->uid, message->id, "", type->what, key);
    session_record_make_with(key, len, &record, &out);
    len = decimal_put(uid, message->uid);
    int err =
        ordered_producer_send(log, &out, out.value_len + out.key_len + EVENT_RECORD_HEAD_BYTES,
                              ordered_producer_partition(log, uid, len), &write->ticket);
    if (err != 0)
        free(out.value);
    return err;
}

void message_facts_pump(struct message_facts *facts)
{
    struct message_fact_write *write;

    while ((write = STAILQ_FIRST(&facts->waiting)) != NULL) {
        if (write->message->partition != NULL && write_send(write) != 0)
            return;
        STAILQ_REMOVE_HEAD(&facts->waiting, link);
        if (write->message->partition == NULL)
            write_free(write);
    }
}

/* When that happened which is told of MESSAGE. Its own end is known, so it is the same whenever it
 * is told; of the others we say when we heard of it. */
static uint64_t when(const struct message_facts *facts, const struct message *message)
{
    uint64_t now = facts->outlets->now_ms(facts->outlets->job);

    if (message->fact == FACT_EXPIRED && message->expires_ms != 0 && message->expires_ms < now)
        return message->expires_ms;
    return now;
}

static void tell(struct message *message, void *arg)
{
    struct message_facts *facts = arg;
    struct event_outlets *outlets = facts->outlets;

    loop_assert_owner(outlets->job->loop);
    if ((outlets->types & 1U << message->fact) == 0) {
        partition_resolve(message);
        return;
    }
    struct message_fact_write *write = mem_zalloc(sizeof *write);
    write->facts = facts;
    write->message = message_ref(message);
    write->ticket.done = on_written;
    write->at_ms = when(facts, message);
    facts->n++;
    STAILQ_INSERT_TAIL(&facts->waiting, write, link);
    loop_defer(outlets->job->loop, &outlets->pump);
}

void message_facts_init(struct message_facts *facts, struct event_outlets *outlets)
{
    *facts = (struct message_facts){.outlets = outlets};
    STAILQ_INIT(&facts->waiting);
    if ((outlets->types & EVENTS_OF_MESSAGES) == 0)
        return;
    outlets->job->tell_fact = tell;
    outlets->job->tell_arg = facts;
}

void message_facts_close(struct message_facts *facts)
{
    struct message_fact_write *write;

    facts->outlets->job->tell_fact = NULL;
    while ((write = STAILQ_TAKE(&facts->waiting, link)) != NULL)
        write_free(write);
}

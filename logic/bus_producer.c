/* bus_produce ─► gathered ─► flush, end of turn, paced ─► bus_client (librdkafka's queue) ══► Kafka
 *      done() ◄── on_report ◄────────────────────────────── delivery reports ◄──────────────────┘
 *
 * librdkafka's own linger would make every message wait, also a lone one: it is 0.
 *
 * "Accepted means durable" rests here: enable.idempotence (no duplicates, no reordering on
 * retries), acks=all, and done() with 0 only for a delivery report without error.
 *
 * An idempotent producer can fail for good (docs/operations.md has the list). Then another takes
 * its place, and what came meanwhile waits in its order:
 *
 *          ┌─ on_error: fatal ───────► DRAINING: nothing is handed over; what it has not sent is
 *          │  hand_over: ERR__FATAL    │          purged, what is on its way is reported still
 *        OPEN                          │ on_settle: no report is due, or they are overdue (those
 *          ▲                           ▼            messages fail: nobody knows whether Kafka has
 *          └── on_renew: paced ──── RESTING         them)
 *
 * So a message of the new one never overtakes one whose fate is open, and none is produced twice.
 */
#include "logic/bus_producer.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/pace.h"
#include "logic/bus_client.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    BURST = 4,
    LOOK_MS = 100,     /* at what waits for a new client */
    OVERDUE_MS = 1000, /* after bus.timeout librdkafka should have reported it */
    REST_MS = 1000,    /* before the second new client in a row; doubled for each further one */
    REST_DOUBLINGS = 5,
    HELD_BYTES = 64 * 1024 * 1024, /* of messages that wait for a new client */
};

enum producer_state { PRODUCER_OPEN, PRODUCER_DRAINING, PRODUCER_RESTING };

struct tickets {
    struct bus_ticket *head, **tail;
};

struct bus_producer {
    struct logic *logic;
    enum producer_state state;
    struct bus_client *client;  /* NULL: resting */
    struct bus_client *retired; /* being destroyed */
    struct tickets gathered;    /* not with librdkafka yet, in order */
    size_t gathered_bytes;
    struct bus_ticket *waiting; /* for their reports */
    size_t outstanding;         /* both */
    struct pace pace;
    struct loop_task flush, settle;
    uv_timer_t pause;  /* until the next flush */
    uv_timer_t look;   /* while there is no client to hand over to */
    uint64_t since_ms; /* in this state */
    unsigned in_a_row; /* clients that failed without having delivered anything */
    bool answers;      /* as /readyz was told */
    bool seen;         /* a broker has answered once */
};

static uint64_t now_ms(const struct bus_producer *producer)
{
    return loop_now_ms(producer->logic->loop);
}

static void producer_enter(struct bus_producer *producer, enum producer_state state)
{
    producer->state = state;
    producer->since_ms = now_ms(producer);
}

/* --- tickets --- */

static void ticket_wait(struct bus_producer *producer, struct bus_ticket *ticket)
{
    ticket->next = producer->waiting;
    ticket->prev = &producer->waiting;
    if (ticket->next != NULL)
        ticket->next->prev = &ticket->next;
    producer->waiting = ticket;
}

static void ticket_end(struct bus_producer *producer, struct bus_ticket *ticket, int err,
                       const char *why)
{
    producer->outstanding--;
    ticket->done(ticket, err, why);
}

static void ticket_done(struct bus_producer *producer, struct bus_ticket *ticket, int err,
                        const char *why)
{
    *ticket->prev = ticket->next;
    if (ticket->next != NULL)
        ticket->next->prev = ticket->prev;
    ticket_end(producer, ticket, err, why);
    if (producer->waiting == NULL && producer->state == PRODUCER_DRAINING)
        loop_defer(producer->logic->loop, &producer->settle);
}

static void gathered_add(struct bus_producer *producer, struct bus_ticket *ticket)
{
    ticket->next = NULL;
    *producer->gathered.tail = ticket;
    producer->gathered.tail = &ticket->next;
    producer->gathered_bytes += ticket->message.value_len;
    producer->outstanding++;
}

static struct bus_ticket *gathered_pop(struct bus_producer *producer)
{
    struct bus_ticket *ticket = producer->gathered.head;

    producer->gathered.head = ticket->next;
    if (ticket->next == NULL)
        producer->gathered.tail = &producer->gathered.head;
    producer->gathered_bytes -= ticket->message.value_len;
    return ticket;
}

/* Those gathered before SINCE_MS. */
static void gathered_fail(struct bus_producer *producer, uint64_t since_ms, int err,
                          const char *why)
{
    while (producer->gathered.head != NULL && producer->gathered.head->since_ms < since_ms) {
        struct bus_ticket *ticket = gathered_pop(producer);
        free(ticket->message.value);
        ticket_end(producer, ticket, err, why);
    }
}

static void waiting_fail(struct bus_producer *producer, int err, const char *why)
{
    while (producer->waiting != NULL)
        ticket_done(producer, producer->waiting, err, why);
}

/* --- readiness --- */

static void tell_ready(struct bus_producer *producer, bool answers, const char *why)
{
    if (producer->answers == answers || producer->state != PRODUCER_OPEN)
        return;
    producer->answers = answers;
    daemon_ready(producer->logic->daemon, "bus", answers, why);
    if (!answers)
        bus_client_ask(producer->client);
}

/* --- a new client --- */

static void client_open(struct bus_producer *producer);

static void on_look(uv_timer_t *timer);

static void producer_replace(struct bus_producer *producer, const char *why)
{
    char text[320];

    if (producer->state != PRODUCER_OPEN)
        return;
    producer_enter(producer, PRODUCER_DRAINING);
    logic_count(producer->logic, LOGIC_PRODUCER_RESTARTS, 1);
    log_error("bus producer failed for good, another takes over", "outstanding=%zu err=\"%s\"",
              producer->outstanding, why);
    snprintf(text, sizeof text, "the bus producer failed and is replaced: %s", why);
    producer->answers = false;
    daemon_ready(producer->logic->daemon, "bus", false, text);
    bus_client_purge(producer->client);
    uv_timer_start(&producer->look, on_look, LOOK_MS, LOOK_MS);
    loop_defer(producer->logic->loop, &producer->settle);
}

static void on_retired(void *arg)
{
    struct bus_producer *producer = arg;

    producer->retired = NULL;
}

/* Nothing of the old client is open any more. */
static void on_settle(struct loop *loop, struct loop_task *task)
{
    struct bus_producer *producer = container_of(task, struct bus_producer, settle);

    (void)loop;
    if (producer->state != PRODUCER_DRAINING || producer->waiting != NULL)
        return;
    producer->retired = producer->client;
    producer->client = NULL;
    bus_client_retire(producer->retired, on_retired, producer);
    producer_enter(producer, PRODUCER_RESTING);
    on_look(&producer->look);
}

static uint64_t rest_ms(const struct bus_producer *producer)
{
    unsigned n = producer->in_a_row;

    if (n == 0)
        return 0;
    return (uint64_t)REST_MS << (n <= REST_DOUBLINGS ? n - 1 : REST_DOUBLINGS);
}

static void renew(struct bus_producer *producer)
{
    if (producer->retired != NULL || now_ms(producer) < producer->since_ms + rest_ms(producer))
        return;
    producer->in_a_row++;
    client_open(producer);
}

/* What librdkafka puts back into its queue, to try again, is purged there. */
static void drain(struct bus_producer *producer)
{
    uint64_t most = (uint64_t)producer->logic->config->bus_timeout_ms + OVERDUE_MS;

    bus_client_purge(producer->client);
    if (now_ms(producer) < producer->since_ms + most)
        return;
    log_warn("bus reports overdue", "messages given up=%zu",
             producer->outstanding); /* some of them only wait */
    waiting_fail(producer, -EIO, "the bus producer failed before Kafka confirmed it");
}

static void on_look(uv_timer_t *timer)
{
    struct bus_producer *producer = container_of(timer, struct bus_producer, look);
    uint64_t now = now_ms(producer), timeout = (uint64_t)producer->logic->config->bus_timeout_ms;

    if (now > timeout)
        gathered_fail(producer, now - timeout, -EIO, "the bus producer is being replaced");
    if (producer->state == PRODUCER_DRAINING)
        drain(producer);
    else if (producer->state == PRODUCER_RESTING)
        renew(producer);
}

/* --- producing --- */

static bool can_produce(const struct bus_producer *producer)
{
    return producer->state == PRODUCER_OPEN && bus_client_answers(producer->client);
}

/* False: not now, and the ticket stays where it is. */
static bool hand_over(struct bus_producer *producer, struct bus_ticket *ticket)
{
    rd_kafka_resp_err_t code = bus_client_produce(producer->client, &ticket->message, ticket);

    if (code == RD_KAFKA_RESP_ERR__FATAL) { /* its event is still to come */
        producer_replace(producer, rd_kafka_err2str(code));
        return false;
    }
    (void)gathered_pop(producer);
    ticket_wait(producer, ticket);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return true;
    const char *why = rd_kafka_err2str(code);
    log_warn("bus refused a message", "bytes=%zu err=\"%s\"", ticket->message.value_len, why);
    free(ticket->message.value);
    ticket_done(producer, ticket, code == RD_KAFKA_RESP_ERR__QUEUE_FULL ? -ENOBUFS : -EIO, why);
    return true;
}

static void on_pause_over(uv_timer_t *timer)
{
    struct bus_producer *producer = container_of(timer, struct bus_producer, pause);

    loop_defer(producer->logic->loop, &producer->flush);
}

static void on_flush(struct loop *loop, struct loop_task *task)
{
    struct bus_producer *producer = container_of(task, struct bus_producer, flush);
    uint64_t now = loop_now_ms(loop), wait = pace_wait(&producer->pace, now);

    if (producer->gathered.head == NULL || !can_produce(producer))
        return;
    if (wait > 0) {
        uv_timer_start(&producer->pause, on_pause_over, wait, 0);
        return;
    }
    pace_spend(&producer->pace, now);
    while (producer->gathered.head != NULL && hand_over(producer, producer->gathered.head))
        continue;
}

int bus_produce(struct bus_producer *producer, const struct bus_message *message,
                struct bus_ticket *ticket, const char **why)
{
    if (!producer->seen) {
        *why = "no Kafka broker has answered yet";
        return -EAGAIN;
    }
    if (!can_produce(producer) && producer->gathered_bytes > HELD_BYTES) {
        *why = "the bus producer is being replaced, and too much waits for it already";
        return -EAGAIN;
    }
    ticket->message = *message;
    ticket->since_ms = now_ms(producer);
    gathered_add(producer, ticket);
    if (!uv_is_active((uv_handle_t *)&producer->pause))
        loop_defer(producer->logic->loop, &producer->flush);
    return 0;
}

size_t bus_producer_outstanding(const struct bus_producer *producer)
{
    return producer->outstanding;
}

/* --- events --- */

static void on_report(const rd_kafka_message_t *message, void *arg)
{
    struct bus_producer *producer = arg;

    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        producer->in_a_row = 0;
        tell_ready(producer, true, "");
        ticket_done(producer, message->_private, 0, "");
        return;
    }
    const char *why = rd_kafka_err2str(message->err);
    log_warn("bus did not take a message", "topic=%s partition=%d err=\"%s\"",
             producer->logic->config->bus_topic, (int)message->partition, why);
    tell_ready(producer, false, why);
    ticket_done(producer, message->_private, -EIO, why);
}

static void on_error(rd_kafka_resp_err_t code, bool fatal, const char *text, void *arg)
{
    struct bus_producer *producer = arg;

    if (fatal) {
        producer_replace(producer, text);
        return;
    }
    log_warn("bus", "err=%s text=\"%s\"", rd_kafka_err2name(code), text);
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        tell_ready(producer, false, "no Kafka broker can be reached: see bus.brokers");
}

static void on_answered(bool ok, const char *why, void *arg)
{
    struct bus_producer *producer = arg;
    const struct logic_config *config = producer->logic->config;

    if (producer->state != PRODUCER_OPEN)
        return;
    if (ok)
        log_info("bus answers", "brokers=%s topic=%s", config->bus_brokers, config->bus_topic);
    else
        log_warn("bus does not answer", "brokers=%s topic=%s err=\"%s\"", config->bus_brokers,
                 config->bus_topic, why);
    producer->answers = ok;
    daemon_ready(producer->logic->daemon, "bus", ok, why);
    if (!ok)
        return;
    producer->seen = true;
    uv_timer_stop(&producer->look);
    loop_defer(producer->logic->loop, &producer->flush);
}

/* --- life --- */

static const struct bus_client_events client_events = {
    .answered = on_answered, .report = on_report, .error = on_error};

/* Fails: rests, and is tried again. */
static void client_open(struct bus_producer *producer)
{
    char err[512];

    if (bus_client_open(producer->logic, &client_events, producer, &producer->client, err,
                        sizeof err) == 0) {
        producer_enter(producer, PRODUCER_OPEN);
        return;
    }
    log_error("bus producer cannot start", "err=\"%s\" hint=\"see the [bus] settings\"", err);
    producer_enter(producer, PRODUCER_RESTING);
}

int bus_producer_open(struct logic *logic, struct bus_producer **out)
{
    struct bus_producer *producer = mem_zalloc(sizeof *producer);

    producer->logic = logic;
    producer->flush.run = on_flush;
    producer->settle.run = on_settle;
    producer->pace =
        (struct pace){.period_ms = (uint32_t)logic->config->bus_linger_ms, .burst = BURST};
    producer->gathered.tail = &producer->gathered.head;
    uv_timer_init(&logic->loop->uv, &producer->pause);
    uv_timer_init(&logic->loop->uv, &producer->look);
    daemon_ready(logic->daemon, "bus", false, "no Kafka broker has answered yet: see bus.brokers");
    client_open(producer);
    if (producer->client == NULL) {
        bus_producer_close(producer);
        return -EINVAL;
    }
    *out = producer;
    return 0;
}

static void on_look_closed(uv_handle_t *handle)
{
    struct bus_producer *producer = container_of((uv_timer_t *)handle, struct bus_producer, look);

    /* A turn's tasks run before it closes handles. */
    assert(!producer->flush.queued && !producer->settle.queued);
    free(producer);
}

void bus_producer_close(struct bus_producer *producer)
{
    if (producer == NULL)
        return;
    producer_enter(producer, PRODUCER_RESTING);
    gathered_fail(producer, UINT64_MAX, -ECANCELED, "logic stops");
    waiting_fail(producer, -ECANCELED, "logic stops");
    bus_client_close(producer->client);
    if (producer->retired != NULL)
        bus_client_forget(producer->retired);
    uv_close((uv_handle_t *)&producer->pause, NULL);
    uv_close((uv_handle_t *)&producer->look, on_look_closed);
}

/* kafka_produce ─► gathered ─► flush, end of turn, paced ─► producer_instance, librdkafka ══► Kafka
 *        done() ◄── on_report ◄─────────────────────────── delivery reports ◄─────────────────┘
 *
 * librdkafka's own linger is 0, because with it even a lone message would wait.
 *
 * The promise that an accepted push is durable rests on three things. Retries neither duplicate nor
 * reorder messages (enable.idempotence). Every in-sync replica has the message (acks=all). And
 * done() gets 0 only after a delivery report without error.
 *
 * An idempotent producer can fail for good (docs/operations.md has the list). Then a new one
 * replaces it, and messages that come meanwhile wait in their order:
 *
 *          ┌─ on_error: fatal ───────► DRAINING: nothing is handed over; what it has not sent is
 *          │  hand_over: ERR__FATAL    │          purged, what is on its way is reported still
 *        OPEN                          │ on_drained: no report is due, or they are overdue (those
 *          ▲                           ▼            messages fail: nobody knows whether Kafka has
 *          └── on_renew: paced ──── RESTING         them)
 *
 * So the new one produces nothing while the fate of an earlier message is open. */
#include "logic/push/kafka_producer.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/pace.h"
#include "common/base/time.h"
#include "common/kafka/kafka.h"
#include "common/kafka/shutdown.h"
#include "logic/base/bus.h"
#include "logic/push/partition_count.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    BURST = 4,
    LOOK_EVERY_MS = 100, /* how often to look at messages that wait for a new client */
    OVERDUE_MS = 1000,   /* so long after bus.timeout, a missing report is overdue */
    REST_MS = 1000,      /* before the second new client in a row; then doubled each time */
    REST_DOUBLINGS = 5,
    HELD_BYTES = 64 * 1024 * 1024, /* bytes of messages that may wait for a new client */
};

enum producer_state { PRODUCER_OPEN, PRODUCER_DRAINING, PRODUCER_RESTING };

TAILQ_HEAD(tickets, kafka_ticket);

struct kafka_producer {
    struct logic *logic;
    enum producer_state state;
    struct producer_instance *client; /* NULL in state RESTING */
    struct kafka_shutdown *retired;   /* the former client, which is being destroyed */
    struct partition_count *agree;    /* the number of partitions that logics agree on */
    const struct partition_permit *permit;
    struct tickets gathered; /* tickets that librdkafka does not have yet, in order */
    size_t gathered_bytes;
    struct tickets waiting; /* tickets that wait for their reports */
    size_t outstanding;     /* tickets in both lists */
    struct pace pace;
    struct loop_task flush, drained;
    uv_timer_t pause;    /* runs until the next flush */
    uv_timer_t look;     /* runs while there is no client that takes messages */
    uint64_t since_ms;   /* loop time at which this state began */
    unsigned in_a_row;   /* how many clients in a row failed without delivering anything */
    int64_t max_bytes;   /* limit of a batch: the topic's max.message.bytes, or our guess */
    int64_t topic_bytes; /* what the topic told this client last, while OPEN; 0: nothing yet */
    bool answers;        /* the ready condition "bus" holds */
    bool seen;           /* a broker has answered at least once */
    bool proven;         /* Kafka took the last message */
    bool probing;        /* a probe has no report yet */
    bool failed;         /* the client could not be opened, or cannot finish draining */
};

static uint64_t now_ms(const struct kafka_producer *producer)
{
    return loop_now_ms(producer->logic->loop);
}

static void producer_enter(struct kafka_producer *producer, enum producer_state state)
{
    producer->state = state;
    producer->since_ms = now_ms(producer);
    producer->topic_bytes = 0;
}

/* --- tickets --- */

static void ticket_end(struct kafka_producer *producer, struct kafka_ticket *ticket, int err,
                       const char *why)
{
    producer->outstanding--;
    ticket->done(ticket, err, why);
}

static void ticket_done(struct kafka_producer *producer, struct kafka_ticket *ticket, int err,
                        const char *why)
{
    TAILQ_REMOVE(&producer->waiting, ticket, link);
    ticket_end(producer, ticket, err, why);
    if (TAILQ_EMPTY(&producer->waiting) && producer->state == PRODUCER_DRAINING)
        loop_defer(producer->logic->loop, &producer->drained);
}

static void gathered_remove(struct kafka_producer *producer, struct kafka_ticket *ticket)
{
    TAILQ_REMOVE(&producer->gathered, ticket, link);
    producer->gathered_bytes -= ticket->message.value_len;
}

/* Fails the gathered tickets that are older than SINCE_MS. */
static void gathered_fail(struct kafka_producer *producer, uint64_t since_ms, int err,
                          const char *why)
{
    struct kafka_ticket *ticket;

    while ((ticket = TAILQ_FIRST(&producer->gathered)) != NULL && ticket->since_ms < since_ms) {
        gathered_remove(producer, ticket);
        kafka_message_drop(&ticket->message);
        ticket_end(producer, ticket, err, why);
    }
}

static void waiting_fail(struct kafka_producer *producer, int err, const char *why)
{
    while (!TAILQ_EMPTY(&producer->waiting))
        ticket_done(producer, TAILQ_FIRST(&producer->waiting), err, why);
}

/* --- readiness --- */

static void tell_ready(struct kafka_producer *producer, bool answers, const char *why)
{
    if (!answers && !producer->answers)
        log_debug("bus still not ready", "err=\"%s\"", why);
    if (producer->answers == answers)
        return;
    producer->answers = answers;
    daemon_ready(producer->logic->daemon, "bus", answers, why);
}

static void tell_reason(struct kafka_producer *producer, rd_kafka_resp_err_t code, const char *text)
{
    char why[320];

    if (!kafka_refusal(code, producer->logic->config->bus_topic, "Describe and Write", why,
                       sizeof why))
        snprintf(why, sizeof why, "%s", text);
    daemon_ready(producer->logic->daemon, "bus", false, why);
    producer->answers = false;
}

/* Produces a probe. A broker that answers and has the topic may still refuse messages. Only a
 * message that it takes proves that it takes messages. */
static void probe(struct kafka_producer *producer)
{
    int partitions = kafka_producer_partitions(producer);

    if (producer->probing || partitions == 0)
        return;
    rd_kafka_resp_err_t code = producer_instance_probe(producer->client, partitions);
    producer->probing = code == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!producer->probing)
        tell_reason(producer, code, rd_kafka_err2str(code));
}

static void unproven(struct kafka_producer *producer, rd_kafka_resp_err_t code, const char *why)
{
    producer->proven = false;
    if (producer->state != PRODUCER_OPEN)
        return;
    tell_reason(producer, code, why);
    producer_instance_ask(producer->client); /* a probe follows its answer */
}

static void proven(struct kafka_producer *producer)
{
    producer->proven = true;
    producer->in_a_row = 0;
    if (producer->state == PRODUCER_OPEN)
        tell_ready(producer, true, "");
}

/* --- a new client --- */

static void client_open(struct kafka_producer *producer);
static void on_look(uv_timer_t *timer);

static void producer_drain(struct kafka_producer *producer)
{
    producer_enter(producer, PRODUCER_DRAINING);
    uv_timer_start(&producer->look, on_look, LOOK_EVERY_MS, LOOK_EVERY_MS);
    loop_defer(producer->logic->loop, &producer->drained);
}

static void producer_replace(struct kafka_producer *producer, rd_kafka_resp_err_t code,
                             const char *why)
{
    char text[320];

    if (producer->state != PRODUCER_OPEN)
        return;
    logic_count(producer->logic, LOGIC_PRODUCER_RESTARTS, 1);
    log_error("bus producer failed for good, another takes over", "outstanding=%zu err=\"%s\"",
              producer->outstanding, why);
    snprintf(text, sizeof text, "the bus producer failed and is replaced: %s", why);
    tell_reason(producer, code, text);
    producer->proven = false;
    producer->failed = true;
    producer_drain(producer);
    producer_instance_purge(producer->client);
}

/* Replaces the client by one with another limit, since the limit is fixed when a client is made.
 * Waits for messages that are under way, so none fails. */
static void producer_resize(struct kafka_producer *producer, int64_t max_bytes)
{
    max_bytes = producer_limit(max_bytes);
    if (producer->state != PRODUCER_OPEN ||
        producer_instance_max_bytes(producer->client) == max_bytes)
        return;
    log_info("the topic's limit", "topic=%s max.message.bytes=%lld",
             producer->logic->config->bus_topic, (long long)max_bytes);
    producer->max_bytes = max_bytes;
    producer->failed = false;
    producer_drain(producer);
}

/* Why no message can be produced now; NULL: it can. */
static const char *refusal(const struct kafka_producer *producer)
{
    if (producer->state != PRODUCER_OPEN)
        return "the bus producer is being replaced";
    if (!producer_instance_answers(producer->client))
        return "Kafka has not answered yet";
    return kafka_producer_partitions(producer) > 0 ? NULL
                                                   : partition_count_refusal(producer->agree);
}

/* The fate of every message of the old client is known: closes it. */
static void on_drained(struct loop *loop, struct loop_task *task)
{
    struct kafka_producer *producer = container_of(task, struct kafka_producer, drained);

    (void)loop;
    if (producer->state != PRODUCER_DRAINING || !TAILQ_EMPTY(&producer->waiting))
        return;
    producer->retired = producer_instance_close(producer->client);
    producer->client = NULL;
    producer->probing = false;
    producer_enter(producer, PRODUCER_RESTING);
    on_look(&producer->look);
}

static uint64_t rest_ms(const struct kafka_producer *producer)
{
    unsigned n = producer->in_a_row;

    if (n == 0)
        return 0;
    return (uint64_t)REST_MS << (n <= REST_DOUBLINGS ? n - 1 : REST_DOUBLINGS);
}

static void renew(struct kafka_producer *producer)
{
    if (!kafka_shutdown_reap(&producer->retired) ||
        now_ms(producer) < producer->since_ms + rest_ms(producer))
        return;
    producer->in_a_row += producer->failed;
    client_open(producer);
}

/* librdkafka puts messages back into its queue to try them again; purges those. */
static void drain(struct kafka_producer *producer)
{
    uint64_t most = (uint64_t)producer->logic->config->bus_timeout_ms + OVERDUE_MS;

    if (producer->failed)
        producer_instance_purge(producer->client);
    if (now_ms(producer) < producer->since_ms + most)
        return;
    log_warn("bus reports overdue", "given_up=%zu",
             producer->outstanding); /* some of them were not sent at all */
    waiting_fail(producer, -EIO, "the bus producer failed before Kafka confirmed it");
}

static void on_look(uv_timer_t *timer)
{
    struct kafka_producer *producer = container_of(timer, struct kafka_producer, look);
    uint64_t now = now_ms(producer), timeout = (uint64_t)producer->logic->config->bus_timeout_ms;
    const char *why = refusal(producer);

    if (why == NULL) {
        uv_timer_stop(&producer->look);
        loop_defer(producer->logic->loop, &producer->flush);
        return;
    }
    if (now > timeout)
        gathered_fail(producer, now - timeout, -EIO, why);
    if (producer->state == PRODUCER_DRAINING)
        drain(producer);
    else if (producer->state == PRODUCER_RESTING)
        renew(producer);
}

/* --- producing --- */

/* Gives TICKET's message to librdkafka. False: not possible now, and the ticket stays in its
 * list. */
static bool hand_over(struct kafka_producer *producer, struct kafka_ticket *ticket)
{
    rd_kafka_resp_err_t code =
        producer_instance_produce(producer->client, &ticket->message, producer->permit->n, ticket);

    if (code == RD_KAFKA_RESP_ERR__FATAL) { /* the event with the error is still to come */
        producer_replace(producer, code, rd_kafka_err2str(code));
        return false;
    }
    gathered_remove(producer, ticket);
    TAILQ_INSERT_HEAD(&producer->waiting, ticket, link);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return true;
    const char *why = rd_kafka_err2str(code);
    log_warn("bus refused a message", "bytes=%zu err=\"%s\"", ticket->message.value_len, why);
    kafka_message_drop(&ticket->message);
    ticket_done(producer, ticket, code == RD_KAFKA_RESP_ERR__QUEUE_FULL ? -ENOBUFS : -EIO, why);
    return true;
}

static void on_pause_over(uv_timer_t *timer)
{
    struct kafka_producer *producer = container_of(timer, struct kafka_producer, pause);

    loop_defer(producer->logic->loop, &producer->flush);
}

static void on_flush(struct loop *loop, struct loop_task *task)
{
    struct kafka_producer *producer = container_of(task, struct kafka_producer, flush);
    uint64_t now = loop_now_ms(loop), wait = pace_wait(&producer->pace, now);

    if (TAILQ_EMPTY(&producer->gathered) || refusal(producer) != NULL)
        return;
    if (wait > 0) {
        uv_timer_start(&producer->pause, on_pause_over, wait, 0);
        return;
    }
    pace_spend(&producer->pace, now);
    while (!TAILQ_EMPTY(&producer->gathered) &&
           hand_over(producer, TAILQ_FIRST(&producer->gathered)))
        continue;
}

int kafka_produce(struct kafka_producer *producer, const struct kafka_message *message,
                  struct kafka_ticket *ticket, const char **why)
{
    loop_assert_owner(producer->logic->loop);
    if (!producer->seen) {
        *why = "no Kafka broker has answered yet";
        return -EAGAIN;
    }
    const char *refused = refusal(producer);
    if (refused != NULL && producer->gathered_bytes > HELD_BYTES) {
        *why = refused;
        return -EAGAIN;
    }
    if (refused != NULL && !uv_is_active((uv_handle_t *)&producer->look))
        uv_timer_start(&producer->look, on_look, LOOK_EVERY_MS, LOOK_EVERY_MS);
    ticket->message = *message;
    ticket->since_ms = now_ms(producer);
    ticket->since_us = time_mono_us();
    TAILQ_INSERT_TAIL(&producer->gathered, ticket, link);
    producer->gathered_bytes += ticket->message.value_len;
    producer->outstanding++;
    if (!uv_is_active((uv_handle_t *)&producer->pause))
        loop_defer(producer->logic->loop, &producer->flush);
    return 0;
}

size_t kafka_producer_most(const struct kafka_producer *producer)
{
    int64_t most = producer->max_bytes; /* which is never below librdkafka's least */

    if (producer->topic_bytes > 0 && producer->topic_bytes < most)
        most = producer->topic_bytes;
    return producer_message_most(most);
}

/* --- events --- */

/* The topic takes less than we thought, and we cannot ask how much. Halves the limit until messages
 * fit. */
static void too_large(struct kafka_producer *producer)
{
    int64_t half = producer_instance_max_bytes(producer->client) / 2;

    producer_instance_ask(producer->client);
    if (producer->topic_bytes > 0)
        return; /* the limit was lowered since; the topic is being asked */
    producer_resize(producer, half);
}

static void probed(struct kafka_producer *producer, rd_kafka_resp_err_t code)
{
    producer->probing = false;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        proven(producer);
    else if (producer->state == PRODUCER_OPEN)
        tell_reason(producer, code, rd_kafka_err2str(code));
}

/* Is CODE about one message, so that it says nothing about Kafka? */
static bool is_its_own_fault(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
           code == RD_KAFKA_RESP_ERR_INVALID_RECORD || code == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE;
}

static void on_report(const rd_kafka_message_t *message, void *arg)
{
    struct kafka_producer *producer = arg;
    struct kafka_ticket *ticket = message->_private;

    if (ticket == NULL) {
        probed(producer, message->err);
        return;
    }
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        ticket->partition = message->partition;
        ticket->offset = message->offset;
        proven(producer);
        logic_took(producer->logic, LOGIC_PRODUCE_TIME, ticket->since_us);
        ticket_done(producer, ticket, 0, "");
        return;
    }
    const char *why = rd_kafka_err2str(message->err);
    log_warn("bus did not take a message", "topic=%s partition=%d bytes=%zu err=\"%s\"",
             producer->logic->config->bus_topic, (int)message->partition, message->len, why);
    if (message->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        too_large(producer);
    if (!is_its_own_fault(message->err))
        unproven(producer, message->err, why);
    ticket_done(producer, ticket, -EIO, why);
}

static void on_error(rd_kafka_resp_err_t code, bool fatal, const char *text, void *arg)
{
    struct kafka_producer *producer = arg;

    if (fatal) {
        producer_replace(producer, code, text);
        return;
    }
    log_warn("bus", "err=%s text=\"%s\"", rd_kafka_err2name(code), text);
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        unproven(producer, code, "no Kafka broker can be reached: see bus.brokers");
    else if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR__SSL)
        unproven(producer, code, text);
}

static void on_topic_missing(struct kafka_producer *producer, const char *why)
{
    const struct logic_config *config = producer->logic->config;

    log_warn("bus does not answer", "brokers=%s topic=%s err=\"%s\"", config->bus_brokers,
             config->bus_topic, why);
    producer->proven = producer->answers = false;
    daemon_ready(producer->logic->daemon, "bus", false, why);
}

static void on_answered(bool ok, const char *why, void *arg)
{
    struct kafka_producer *producer = arg;
    const struct logic_config *config = producer->logic->config;

    if (producer->state != PRODUCER_OPEN)
        return;
    producer->topic_bytes = producer_instance_topic_max_bytes(producer->client);
    if (!ok) {
        on_topic_missing(producer, why);
        return;
    }
    partition_count_saw(producer->agree, producer_instance_partitions(producer->client),
                        producer_instance_seen_ms(producer->client));
    if (producer->topic_bytes > 0)
        producer_resize(producer, producer->topic_bytes);
    if (producer->state != PRODUCER_OPEN)
        return;
    if (!producer->proven) {
        log_info("bus answers", "brokers=%s topic=%s", config->bus_brokers, config->bus_topic);
        probe(producer);
    }
    producer->seen = true;
    loop_defer(producer->logic->loop, &producer->flush);
}

/* --- partitions --- */

static bool is_idle(void *arg)
{
    struct kafka_producer *producer = arg;

    return TAILQ_EMPTY(&producer->waiting) && !producer->probing &&
           kafka_shutdown_reap(&producer->retired);
}

static void on_opened(void *arg)
{
    struct kafka_producer *producer = arg;

    if (producer->state != PRODUCER_OPEN || !producer_instance_answers(producer->client))
        return;
    if (!producer->proven)
        probe(producer);
    loop_defer(producer->logic->loop, &producer->flush);
}

static const struct partition_count_events agree_events = {.idle = is_idle, .opened = on_opened};

int kafka_producer_partitions(const struct kafka_producer *producer)
{
    return partition_permit_now(producer->permit, now_ms(producer));
}

/* --- life --- */

static const struct producer_instance_events client_events = {
    .answered = on_answered, .report = on_report, .error = on_error};

/* Opens a client. If that fails, we rest and try again. */
static void client_open(struct kafka_producer *producer)
{
    const struct logic_config *config = producer->logic->config;
    const struct producer_options options = {.topic = config->bus_topic,
                                             .partitions = (int)config->bus_partitions,
                                             .max_bytes = producer->max_bytes,
                                             .timeout_ms = config->bus_timeout_ms};
    const struct producer_bus bus = logic_producer_bus(producer->logic);
    int err = producer_instance_open(&bus, &options, &client_events, producer, &producer->client);

    producer_enter(producer, err == 0 ? PRODUCER_OPEN : PRODUCER_RESTING);
    producer->failed = true; /* until a client is open */
}

int kafka_producer_open(struct logic *logic, struct kafka_producer **out)
{
    struct kafka_producer *producer = mem_zalloc(sizeof *producer);

    loop_assert_owner(logic->loop);
    producer->logic = logic;
    producer->max_bytes = PRODUCER_LIMIT_ASSUMED;
    producer->flush.run = on_flush;
    producer->drained.run = on_drained;
    producer->pace =
        (struct pace){.period_ms = (uint32_t)logic->config->bus_linger_ms, .burst = BURST};
    TAILQ_INIT(&producer->gathered);
    TAILQ_INIT(&producer->waiting);
    uv_timer_init(&logic->loop->uv, &producer->pause);
    uv_timer_init(&logic->loop->uv, &producer->look);
    daemon_ready(logic->daemon, "bus", false, "no Kafka broker has answered yet: see bus.brokers");
    producer->agree = partition_count_open(logic, &agree_events, producer);
    producer->permit = partition_count_permit(producer->agree);
    client_open(producer);
    if (producer->client == NULL) {
        kafka_producer_close(producer);
        return -EINVAL;
    }
    *out = producer;
    return 0;
}

static void on_look_closed(uv_handle_t *handle)
{
    struct kafka_producer *producer =
        container_of((uv_timer_t *)handle, struct kafka_producer, look);

    /* The tasks of a turn run before handles are closed. */
    assert(!producer->flush.queued && !producer->drained.queued);
    free(producer);
}

void kafka_producer_close(struct kafka_producer *producer)
{
    if (producer == NULL)
        return;
    loop_assert_owner(producer->logic->loop);
    producer_enter(producer, PRODUCER_RESTING);
    gathered_fail(producer, UINT64_MAX, -ECANCELED, "logic stops");
    waiting_fail(producer, -ECANCELED, "logic stops");
    if (producer->client != NULL)
        kafka_shutdown_forget(producer_instance_close(producer->client));
    partition_count_close(producer->agree);
    kafka_shutdown_forget(producer->retired);
    uv_close((uv_handle_t *)&producer->pause, NULL);
    uv_close((uv_handle_t *)&producer->look, on_look_closed);
}

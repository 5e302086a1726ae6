/* bus_produce ─► gathered ─► flush, end of turn, paced ─► librdkafka's queue ══► Kafka
 *      done() ◄── on_report ◄── bus_queue (eventfd) ◄── delivery reports ◄──────────┘
 *
 * librdkafka's own linger would make every message wait, also a lone one: it is 0.
 *
 * "Accepted means durable" rests here: enable.idempotence (no duplicates, no reordering on
 * retries), acks=all, and done() with 0 only for a delivery report without error. */
#include "logic/bus_producer.h"
#include "common/bus.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/pace.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { REPORTS_PER_TURN = 4096, QUEUE_KBYTES = 256 * 1024, BURST = 4 };

struct tickets {
    struct bus_ticket *head, **tail;
};

struct bus_producer {
    struct logic *logic;
    rd_kafka_t *kafka;
    rd_kafka_topic_t *topic; /* NULL until it is known to exist */
    rd_kafka_queue_t *events;
    struct bus_queue *queue;
    struct bus_topics *topics;
    struct tickets gathered;    /* not with librdkafka yet, in order */
    struct bus_ticket *waiting; /* for their reports */
    size_t outstanding;         /* both */
    struct pace pace;
    struct loop_task flush;
    uv_timer_t pause; /* until the next flush */
    bool answers;     /* as /readyz was told */
};

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
}

/* --- producing --- */

static void hand_over(struct bus_producer *producer, struct bus_ticket *ticket)
{
    const struct bus_message *message = &ticket->message;

    ticket_wait(producer, ticket);
    if (rd_kafka_produce(producer->topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_FREE,
                         message->value, message->value_len, message->key, message->key_len,
                         ticket) == 0)
        return;
    rd_kafka_resp_err_t code = rd_kafka_last_error();
    const char *why = rd_kafka_err2str(code);
    log_warn("bus refused a message", "bytes=%zu err=\"%s\"", message->value_len, why);
    free(message->value);
    ticket_done(producer, ticket, code == RD_KAFKA_RESP_ERR__QUEUE_FULL ? -ENOBUFS : -EIO, why);
}

static void tickets_init(struct tickets *tickets)
{
    tickets->head = NULL;
    tickets->tail = &tickets->head;
}

static struct bus_ticket *tickets_take(struct tickets *tickets)
{
    struct bus_ticket *head = tickets->head;

    tickets_init(tickets);
    return head;
}

static void hand_over_all(struct bus_producer *producer)
{
    struct bus_ticket *ticket = tickets_take(&producer->gathered);

    while (ticket != NULL) {
        struct bus_ticket *next = ticket->next;
        hand_over(producer, ticket);
        ticket = next;
    }
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

    if (producer->gathered.head == NULL)
        return;
    if (wait > 0) {
        uv_timer_start(&producer->pause, on_pause_over, wait, 0);
        return;
    }
    pace_spend(&producer->pace, now);
    hand_over_all(producer);
}

int bus_produce(struct bus_producer *producer, const struct bus_message *message,
                struct bus_ticket *ticket, const char **why)
{
    if (producer->topic == NULL) {
        *why = "no Kafka broker has answered yet";
        return -EAGAIN;
    }
    ticket->message = *message;
    ticket->next = NULL;
    *producer->gathered.tail = ticket;
    producer->gathered.tail = &ticket->next;
    producer->outstanding++;
    if (!uv_is_active((uv_handle_t *)&producer->pause))
        loop_defer(producer->logic->loop, &producer->flush);
    return 0;
}

size_t bus_producer_outstanding(const struct bus_producer *producer)
{
    return producer->outstanding;
}

/* --- events --- */

static void tell_ready(struct bus_producer *producer, bool answers, const char *why)
{
    if (producer->answers == answers)
        return;
    producer->answers = answers;
    daemon_ready(producer->logic->daemon, "bus", answers, why);
    if (!answers)
        bus_topics_ask(producer->topics);
}

static void on_report(struct bus_producer *producer, rd_kafka_event_t *event)
{
    const rd_kafka_message_t *message;

    while ((message = rd_kafka_event_message_next(event)) != NULL) {
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            tell_ready(producer, true, "");
            ticket_done(producer, message->_private, 0, "");
            continue;
        }
        const char *why = rd_kafka_err2str(message->err);
        log_warn("bus did not take a message", "topic=%s partition=%d err=\"%s\"",
                 producer->logic->config->bus_topic, (int)message->partition, why);
        tell_ready(producer, false, why);
        ticket_done(producer, message->_private, -EIO, why);
    }
}

static void on_error(struct bus_producer *producer, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const char *why = rd_kafka_event_error_string(event);
    char text[256];

    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        /* The idempotent producer cannot go on without breaking its promise; a restart begins anew.
         */
        code = rd_kafka_fatal_error(producer->kafka, text, sizeof text);
        log_error("bus producer failed for good",
                  "err=\"%s\" text=\"%s\" hint=\"restart this logic\"", rd_kafka_err2name(code),
                  text);
        tell_ready(producer, false, text);
        return;
    }
    log_warn("bus", "err=%s text=\"%s\"", rd_kafka_err2name(code), why);
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        tell_ready(producer, false, "no Kafka broker can be reached: see bus.brokers");
}

static bool on_events(rd_kafka_queue_t *queue, void *arg)
{
    struct bus_producer *producer = arg;
    size_t reports = 0;
    rd_kafka_event_t *event;

    while (reports < REPORTS_PER_TURN && (event = rd_kafka_queue_poll(queue, 0)) != NULL) {
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR) {
            reports += rd_kafka_event_message_count(event);
            on_report(producer, event);
        } else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR) {
            on_error(producer, event);
        }
        rd_kafka_event_destroy(event);
    }
    return reports >= REPORTS_PER_TURN;
}

/* Not before the topic was created: asking for one that is not there makes a broker create it, with
 * its own number of partitions. */
static bool open_topic(struct bus_producer *producer, const char **why)
{
    if (producer->topic == NULL)
        producer->topic =
            rd_kafka_topic_new(producer->kafka, producer->logic->config->bus_topic, NULL);
    if (producer->topic == NULL)
        *why = rd_kafka_err2str(rd_kafka_last_error());
    return producer->topic != NULL;
}

static void on_topic(bool ok, const char *why, void *arg)
{
    struct bus_producer *producer = arg;
    const struct logic_config *config = producer->logic->config;

    ok = ok && open_topic(producer, &why);
    if (ok)
        log_info("bus answers", "brokers=%s topic=%s", config->bus_brokers, config->bus_topic);
    else
        log_warn("bus does not answer", "brokers=%s topic=%s err=\"%s\"", config->bus_brokers,
                 config->bus_topic, why);
    producer->answers = ok;
    daemon_ready(producer->logic->daemon, "bus", ok, why);
}

/* --- life --- */

static rd_kafka_conf_t *configure(const struct logic_config *config, char *err, size_t errlen)
{
    rd_kafka_conf_t *conf = bus_conf_new(config->bus_brokers, "imc-logic", err, errlen);

    if (conf == NULL)
        return NULL;
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
    /* The operator's options come before what the promise needs: that cannot be switched off. */
    if (bus_conf_set_int(conf, "queue.buffering.max.kbytes", QUEUE_KBYTES, err, errlen) == 0 &&
        bus_conf_set_int(conf, "linger.ms", 0, err, errlen) == 0 &&
        bus_conf_options(conf, config->bus_options, err, errlen) == 0 &&
        bus_conf_set_int(conf, "message.timeout.ms", config->bus_timeout_ms, err, errlen) == 0 &&
        bus_conf_set(conf, "enable.idempotence", "true", err, errlen) == 0 &&
        bus_conf_set(conf, "acks", "all", err, errlen) == 0 &&
        bus_conf_set(conf, "partitioner", "murmur2_random", err, errlen) == 0)
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

static int open_queues(struct bus_producer *producer)
{
    const struct logic_config *config = producer->logic->config;
    struct loop *loop = producer->logic->loop;
    struct bus_topic topic = {
        .name = config->bus_topic,
        .partitions = (int)config->bus_partitions,
        .replication = (int)config->bus_replication,
    };

    producer->events = rd_kafka_queue_get_main(producer->kafka);
    int err = bus_queue_open(loop, producer->events, on_events, producer, &producer->queue);
    if (err != 0)
        return err;
    return bus_topics_open(loop, producer->kafka, &topic, on_topic, producer, &producer->topics);
}

int bus_producer_open(struct logic *logic, struct bus_producer **out)
{
    char err[512];
    struct bus_producer *producer = mem_zalloc(sizeof *producer);
    rd_kafka_conf_t *conf = configure(logic->config, err, sizeof err);

    producer->logic = logic;
    producer->flush.run = on_flush;
    producer->pace =
        (struct pace){.period_ms = (uint32_t)logic->config->bus_linger_ms, .burst = BURST};
    tickets_init(&producer->gathered);
    uv_timer_init(&logic->loop->uv, &producer->pause);
    daemon_ready(logic->daemon, "bus", false, "no Kafka broker has answered yet: see bus.brokers");
    if (conf == NULL)
        goto fail;
    producer->kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, err, sizeof err);
    if (producer->kafka == NULL) {
        rd_kafka_conf_destroy(conf);
        goto fail;
    }
    if (open_queues(producer) != 0) {
        snprintf(err, sizeof err, "no file descriptor left for the bus");
        goto fail;
    }
    *out = producer;
    return 0;

fail:
    log_error("bus producer cannot start", "err=\"%s\" hint=\"see the [bus] settings\"", err);
    bus_producer_close(producer);
    return -EINVAL;
}

static void on_pause_closed(uv_handle_t *handle)
{
    struct bus_producer *producer = container_of((uv_timer_t *)handle, struct bus_producer, pause);

    assert(!producer->flush.queued); /* a turn's tasks run before it closes handles */
    free(producer);
}

static void gathered_fail(struct bus_producer *producer)
{
    struct bus_ticket *ticket = tickets_take(&producer->gathered);

    while (ticket != NULL) {
        struct bus_ticket *next = ticket->next;
        free(ticket->message.value);
        ticket_end(producer, ticket, -ECANCELED, "logic stops");
        ticket = next;
    }
}

void bus_producer_close(struct bus_producer *producer)
{
    if (producer == NULL)
        return;
    gathered_fail(producer);
    while (producer->waiting != NULL)
        ticket_done(producer, producer->waiting, -ECANCELED, "logic stops");
    bus_topics_close(producer->topics);
    bus_queue_close(producer->queue);
    if (producer->events != NULL)
        rd_kafka_queue_destroy(producer->events);
    if (producer->topic != NULL)
        rd_kafka_topic_destroy(producer->topic);
    if (producer->kafka != NULL) {
        rd_kafka_purge(producer->kafka, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_destroy(producer->kafka);
    }
    uv_close((uv_handle_t *)&producer->pause, on_pause_closed);
}

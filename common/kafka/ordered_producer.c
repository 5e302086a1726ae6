/* ordered_producer_send ─► producer_instance, librdkafka ══► Kafka
 *       done() ◄── on_report ◄── delivery reports ◄────────┘
 *
 *          ┌─ a report with an error, a fatal one, or none for bus.timeout ─► give_up(), at the end
 *        OPEN                                                    │  of the turn: all that wait fail
 *          ▲                                                     ▼
 *          └── on_look: the former client is gone, paced ── RESTING
 *
 * No message has a deadline of its own. If one could fail alone, the next one of its partition
 * might get to Kafka before it. So a client that fails one message is thrown away with all that
 * wait, and the caller sends them again, in order. */
#include "common/kafka/ordered_producer.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/kafka/kafka.h"
#include "common/kafka/shutdown.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOOK_MS_EVERY = 100,
    REST_MS = 250, /* before the next client; doubled for each in a row that delivered nothing */
    REST_DOUBLINGS = 4,
    WHY_MAX = 320,
    TRUST_MS = 10000, /* so long after a failure, a topic that is there counts as ready again */
};

struct ordered_producer {
    struct ordered_options options;
    struct producer_instance *client;     /* NULL: resting */
    struct kafka_shutdown *retired;       /* the former client, which is being destroyed */
    TAILQ_HEAD(, ordered_ticket) waiting; /* without a report, oldest first */
    size_t bytes;                         /* of those */
    int64_t max_bytes;                    /* the topic's limit, or our guess */
    uint64_t since_ms;                    /* when this client was opened, or the rest began */
    uint64_t failed_ms;                   /* the last failure; 0: none */
    uint64_t looked_ms;                   /* the last look */
    uint64_t awake_ms;                    /* when the loop went on that had stood still; 0: never */
    unsigned in_a_row;                    /* clients in a row that delivered nothing */
    bool there;                           /* the topic is there */
    bool giving_up;                       /* give_up() is due */
    bool ready, told;                     /* the ready condition, once it was told */
    struct loop_task fail;
    uv_timer_t look;
};

static uint64_t now_ms(const struct ordered_producer *producer)
{
    return loop_now_ms(producer->options.bus.loop);
}

static void count(struct ordered_producer *producer, enum ordered_count what)
{
    producer->options.count(what, producer->options.arg);
}

static void tell_ready(struct ordered_producer *producer, bool ready, const char *why)
{
    if (producer->told && ready && producer->ready)
        return;
    producer->told = true;
    producer->ready = ready;
    producer->options.ready(ready, why, producer->options.arg);
}

/* --- tickets --- */

static void ticket_end(struct ordered_producer *producer, struct ordered_ticket *ticket, int err)
{
    TAILQ_REMOVE(&producer->waiting, ticket, link);
    producer->bytes -= ticket->bytes;
    count(producer, err == 0 ? ORDERED_PRODUCED : ORDERED_FAILED);
    ticket->done(ticket, err);
}

static void tickets_fail(struct ordered_producer *producer)
{
    while (!TAILQ_EMPTY(&producer->waiting))
        ticket_end(producer, TAILQ_FIRST(&producer->waiting), -EAGAIN);
}

/* --- a new client --- */

/* All that waits is to fail, at the end of this turn: the client must not be closed within one of
 * its events. */
static void fail_all(struct ordered_producer *producer, const char *why)
{
    if (producer->giving_up || producer->client == NULL)
        return;
    producer->giving_up = true;
    log_warn("another producer takes over", "of=%s topic=%s waiting=%zu why=\"%s\"",
             producer->options.name, producer->options.topic, producer->bytes, why);
    count(producer, ORDERED_RESTARTS);
    loop_defer(producer->options.bus.loop, &producer->fail);
}

static void fail_for(struct ordered_producer *producer, const char *why)
{
    if (producer->giving_up || producer->client == NULL)
        return;
    producer->failed_ms = now_ms(producer);
    tell_ready(producer, false, why);
    fail_all(producer, why);
}

static void fail_by(struct ordered_producer *producer, rd_kafka_resp_err_t code, const char *text)
{
    char why[WHY_MAX];

    if (!kafka_refusal(code, producer->options.topic, "Describe and Write", why, sizeof why))
        (void)snprintf(why, sizeof why, "%s", text);
    fail_for(producer, why);
}

static void give_up(struct loop *loop, struct loop_task *task)
{
    struct ordered_producer *producer = container_of(task, struct ordered_producer, fail);

    (void)loop;
    if (producer->client == NULL)
        return;
    producer->retired = producer_instance_close(producer->client);
    producer->client = NULL;
    producer->there = producer->giving_up = false;
    producer->since_ms = now_ms(producer);
    producer->in_a_row++;
    tickets_fail(producer);
}

/* --- events --- */

static void on_report(const rd_kafka_message_t *message, void *arg)
{
    struct ordered_producer *producer = arg;

    if (producer->giving_up) /* an earlier one has failed, so none may be taken before it is */
        return;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        producer->in_a_row = 0;
        producer->failed_ms = 0;
        tell_ready(producer, true, "");
        ticket_end(producer, message->_private, 0);
        return;
    }
    if (message->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        producer->max_bytes = producer_limit(producer->max_bytes / 2);
    fail_by(producer, message->err, rd_kafka_err2str(message->err));
}

static void on_error(rd_kafka_resp_err_t code, bool fatal, const char *text, void *arg)
{
    struct ordered_producer *producer = arg;

    if (fatal) {
        fail_by(producer, code, text);
        return;
    }
    log_warn("producer", "of=%s err=%s text=\"%s\"", producer->options.name,
             rd_kafka_err2name(code), text);
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        producer_instance_ask(producer->client);
}

/* Batches are limited to what the topic takes, and that is fixed when a client is made. */
static void limit_told(struct ordered_producer *producer)
{
    int64_t told = producer_instance_topic_max_bytes(producer->client);

    if (told == 0)
        return;
    producer->max_bytes = told;
    if (producer_limit(told) != producer_instance_max_bytes(producer->client))
        fail_all(producer, "the topic has another max.message.bytes");
}

static void on_answered(bool ok, const char *why, void *arg)
{
    struct ordered_producer *producer = arg;
    uint64_t failed = producer->failed_ms;

    if (producer->giving_up)
        return;
    if (!ok) {
        if (producer->there || !producer->told || producer->ready)
            log_warn("the topic is not there", "of=%s topic=%s err=\"%s\"", producer->options.name,
                     producer->options.topic, why);
        producer->there = false;
        tell_ready(producer, false, why);
        return;
    }
    producer->there = true;
    if (failed == 0 || now_ms(producer) - failed > TRUST_MS)
        tell_ready(producer, true, "");
    limit_told(producer);
}

static const struct producer_instance_events client_events = {
    .answered = on_answered, .report = on_report, .error = on_error};

static int client_open(struct ordered_producer *producer)
{
    const struct producer_options options = {
        .topic = producer->options.topic,
        .partitions = producer->options.partitions,
        .settings = producer->options.settings,
        .max_bytes = producer_limit(producer->max_bytes),
        .linger_ms = producer->options.linger_ms,
    };

    producer->since_ms = now_ms(producer);
    return producer_instance_open(&producer->options.bus, &options, &client_events, producer,
                                  &producer->client);
}

static void rest(struct ordered_producer *producer)
{
    unsigned n = producer->in_a_row < REST_DOUBLINGS ? producer->in_a_row : REST_DOUBLINGS;

    if (kafka_shutdown_reap(&producer->retired) &&
        now_ms(producer) >= producer->since_ms + ((uint64_t)REST_MS << n) / 2)
        (void)client_open(producer); /* if it fails, which is logged, we rest on */
}

/* Kafka may have confirmed long ago what waits, when nobody here could read that: the process was
 * frozen, say. So time in which the loop stood still does not count. */
static bool oldest_is_late(struct ordered_producer *producer)
{
    const struct ordered_ticket *oldest = TAILQ_FIRST(&producer->waiting);
    uint64_t timeout = (uint64_t)producer->options.timeout_ms, now = now_ms(producer);

    if (producer->looked_ms != 0 && now - producer->looked_ms > LOOK_MS_EVERY + timeout / 2)
        producer->awake_ms = now;
    producer->looked_ms = now;
    return oldest != NULL && now >= oldest->since_ms + timeout &&
           now >= producer->awake_ms + timeout;
}

static void on_look(uv_timer_t *timer)
{
    struct ordered_producer *producer = timer->data;
    bool late = oldest_is_late(producer);

    if (producer->client == NULL)
        rest(producer);
    else if (late)
        fail_for(producer, "Kafka did not confirm a message within bus.timeout");
}

/* --- use --- */

static int produce(struct ordered_producer *producer, struct kafka_message *message,
                   int32_t partition, struct ordered_ticket *ticket)
{
    if (partition < 0)
        partition = ordered_producer_partition(producer, message->key, message->key_len);
    rd_kafka_resp_err_t code =
        producer_instance_produce_to(producer->client, message, partition, ticket);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        return -EMSGSIZE;
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        fail_by(producer, code, rd_kafka_err2str(code));
    return -EAGAIN;
}

int ordered_producer_send(struct ordered_producer *producer, struct kafka_message *message,
                          size_t bytes, int32_t partition, struct ordered_ticket *ticket)
{
    bool full = producer->bytes + bytes > producer->options.max_waiting;

    loop_assert_owner(producer->options.bus.loop);
    if (bytes > producer_message_most(producer->max_bytes)) {
        count(producer, ORDERED_LARGE);
        return -EMSGSIZE;
    }
    if (ordered_producer_partitions(producer) == 0 || (full && producer->bytes > 0)) {
        count(producer, ORDERED_PUT_OFF);
        return -EAGAIN;
    }
    int err = produce(producer, message, partition, ticket);
    if (err != 0)
        return err;
    ticket->since_ms = now_ms(producer);
    ticket->bytes = bytes;
    TAILQ_INSERT_TAIL(&producer->waiting, ticket, link);
    producer->bytes += bytes;
    return 0;
}

int ordered_producer_partitions(const struct ordered_producer *producer)
{
    if (!producer->there || producer->giving_up)
        return 0;
    return producer_instance_partitions(producer->client);
}

int32_t ordered_producer_partition(const struct ordered_producer *producer, const void *key,
                                   size_t len)
{
    return producer_instance_partition(producer->client, key, len,
                                       producer_instance_partitions(producer->client));
}

size_t ordered_producer_waiting(const struct ordered_producer *producer)
{
    return producer->bytes;
}

/* --- life --- */

int ordered_producer_open(const struct ordered_options *options, struct ordered_producer **out)
{
    struct ordered_producer *producer = mem_zalloc(sizeof *producer);

    loop_assert_owner(options->bus.loop);
    producer->options = *options;
    producer->max_bytes = PRODUCER_LIMIT_ASSUMED;
    producer->fail.run = give_up;
    TAILQ_INIT(&producer->waiting);
    options->ready(false, "no Kafka broker has answered yet", options->arg);
    int err = client_open(producer);
    if (err != 0) {
        free(producer);
        return err;
    }
    uv_timer_init(&options->bus.loop->uv, &producer->look);
    producer->look.data = producer;
    uv_timer_start(&producer->look, on_look, LOOK_MS_EVERY, LOOK_MS_EVERY);
    *out = producer;
    return 0;
}

static void on_look_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void ordered_producer_close(struct ordered_producer *producer)
{
    if (producer == NULL)
        return;
    loop_assert_owner(producer->options.bus.loop);
    if (producer->client != NULL)
        kafka_shutdown_forget(producer_instance_close(producer->client));
    producer->client = NULL;
    tickets_fail(producer);
    kafka_shutdown_forget(producer->retired);
    producer->retired = NULL;
    uv_close((uv_handle_t *)&producer->look, on_look_closed);
}

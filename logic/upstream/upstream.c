/* upstream_send ─► cloud_event_make ─► producer_instance, librdkafka ══► Kafka
 *       done() ◄── on_report ◄──────── delivery reports ◄────────────────┘
 *
 *          ┌─ a report with an error, a fatal one, or none for bus.timeout ─► give_up(), at the end
 *        OPEN                                                    │  of the turn: all that wait fail
 *          ▲                                                     ▼
 *          └── on_look: the former client is gone, paced ── RESTING
 *
 * No message has a deadline of its own. If one could fail alone, the next one of its session might
 * get to Kafka before it. So a client that fails one message is thrown away with all that wait, and
 * comets send them again, in order. */
#include "logic/upstream/upstream.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/kafka/kafka.h"
#include "common/kafka/shutdown.h"
#include "logic/kafka/producer_instance.h"

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

struct upstream {
    struct logic *logic;
    struct producer_instance *client;      /* NULL: resting */
    struct kafka_shutdown *retired;        /* the former client, which is being destroyed */
    TAILQ_HEAD(, upstream_ticket) waiting; /* without a report, oldest first */
    size_t bytes;                          /* of those */
    int64_t max_bytes;                     /* the topic's limit, or our guess */
    uint64_t since_ms;                     /* when this client was opened, or the rest began */
    uint64_t failed_ms;                    /* the last failure; 0: none */
    unsigned in_a_row;                     /* clients in a row that delivered nothing */
    bool there;                            /* the topic is there */
    bool giving_up;                        /* give_up() is due */
    bool ready, told;                      /* the ready condition, once it was told */
    struct loop_task fail;
    uv_timer_t look;
};

static uint64_t now_ms(const struct upstream *upstream)
{
    return loop_now_ms(upstream->logic->loop);
}

static void tell_ready(struct upstream *upstream, bool ready, const char *why)
{
    if (upstream->told && ready && upstream->ready)
        return;
    upstream->told = true;
    upstream->ready = ready;
    daemon_ready(upstream->logic->daemon, "upstream", ready, why);
}

/* --- tickets --- */

static void ticket_end(struct upstream *upstream, struct upstream_ticket *ticket, int err)
{
    TAILQ_REMOVE(&upstream->waiting, ticket, link);
    upstream->bytes -= ticket->bytes;
    logic_count(upstream->logic, err == 0 ? LOGIC_UPSTREAM_PRODUCED : LOGIC_UPSTREAM_FAILED, 1);
    ticket->done(ticket, err);
}

static void tickets_fail(struct upstream *upstream)
{
    while (!TAILQ_EMPTY(&upstream->waiting))
        ticket_end(upstream, TAILQ_FIRST(&upstream->waiting), -EAGAIN);
}

/* --- a new client --- */

/* All that waits is to fail, at the end of this turn: the client must not be closed within one of
 * its events. */
static void fail_all(struct upstream *upstream, const char *why)
{
    if (upstream->giving_up || upstream->client == NULL)
        return;
    upstream->giving_up = true;
    log_warn("upstream: another producer takes over", "topic=%s waiting=%zu why=\"%s\"",
             upstream->logic->config->upstream_topic, upstream->bytes, why);
    logic_count(upstream->logic, LOGIC_UPSTREAM_RESTARTS, 1);
    loop_defer(upstream->logic->loop, &upstream->fail);
}

static void fail_for(struct upstream *upstream, const char *why)
{
    if (upstream->giving_up || upstream->client == NULL)
        return;
    upstream->failed_ms = now_ms(upstream);
    tell_ready(upstream, false, why);
    fail_all(upstream, why);
}

static void fail_by(struct upstream *upstream, rd_kafka_resp_err_t code, const char *text)
{
    char why[WHY_MAX];

    if (!kafka_refusal(code, upstream->logic->config->upstream_topic, "Describe and Write", why,
                       sizeof why))
        (void)snprintf(why, sizeof why, "%s", text);
    fail_for(upstream, why);
}

static void give_up(struct loop *loop, struct loop_task *task)
{
    struct upstream *upstream = container_of(task, struct upstream, fail);

    (void)loop;
    if (upstream->client == NULL)
        return;
    upstream->retired = producer_instance_close(upstream->client);
    upstream->client = NULL;
    upstream->there = upstream->giving_up = false;
    upstream->since_ms = now_ms(upstream);
    upstream->in_a_row++;
    tickets_fail(upstream);
}

static bool has_retired(struct upstream *upstream)
{
    if (upstream->retired == NULL)
        return true;
    if (!kafka_shutdown_is_over(upstream->retired))
        return false;
    kafka_shutdown_forget(upstream->retired);
    upstream->retired = NULL;
    return true;
}

/* --- events --- */

static void on_report(const rd_kafka_message_t *message, void *arg)
{
    struct upstream *upstream = arg;

    if (upstream->giving_up) /* an earlier one has failed, so none may be taken before it is */
        return;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        upstream->in_a_row = 0;
        upstream->failed_ms = 0;
        tell_ready(upstream, true, "");
        ticket_end(upstream, message->_private, 0);
        return;
    }
    if (message->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        upstream->max_bytes = producer_limit(upstream->max_bytes / 2);
    fail_by(upstream, message->err, rd_kafka_err2str(message->err));
}

static void on_error(rd_kafka_resp_err_t code, bool fatal, const char *text, void *arg)
{
    struct upstream *upstream = arg;

    if (fatal) {
        fail_by(upstream, code, text);
        return;
    }
    log_warn("upstream", "err=%s text=\"%s\"", rd_kafka_err2name(code), text);
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        producer_instance_ask(upstream->client);
}

/* Batches are limited to what the topic takes, and that is fixed when a client is made. */
static void limit_told(struct upstream *upstream)
{
    int64_t told = producer_instance_topic_max_bytes(upstream->client);

    if (told == 0)
        return;
    upstream->max_bytes = told;
    if (producer_limit(told) != producer_instance_max_bytes(upstream->client))
        fail_all(upstream, "the topic has another max.message.bytes");
}

static void on_answered(bool ok, const char *why, void *arg)
{
    struct upstream *upstream = arg;
    uint64_t failed = upstream->failed_ms;

    if (upstream->giving_up)
        return;
    if (!ok) {
        if (upstream->there || !upstream->told || upstream->ready)
            log_warn("upstream: the topic is not there", "topic=%s err=\"%s\"",
                     upstream->logic->config->upstream_topic, why);
        upstream->there = false;
        tell_ready(upstream, false, why);
        return;
    }
    upstream->there = true;
    if (failed == 0 || now_ms(upstream) - failed > TRUST_MS)
        tell_ready(upstream, true, "");
    limit_told(upstream);
}

static const struct producer_instance_events client_events = {
    .answered = on_answered, .report = on_report, .error = on_error};

static int client_open(struct upstream *upstream)
{
    const struct producer_options options = {
        .topic = upstream->logic->config->upstream_topic,
        .max_bytes = producer_limit(upstream->max_bytes),
    };

    upstream->since_ms = now_ms(upstream);
    return producer_instance_open(upstream->logic, &options, &client_events, upstream,
                                  &upstream->client);
}

static void rest(struct upstream *upstream)
{
    unsigned n = upstream->in_a_row < REST_DOUBLINGS ? upstream->in_a_row : REST_DOUBLINGS;

    if (has_retired(upstream) &&
        now_ms(upstream) >= upstream->since_ms + ((uint64_t)REST_MS << n) / 2)
        (void)client_open(upstream); /* if it fails, which is logged, we rest on */
}

static void on_look(uv_timer_t *timer)
{
    struct upstream *upstream = timer->data;
    const struct upstream_ticket *oldest = TAILQ_FIRST(&upstream->waiting);
    uint64_t timeout = (uint64_t)upstream->logic->config->bus_timeout_ms;

    if (upstream->client == NULL)
        rest(upstream);
    else if (oldest != NULL && now_ms(upstream) >= oldest->since_ms + timeout)
        fail_for(upstream, "Kafka did not confirm a message within bus.timeout");
}

/* --- use --- */

static int produce(struct upstream *upstream, const struct upstream_event *event,
                   struct upstream_ticket *ticket)
{
    struct kafka_message message;

    cloud_event_make(event, &message);
    rd_kafka_resp_err_t code = producer_instance_produce(
        upstream->client, &message, producer_instance_partitions(upstream->client), ticket);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    cloud_event_drop(&message);
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        return -EMSGSIZE;
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        fail_by(upstream, code, rd_kafka_err2str(code));
    return -EAGAIN;
}

int upstream_send(struct upstream *upstream, const struct upstream_event *event,
                  struct upstream_ticket *ticket)
{
    size_t bytes = cloud_event_bytes(event);
    bool full = upstream->bytes + bytes > (size_t)upstream->logic->config->upstream_max_waiting;

    loop_assert_owner(upstream->logic->loop);
    if (bytes > producer_message_most(upstream->max_bytes)) {
        logic_count(upstream->logic, LOGIC_UPSTREAM_LARGE, 1);
        return -EMSGSIZE;
    }
    if (!upstream->there || upstream->giving_up || (full && upstream->bytes > 0) ||
        upstream->logic->memory == MEMORY_CRITICAL) {
        logic_count(upstream->logic, LOGIC_UPSTREAM_PUT_OFF, 1);
        return -EAGAIN;
    }
    int err = produce(upstream, event, ticket);
    if (err != 0)
        return err;
    ticket->since_ms = now_ms(upstream);
    ticket->bytes = bytes;
    TAILQ_INSERT_TAIL(&upstream->waiting, ticket, link);
    upstream->bytes += bytes;
    return 0;
}

size_t upstream_waiting(const struct upstream *upstream)
{
    return upstream->bytes;
}

/* --- life --- */

int upstream_open(struct logic *logic)
{
    loop_assert_owner(logic->loop);
    if (logic->config->upstream_topic[0] == '\0')
        return 0;
    struct upstream *upstream = mem_zalloc(sizeof *upstream);
    upstream->logic = logic;
    upstream->max_bytes = PRODUCER_LIMIT_ASSUMED;
    upstream->fail.run = give_up;
    TAILQ_INIT(&upstream->waiting);
    daemon_ready(logic->daemon, "upstream", false, "no Kafka broker has answered yet");
    int err = client_open(upstream);
    if (err != 0) {
        free(upstream);
        return err;
    }
    uv_timer_init(&logic->loop->uv, &upstream->look);
    upstream->look.data = upstream;
    uv_timer_start(&upstream->look, on_look, LOOK_MS_EVERY, LOOK_MS_EVERY);
    logic->upstream = upstream;
    return 0;
}

static void on_look_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void upstream_close(struct upstream *upstream)
{
    if (upstream == NULL)
        return;
    loop_assert_owner(upstream->logic->loop);
    if (upstream->client != NULL)
        kafka_shutdown_forget(producer_instance_close(upstream->client));
    upstream->client = NULL;
    tickets_fail(upstream);
    kafka_shutdown_forget(upstream->retired);
    upstream->retired = NULL;
    uv_close((uv_handle_t *)&upstream->look, on_look_closed);
}

#include "common/kafka/producer_instance.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/kafka/kafka.h"
#include "common/kafka/shutdown.h"
#include "common/kafka/topics.h"

#include <errno.h>
#include <stdlib.h>

enum {
    REPORTS_PER_TURN = 4096,
    QUEUE_KBYTES = 256 * 1024,
    BATCH_HEAD = 512,   /* part of max.message.bytes that is kept for what Kafka counts besides
                         * messages */
    RECORD_HEAD = 128,  /* bytes that a batch of one message takes besides key, value and headers */
    LIMIT_LEAST = 1000, /* these two are librdkafka's own */
    LIMIT_MOST = 1000000000,
};

struct producer_instance {
    struct producer_bus bus;
    const struct producer_instance_events *on;
    void *arg;
    rd_kafka_t *kafka;
    rd_kafka_topic_t *topic; /* NULL until the topic is known to exist */
    rd_kafka_queue_t *events;
    struct kafka_queue *queue;
    struct kafka_topics *topics;
    struct producer_options options;
    unsigned probes;
};

/* --- events --- */

static size_t on_reports(struct producer_instance *client, rd_kafka_event_t *event)
{
    const rd_kafka_message_t *message;
    size_t n = 0;

    while ((message = rd_kafka_event_message_next(event)) != NULL) {
        client->on->report(message, client->arg);
        n++;
    }
    return n;
}

/* The event of a fatal error has the code of its cause, so ask librdkafka whether it is fatal. */
static void on_error(struct producer_instance *client, rd_kafka_event_t *event)
{
    client->on->error(rd_kafka_event_error(event), rd_kafka_event_error_is_fatal(event) != 0,
                      rd_kafka_event_error_string(event), client->arg);
}

static bool on_events(rd_kafka_queue_t *queue, void *arg)
{
    struct producer_instance *client = arg;
    size_t reports = 0;
    rd_kafka_event_t *event;

    while (reports < REPORTS_PER_TURN && (event = rd_kafka_queue_poll(queue, 0)) != NULL) {
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR)
            reports += on_reports(client, event);
        else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR)
            on_error(client, event);
        rd_kafka_event_destroy(event);
    }
    return reports >= REPORTS_PER_TURN;
}

static void on_topic(bool ok, const char *why, void *arg)
{
    struct producer_instance *client = arg;

    if (ok && client->topic == NULL) {
        client->topic = rd_kafka_topic_new(client->kafka, client->options.topic, NULL);
        ok = client->topic != NULL;
        if (!ok)
            why = rd_kafka_err2str(rd_kafka_last_error());
    }
    client->on->answered(ok, why, client->arg);
}

/* --- use --- */

bool producer_instance_answers(const struct producer_instance *client)
{
    return client->topic != NULL;
}

/* librdkafka's interface has no const. */
static void *unconst(const void *bytes)
{
    union {
        const void *from;
        void *to;
    } cast = {.from = bytes};

    return cast.to;
}

/* Produces a message, dated by the cluster's clock. Kafka refuses dates that are far from its own
 * clock, and this machine's clock may be wrong. */
static rd_kafka_resp_err_t produce(struct producer_instance *client, int32_t partition, int flags,
                                   const struct kafka_message *message, void *ticket)
{
    return rd_kafka_producev(
        client->kafka, RD_KAFKA_V_RKT(client->topic), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_MSGFLAGS(flags), RD_KAFKA_V_VALUE(message->value, message->value_len),
        RD_KAFKA_V_KEY(unconst(message->key), message->key_len),
        RD_KAFKA_V_TIMESTAMP((int64_t)client->bus.now_ms(client->bus.arg)),
        RD_KAFKA_V_HEADERS(message->headers), RD_KAFKA_V_OPAQUE(ticket), RD_KAFKA_V_END);
}

int32_t producer_instance_partition(const struct producer_instance *client, const void *key,
                                    size_t len, int partitions)
{
    return rd_kafka_msg_partitioner_murmur2(client->topic, key, len, partitions, NULL, NULL);
}

rd_kafka_resp_err_t producer_instance_produce_to(struct producer_instance *client,
                                                 const struct kafka_message *message,
                                                 int32_t partition, void *ticket)
{
    int flags = message->value != NULL ? RD_KAFKA_MSG_F_FREE : RD_KAFKA_MSG_F_COPY;

    loop_assert_owner(client->bus.loop);
    return produce(client, partition, flags, message, ticket);
}

rd_kafka_resp_err_t producer_instance_produce(struct producer_instance *client,
                                              const struct kafka_message *message, int partitions,
                                              void *ticket)
{
    return producer_instance_produce_to(
        client, message,
        producer_instance_partition(client, message->key, message->key_len, partitions), ticket);
}

rd_kafka_resp_err_t producer_instance_probe(struct producer_instance *client, int partitions)
{
    static const char probe[] = KAFKA_PROBE;

    struct kafka_message message = {.value = unconst(probe), .value_len = KAFKA_PROBE_LEN};
    int32_t partition = (int32_t)(client->probes++ % (unsigned)partitions);

    return produce(client, partition, RD_KAFKA_MSG_F_COPY, &message, NULL);
}

int producer_instance_partitions(const struct producer_instance *client)
{
    return kafka_topics_partitions(client->topics);
}

uint64_t producer_instance_seen_ms(const struct producer_instance *client)
{
    return kafka_topics_seen_ms(client->topics);
}

int64_t producer_instance_max_bytes(const struct producer_instance *client)
{
    return client->options.max_bytes;
}

int64_t producer_instance_topic_max_bytes(const struct producer_instance *client)
{
    return kafka_topics_max_bytes(client->topics);
}

void producer_instance_ask(struct producer_instance *client)
{
    kafka_topics_ask(client->topics);
}

void producer_instance_purge(struct producer_instance *client)
{
    rd_kafka_purge(client->kafka, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

int64_t producer_limit(int64_t max_bytes)
{
    if (max_bytes < LIMIT_LEAST)
        return LIMIT_LEAST;
    return max_bytes > LIMIT_MOST ? LIMIT_MOST : max_bytes;
}

size_t producer_message_most(int64_t max_bytes)
{
    return max_bytes > RECORD_HEAD ? (size_t)(max_bytes - RECORD_HEAD) : 0;
}

/* --- life --- */

/* Limits batches to what the topic takes, and a message to a whole batch. */
static int set_limit(rd_kafka_conf_t *conf, int64_t max_bytes, char *err, size_t errlen)
{
    char text[32] = "";
    size_t size = sizeof text;
    int64_t batch = max_bytes > 2 * BATCH_HEAD ? max_bytes - BATCH_HEAD : max_bytes / 2;

    rd_kafka_conf_get(conf, "batch.size", text, &size);
    int64_t asked = strtoll(text, NULL, 10); /* bus.options may have set a smaller one */
    if (asked > 0 && asked < batch)
        batch = asked;
    int failed = kafka_conf_set_int(conf, "batch.size", batch, err, errlen);
    if (failed != 0)
        return failed;
    return kafka_conf_set_int(conf, "message.max.bytes", max_bytes, err, errlen);
}

static rd_kafka_conf_t *configure(const struct producer_bus *bus,
                                  const struct producer_options *options, char *err, size_t errlen)
{
    rd_kafka_conf_t *conf = kafka_conf_new(bus->brokers, bus->client_id, err, errlen);

    if (conf == NULL)
        return NULL;
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
    /* The operator's options come first. What durability needs is set after them, so that they
     * cannot switch it off. */
    if (kafka_conf_set_int(conf, "queue.buffering.max.kbytes", QUEUE_KBYTES, err, errlen) == 0 &&
        kafka_conf_set_int(conf, "linger.ms", options->linger_ms, err, errlen) == 0 &&
        kafka_conf_options(conf, bus->options, err, errlen) == 0 &&
        set_limit(conf, options->max_bytes, err, errlen) == 0 &&
        kafka_conf_set_int(conf, "message.timeout.ms", options->timeout_ms, err, errlen) == 0 &&
        kafka_conf_set(conf, "enable.idempotence", "true", err, errlen) == 0 &&
        kafka_conf_set(conf, "acks", "all", err, errlen) == 0)
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

static int open_queues(struct producer_instance *client)
{
    struct loop *loop = client->bus.loop;
    struct kafka_topic topic = {
        .name = client->options.topic,
        .partitions = client->options.partitions,
        .replication = client->bus.replication,
        .settings = client->options.settings,
        .rights = "Describe and Write",
        .again_ms = TOPIC_AGAIN_MS,
        .limit = true,
    };

    client->events = rd_kafka_queue_get_main(client->kafka);
    int err = kafka_queue_open(loop, client->events, on_events, client, &client->queue);
    if (err != 0)
        return err;
    return kafka_topics_open(loop, client->kafka, &topic, on_topic, client, &client->topics);
}

static rd_kafka_t *create(const struct producer_bus *bus, const struct producer_options *options,
                          char *err, size_t errlen)
{
    rd_kafka_conf_t *conf = configure(bus, options, err, errlen);

    if (conf == NULL)
        return NULL;
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, err, errlen);
    if (kafka == NULL)
        rd_kafka_conf_destroy(conf);
    return kafka;
}

int producer_instance_open(const struct producer_bus *bus, const struct producer_options *options,
                           const struct producer_instance_events *events, void *arg,
                           struct producer_instance **out)
{
    char err[512];
    rd_kafka_t *kafka = create(bus, options, err, sizeof err);

    if (kafka == NULL) {
        log_error("bus producer cannot start",
                  "topic=%s err=\"%s\" hint=\"see the [bus] settings\"", options->topic, err);
        return -EINVAL;
    }
    struct producer_instance *client = mem_zalloc(sizeof *client);
    *client = (struct producer_instance){
        .bus = *bus, .on = events, .arg = arg, .kafka = kafka, .options = *options};
    if (open_queues(client) != 0) {
        log_error("bus producer cannot start", "err=\"no file descriptor left\"");
        kafka_shutdown_forget(producer_instance_close(client));
        return -EMFILE;
    }
    *out = client;
    return 0;
}

struct kafka_shutdown *producer_instance_close(struct producer_instance *client)
{
    struct kafka_look *look = kafka_topics_close(client->topics);

    loop_assert_owner(client->bus.loop);
    kafka_queue_close(client->queue);
    if (client->events != NULL)
        rd_kafka_queue_destroy(client->events);
    if (client->topic != NULL)
        rd_kafka_topic_destroy(client->topic);
    struct kafka_shutdown *end = kafka_shutdown(client->kafka, look);
    free(client);
    return end;
}

#include "logic/push/producer_instance.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/kafka/kafka.h"
#include "common/kafka/shutdown.h"
#include "common/kafka/topics.h"
#include "logic/push/kafka_producer.h"

#include <errno.h>
#include <stdlib.h>

enum {
    REPORTS_PER_TURN = 4096,
    QUEUE_KBYTES = 256 * 1024,
    BATCH_HEAD = 512, /* of max.message.bytes, for what Kafka counts besides the messages */
};

struct bus_client {
    struct logic *logic;
    const struct bus_client_events *on;
    void *arg;
    rd_kafka_t *kafka;
    rd_kafka_topic_t *topic; /* NULL until it is known to exist */
    rd_kafka_queue_t *events;
    struct bus_queue *queue;
    struct bus_topics *topics;
    int64_t max_bytes;
    unsigned probes;
};

/* --- events --- */

static size_t on_reports(struct bus_client *client, rd_kafka_event_t *event)
{
    const rd_kafka_message_t *message;
    size_t n = 0;

    while ((message = rd_kafka_event_message_next(event)) != NULL) {
        client->on->report(message, client->arg);
        n++;
    }
    return n;
}

/* A fatal error's event has the code of what caused it. */
static void on_error(struct bus_client *client, rd_kafka_event_t *event)
{
    client->on->error(rd_kafka_event_error(event), rd_kafka_event_error_is_fatal(event) != 0,
                      rd_kafka_event_error_string(event), client->arg);
}

static bool on_events(rd_kafka_queue_t *queue, void *arg)
{
    struct bus_client *client = arg;
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
    struct bus_client *client = arg;

    if (ok && client->topic == NULL) {
        client->topic = rd_kafka_topic_new(client->kafka, client->logic->config->bus_topic, NULL);
        ok = client->topic != NULL;
        if (!ok)
            why = rd_kafka_err2str(rd_kafka_last_error());
    }
    client->on->answered(ok, why, client->arg);
}

/* --- use --- */

bool bus_client_answers(const struct bus_client *client)
{
    return client->topic != NULL;
}

/* Dated by Redis's clock, as everything is: Kafka refuses what lies far from its own, and this
 * machine's may be wrong. */
static rd_kafka_resp_err_t produce(struct bus_client *client, int32_t partition, int flags,
                                   const struct bus_message *message, void *ticket)
{
    return rd_kafka_producev(client->kafka, RD_KAFKA_V_RKT(client->topic),
                             RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(flags),
                             RD_KAFKA_V_VALUE(message->value, message->value_len),
                             RD_KAFKA_V_KEY(pb_bytes(message->key, 0).data, message->key_len),
                             RD_KAFKA_V_TIMESTAMP((int64_t)logic_now_ms(client->logic)),
                             RD_KAFKA_V_OPAQUE(ticket), RD_KAFKA_V_END);
}

rd_kafka_resp_err_t bus_client_produce(struct bus_client *client, const struct bus_message *message,
                                       int partitions, void *ticket)
{
    int32_t partition = rd_kafka_msg_partitioner_murmur2(client->topic, message->key,
                                                         message->key_len, partitions, NULL, NULL);

    return produce(client, partition, RD_KAFKA_MSG_F_FREE, message, ticket);
}

rd_kafka_resp_err_t bus_client_probe(struct bus_client *client, int partitions)
{
    static const char probe[] = BUS_PROBE;

    struct bus_message message = {.value = pb_bytes(probe, BUS_PROBE_LEN).data,
                                  .value_len = BUS_PROBE_LEN};
    int32_t partition = (int32_t)(client->probes++ % (unsigned)partitions);

    return produce(client, partition, RD_KAFKA_MSG_F_COPY, &message, NULL);
}

int bus_client_partitions(const struct bus_client *client)
{
    return bus_topics_partitions(client->topics);
}

uint64_t bus_client_seen_ms(const struct bus_client *client)
{
    return bus_topics_seen_ms(client->topics);
}

int64_t bus_client_max_bytes(const struct bus_client *client)
{
    return client->max_bytes;
}

int64_t bus_client_topic_max_bytes(const struct bus_client *client)
{
    return bus_topics_max_bytes(client->topics);
}

void bus_client_ask(struct bus_client *client)
{
    bus_topics_ask(client->topics);
}

void bus_client_purge(struct bus_client *client)
{
    rd_kafka_purge(client->kafka, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

/* --- life --- */

/* Batches that the topic takes, and messages up to all of one. */
static int set_limit(rd_kafka_conf_t *conf, int64_t max_bytes, char *err, size_t errlen)
{
    char text[32] = "";
    size_t size = sizeof text;
    int64_t batch = max_bytes > 2 * BATCH_HEAD ? max_bytes - BATCH_HEAD : max_bytes / 2;

    rd_kafka_conf_get(conf, "batch.size", text, &size);
    int64_t asked = strtoll(text, NULL, 10); /* smaller by bus.options */
    if (asked > 0 && asked < batch)
        batch = asked;
    int failed = bus_conf_set_int(conf, "batch.size", batch, err, errlen);
    if (failed != 0)
        return failed;
    return bus_conf_set_int(conf, "message.max.bytes", max_bytes, err, errlen);
}

static rd_kafka_conf_t *configure(const struct logic_config *config, int64_t max_bytes, char *err,
                                  size_t errlen)
{
    rd_kafka_conf_t *conf = bus_conf_new(config->bus_brokers, "imc-logic", err, errlen);

    if (conf == NULL)
        return NULL;
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
    /* The operator's options come before what the promise needs: that cannot be switched off. */
    if (bus_conf_set_int(conf, "queue.buffering.max.kbytes", QUEUE_KBYTES, err, errlen) == 0 &&
        bus_conf_set_int(conf, "linger.ms", 0, err, errlen) == 0 &&
        bus_conf_options(conf, config->bus_options, err, errlen) == 0 &&
        set_limit(conf, max_bytes, err, errlen) == 0 &&
        bus_conf_set_int(conf, "message.timeout.ms", config->bus_timeout_ms, err, errlen) == 0 &&
        bus_conf_set(conf, "enable.idempotence", "true", err, errlen) == 0 &&
        bus_conf_set(conf, "acks", "all", err, errlen) == 0)
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

static int open_queues(struct bus_client *client)
{
    const struct logic_config *config = client->logic->config;
    struct loop *loop = client->logic->loop;
    struct bus_topic topic = {
        .name = config->bus_topic,
        .partitions = (int)config->bus_partitions,
        .replication = (int)config->bus_replication,
        .rights = "Describe and Write",
        .again_ms = TOPIC_AGAIN_MS,
        .limit = true,
    };

    client->events = rd_kafka_queue_get_main(client->kafka);
    int err = bus_queue_open(loop, client->events, on_events, client, &client->queue);
    if (err != 0)
        return err;
    return bus_topics_open(loop, client->kafka, &topic, on_topic, client, &client->topics);
}

static rd_kafka_t *create(const struct logic_config *config, int64_t max_bytes, char *err,
                          size_t errlen)
{
    rd_kafka_conf_t *conf = configure(config, max_bytes, err, errlen);

    if (conf == NULL)
        return NULL;
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, err, errlen);
    if (kafka == NULL)
        rd_kafka_conf_destroy(conf);
    return kafka;
}

int bus_client_open(struct logic *logic, int64_t max_bytes, const struct bus_client_events *events,
                    void *arg, struct bus_client **out)
{
    char err[512];
    rd_kafka_t *kafka = create(logic->config, max_bytes, err, sizeof err);

    if (kafka == NULL) {
        log_error("bus producer cannot start", "err=\"%s\" hint=\"see the [bus] settings\"", err);
        return -EINVAL;
    }
    struct bus_client *client = mem_zalloc(sizeof *client);
    *client = (struct bus_client){
        .logic = logic, .on = events, .arg = arg, .kafka = kafka, .max_bytes = max_bytes};
    if (open_queues(client) != 0) {
        log_error("bus producer cannot start", "err=\"no file descriptor left\"");
        bus_end_forget(bus_client_close(client));
        return -EMFILE;
    }
    *out = client;
    return 0;
}

struct bus_end *bus_client_close(struct bus_client *client)
{
    struct bus_look *look = bus_topics_close(client->topics);

    bus_queue_close(client->queue);
    if (client->events != NULL)
        rd_kafka_queue_destroy(client->events);
    if (client->topic != NULL)
        rd_kafka_topic_destroy(client->topic);
    struct bus_end *end = bus_end(client->kafka, look);
    free(client);
    return end;
}

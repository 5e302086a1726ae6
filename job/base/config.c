#include "job/base/config.h"
#include "common/events/event_types.h"
#include "common/kafka/kafka.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ROW(section, key, type, field, init, min, max, doc)                                \
    {                                                                                      \
        section, key, type, offsetof(struct job_config, field), init, min, max, doc, false \
    }

const struct config_row job_config_rows[] = {
    ROW("bus", "brokers", CONFIG_LIST, bus_brokers, "127.0.0.1:9092", 0, 0,
        "Kafka brokers to begin with, host:port each."),
    ROW("bus", "topic", CONFIG_STRING, bus_topic, "imc-push", 0, 0,
        "The topic that logic produces to."),
    ROW("bus", "partitions", CONFIG_INT, bus_partitions, "8", 1, 10000,
        "Partitions of the topic if it has to be created: the most jobs that can share the work."),
    ROW("bus", "replication", CONFIG_INT, bus_replication, "1", 1, 15,
        "Copies of each partition if the topic has to be created; 3 in production."),
    ROW("bus", "group", CONFIG_STRING, bus_group, "imc-job", 0, 0,
        "Consumer group; all jobs of a cluster share it."),
    ROW("bus", "options", CONFIG_OPTIONS, bus_options, "", 0, 0,
        "Further properties for librdkafka, name=value,name=value."),
    ROW("bus", "fetch_wait", CONFIG_DURATION, fetch_wait_ms, "500ms", 1, 10000,
        "How long a broker keeps a fetch for which it has nothing yet. It answers at once when a "
        "message comes; imc-devbus does not: 5ms there."),
    ROW("bus", "session_timeout", CONFIG_DURATION, session_ms, "4s", 1000, 300000,
        "A job that is not heard of for this long loses its partitions to the others: how long "
        "users "
        "wait for messages when a job dies and does not come back. Brokers refuse less than their "
        "group.min.session.timeout.ms, 6 s by default: then it is 6 s. The shorter, the shorter a "
        "stall of the machine or the network that costs a job its partitions, which are then read "
        "again from the last commit (comets recognise what repeats); heartbeats come eight times "
        "as "
        "often."),
    ROW("job", "window", CONFIG_INT, window, "50000", 1, 1000000,
        "Messages consumed and not yet taken by comets; beyond, the rest waits in Kafka."),
    ROW("job", "window_bytes", CONFIG_BYTES, window_bytes, "64m", 65536, 0x100000000,
        "The same in bytes."),
    ROW("job", "max_message", CONFIG_BYTES, max_message, "1m", 1024, 2097152,
        "Messages of the bus with a larger body are skipped."),
    ROW("comet", "window", CONFIG_INT, comet_window, "4", 1, 64, "Batches in flight to a comet."),
    ROW("comet", "items", CONFIG_INT, comet_items, "1024", 1, 65536, "Items in a batch at most."),
    ROW("comet", "bytes", CONFIG_BYTES, comet_bytes, "512k", 1024, 1048576,
        "Bytes after which a batch is full."),
    ROW("comet", "timeout", CONFIG_DURATION, comet_timeout_ms, "10s", 100, 600000,
        "A batch unanswered for this long breaks the stream; what it held is sent again."),
    ROW("comet", "hold", CONFIG_DURATION, hold_ms, "60s", 0, 3600000,
        "How long messages to rooms and to all are kept for a comet that was taken for dead: it "
        "may only have stood still. 0 = not at all; its sessions are told that they missed some."),
    ROW("comet", "hold_bytes", CONFIG_BYTES, hold_bytes, "64m", 0, 0x100000000,
        "What may be kept so, for all comets together; a comet for which there is no room gets "
        "nothing of it."),
    ROW("comet", "rooms", CONFIG_INT, comet_rooms, "250000", 0, 10000000,
        "Rooms with members that a comet may have for job to know them, of some 25 bytes each. Job "
        "sends messages to other rooms to the other comets only. A comet with more rooms gets "
        "every message to a room. 0 = all comets do."),
    ROW("logic", "window", CONFIG_INT, logic_window, "2", 1, 64,
        "Settle batches in flight to a logic, for each shard of Redis."),
    ROW("logic", "items", CONFIG_INT, logic_items, "512", 1, 8192,
        "Messages in a settle batch at most."),
    ROW("logic", "bytes", CONFIG_BYTES, logic_bytes, "512k", 1024, 1048576,
        "Bytes after which a batch is full."),
    ROW("logic", "timeout", CONFIG_DURATION, logic_timeout_ms, "10s", 100, 600000,
        "A settle batch unanswered for this long goes to another logic."),
    ROW("settle", "retry_first", CONFIG_DURATION, retry_first_ms, "50ms", 1, 60000,
        "Pause before a settle is repeated; it doubles each time."),
    ROW("settle", "retry_last", CONFIG_DURATION, retry_last_ms, "1s", 1, 60000,
        "Longest such pause."),
    ROW("settle", "patience", CONFIG_DURATION, patience_ms, "15s", 0, 600000,
        "How long to wait for a comet that holds a session but is not among the live ones, before "
        "the stored message is "
        "left to the user's next connect."),
    ROW("settle", "window", CONFIG_INT, settle_window, "16384", 64, 1000000,
        "Messages held in memory that are, or wait to be, stored; each shard of Redis has an equal "
        "share. Beyond, they are put off and read from Kafka again, and do not hold up what can be "
        "delivered, or stored on another shard."),
    ROW("settle", "window_bytes", CONFIG_BYTES, settle_window_bytes, "32m", 65536, 0x100000000,
        "The same in bytes."),
    ROW("settle", "parked", CONFIG_INT, settle_parked, "1000000", 1000, 100000000,
        "Messages put off at most, of about 50 bytes each; beyond, nothing is read. Not more "
        "than 200,000 offsets of a partition either: that far comets remember what they had."),
    ROW("events", "log", CONFIG_STRING, events_log, "", 0, 0,
        "Topic of the log of sessions (docs/events.md): the same as logic's events.log. Empty: "
        "this "
        "job tells no session events."),
    ROW("events", "topic", CONFIG_STRING, events_topic, "", 0, 0,
        "Topic that the session events go to. It has to exist. Either this or events.url."),
    ROW("events", "url", CONFIG_STRING, events_hook.url, "", 0, 0,
        "Where the session events are posted, http://host:port/path or https://: docs/webhooks.md. "
        "No topic is needed for it but events.log, which is imc's own. Either this or "
        "events.topic."),
    WEBHOOK_ROWS(ROW, "events", events_hook, "10s", "8", "30s"),
    ROW("events", "group", CONFIG_STRING, events_group, "imc-events", 0, 0,
        "Consumer group that shares the partitions of events.log; the same for all jobs."),
    ROW("events", "types", CONFIG_LIST, events_types, "connected,disconnected", 0, 0,
        "Which events are told, of " EVENT_TYPES_TEXT ". The same for all logics and jobs."),
    ROW("events", "debounce", CONFIG_DURATION, events_debounce_ms, "0s", 0, 3600000,
        "A disconnected is told so long after the session's end, and only if no session of its uid "
        "has begun meanwhile. 0: at once. The same for all jobs."),
    ROW("events", "timeout", CONFIG_DURATION, events_timeout_ms, "5s", 100, 300000,
        "An event that Kafka has not confirmed after this long is sent again, with all behind it."),
    ROW("events", "window", CONFIG_INT, events_window, "20000", 100, 1000000,
        "Events that the business does not have yet; beyond, events.log is read no further."),
    ROW("events", "window_bytes", CONFIG_BYTES, events_window_bytes, "32m", 65536, 0x100000000,
        "Bytes of those that Kafka was sent."),
    ROW("events", "remember", CONFIG_INT, events_remember, "100000", 1, 10000000,
        "Sessions of a partition, of 90 bytes each, that are remembered after their end: a logic "
        "that "
        "stood still may write that one was opened after its end."),
    TRACER_ROWS(offsetof(struct job_config, tracer)),
    {.key = NULL},
};

static int refuse(const char *why, char *err, size_t errlen)
{
    (void)snprintf(err, errlen, "%s", why);
    return -EINVAL;
}

static int events_check(const struct job_config *config, char *err, size_t errlen)
{
    struct http_url url;
    unsigned types;
    bool by_topic = config->events_topic[0] != '\0', by_url = config->events_hook.url[0] != '\0';

    if (event_types_read(config->events_types, &types, err, errlen) != 0 ||
        webhook_check(&config->events_hook, "events", &url, err, errlen) != 0)
        return -EINVAL;
    if (config->events_log[0] == '\0' && by_url)
        return refuse("events.url needs events.log, the topic in which imc keeps what is not told "
                      "yet (it creates it); the same in all logics and jobs",
                      err, errlen);
    if (config->events_log[0] == '\0')
        return 0;
    if (by_topic && by_url)
        return refuse("events.topic and events.url exclude each other: with a topic the business "
                      "reads that, with a URL it needs no topic",
                      err, errlen);
    if (!by_topic && !by_url)
        return refuse("events.log needs events.topic or events.url: nobody is told otherwise", err,
                      errlen);
    if (config->events_group[0] == '\0' || strcmp(config->events_log, config->events_topic) == 0 ||
        strcmp(config->events_log, config->bus_topic) == 0 ||
        strcmp(config->events_topic, config->bus_topic) == 0 ||
        strcmp(config->events_group, config->bus_group) == 0)
        return refuse("events.log needs events.group; events.log, events.topic and bus.topic have "
                      "to be three topics, and events.group is not bus.group",
                      err, errlen);
    return 0;
}

int job_config_check(const void *arg, char *err, size_t errlen)
{
    const struct job_config *config = arg;

    if (config->bus_brokers[0] == '\0' || config->bus_topic[0] == '\0' ||
        config->bus_group[0] == '\0') {
        snprintf(err, errlen, "bus.brokers, bus.topic and bus.group must not be empty");
        return -EINVAL;
    }
    if (config->retry_first_ms > config->retry_last_ms) {
        snprintf(err, errlen, "settle.retry_first must not be longer than settle.retry_last");
        return -EINVAL;
    }
    if (events_check(config, err, errlen) != 0)
        return -EINVAL;
    if (tracer_check(&config->tracer, err, errlen) != 0)
        return -EINVAL;
    return kafka_options_check(config->bus_options, err, errlen);
}

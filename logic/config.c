#include "common/kafka/kafka.h"
#include "logic/http/local_callers.h"
#include "logic/logic.h"

#include <errno.h>
#include <stddef.h>

#define FIELD(name) offsetof(struct logic_config, name)

enum { KIB = 1024, MIB = 1024 * 1024, SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
#define DAY (INT64_C(24) * HOUR)

const struct config_row logic_config_rows[] = {
    {"api", "listen", CONFIG_ADDRESS, FIELD(api_listen), "0.0.0.0:7172", 0, 0,
     "Where the HTTP API listens."},
    {"api", "keys", CONFIG_LIST, FIELD(api_keys), "", 0, 0,
     "Keys of the HTTP API (Authorization: Bearer KEY, or X-API-Key: KEY). Empty: programs on this "
     "machine are let in, over loopback, and nobody else: no web page, no proxy."},
    {"api", "trusted", CONFIG_LIST, FIELD(api_trusted), "", 0, 0,
     "While api.keys is empty: addresses and networks that are let in like loopback, 10.1.0.0/16."},
    {"api", "hosts", CONFIG_LIST, FIELD(api_hosts), "", 0, 0,
     "While api.keys is empty: names of this API beside localhost and loopback addresses; a "
     "request "
     "with another one in Host is refused, since a web page may have made it up."},
    {"api", "origins", CONFIG_LIST, FIELD(api_origins), "", 0, 0,
     "Origins of web pages that may read /1/msg/get (CORS), each as a browser writes it: "
     "https://chat.example. Empty: none."},
    {"api", "max_body", CONFIG_BYTES, FIELD(api_max_body), "1m", KIB, 64 * MIB,
     "Longest body of a request."},
    {"api", "max_bodies", CONFIG_BYTES, FIELD(api_max_bodies), "64m", KIB, INT64_C(1024) * MIB,
     "Bodies of all requests together that are held at a time; further ones get 503."},
    {"api", "header_timeout", CONFIG_DURATION, FIELD(api_header_timeout_ms), "5s", 100, HOUR,
     "Time a client has to send a request's header."},
    {"api", "body_timeout", CONFIG_DURATION, FIELD(api_body_timeout_ms), "10s", 100, HOUR,
     "Time a client has to send a request's body."},
    {"api", "idle_timeout", CONFIG_DURATION, FIELD(api_idle_timeout_ms), "75s", 100, HOUR,
     "A kept-alive connection without a request is closed after this long. Longer than what a "
     "balancer keeps its connections for (60 s for many), or it will meet closed ones."},
    {"bus", "brokers", CONFIG_LIST, FIELD(bus_brokers), "127.0.0.1:9092", 0, 0,
     "Kafka's bootstrap servers."},
    {"bus", "topic", CONFIG_STRING, FIELD(bus_topic), "imc-push", 0, 0,
     "Topic of the pushes; created if missing."},
    {"bus", "group", CONFIG_STRING, FIELD(bus_group), "imc-job", 0, 0,
     "The jobs' bus.group, for --set-partitions: whether they have read everything."},
    {"bus", "partitions", CONFIG_INT, FIELD(bus_partitions), "8", 1, 10000,
     "Partitions of the topic when it is created: the most jobs that can share the work."},
    {"bus", "replication", CONFIG_INT, FIELD(bus_replication), "1", 1, 15,
     "Replication factor of the topic when it is created."},
    {"bus", "linger", CONFIG_DURATION, FIELD(bus_linger_ms), "5ms", 0, 1000,
     "Under load, what comes within this time goes to Kafka together. A lone message goes at "
     "once."},
    {"bus", "timeout", CONFIG_DURATION, FIELD(bus_timeout_ms), "5s", 100, 5 * MINUTE,
     "A push that Kafka has not confirmed after this long is answered with an error."},
    {"bus", "options", CONFIG_STRING, FIELD(bus_options), "", 0, 0,
     "librdkafka properties, name=value,name=value: security.protocol, sasl.mechanisms, "
     "compression.codec …"},
    {"mailbox", "limit", CONFIG_INT, FIELD(mailbox_limit), "20", 1, 100000,
     "Newest messages kept for a user who is away; older ones are dropped and counted."},
    {"mailbox", "limit_spilled", CONFIG_INT, FIELD(mailbox_limit_spilled), "10000", 1, 1000000,
     "Newest messages kept for a user who is online but slow, or not yet known to be away."},
    {"mailbox", "ttl", CONFIG_DURATION, FIELD(mailbox_ttl_ms), "24h", SECOND, 366 * DAY,
     "A message waits at most this long; a push's ttl may shorten it."},
    {"mailbox", "page", CONFIG_INT, FIELD(mailbox_page), "500", 1, 10000,
     "Most messages in one answer to a Fetch."},
    {"mailbox", "page_bytes", CONFIG_BYTES, FIELD(mailbox_page_bytes), "1m", 64 * KIB, 2 * MIB,
     "Bytes of waiting messages in one answer to a comet; the rest is fetched next."},
    {"sessions", "max_per_uid", CONFIG_INT, FIELD(sessions_max_per_uid), "32", 0, 10000,
     "Sessions one uid may have at a time, 0 = any number; one more is refused with code 6."},
    {"connect", "timeout", CONFIG_DURATION, FIELD(connect_timeout_ms), "3s", 100, MINUTE,
     "A connecting session that Redis and the router have not admitted by then is refused with "
     "code 12."},
    {"lookup", "timeout", CONFIG_DURATION, FIELD(lookup_timeout_ms), "500ms", 10, MINUTE,
     "A push whose uid the router has not found by then goes to the bus without a hint."},
    {"tokens", "ttl", CONFIG_DURATION, FIELD(tokens_ttl_ms), "24h", 0, 3660 * DAY,
     "Life of a token made without expire; 0 = for ever."},
    {"push", "max_message", CONFIG_BYTES, FIELD(push_max_message), "64k", 1, MIB,
     "Longest message of a push."},
    {"push", "max_uids", CONFIG_INT, FIELD(push_max_uids), "10000", 1, 50000,
     "Most uids in one call of /1/pushs."},
    {"push", "max_bytes", CONFIG_BYTES, FIELD(push_max_bytes), "64m", MIB, INT64_C(65536) * MIB,
     "Most bytes of one call of /1/pushs: uids times message. More is refused, nothing of it "
     "sent."},
    {"push", "max_pending", CONFIG_INT, FIELD(push_max_pending), "200000", 1000, 100000000,
     "Messages accepted and not yet in Kafka; a push beyond is refused, unless nothing else is "
     "pending."},
    {"push", "max_lag", CONFIG_DURATION, FIELD(push_max_lag_ms), "30s", 0, HOUR,
     "Pushes are refused while jobs deliver this much later than messages were accepted. 0 = "
     "never."},
    {"push", "max_backlog", CONFIG_INT, FIELD(push_max_backlog), "80", 1, 1000,
     "Per cent of what jobs may put off because it has to be stored; beyond, pushes to users who "
     "are away are refused."},
    {"router", "timeout", CONFIG_DURATION, FIELD(router_timeout_ms), "2s", 100, MINUTE,
     "A router that leaves a batch unanswered this long is taken for away until it answers again."},
    {"router", "window", CONFIG_INT, FIELD(router_window), "2", 1, 64,
     "Batches in flight per router."},
    {NULL, NULL, CONFIG_STRING, 0, NULL, 0, 0, NULL},
};

const struct metric_row logic_metric_rows[LOGIC_METRIC_COUNT] = {
#define X(id, name, labels, type, help) {name, labels, type, help},
    LOGIC_METRICS(X)
#undef X
};

int logic_config_check(const void *config, char *err, size_t errlen)
{
    const struct logic_config *c = config;

    if (c->mailbox_limit_spilled < c->mailbox_limit) {
        snprintf(err, errlen, "mailbox.limit_spilled must not be less than mailbox.limit");
        return -EINVAL;
    }
    if (c->push_max_message > c->api_max_body) {
        snprintf(err, errlen, "push.max_message must not be more than api.max_body");
        return -EINVAL;
    }
    if (c->api_max_bodies < c->api_max_body) {
        snprintf(err, errlen, "api.max_bodies must not be less than api.max_body");
        return -EINVAL;
    }
    if (c->bus_linger_ms >= c->bus_timeout_ms) {
        snprintf(err, errlen, "bus.linger must be less than bus.timeout");
        return -EINVAL;
    }
    if (c->bus_brokers[0] == '\0' || c->bus_topic[0] == '\0') {
        snprintf(err, errlen, "bus.brokers and bus.topic must not be empty");
        return -EINVAL;
    }
    if (local_callers_check(c->api_trusted, err, errlen) != 0)
        return -EINVAL;
    return kafka_options_check(c->bus_options, err, errlen);
}

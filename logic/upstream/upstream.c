/* upstream_send ─► cloud_event_make ─► ordered_producer, librdkafka ══► Kafka */
#include "logic/upstream/upstream.h"
#include "logic/base/bus.h"

#include <errno.h>

static void on_ready(bool ready, const char *why, void *arg)
{
    struct logic *logic = arg;

    daemon_ready(logic->daemon, "upstream", ready, why);
}

static void on_count(enum ordered_count what, void *arg)
{
    static const enum logic_metric metrics[] = {
        [ORDERED_PRODUCED] = LOGIC_UPSTREAM_PRODUCED, [ORDERED_FAILED] = LOGIC_UPSTREAM_FAILED,
        [ORDERED_PUT_OFF] = LOGIC_UPSTREAM_PUT_OFF,   [ORDERED_LARGE] = LOGIC_UPSTREAM_LARGE,
        [ORDERED_RESTARTS] = LOGIC_UPSTREAM_RESTARTS,
    };

    logic_count(arg, metrics[what], 1);
}

int upstream_send(struct logic *logic, const struct upstream_event *event,
                  struct ordered_ticket *ticket)
{
    struct kafka_message message;

    if (logic->memory == MEMORY_CRITICAL) {
        logic_count(logic, LOGIC_UPSTREAM_PUT_OFF, 1);
        return -EAGAIN;
    }
    cloud_event_make(event, &message);
    int err =
        ordered_producer_send(logic->upstream, &message, cloud_event_bytes(event), -1, ticket);
    if (err != 0)
        cloud_event_drop(&message);
    return err;
}

int upstream_open(struct logic *logic)
{
    const struct ordered_options options = {
        .bus = logic_producer_bus(logic),
        .name = "upstream",
        .topic = logic->config->upstream_topic,
        .timeout_ms = logic->config->bus_timeout_ms,
        .max_waiting = (size_t)logic->config->upstream_max_waiting,
        .ready = on_ready,
        .count = on_count,
        .arg = logic,
    };

    if (options.topic[0] == '\0')
        return 0;
    return ordered_producer_open(&options, &logic->upstream);
}

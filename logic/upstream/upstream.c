#include "common/base/mem.h"
#include "logic/base/bus.h"
#include "logic/upstream/internal.h"

#include <errno.h>
#include <stdlib.h>

void upstream_on_ready(bool ready, const char *why, void *arg)
{
    struct logic *logic = arg;

    daemon_ready(logic->daemon, "upstream", ready, why);
}

/* --- the topic --- */

static void on_count(enum ordered_count what, void *arg)
{
    static const enum logic_metric metrics[] = {
        [ORDERED_PRODUCED] = LOGIC_UPSTREAM_PRODUCED, [ORDERED_FAILED] = LOGIC_UPSTREAM_FAILED,
        [ORDERED_PUT_OFF] = LOGIC_UPSTREAM_PUT_OFF,   [ORDERED_LARGE] = LOGIC_UPSTREAM_LARGE,
        [ORDERED_RESTARTS] = LOGIC_UPSTREAM_RESTARTS,
    };

    logic_count(arg, metrics[what], 1);
}

static void on_produced(struct ordered_ticket *ticket, int err)
{
    struct upstream_ticket *sent = container_of(ticket, struct upstream_ticket, by.topic);

    sent->done(sent, err, NULL, 0);
}

static int topic_send(struct upstream *upstream, const struct upstream_event *event,
                      struct upstream_ticket *ticket)
{
    struct kafka_message message;

    cloud_event_make(event, &message);
    ticket->by.topic.done = on_produced;
    int err = ordered_producer_send(upstream->topic, &message, cloud_event_bytes(event), -1,
                                    &ticket->by.topic);
    if (err != 0)
        cloud_event_drop(&message);
    return err;
}

static int topic_open(struct upstream *upstream)
{
    struct logic *logic = upstream->logic;
    const struct ordered_options options = {
        .bus = logic_producer_bus(logic),
        .name = "upstream",
        .topic = logic->config->upstream_topic,
        .timeout_ms = logic->config->bus_timeout_ms,
        .max_waiting = (size_t)logic->config->upstream_max_waiting,
        .ready = upstream_on_ready,
        .count = on_count,
        .arg = logic,
    };

    return ordered_producer_open(&options, &upstream->topic);
}

/* --- either --- */

int upstream_send(struct logic *logic, const struct upstream_event *event,
                  struct upstream_ticket *ticket)
{
    struct upstream *upstream = logic->upstream;

    if (logic->memory == MEMORY_CRITICAL) {
        logic_count(logic, LOGIC_UPSTREAM_PUT_OFF, 1);
        return -EAGAIN;
    }
    return upstream->hook != NULL ? upstream_url_send(upstream, event, ticket)
                                  : topic_send(upstream, event, ticket);
}

int upstream_open(struct logic *logic)
{
    const struct logic_config *config = logic->config;
    bool by_url = config->upstream_hook.url[0] != '\0';

    if (config->upstream_topic[0] == '\0' && !by_url)
        return 0;
    struct upstream *upstream = mem_zalloc(sizeof *upstream);
    upstream->logic = logic;
    int err = by_url ? upstream_url_open(upstream) : topic_open(upstream);
    if (err != 0) {
        free(upstream);
        return err;
    }
    logic->upstream = upstream;
    return 0;
}

size_t upstream_waiting(const struct upstream *upstream)
{
    return upstream->hook != NULL ? webhook_waiting(upstream->hook)
                                  : ordered_producer_waiting(upstream->topic);
}

void upstream_scrape(const struct upstream *upstream)
{
    const struct logic *logic = upstream->logic;
    bool disabled = upstream->hook != NULL && webhook_is_disabled(upstream->hook);

    metric_set(logic->counters, LOGIC_UPSTREAM_WAITING, (int64_t)upstream_waiting(upstream));
    metric_set(logic->counters, LOGIC_WEBHOOK_DISABLED, disabled);
}

void upstream_close(struct upstream *upstream)
{
    if (upstream == NULL)
        return;
    ordered_producer_close(upstream->topic);
    webhook_close(upstream->hook);
    replies_free(&upstream->replies);
    free(upstream);
}

#include "job/events/event_outlet.h"
#include "common/base/decimal.h"
#include "common/base/mem.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

struct event_outlet {
    struct job *job;
    struct ordered_producer *topic; /* one of these two is NULL */
    struct webhook *hook;
};

/* --- the topic --- */

static void on_produced(struct ordered_ticket *ticket, int err)
{
    struct event_parcel *parcel = container_of(ticket, struct event_parcel, by.topic);

    parcel->done(parcel, err);
}

static int topic_send(struct event_outlet *outlet, struct event_parcel *parcel)
{
    char *value = mem_alloc(parcel->len + DECIMAL_MOST);
    struct kafka_message message = {.value = value, .value_len = parcel->len};
    rd_kafka_headers_t *headers = rd_kafka_headers_new(1);

    memcpy(value, parcel->json, parcel->len);
    message.key = value + parcel->len;
    message.key_len = decimal_put(value + parcel->len, parcel->uid);
    rd_kafka_header_add(headers, "content-type", -1, "application/cloudevents+json; charset=UTF-8",
                        -1);
    message.headers = headers;
    parcel->by.topic.done = on_produced;
    int err = ordered_producer_send(outlet->topic, &message,
                                    parcel->len + message.key_len + EVENT_RECORD_HEAD_BYTES, -1,
                                    &parcel->by.topic);
    if (err != 0) {
        rd_kafka_headers_destroy(headers);
        free(value);
    }
    return err;
}

static int topic_open(const struct event_outlet_options *options, struct event_outlet *outlet)
{
    const struct job_config *config = options->job->config;
    const struct ordered_options topic = {
        .bus = options->bus,
        .name = "events.topic",
        .topic = config->events_topic,
        .timeout_ms = config->events_timeout_ms,
        .linger_ms = EVENTS_LINGER_MS,
        .max_waiting = (size_t)config->events_window_bytes,
        .ready = options->ready,
        .count = options->count,
        .arg = options->arg,
    };

    return ordered_producer_open(&topic, &outlet->topic);
}

/* --- the URL --- */

static void on_posted(struct webhook_ticket *ticket, int err)
{
    struct event_parcel *parcel = container_of(ticket, struct event_parcel, by.post);

    parcel->done(parcel, err);
}

static void on_count(enum webhook_count what, int64_t by, void *arg)
{
    static const enum job_metric metrics[WEBHOOK_COUNTS] = {
        [WEBHOOK_POSTED] = JOB_WEBHOOK_POSTED,
        [WEBHOOK_FAILED_CONNECT] = JOB_WEBHOOK_FAILED_CONNECT,
        [WEBHOOK_FAILED_TIMEOUT] = JOB_WEBHOOK_FAILED_TIMEOUT,
        [WEBHOOK_FAILED_STATUS] = JOB_WEBHOOK_FAILED_STATUS,
        [WEBHOOK_FAILED_ANSWER] = JOB_WEBHOOK_FAILED_ANSWER,
        [WEBHOOK_EVENTS] = JOB_WEBHOOK_EVENTS,
        [WEBHOOK_US] = JOB_WEBHOOK_US,
    };
    struct event_outlet *outlet = arg;

    metric_add(outlet->job->counters, metrics[what], by);
}

static int hook_open(const struct event_outlet_options *options, struct event_outlet *outlet)
{
    const struct webhook_options hook = {
        .loop = options->job->loop,
        .settings = &options->job->config->events_hook,
        .tls = options->job->tls,
        .name = "events",
        .keeps = true, /* events.window bounds how many there are */
        .ready = options->ready,
        .ready_arg = options->arg,
        .count = on_count,
        .arg = outlet,
    };

    return webhook_open(&hook, &outlet->hook);
}

/* --- either --- */

int event_outlet_open(const struct event_outlet_options *options, struct event_outlet **out)
{
    struct event_outlet *outlet = mem_zalloc(sizeof *outlet);
    bool by_url = options->job->config->events_hook.url[0] != '\0';

    loop_assert_owner(options->job->loop);
    outlet->job = options->job;
    int err = by_url ? hook_open(options, outlet) : topic_open(options, outlet);
    if (err != 0) {
        free(outlet);
        return err;
    }
    if (by_url)
        options->ready(true, NULL, options->arg);
    *out = outlet;
    return 0;
}

int event_outlet_send(struct event_outlet *outlet, struct event_parcel *parcel)
{
    if (outlet->hook == NULL)
        return topic_send(outlet, parcel);
    parcel->by.post =
        (struct webhook_ticket){.event = parcel->json, .len = parcel->len, .done = on_posted};
    return webhook_send(outlet->hook, parcel->uid, &parcel->by.post);
}

bool event_outlet_cancel(struct event_outlet *outlet, struct event_parcel *parcel)
{
    if (outlet->hook == NULL)
        return false; /* librdkafka has it */
    webhook_cancel(&parcel->by.post);
    return true;
}

const char *event_outlet_name(const struct event_outlet *outlet)
{
    return outlet->hook != NULL ? "events.url" : outlet->job->config->events_topic;
}

int event_outlet_reload(struct event_outlet *outlet, char *err, size_t errlen)
{
    return outlet->hook != NULL ? webhook_reload(outlet->hook, err, errlen) : 0;
}

void event_outlet_scrape(const struct event_outlet *outlet)
{
    bool disabled = outlet->hook != NULL && webhook_is_disabled(outlet->hook);

    metric_set(outlet->job->counters, JOB_WEBHOOK_DISABLED, disabled);
}

void event_outlet_close(struct event_outlet *outlet)
{
    if (outlet == NULL)
        return;
    ordered_producer_close(outlet->topic);
    webhook_close(outlet->hook);
    free(outlet);
}

#include "logic/upstream/cloud_event.h"
#include "common/base/decimal.h"
#include "common/base/mem.h"
#include "common/events/cloud_attributes.h"
#include "common/events/session_record.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEADERS = 12,
    HEADERS_BYTES = 512, /* names, lengths and what is no text of EVENT */
};

void cloud_event_id(const struct upstream_event *event, char *out)
{
    struct session_name name = {.epoch = event->epoch, .handle = event->handle};

    (void)snprintf(name.comet, sizeof name.comet, "%s", event->comet);
    size_t len = session_name_write(&name, out);
    (void)snprintf(out + len, CLOUD_EVENT_ID_MAX - len, ".%" PRIu64, event->number);
}

static size_t text_len(const char *text)
{
    return text == NULL ? 0 : strlen(text);
}

size_t cloud_event_bytes(const struct upstream_event *event)
{
    return HEADERS_BYTES + 4 * strnlen(event->comet, CLOUD_NAME_MOST) + text_len(event->key) +
           text_len(event->room) + text_len(event->address) + event->len;
}

static void add(rd_kafka_headers_t *headers, const char *name, const char *value)
{
    if (text_len(value) > 0)
        rd_kafka_header_add(headers, name, -1, value, -1);
}

static void add_number(rd_kafka_headers_t *headers, const char *name, int64_t value)
{
    char text[DECIMAL_MOST];

    rd_kafka_header_add(headers, name, -1, text, (ssize_t)decimal_put(text, value));
}

static rd_kafka_headers_t *make_headers(const struct upstream_event *event)
{
    char id[CLOUD_EVENT_ID_MAX], source[CLOUD_SOURCE_MAX], when[CLOUD_TIME_MAX];
    rd_kafka_headers_t *headers = rd_kafka_headers_new(HEADERS);

    cloud_event_id(event, id);
    cloud_source(event->comet, source);
    cloud_time(event->time_ms, when);
    add(headers, "ce_specversion", "1.0");
    add(headers, "ce_id", id);
    add(headers, "ce_source", source);
    add(headers, "ce_type", "io.imc.upstream.v1");
    add_number(headers, "ce_subject", event->uid);
    add(headers, "ce_time", when);
    add(headers, "content-type", event->json ? "application/json" : "application/octet-stream");
    add_number(headers, "ce_operation", event->op);
    add(headers, "ce_devicekey", event->key);
    add(headers, "ce_room", event->room);
    add(headers, "ce_address", event->address);
    return headers;
}

void cloud_event_make(const struct upstream_event *event, struct kafka_message *message)
{
    char *value = mem_alloc(event->len + DECIMAL_MOST);

    if (event->len > 0)
        memcpy(value, event->body, event->len);
    *message = (struct kafka_message){
        .value = value,
        .value_len = event->len,
        .key = value + event->len,
        .key_len = decimal_put(value + event->len, event->uid),
        .headers = make_headers(event),
    };
}

void cloud_event_drop(struct kafka_message *message)
{
    free(message->value);
    rd_kafka_headers_destroy(message->headers);
}

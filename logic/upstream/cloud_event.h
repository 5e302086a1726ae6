/* cloud_event.h - what a client sends to the business, as a Kafka message. Pure; any thread.
 *
 * Source of the form: CloudEvents 1.0, and its Kafka protocol binding 1.0, binary mode. The value
 * is the data as it is, and each attribute is a header "ce_NAME" in UTF-8. Names of attributes have
 * only a-z and 0-9. An attribute that is empty has no header. docs/upstream.md shows one. */
#ifndef IMC_LOGIC_UPSTREAM_CLOUD_EVENT_H
#define IMC_LOGIC_UPSTREAM_CLOUD_EVENT_H

#include "common/kafka/kafka_message.h"

#include <stdbool.h>
#include <stdint.h>

/* A frame of a client. All is borrowed; a text may be "", or NULL for the same. */
struct upstream_event {
    const char *comet; /* the comet's name: ce_source is /imc/comet/NAME */
    uint64_t epoch;    /* of that comet */
    uint64_t handle;   /* of the session; these three and `number` make ce_id */
    uint64_t number;   /* of the frame in its session; the same when it is sent again */
    int64_t uid;       /* the message's key, and ce_subject */
    const char *key;   /* of the device */
    const char *room;
    const char *address; /* of the client */
    uint64_t time_ms;    /* Unix time */
    int32_t op;
    bool json; /* the body is a JSON value */
    const void *body;
    size_t len;
};

enum { CLOUD_EVENT_ID_MAX = 128 };

/* OUT has CLOUD_EVENT_ID_MAX bytes. A name that is too long is cut. */
void cloud_event_id(const struct upstream_event *event, char *out);
/* The most bytes that key, value and headers of EVENT may take in Kafka. */
size_t cloud_event_bytes(const struct upstream_event *event);
/* Value, key and headers of EVENT, all new. The value is there even if the body is empty, because a
 * message without one would be taken for a deletion. The caller owns them: cloud_event_drop(), or
 * librdkafka takes them. */
void cloud_event_make(const struct upstream_event *event, struct kafka_message *message);
void cloud_event_drop(struct kafka_message *message);
/* EVENT, whose id is ID, in the JSON format, as a webhook posts it, *LEN bytes for free(): a body
 * that is JSON in "data", any other in "data_base64". */
char *cloud_event_json(const struct upstream_event *event, const char *id, size_t *len);

#endif

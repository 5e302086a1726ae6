/* kafka_message.h - key, value and headers of a message for Kafka. Any thread. */
#ifndef IMC_COMMON_KAFKA_KAFKA_MESSAGE_H
#define IMC_COMMON_KAFKA_KAFKA_MESSAGE_H

#include <stddef.h>

struct trace_context;

struct kafka_message {
    void *value; /* from mem_alloc() */
    size_t value_len;
    const void *key; /* in the same allocation */
    size_t key_len;
    struct rd_kafka_headers_s *headers; /* librdkafka's; NULL: none */
};

/* Frees value and headers of a message that nobody took. */
void kafka_message_drop(struct kafka_message *message);
/* Bytes that kafka_message_trace() adds. */
size_t kafka_message_trace_size(const struct trace_context *context);
/* Adds the headers traceparent and, if it is not empty, tracestate. */
void kafka_message_trace(struct kafka_message *message, const struct trace_context *context);

#endif

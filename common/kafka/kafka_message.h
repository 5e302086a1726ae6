/* kafka_message.h - key, value and headers of a message for Kafka. */
#ifndef IMC_COMMON_KAFKA_KAFKA_MESSAGE_H
#define IMC_COMMON_KAFKA_KAFKA_MESSAGE_H

#include <stddef.h>

struct kafka_message {
    void *value; /* from mem_alloc() */
    size_t value_len;
    const void *key; /* in the same allocation */
    size_t key_len;
    struct rd_kafka_headers_s *headers; /* librdkafka's; NULL: none */
};

#endif

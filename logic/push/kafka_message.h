/* kafka_message.h - key and value of a message for Kafka. */
#ifndef IMC_LOGIC_PUSH_KAFKA_MESSAGE_H
#define IMC_LOGIC_PUSH_KAFKA_MESSAGE_H

#include <stddef.h>

struct kafka_message {
    void *value; /* from mem_alloc() */
    size_t value_len;
    const void *key; /* in the same allocation */
    size_t key_len;
};

#endif

#include "logic/push/envelope.h"
#include "common/base/decimal.h"
#include "common/base/mem.h"

#include <string.h>

static const char key_of_all[] = "all";

static size_t envelope_key(const Imc__V1__PushMsg *envelope, char buf[DECIMAL_MOST],
                           const char **key)
{
    if (envelope->type == IMC__V1__PUSH_MSG__TYPE__ROOM) {
        *key = envelope->room;
        return strlen(envelope->room);
    }
    if (envelope->type == IMC__V1__PUSH_MSG__TYPE__BROADCAST) {
        *key = key_of_all;
        return sizeof key_of_all - 1;
    }
    *key = buf;
    return decimal_put(buf, envelope->uid);
}

size_t envelope_size(const Imc__V1__PushMsg *envelope)
{
    char buf[DECIMAL_MOST];
    const char *key;

    return imc__v1__push_msg__get_packed_size(envelope) + envelope_key(envelope, buf, &key);
}

bool envelope_stores_first(const Imc__V1__PushMsg *envelope)
{
    bool first = envelope->any;

    if (envelope->collapse[0] != '\0')
        return envelope->n_hints > 0;
    for (size_t i = 0; !first && i < envelope->n_hints; i++)
        first = envelope->hints[i]->acked;
    return first && envelope->n_hints > 1;
}

/* The key is behind the envelope, in the same allocation. */
struct kafka_message envelope_pack(const Imc__V1__PushMsg *envelope)
{
    char buf[DECIMAL_MOST];
    const char *key;
    size_t key_len = envelope_key(envelope, buf, &key);
    size_t len = imc__v1__push_msg__get_packed_size(envelope);
    uint8_t *bytes = mem_alloc(len + key_len);

    imc__v1__push_msg__pack(envelope, bytes);
    memcpy(bytes + len, key, key_len);
    return (struct kafka_message){
        .value = bytes, .value_len = len, .key = bytes + len, .key_len = key_len};
}

struct kafka_message envelope_pack_within(Imc__V1__PushMsg *envelope, size_t most,
                                          const struct trace_context *trace)
{
    size_t headers = trace == NULL ? 0 : kafka_message_trace_size(trace);

    if (envelope_size(envelope) + headers > most)
        envelope->n_hints = 0;
    struct kafka_message message = envelope_pack(envelope);
    if (trace != NULL && message.value_len + message.key_len + headers <= most)
        kafka_message_trace(&message, trace);
    return message;
}

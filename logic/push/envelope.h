/* envelope.h - packs an envelope for Kafka. Pure. */
#ifndef IMC_LOGIC_PUSH_ENVELOPE_H
#define IMC_LOGIC_PUSH_ENVELOPE_H

#include "logic/kafka/kafka_message.h"
#include "proto/bus.pb-c.h"

/* Bytes of envelope and key together. The key decides the partition: it is the room, "all", or the
 * uid. */
size_t envelope_size(const Imc__V1__PushMsg *envelope);
struct kafka_message envelope_pack(const Imc__V1__PushMsg *envelope);

#endif

/* envelope.h - packs an envelope for Kafka. Pure. */
#ifndef IMC_LOGIC_PUSH_ENVELOPE_H
#define IMC_LOGIC_PUSH_ENVELOPE_H

#include "common/kafka/kafka_message.h"
#include "proto/bus.pb-c.h"

#include <stdbool.h>

/* Bytes of envelope and key together. The key decides the partition: it is the room, "all", or the
 * uid. */
size_t envelope_size(const Imc__V1__PushMsg *envelope);
/* Whether the mailbox has to tell the sessions of the hint apart: of several sessions, one may take
 * the message and another be gone before it has acknowledged it; or the first is to end it for all.
 */
bool envelope_stores_first(const Imc__V1__PushMsg *envelope);
struct kafka_message envelope_pack(const Imc__V1__PushMsg *envelope);

#endif

/* envelope.h - packs an envelope for Kafka. Pure. */
#ifndef IMC_LOGIC_PUSH_ENVELOPE_H
#define IMC_LOGIC_PUSH_ENVELOPE_H

#include "common/kafka/kafka_message.h"
#include "proto/bus.pb-c.h"

#include <stdbool.h>

/* Bytes of envelope and key together. The key decides the partition: it is the room, "all", or the
 * uid. */
size_t envelope_size(const Imc__V1__PushMsg *envelope);
/* Whether the message goes by the mailbox although there are hints. With several sessions: one may
 * take it and another be gone before it has acknowledged it; or the first is to end it for all. Or
 * it has a collapse key, and one that it replaces may wait there. */
bool envelope_stores_first(const Imc__V1__PushMsg *envelope);
struct kafka_message envelope_pack(const Imc__V1__PushMsg *envelope);
/* The same for a topic that takes MOST bytes of key, value and headers together, with the headers
 * of TRACE, which may be NULL. If they are more, the hints are left out: job asks where the
 * sessions are. If they are still more, the trace is left out, too. */
struct kafka_message envelope_pack_within(Imc__V1__PushMsg *envelope, size_t most,
                                          const struct trace_context *trace);

#endif

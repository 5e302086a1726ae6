/* session_record.h - a record of the log of sessions (events.log) as bytes: proto/events.proto.
 * Pure; any thread. */
#ifndef IMC_COMMON_EVENTS_SESSION_RECORD_H
#define IMC_COMMON_EVENTS_SESSION_RECORD_H

#include "common/base/mem.h"
#include "common/kafka/kafka_message.h"
#include "proto/events.pb-c.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The settings of the topic, when it is created: docs/events.md says why. */
#define SESSION_LOG_SETTINGS                                                               \
    "cleanup.policy=compact,segment.bytes=67108864,segment.ms=600000,delete.retention.ms=" \
    "600000,min.compaction.lag.ms=60000"

/* A session: which one of which life of which comet. */
struct session_name {
    char comet[64];
    uint64_t epoch, handle;
};

enum { SESSION_NAME_MAX = 104 };

/* The record's key, "COMET.EPOCH.HANDLE", the numbers in hex. Returns its length. */
size_t session_name_write(const struct session_name *name, char out[SESSION_NAME_MAX]);
/* False: TEXT is no such key. */
bool session_name_read(const void *text, size_t len, struct session_name *out);

/* Value and key of RECORD, new. The caller owns them: free(message->value), or librdkafka takes
 * them. */
void session_record_make(const struct session_name *name, const Imc__V1__SessionRecord *record,
                         struct kafka_message *message);
/* Lives in ARENA. NULL: it is none. */
const Imc__V1__SessionRecord *session_record_read(struct arena *arena, const void *value,
                                                  size_t len);

#endif

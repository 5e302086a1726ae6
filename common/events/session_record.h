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

/* A fact about a session: the key of its record, and its event's id: session, NUMBER (in hex) and
 * WHAT, joined by dots. Returns its length. */
enum { SESSION_FACT_MAX = 144 };
size_t session_fact_write(const struct session_name *name, uint64_t number, const char *what,
                          char out[SESSION_FACT_MAX]);
/* The key as a string, in ARENA; NULL: it is no such key. */
const char *session_fact_read(const void *key, size_t len, struct arena *arena,
                              struct session_name *out);

/* What became of a message: the key of its record, and its event's id: uid, MESSAGE (both in
 * decimal), SESSION if it is not empty, and WHAT, joined by dots. Returns its length. */
enum { MESSAGE_FACT_MAX = 320 }; /* a session as record.session may have three bytes for each */
size_t message_fact_write(int64_t uid, uint64_t message, const char *session, const char *what,
                          char out[MESSAGE_FACT_MAX]);

/* Value and key of RECORD, new. The caller owns them: free(message->value), or librdkafka takes
 * them. */
void session_record_make(const struct session_name *name, const Imc__V1__SessionRecord *record,
                         struct kafka_message *message);
/* The same with KEY, LEN bytes. */
void session_record_make_with(const void *key, size_t len, const Imc__V1__SessionRecord *record,
                              struct kafka_message *message);
/* Lives in ARENA. NULL: it is none. */
const Imc__V1__SessionRecord *session_record_read(struct arena *arena, const void *value,
                                                  size_t len);

#endif

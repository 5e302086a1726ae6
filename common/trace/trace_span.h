/* trace_span.h - a step of a traced message as a span of OpenTelemetry, in OTLP's JSON form
 * (opentelemetry-proto 1.x). Attributes have the names of its conventions for messaging, as
 * TRACE_SPAN_SCHEMA_URL has them. Pure; any thread.
 *
 * A span's id is made of the message's id and of what the span is. So a daemon knows the id of the
 * span before its own, and no message has to carry it:
 *
 *   caller's span ─► send (logic) ─► process (job) ─► deliver (comet), store (logic) */
#ifndef IMC_COMMON_TRACE_TRACE_SPAN_H
#define IMC_COMMON_TRACE_TRACE_SPAN_H

#include "common/trace/trace_mark.h"

/* Later versions have other names for some attributes: messaging.system.name, kafka.offset. */
#define TRACE_SPAN_SCHEMA_URL "https://opentelemetry.io/schemas/1.44.0"

enum trace_span_what {
    TRACE_SPAN_SEND = 1,
    TRACE_SPAN_PROCESS,
    TRACE_SPAN_DELIVER,
    TRACE_SPAN_STORE
};

enum { TRACE_SPAN_TEXT_MAX = 4096, TRACE_SPAN_NAME_MAX = 160 };

struct trace_span {
    uint64_t id; /* of the message */
    enum trace_span_what what;
    uint64_t of; /* of several: what distinguishes them, as trace_span_of() makes it; else 0 */
    uint64_t start_us; /* Unix time by this machine's clock */
    uint64_t end_us;
    const char *error;      /* NULL: it went well */
    const char *error_type; /* one of a few words, for ERROR */
    char name[TRACE_SPAN_NAME_MAX];
    size_t len;
    char attributes[768]; /* JSON, each after a comma; those that do not fit are left out */
};

void trace_span_number(struct trace_span *span, const char *key, int64_t value);
/* TEXT may have any bytes; after the first 128 it is cut. */
void trace_span_text(struct trace_span *span, const char *key, const char *text);
/* What all spans of messages in Kafka have. OPERATION: "send" or "process". */
void trace_span_kafka(struct trace_span *span, const char *operation, const char *topic);
void trace_span_partition(struct trace_span *span, int32_t partition, int64_t offset);
/* What all spans behind Kafka have. SESSION may be NULL. */
void trace_span_imc(struct trace_span *span, const char *operation, const char *session);
/* What distinguishes a span of daemon WHO, that began at SINCE_US, from others of the message and
 * of its kind. NUMBER: of the session or loop there. */
uint64_t trace_span_of(const char *who, uint64_t number, uint64_t since_us);
/* The span with id of its own, for headers of further messages. Not all zero. */
void trace_span_id(uint64_t id, enum trace_span_what what, uint64_t of,
                   uint8_t out[TRACE_SPAN_LEN]);
/* Writes SPAN as a JSON object, which always fits. Its length. */
size_t trace_span_print(const struct trace_span *span, const struct trace_mark *mark,
                        char out[TRACE_SPAN_TEXT_MAX]);

#endif

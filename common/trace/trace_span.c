#include "common/trace/trace_span.h"
#include "common/base/hash.h"
#include "common/base/text.h"
#include "common/protocol/json_scan.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MOST = 128, TEXT_JSON = 6 * TEXT_MOST + 3, ERROR_MAX = 64 + TEXT_JSON };
/* SpanKind and StatusCode of OTLP */
enum { KIND_INTERNAL = 1, KIND_CLIENT = 3, KIND_PRODUCER = 4, KIND_CONSUMER = 5, STATUS_ERROR = 2 };

/* As a JSON string, with a NUL. */
static const char *json_text(const char *text, char out[TEXT_JSON])
{
    size_t len = json_write_string((const uint8_t *)text, strnlen(text, TEXT_MOST), (uint8_t *)out,
                                   TEXT_JSON - 1);

    out[len] = '\0';
    return out;
}

/* Takes over what was written behind the attributes, LEN bytes, if all of it fitted. */
static void take(struct trace_span *span, int len)
{
    if (len > 0 && (size_t)len < sizeof span->attributes - span->len)
        span->len += (size_t)len;
    span->attributes[span->len] = '\0';
}

/* OTLP's JSON has numbers of 64 bits as text. */
void trace_span_number(struct trace_span *span, const char *key, int64_t value)
{
    take(span, snprintf(span->attributes + span->len, sizeof span->attributes - span->len,
                        ",{\"key\":\"%s\",\"value\":{\"intValue\":\"%" PRId64 "\"}}", key, value));
}

void trace_span_text(struct trace_span *span, const char *key, const char *text)
{
    char json[TEXT_JSON];

    take(span,
         snprintf(span->attributes + span->len, sizeof span->attributes - span->len,
                  ",{\"key\":\"%s\",\"value\":{\"stringValue\":%s}}", key, json_text(text, json)));
}

static void message_id(struct trace_span *span)
{
    char id[24];

    (void)snprintf(id, sizeof id, "%" PRIu64, span->id);
    trace_span_text(span, "messaging.message.id", id);
}

void trace_span_kafka(struct trace_span *span, const char *operation, const char *topic)
{
    trace_span_text(span, "messaging.system", "kafka");
    trace_span_text(span, "messaging.operation.type", operation);
    trace_span_text(span, "messaging.operation.name", operation);
    trace_span_text(span, "messaging.destination.name", topic);
    message_id(span);
}

void trace_span_partition(struct trace_span *span, int32_t partition, int64_t offset)
{
    char text[16];

    (void)snprintf(text, sizeof text, "%" PRId32, partition);
    trace_span_text(span, "messaging.destination.partition.id", text);
    trace_span_number(span, "messaging.kafka.offset", offset);
}

void trace_span_imc(struct trace_span *span, const char *operation, const char *session)
{
    trace_span_text(span, "messaging.system", "imc");
    trace_span_text(span, "messaging.operation.type", "send");
    trace_span_text(span, "messaging.operation.name", operation);
    message_id(span);
    if (session != NULL)
        trace_span_text(span, "imc.session", session);
}

uint64_t trace_span_of(const char *who, uint64_t number, uint64_t since_us)
{
    uint64_t hash = hash_fnv1a(HASH_FNV1A_BEGIN, who, strlen(who));

    hash = hash_fnv1a(hash, &number, sizeof number);
    return hash_fnv1a(hash, &since_us, sizeof since_us);
}

void trace_span_id(uint64_t id, enum trace_span_what what, uint64_t of, uint8_t out[TRACE_SPAN_LEN])
{
    uint64_t hash = hash_mix64(hash_mix64(id + (uint64_t)what) ^ of) | 1;

    memcpy(out, &hash, TRACE_SPAN_LEN);
}

static int kind_of(enum trace_span_what what)
{
    switch (what) {
    case TRACE_SPAN_SEND:
        return KIND_PRODUCER;
    case TRACE_SPAN_PROCESS:
        return KIND_CONSUMER;
    case TRACE_SPAN_DELIVER: /* nobody gets its context */
    case TRACE_SPAN_STORE:
        return KIND_CLIENT;
    }
    return KIND_INTERNAL;
}

/* "" for a span that begins the trace. */
static void print_parent(const struct trace_span *span, const struct trace_mark *mark,
                         char out[2 * TRACE_SPAN_LEN + 1])
{
    static const uint8_t none[TRACE_SPAN_LEN];
    uint8_t parent[TRACE_SPAN_LEN];

    if (span->what == TRACE_SPAN_SEND)
        memcpy(parent, mark->parent, sizeof parent);
    else
        trace_span_id(span->id,
                      span->what == TRACE_SPAN_PROCESS ? TRACE_SPAN_SEND : TRACE_SPAN_PROCESS, 0,
                      parent);
    out[0] = '\0';
    if (memcmp(parent, none, sizeof none) != 0)
        text_to_hex(parent, sizeof parent, out);
}

/* "" or the attributes behind the first comma. */
static const char *attributes_of(const struct trace_span *span)
{
    return span->len > 0 ? span->attributes + 1 : "";
}

/* The machine's clock may have been set back since it began. */
static uint64_t end_of(const struct trace_span *span)
{
    return span->end_us > span->start_us ? span->end_us : span->start_us;
}

/* What a span that failed has more: an attribute, and what stands behind the attributes. */
static void print_error(const struct trace_span *span, char attribute[ERROR_MAX],
                        char status[ERROR_MAX])
{
    char json[TEXT_JSON];

    attribute[0] = status[0] = '\0';
    if (span->error == NULL)
        return;
    (void)snprintf(attribute, ERROR_MAX,
                   "%s{\"key\":\"error.type\",\"value\":{\"stringValue\":%s}}",
                   span->len > 0 ? "," : "",
                   json_text(span->error_type != NULL ? span->error_type : "_OTHER", json));
    (void)snprintf(status, ERROR_MAX, ",\"status\":{\"code\":%d,\"message\":%s}", STATUS_ERROR,
                   json_text(span->error, json));
}

size_t trace_span_print(const struct trace_span *span, const struct trace_mark *mark,
                        char out[TRACE_SPAN_TEXT_MAX])
{
    char trace[2 * TRACE_ID_LEN + 1], own[2 * TRACE_SPAN_LEN + 1], parent[2 * TRACE_SPAN_LEN + 1];
    char name[TEXT_JSON], error_type[ERROR_MAX], status[ERROR_MAX];
    uint8_t id[TRACE_SPAN_LEN];

    text_to_hex(mark->trace_id, TRACE_ID_LEN, trace);
    trace_span_id(span->id, span->what, span->of, id);
    text_to_hex(id, sizeof id, own);
    print_parent(span, mark, parent);
    print_error(span, error_type, status);
    int len = snprintf(out, TRACE_SPAN_TEXT_MAX,
                       "{\"traceId\":\"%s\",\"spanId\":\"%s\",\"parentSpanId\":\"%s\",\"name\":%s,"
                       "\"kind\":%d,\"startTimeUnixNano\":\"%" PRIu64
                       "000\",\"endTimeUnixNano\":\"%" PRIu64 "000\",\"attributes\":[%s%s]%s}",
                       trace, own, parent, json_text(span->name, name), kind_of(span->what),
                       span->start_us, end_of(span), attributes_of(span), error_type, status);
    assert(len > 0 && len < TRACE_SPAN_TEXT_MAX);
    return (size_t)len;
}

/* tracer.h - takes what happens to traced messages, on any thread, and brings it to Redis and to a
 * collector of OpenTelemetry, from its owner loop.
 *
 *   any thread: tracer_tell ─► a list ─► owner loop, at most TRACER_WAIT_MS later
 *                                           ├─► imc:trace:ID     a list: steps of a message
 *                                           ├─► imc:push:ID      a hash: counts of a push
 *               tracer_span ─► a list ─────►└─► collector        otlp.h, if trace.otlp_url is set
 *
 * Nobody waits for any of it. The lists have limits, and so has what Redis or the collector have
 * not answered yet. What is beyond is dropped and counted. Both keys expire after TRACER_KEEP_MS.
 *
 * Callers look for a mark first (trace_mark.h). For a message without one they do nothing. */
#ifndef IMC_COMMON_TRACE_TRACER_H
#define IMC_COMMON_TRACE_TRACER_H

#include "common/base/loop.h"
#include "common/config/row.h"
#include "common/trace/trace_mark.h"
#include "common/trace/trace_span.h"
#include "common/trace/trace_step.h"

struct redis;
struct tls;
struct tracer;

enum {
    TRACER_KEEP_MS = 3600 * 1000,
    TRACER_WAIT_MS = 20,
    TRACER_STEPS_MOST = 1000,  /* of one message */
    TRACER_QUEUE_MOST = 8192,  /* steps that wait to be sent */
    TRACER_PUSHES_MOST = 1024, /* pushes whose counts wait */
    TRACER_SPANS_MOST = 4096,  /* spans that wait for the loop */
    TRACER_KEY_MAX = 40,
};

/* Rows of a daemon's table of metrics, in this order: X(ID, name, labels, type, help). */
#define TRACER_METRICS(X)                                                                         \
    X(TRACE_KEPT, "imc_trace_steps_total", "result=\"kept\"", METRIC_COUNTER,                     \
      "Steps of traced messages, and counts of traced pushes. kept: Redis has them; lost: Redis " \
      "did not take them, or too many came at once, or the message had too many.")                \
    X(TRACE_LOST, "imc_trace_steps_total", "result=\"lost\"", METRIC_COUNTER, "")                 \
    X(SPANS_SENT, "imc_trace_spans_total", "result=\"sent\"", METRIC_COUNTER,                     \
      "Spans of OpenTelemetry. sent: the collector has them; lost: it refused them, did not "     \
      "answer for too long, or too many waited for it.")                                          \
    X(SPANS_LOST, "imc_trace_spans_total", "result=\"lost\"", METRIC_COUNTER, "")

/* The settings that each daemon with a tracer has. OFFSET: of struct tracer_config in its struct.
 */
struct tracer_config {
    char *otlp_url, *otlp_headers;
};
#define TRACER_ROWS(offset)                                                                  \
    {"trace",                                                                                \
     "otlp_url",                                                                             \
     CONFIG_STRING,                                                                          \
     (offset) + offsetof(struct tracer_config, otlp_url),                                    \
     "",                                                                                     \
     0,                                                                                      \
     0,                                                                                      \
     "Collector of OpenTelemetry, which gets spans of traced messages by OTLP/HTTP in "      \
     "JSON: http://host:4318 or https://; /v1/traces if it has no path "                     \
     "(docs/tracing.md). Empty: none.",                                                      \
     false},                                                                                 \
    {                                                                                        \
        "trace", "otlp_headers", CONFIG_SECRETS,                                             \
            (offset) + offsetof(struct tracer_config, otlp_headers), "", 0, 0,               \
            "What else a request to that collector says, as in OTEL_EXPORTER_OTLP_HEADERS: " \
            "authorization=Bearer%20KEY,x-tenant=7.",                                        \
            false                                                                            \
    }

struct tracer_options {
    struct redis *redis;
    const char *service; /* "imc-logic"; not copied */
    const char *member;  /* the daemon's id; copied */
    _Atomic int64_t *counters;
    size_t first_metric; /* of TRACER_METRICS */
    const struct tracer_config *config;
    struct tls *tls; /* for a collector by https */
};

/* Checks the settings. 0, or -EINVAL and ERR. */
int tracer_check(const struct tracer_config *config, char *err, size_t errlen);
/* NULL, after logging: the collector's URL cannot be used. */
struct tracer *tracer_open(struct loop *loop, const struct tracer_options *options);
/* What is not sent yet is lost. No other thread may use it any more. NULL is fine. */
void tracer_close(struct tracer *tracer);
/* Any thread: something has happened to a message with MARK. Depending on MARK's flags it is kept,
 * and counted. TRACER NULL: it is not open yet. */
void tracer_tell(struct tracer *tracer, const struct trace_mark *mark, struct trace_step *step);
/* The same for what many messages share: only counted, N times. */
void tracer_count(struct tracer *tracer, const struct trace_mark *mark, enum trace_what what,
                  uint32_t n);

/* Does a collector want spans? TRACER may be NULL. */
bool tracer_wants_spans(const struct tracer *tracer);
/* Any thread: for tracer_wants_spans() and a MARK that has TRACE_SPANS; else nothing happens. */
void tracer_span(struct tracer *tracer, const struct trace_mark *mark,
                 const struct trace_span *span);

/* Names of keys. Each returns its length. */
size_t tracer_message_key(uint64_t id, char out[TRACER_KEY_MAX]);
size_t tracer_push_key(uint64_t id, char out[TRACER_KEY_MAX]);

#endif

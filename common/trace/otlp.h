/* otlp.h - sends spans to a collector of OpenTelemetry, by OTLP/HTTP with JSON. Owner loop only.
 *
 *   otlp_add ─► a list ─► every OTLP_EVERY_MS, at most OTLP_BATCH of it ══ POST ══► collector
 *
 * One request is under way at a time. After a failure nothing is sent for OTLP_PAUSE_MS, or for as
 * long as Retry-After says. Then the same spans are sent again, and with the OTLP_TRIES-th failure
 * they are lost. Lost are also those of a request that the collector will never take, those that it
 * refuses of a request that it takes, and those that come while OTLP_WAITING_MOST wait. Nobody
 * waits for the collector. */
#ifndef IMC_COMMON_TRACE_OTLP_H
#define IMC_COMMON_TRACE_OTLP_H

#include "common/base/loop.h"
#include "common/base/metrics.h"

struct tls;
struct otlp;

enum {
    OTLP_EVERY_MS = 1000,
    OTLP_TIMEOUT_MS = 5000,
    OTLP_PAUSE_MS = 5000,
    OTLP_RETRY_AFTER_MOST_S = 600,
    OTLP_TRIES = 12,
    OTLP_BATCH = 512,
    OTLP_WAITING_MOST = 4096,
};

struct otlp_options {
    const char *url;     /* "http://host:4318", or with a path */
    const char *headers; /* otlp_headers.h */
    struct tls *tls;     /* for https */
    const char *service, *member;
    _Atomic int64_t *counters;
    size_t sent_metric, lost_metric;
};

/* 0, or -EINVAL and ERR: the URL is none, or the headers are wrong. */
int otlp_check(const char *url, const char *headers, char *err, size_t errlen);
/* 0, or -E… and ERR. */
int otlp_open(struct loop *loop, const struct otlp_options *options, struct otlp **out, char *err,
              size_t errlen);
void otlp_close(struct otlp *otlp); /* NULL is fine */
/* Takes SPAN, a JSON object, from mem_alloc(). */
void otlp_add(struct otlp *otlp, char *span);

#endif

/* otlp_headers.h - what goes with each request to a collector, as trace.otlp_headers names it.
 * Pure; any thread. */
#ifndef IMC_COMMON_TRACE_OTLP_HEADERS_H
#define IMC_COMMON_TRACE_OTLP_HEADERS_H

#include <stddef.h>

enum { OTLP_HEADERS_MOST = 16 };

/* The headers of LIST, "authorization=Bearer%20KEY,x-tenant=7" (the form of
 * OTEL_EXPORTER_OTLP_HEADERS: "Protocol Exporter" of the OpenTelemetry specification), each as a
 * line that ends in CR LF. The text may hold a secret: mem_wiped_free_text() ends it. NULL, and ERR
 * says which item is wrong without showing its value. */
char *otlp_headers_make(const char *list, char *err, size_t errlen);

#endif

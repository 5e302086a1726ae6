/* trace.h - the context of the trace that a call belongs to. Main loop only. */
#ifndef IMC_LOGIC_HTTP_TRACE_H
#define IMC_LOGIC_HTTP_TRACE_H

#include "common/http/http.h"
#include "common/protocol/trace_context.h"

/* The context in the headers traceparent and tracestate of REQUEST, to be freed. NULL: there is
 * none, or it is wrong. As W3C Trace Context wants it, a wrong one is no error: the call is taken
 * without. A wrong or too long tracestate is left out. */
struct trace_context *trace_of_request(const struct http_request *request);

#endif

#include "logic/http/trace.h"
#include "common/base/mem.h"

static void take_state(struct trace_context *context, const struct http_request *request)
{
    const char *line;

    for (size_t i = 0; (line = http_header_line(request, "tracestate", i)) != NULL; i++) {
        if (!trace_state_add(context, line))
            return;
    }
}

struct trace_context *trace_of_request(const struct http_request *request)
{
    const char *parent = http_header(request, "traceparent");
    struct trace_context context;

    if (parent == NULL || http_header_line(request, "traceparent", 1) != NULL ||
        !trace_parent_parse(parent, &context))
        return NULL;
    take_state(&context, request);
    struct trace_context *out = mem_alloc(sizeof *out);
    *out = context;
    return out;
}

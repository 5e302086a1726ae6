/* traceparent and lines of tracestate, each ended by a line feed: what is taken is written as the
 * standard has it, and read again as the same. */
#include "common/protocol/trace_context.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_parent(const struct trace_context *context)
{
    char text[TRACE_PARENT_LEN + 1];
    struct trace_context again;

    trace_parent_print(context, text);
    if (strlen(text) != TRACE_PARENT_LEN || !trace_parent_parse(text, &again) ||
        memcmp(again.trace_id, context->trace_id, sizeof again.trace_id) != 0 ||
        memcmp(again.parent_id, context->parent_id, sizeof again.parent_id) != 0 ||
        again.flags != context->flags)
        abort();
}

static void check_state(const struct trace_context *context)
{
    struct trace_context again = {0};

    if (strlen(context->state) > TRACE_STATE_MAX || !trace_state_add(&again, context->state) ||
        strcmp(again.state, context->state) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct trace_context context;

    if (text == NULL)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    char *rest = text, *line = strsep(&rest, "\n");
    if (trace_parent_parse(line, &context)) {
        check_parent(&context);
        while ((line = strsep(&rest, "\n")) != NULL && trace_state_add(&context, line))
            check_state(&context);
    }
    free(text);
    return 0;
}

#include "common/kafka/kafka_message.h"
#include "common/protocol/trace_context.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

static const char name_parent[] = "traceparent", name_state[] = "tracestate";

enum { LENGTHS = 2 * 4 }; /* bytes of both lengths of a header in a batch, at most */

void kafka_message_drop(struct kafka_message *message)
{
    free(message->value);
    if (message->headers != NULL)
        rd_kafka_headers_destroy(message->headers);
    *message = (struct kafka_message){0};
}

size_t kafka_message_trace_size(const struct trace_context *context)
{
    size_t state = strlen(context->state), size = sizeof name_parent + TRACE_PARENT_LEN + LENGTHS;

    return state == 0 ? size : size + sizeof name_state + state + LENGTHS;
}

void kafka_message_trace(struct kafka_message *message, const struct trace_context *context)
{
    char parent[TRACE_PARENT_LEN + 1];

    if (message->headers == NULL)
        message->headers = rd_kafka_headers_new(2);
    trace_parent_print(context, parent);
    (void)rd_kafka_header_add(message->headers, name_parent, -1, parent, TRACE_PARENT_LEN);
    if (context->state[0] != '\0')
        (void)rd_kafka_header_add(message->headers, name_state, -1, context->state, -1);
}

#include "job/base/message_steps.h"
#include "common/base/time.h"
#include "common/trace/tracer.h"

#include <stdio.h>

void message_step_read(struct job *job, const struct message *message)
{
    struct trace_step step = {.id = message->id, .what = TRACE_READ};

    trace_step_number(&step, "partition", message->partition_id);
    trace_step_number(&step, "offset", message->offset);
    tracer_tell(job->tracer, &message->trace->mark, &step);
}

void message_step_dispatched(struct job *job, const struct message *message, const char *comet,
                             uint32_t sessions, bool poke)
{
    struct trace_step step = {.id = message->id, .what = TRACE_DISPATCHED, .sessions = sessions};

    trace_step_text(&step, "server", comet);
    if (poke)
        trace_step_text(&step, "reason", "to fetch it from the mailbox");
    tracer_tell(job->tracer, &message->trace->mark, &step);
}

void message_step_done(struct job *job, const struct message *message)
{
    if (!tracer_wants_spans(job->tracer))
        return;
    struct trace_span span = {.id = message->id,
                              .what = TRACE_SPAN_PROCESS,
                              .start_us = message->trace->read_us,
                              .end_us = time_unix_us()};
    (void)snprintf(span.name, sizeof span.name, "process %s", job->config->bus_topic);
    trace_span_kafka(&span, "process", job->config->bus_topic);
    trace_span_text(&span, "messaging.consumer.group.name", job->config->bus_group);
    trace_span_partition(&span, message->partition_id, message->offset);
    tracer_span(job->tracer, &message->trace->mark, &span);
}

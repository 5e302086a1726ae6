#include "logic/mailbox/mailbox_trace.h"
#include "common/trace/tracer.h"

/* When it began is not known here: a span without length. */
static void tell_stored(struct logic *logic, const struct mailbox_message *message,
                        const struct trace_mark *mark, uint64_t at_us, const char *why)
{
    struct trace_span span = {.id = message->id,
                              .what = TRACE_SPAN_STORE,
                              .of = trace_span_of("", 0, at_us),
                              .start_us = at_us,
                              .end_us = at_us,
                              .name = "store mailbox"};

    trace_span_imc(&span, "store", NULL);
    if (why != NULL)
        trace_span_text(&span, "imc.reason", why);
    tracer_span(logic->tracer, mark, &span);
}

void mailbox_trace(struct logic *logic, int64_t uid, const struct mailbox_message *message,
                   enum trace_what what, const char *why)
{
    struct trace_step step = {.id = message->id, .what = what};
    struct trace_mark mark;

    if (message->trace == NULL || !trace_mark_read(message->trace, TRACE_MARK_LEN, &mark))
        return;
    trace_step_number(&step, "uid", uid);
    if (why != NULL)
        trace_step_text(&step, "reason", why);
    tracer_tell(logic->tracer, &mark, &step);
    if (what == TRACE_STORED && tracer_wants_spans(logic->tracer))
        tell_stored(logic, message, &mark, step.at_us, why);
}

void mailbox_trace_list(struct logic *logic, int64_t uid, const redisReply *list,
                        enum trace_what what, const char *why)
{
    struct mailbox_message message;

    if (list == NULL || list->type != REDIS_REPLY_ARRAY)
        return;
    for (size_t i = 0; i < list->elements; i++) {
        const redisReply *member = list->element[i];
        if (member->type == REDIS_REPLY_STRING &&
            mailbox_decode(member->str, (size_t)member->len, &message) == 0)
            mailbox_trace(logic, uid, &message, what, why);
    }
}

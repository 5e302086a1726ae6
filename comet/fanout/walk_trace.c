#include "comet/fanout/walk_trace.h"
#include "comet/base/comet.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/trace/tracer.h"

#include <stdlib.h>

enum { MOST = 64 };

struct walk_trace {
    struct worker *worker;
    size_t refs;       /* tickets that are not done, and the walk's */
    bool over;         /* the walk is */
    uint64_t since_us; /* Unix time */
    uint32_t n;
    struct one {
        uint64_t id;
        struct trace_mark mark;
        uint32_t sent, written;
    } list[MOST];
};

struct walk_trace *walk_trace_new(struct worker *worker, const struct push *pushes, size_t n)
{
    struct walk_trace *trace = NULL;
    struct trace_mark mark;

    for (size_t i = 0; i < n; i++) {
        if (pushes[i].trace == NULL || !trace_mark_read(pushes[i].trace, TRACE_MARK_LEN, &mark))
            continue;
        if (trace == NULL) {
            trace = mem_zalloc(sizeof *trace);
            trace->worker = worker;
            trace->refs = 1;
            trace->since_us = time_unix_us();
        }
        if (trace->n < MOST)
            trace->list[trace->n++] = (struct one){.id = pushes[i].id, .mark = mark};
    }
    return trace;
}

uint64_t walk_trace_bit(const struct walk_trace *trace, const struct push *push)
{
    for (uint32_t i = 0; push->trace != NULL && i < trace->n; i++) {
        if (trace->list[i].id == push->id)
            return UINT64_C(1) << i;
    }
    return 0;
}

uint64_t walk_trace_all(const struct walk_trace *trace)
{
    return trace->n == MOST ? ~UINT64_C(0) : (UINT64_C(1) << trace->n) - 1;
}

static void unref(struct walk_trace *trace)
{
    if (--trace->refs == 0)
        free(trace);
}

static void written(void *owner, uint64_t bits, struct conn *conn, enum ticket_result result)
{
    struct walk_trace *trace = owner;
    enum trace_what what = result == TICKET_WRITTEN ? TRACE_WRITTEN : TRACE_DROPPED;

    (void)conn;
    for (uint32_t i = 0; i < trace->n; i++) {
        struct one *one = &trace->list[i];
        if ((bits & UINT64_C(1) << i) == 0)
            continue;
        if (what == TRACE_WRITTEN && !trace->over)
            one->written++;
        else
            tracer_count(trace->worker->comet->tracer, &one->mark, what, 1);
    }
    unref(trace);
}

struct ticket walk_trace_ticket(struct walk_trace *trace, uint64_t bits)
{
    static const struct ticket_ops ops = {.done = written, .passive = true};

    trace->refs++;
    return (struct ticket){.ops = &ops, .owner = trace, .arg = bits};
}

void walk_trace_sent(struct walk_trace *trace, uint64_t bits, bool taken)
{
    if (!taken)
        unref(trace);
    for (uint32_t i = 0; taken && i < trace->n; i++)
        trace->list[i].sent += (bits >> i & 1) != 0;
}

static void tell(struct walk_trace *trace, const struct one *one, enum trace_what what, uint32_t n)
{
    struct trace_step step = {.id = one->id, .what = what, .sessions = n};

    if (n > 0)
        tracer_tell(trace->worker->comet->tracer, &one->mark, &step);
}

static void tell_span(const struct walk_trace *trace, const struct one *one)
{
    const struct worker *worker = trace->worker;
    struct tracer *tracer = worker->comet->tracer;

    if (!tracer_wants_spans(tracer))
        return;
    uint64_t of = trace_span_of(worker->comet->id, (uint64_t)worker->loop.index, trace->since_us);
    struct trace_span span = {
        .id = one->id,
        .what = TRACE_SPAN_DELIVER,
        .of = of,
        .start_us = trace->since_us,
        .end_us = time_unix_us(),
        .name = "deliver room",
    };
    trace_span_imc(&span, "deliver", NULL);
    trace_span_number(&span, "imc.sessions", one->sent);
    tracer_span(tracer, &one->mark, &span);
}

void walk_trace_end(struct walk_trace *trace)
{
    for (uint32_t i = 0; i < trace->n; i++) {
        tell_span(trace, &trace->list[i]);
        tell(trace, &trace->list[i], TRACE_SENT, trace->list[i].sent);
        tell(trace, &trace->list[i], TRACE_WRITTEN, trace->list[i].written);
    }
    trace->over = true;
    unref(trace);
}

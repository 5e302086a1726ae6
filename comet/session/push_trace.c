#include "comet/session/push_trace.h"
#include "comet/base/comet.h"
#include "comet/net/goim_client.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/containers/map.h"
#include "common/protocol/session_text.h"
#include "common/trace/tracer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A message on its way to a session. */
struct remembered {
    uint64_t key, id, handle; /* id 0: free, or forgotten */
    struct trace_mark mark;
    uint64_t since_us; /* Unix time: since it is on its way to the session */
    bool written;
};

struct push_traces {
    struct map64 *by_key; /* place in the ring */
    uint32_t next;        /* place that is used next; who is there is forgotten */
    struct remembered ring[PUSH_TRACES_MOST];
};

/* Does CONN's client acknowledge what it gets? */
static bool acknowledges(const struct conn *conn)
{
    return conn->goim != NULL && conn->goim->acks != NULL;
}

static uint64_t key_of(uint64_t id, uint64_t handle)
{
    return hash_mix64(id) ^ handle;
}

static void tell(struct worker *worker, uint64_t handle, int64_t uid, const struct trace_mark *mark,
                 struct trace_step *step)
{
    trace_step_session(step, worker->comet->id, handle);
    trace_step_number(step, "uid", uid);
    tracer_tell(worker->comet->tracer, mark, step);
}

static void tell_push(struct conn *conn, const struct push *push, enum trace_what what,
                      const char *why)
{
    struct trace_step step = {.id = push->id, .what = what};
    struct trace_mark mark;

    loop_assert_owner(&conn->worker->loop);
    if (!trace_mark_read(push->trace, TRACE_MARK_LEN, &mark))
        return;
    if (why != NULL)
        trace_step_text(&step, "reason", why);
    tell(conn->worker, conn->handle, conn->uid, &mark, &step);
}

void push_trace_gone(struct worker *worker, int64_t uid, uint64_t handle, const struct push *push)
{
    struct trace_step step = {.id = push->id, .what = TRACE_GONE};
    struct trace_mark mark;

    loop_assert_owner(&worker->loop);
    if (trace_mark_read(push->trace, TRACE_MARK_LEN, &mark))
        tell(worker, handle, uid, &mark, &step);
}

/* Why CONN dropped a message. KNOWN: what is remembered of it; NULL: nothing. */
static const char *why_dropped(const struct conn *conn, const struct remembered *known)
{
    if (conn->state >= CONN_CLOSING)
        return "the session has ended";
    if (acknowledges(conn) && known != NULL && known->written)
        return "the client has not acknowledged it yet";
    return "the session cannot take it now";
}

/* What is acknowledged is told as it is acknowledged, and what is stored by logic. */
static void tell_result(struct conn *conn, const struct push *push, enum ticket_result result,
                        const struct remembered *known)
{
    if (result == TICKET_WRITTEN && !acknowledges(conn))
        tell_push(conn, push, TRACE_WRITTEN, NULL);
    else if (result == TICKET_DECLINED)
        tell_push(conn, push, TRACE_DECLINED, NULL);
    else if (result == TICKET_DROPPED)
        tell_push(conn, push, TRACE_DROPPED, why_dropped(conn, known));
}

/* --- by id --- */

static struct remembered *find(struct push_traces *traces, uint64_t id, uint64_t handle)
{
    const uint64_t *place = map64_get(traces->by_key, key_of(id, handle));

    if (place == NULL)
        return NULL;
    struct remembered *known = &traces->ring[*place];
    return known->id == id && known->handle == handle ? known : NULL;
}

static void tell_span(struct worker *worker, const struct remembered *known, const char *error)
{
    struct tracer *tracer = worker->comet->tracer;
    const char *comet = worker->comet->id;
    char session[SESSION_TEXT_MAX];

    if (!tracer_wants_spans(tracer))
        return;
    struct trace_span span = {.id = known->id,
                              .what = TRACE_SPAN_DELIVER,
                              .of = trace_span_of(comet, known->handle, known->since_us),
                              .start_us = known->since_us,
                              .end_us = time_unix_us(),
                              .error = error,
                              .error_type = "dropped",
                              .name = "deliver session"};
    session_text_write(known->handle, comet, session);
    trace_span_imc(&span, "deliver", session);
    tracer_span(tracer, &known->mark, &span);
}

static void forget(struct push_traces *traces, struct remembered *known)
{
    if (known->id != 0)
        map64_del(traces->by_key, known->key);
    known->id = 0;
}

static struct push_traces *traces_of(struct worker *worker)
{
    if (worker->traces == NULL) {
        worker->traces = mem_zalloc(sizeof *worker->traces);
        worker->traces->by_key = map64_new();
    }
    return worker->traces;
}

static void remember(struct conn *conn, const struct push *push, bool written)
{
    struct push_traces *traces = traces_of(conn->worker);
    struct trace_mark mark;

    if (!trace_mark_read(push->trace, TRACE_MARK_LEN, &mark))
        return;
    struct remembered *known = find(traces, push->id, conn->handle);
    if (known == NULL) {
        known = &traces->ring[traces->next];
        forget(traces, known);
        *known = (struct remembered){.key = key_of(push->id, conn->handle),
                                     .id = push->id,
                                     .handle = conn->handle,
                                     .mark = mark,
                                     .since_us = time_unix_us()};
        map64_set(traces->by_key, known->key, traces->next);
        traces->next = (traces->next + 1) % PUSH_TRACES_MOST;
    }
    known->written |= written;
}

void push_trace_sent(struct conn *conn, const struct push *push)
{
    if (tracer_wants_spans(conn->worker->comet->tracer))
        remember(conn, push, false);
    tell_push(conn, push, TRACE_SENT, NULL);
}

void push_trace_told(struct conn *conn, const struct push *push, enum ticket_result result)
{
    struct push_traces *traces = conn->worker->traces;

    if (push->trace == NULL)
        return; /* a mark that we do not know */
    struct remembered *known = traces != NULL ? find(traces, push->id, conn->handle) : NULL;
    tell_result(conn, push, result, known);
    if (known == NULL || acknowledges(conn) || result == TICKET_STORED)
        return; /* it is told when it is acknowledged, or fetched and written */
    tell_span(conn->worker, known, result == TICKET_DROPPED ? "not taken by the session" : NULL);
    forget(traces, known);
}

void push_trace_fetched(struct conn *conn, const struct push *push)
{
    remember(conn, push, false);
    tell_push(conn, push, TRACE_SENT, "from the mailbox");
}

void push_trace_numbered(struct conn *conn, const struct push *push, bool written)
{
    remember(conn, push, written);
    if (written)
        tell_push(conn, push, TRACE_WRITTEN, NULL);
}

static void tell_known(struct conn *conn, const struct remembered *known, enum trace_what what)
{
    tell(conn->worker, conn->handle, conn->uid, &known->mark,
         &(struct trace_step){.id = known->id, .what = what});
}

void push_trace_ended(struct conn *conn, uint64_t id, enum ticket_result result)
{
    struct push_traces *traces = conn->worker->traces;
    struct remembered *known = find(traces, id, conn->handle);

    if (known == NULL || acknowledges(conn))
        return;
    if (result == TICKET_WRITTEN)
        tell_known(conn, known, TRACE_WRITTEN);
    else if (result == TICKET_DECLINED)
        tell_known(conn, known, TRACE_DECLINED);
    tell_span(conn->worker, known, NULL);
    forget(traces, known);
}

void push_trace_acknowledged(struct conn *conn, uint64_t id)
{
    struct push_traces *traces = conn->worker->traces;
    struct remembered *known = find(traces, id, conn->handle);

    if (known == NULL)
        return;
    if (!known->written) /* it was queued, and now the client has it */
        tell_known(conn, known, TRACE_WRITTEN);
    tell_known(conn, known, TRACE_ACKNOWLEDGED);
    tell_span(conn->worker, known, NULL);
    forget(traces, known);
}

void push_traces_close(struct push_traces *traces)
{
    if (traces == NULL)
        return;
    map64_free(traces->by_key);
    free(traces);
}

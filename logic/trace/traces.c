#include "logic/trace/traces.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/rate.h"
#include "common/base/time.h"
#include "common/containers/map.h"
#include "common/protocol/trace_context.h"
#include "common/trace/tracer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct traces {
    const struct logic_config *config;
    struct map64 *users; /* uid → 1; NULL: none is listed */
    struct rate_limit limit;
    uint32_t bucket;
};

struct traced {
    uint64_t id;
    struct trace_mark mark;
    uint8_t bytes[TRACE_MARK_LEN];
    uint64_t since_us; /* Unix time by our own clock */
    size_t len;        /* of the body */
};

/* --- the list of users --- */

/* One line without its end. False: it is neither a uid nor empty nor a comment. */
static bool take_line(char *line, struct map64 *users)
{
    char *end;

    line[strcspn(line, "#\r")] = '\0';
    line += strspn(line, " \t");
    if (*line == '\0')
        return true;
    errno = 0;
    int64_t uid = strtoll(line, &end, 10);
    if (errno != 0 || end == line || end[strspn(end, " \t")] != '\0')
        return false;
    map64_set(users, (uint64_t)uid, 1);
    return true;
}

static int take_lines(char *text, struct map64 *users, char *err, size_t errlen)
{
    size_t number = 0;

    for (char *line = text, *next; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        number++;
        if (!take_line(line, users)) {
            snprintf(err, errlen, "trace.users_file: line %zu is no uid", number);
            return -EINVAL;
        }
        if (map64_count(users) > TRACES_USERS_MOST) {
            snprintf(err, errlen, "trace.users_file: more than %d users", TRACES_USERS_MOST);
            return -EINVAL;
        }
    }
    return 0;
}

/* *OUT NULL: nobody is listed. */
static int read_users(const struct logic_config *config, struct map64 **out, char *err,
                      size_t errlen)
{
    enum { FILE_MOST = 1 << 20 };
    char *text = NULL;

    *out = NULL;
    if (config->trace_users_file[0] == '\0')
        return 0;
    ssize_t len = file_read(config->trace_users_file, FILE_MOST, &text);
    if (len < 0) {
        snprintf(err, errlen, "trace.users_file: cannot read %s: %s", config->trace_users_file,
                 uv_strerror((int)len));
        return -EINVAL;
    }
    struct map64 *users = map64_new();
    int rc = take_lines(text, users, err, errlen);
    free(text);
    if (rc == 0 && map64_count(users) > 0) {
        *out = users;
        return 0;
    }
    map64_free(users);
    return rc;
}

int traces_check(const struct logic_config *config, char *err, size_t errlen)
{
    struct map64 *users;
    int rc = read_users(config, &users, err, errlen);

    if (rc == 0)
        map64_free(users);
    return rc;
}

int traces_reload(struct traces *traces, char *err, size_t errlen)
{
    struct map64 *users;
    int rc = read_users(traces->config, &users, err, errlen);

    if (rc != 0)
        return rc;
    map64_free(traces->users);
    traces->users = users;
    return 0;
}

int traces_open(struct logic *logic, struct traces **out)
{
    struct traces *traces = mem_zalloc(sizeof *traces);
    char err[512];

    traces->config = logic->config;
    traces->limit = rate_limit(logic->config->trace_rate, logic->config->trace_rate);
    traces->bucket = rate_full(loop_now_ms(logic->loop));
    if (traces_reload(traces, err, sizeof err) != 0) {
        log_error("cannot trace users", "%s", err);
        free(traces);
        return -EINVAL;
    }
    *out = traces;
    return 0;
}

void traces_close(struct traces *traces)
{
    if (traces == NULL)
        return;
    map64_free(traces->users);
    free(traces);
}

/* --- a message --- */

/* May one more be traced? */
static bool take(struct logic *logic, enum logic_metric what)
{
    struct traces *traces = logic->traces;
    bool may = rate_take(&traces->limit, &traces->bucket, loop_now_ms(logic->loop), 1);

    logic_count(logic, may ? what : LOGIC_TRACES_LIMITED, 1);
    return may;
}

static uint8_t flags_of(struct logic *logic, const struct traced_message *message)
{
    struct push_trace *push = message->push;
    struct map64 *users = logic->traces->users;
    bool listed =
        users != NULL && message->has_uid && map64_get(users, (uint64_t)message->uid) != NULL;
    bool asked = push != NULL && !push->limited;
    uint8_t flags = 0;

    if (asked && push->id == 0) {
        push->limited = !take(logic, LOGIC_TRACED_PUSHES);
        push->id = push->limited ? 0 : message->id;
        asked = !push->limited;
    }
    if (asked)
        flags |= TRACE_COUNTS;
    if ((asked || listed) && take(logic, LOGIC_TRACED))
        flags |= TRACE_STEPS | TRACE_SPANS;
    return flags;
}

static void tell_accepted(struct logic *logic, const struct traced *traced,
                          const struct traced_message *message)
{
    struct trace_step step = {.id = traced->id, .what = TRACE_ACCEPTED};

    if (message->has_uid)
        trace_step_number(&step, "uid", message->uid);
    else if (message->all)
        trace_step_number(&step, "all", 1);
    else
        trace_step_text(&step, "room", message->room);
    trace_step_number(&step, "op", message->op);
    trace_step_number(&step, "bytes", (int64_t)message->len);
    if (traced->mark.push != 0)
        trace_step_id(&step, "push", traced->mark.push);
    if (message->has_uid) {
        uint64_t ends = message_id_millis(traced->id) + (uint64_t)logic->config->mailbox_ttl_ms;
        step.ends_ms =
            message->expires_ms != 0 && message->expires_ms < ends ? message->expires_ms : ends;
        trace_step_number(&step, "ends", (int64_t)step.ends_ms);
    }
    tracer_tell(logic->tracer, &traced->mark, &step);
}

/* The caller's trace, or one that is made of ID. */
static void join_trace(struct trace_mark *mark, const struct trace_context *context, uint64_t id)
{
    _Static_assert(sizeof mark->trace_id == sizeof context->trace_id &&
                       sizeof mark->parent == sizeof context->parent_id,
                   "ids of W3C Trace Context");

    if (context == NULL) {
        trace_mark_make_id(id, mark->trace_id);
        return;
    }
    memcpy(mark->trace_id, context->trace_id, sizeof mark->trace_id);
    memcpy(mark->parent, context->parent_id, sizeof mark->parent);
}

struct traced *traces_begin(struct logic *logic, const struct traced_message *message)
{
    if (logic->traces == NULL || (message->push == NULL && logic->traces->users == NULL))
        return NULL;
    uint8_t flags = flags_of(logic, message);
    if (flags == 0)
        return NULL;
    struct traced *traced = mem_zalloc(sizeof *traced);
    traced->id = message->id;
    traced->len = message->len;
    traced->since_us = time_unix_us();
    traced->mark.flags = flags;
    traced->mark.push = (flags & TRACE_COUNTS) != 0 ? message->push->id : 0;
    join_trace(&traced->mark, message->context,
               traced->mark.push != 0 ? traced->mark.push : traced->id);
    trace_mark_write(&traced->mark, traced->bytes);
    tell_accepted(logic, traced, message);
    return traced;
}

uint8_t *traced_mark(struct traced *traced)
{
    return traced->bytes;
}

static void end_span(struct logic *logic, const struct traced *traced, const struct traced_end *end)
{
    struct trace_span span = {.id = traced->id,
                              .what = TRACE_SPAN_SEND,
                              .start_us = traced->since_us,
                              .end_us = time_unix_us(),
                              .error = end->err != 0 ? end->why : NULL,
                              .error_type = end->err != 0 ? uv_err_name(end->err) : NULL};

    snprintf(span.name, sizeof span.name, "send %s", logic->config->bus_topic);
    trace_span_kafka(&span, "send", logic->config->bus_topic);
    trace_span_number(&span, "messaging.message.body.size", (int64_t)traced->len);
    if (end->err == 0 && end->offset >= 0) {
        trace_span_partition(&span, end->partition, end->offset);
    }
    tracer_span(logic->tracer, &traced->mark, &span);
}

void traces_end(struct logic *logic, struct traced *traced, const struct traced_end *end)
{
    struct trace_step step = {.id = traced->id,
                              .what = end->err == 0 ? TRACE_PRODUCED : TRACE_FAILED};

    if (end->err != 0) {
        trace_step_text(&step, "reason", end->why);
    } else if (end->offset >= 0) {
        trace_step_text(&step, "topic", logic->config->bus_topic);
        trace_step_number(&step, "partition", end->partition);
        trace_step_number(&step, "offset", end->offset);
    }
    tracer_tell(logic->tracer, &traced->mark, &step);
    if (tracer_wants_spans(logic->tracer))
        end_span(logic, traced, end);
    free(traced);
}

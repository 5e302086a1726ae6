#include "common/trace/tracer.h"
#include "common/base/array.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/base/time.h"
#include "common/redis/redis.h"
#include "common/trace/otlp.h"
#include "common/trace/trace_add.lua.h"
#include "common/trace/trace_count.lua.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STEP_TEXT_MAX = TRACE_MORE_MAX + 200,
    GROUP_MOST = 64,        /* steps in one command */
    UNANSWERED_MOST = 2048, /* commands */
    QUEUE_FIRST = 64,
    MEMBER_MAX = 64,
};

/* Counts of one push that wait to be sent. */
struct push_counts {
    uint64_t push, ends_ms;
    uint32_t counts[TRACE_WHATS];
};

/* What other threads have told. */
struct told {
    struct trace_step *steps;
    size_t n_steps, cap_steps;
    struct push_counts *pushes;
    size_t n_pushes, cap_pushes;
    char **spans; /* JSON */
    size_t n_spans, cap_spans, lost_spans;
    size_t lost;
};

struct tracer {
    struct loop *loop;
    struct redis *redis;
    const char *service;
    char member[MEMBER_MAX];
    _Atomic int64_t *counters;
    size_t first_metric;
    pthread_mutex_t lock; /* of what follows, up to the next line */
    struct told told;
    bool posted;   /* the loop knows that something waits */
    bool in_inbox; /* WAKE is there */
    struct inbox_item wake;
    uv_timer_t timer;
    struct otlp *otlp; /* NULL: no collector is configured; set before other threads tell */
    size_t refs;       /* commands without an answer, and the owner's */
    bool closed;
};

/* --- telling --- */

/* The lock is held. True: the loop has to be woken. */
static bool must_wake(struct tracer *tracer)
{
    bool first = !tracer->posted;

    tracer->posted = true;
    tracer->in_inbox |= first;
    return first;
}

static struct push_counts *counts_of(struct told *told, uint64_t push)
{
    for (size_t i = told->n_pushes; i > 0; i--) {
        if (told->pushes[i - 1].push == push)
            return &told->pushes[i - 1];
    }
    if (told->n_pushes == TRACER_PUSHES_MOST)
        return NULL;
    ARRAY_ROOM(told->pushes, told->n_pushes, told->cap_pushes, QUEUE_FIRST);
    told->pushes[told->n_pushes] = (struct push_counts){.push = push};
    return &told->pushes[told->n_pushes++];
}

static void add_count(struct told *told, uint64_t push, enum trace_what what, uint32_t n,
                      uint64_t ends_ms)
{
    struct push_counts *counts = counts_of(told, push);

    if (counts == NULL) {
        told->lost++;
        return;
    }
    counts->counts[what] += n;
    if (ends_ms != 0)
        counts->ends_ms = ends_ms;
}

static void add_step(struct told *told, const struct trace_step *step)
{
    if (told->n_steps == TRACER_QUEUE_MOST) {
        told->lost++;
        return;
    }
    ARRAY_ROOM(told->steps, told->n_steps, told->cap_steps, QUEUE_FIRST);
    told->steps[told->n_steps++] = *step;
}

void tracer_tell(struct tracer *tracer, const struct trace_mark *mark, struct trace_step *step)
{
    bool kept = (mark->flags & TRACE_STEPS) != 0;
    bool counted = (mark->flags & TRACE_COUNTS) != 0 && mark->push != 0;

    if (step->at_us == 0)
        step->at_us = time_unix_us();
    if (tracer == NULL || (!kept && !counted))
        return;
    pthread_mutex_lock(&tracer->lock);
    if (kept)
        add_step(&tracer->told, step);
    if (counted)
        add_count(&tracer->told, mark->push, step->what, step->sessions > 0 ? step->sessions : 1,
                  step->ends_ms);
    bool wake = must_wake(tracer);
    pthread_mutex_unlock(&tracer->lock);
    if (wake)
        inbox_post(tracer->loop, &tracer->wake);
}

void tracer_count(struct tracer *tracer, const struct trace_mark *mark, enum trace_what what,
                  uint32_t n)
{
    if (tracer == NULL || (mark->flags & TRACE_COUNTS) == 0 || mark->push == 0 || n == 0)
        return;
    pthread_mutex_lock(&tracer->lock);
    add_count(&tracer->told, mark->push, what, n, 0);
    bool wake = must_wake(tracer);
    pthread_mutex_unlock(&tracer->lock);
    if (wake)
        inbox_post(tracer->loop, &tracer->wake);
}

bool tracer_wants_spans(const struct tracer *tracer)
{
    return tracer != NULL && tracer->otlp != NULL;
}

static void add_span(struct told *told, char *span)
{
    if (told->n_spans == TRACER_SPANS_MOST) {
        told->lost_spans++;
        free(span);
        return;
    }
    ARRAY_ROOM(told->spans, told->n_spans, told->cap_spans, QUEUE_FIRST);
    told->spans[told->n_spans++] = span;
}

void tracer_span(struct tracer *tracer, const struct trace_mark *mark,
                 const struct trace_span *span)
{
    char text[TRACE_SPAN_TEXT_MAX];

    if (!tracer_wants_spans(tracer) || (mark->flags & TRACE_SPANS) == 0)
        return;
    char *copy = mem_strndup(text, trace_span_print(span, mark, text));
    pthread_mutex_lock(&tracer->lock);
    add_span(&tracer->told, copy);
    bool wake = must_wake(tracer);
    pthread_mutex_unlock(&tracer->lock);
    if (wake)
        inbox_post(tracer->loop, &tracer->wake);
}

/* --- keys --- */

size_t tracer_message_key(uint64_t id, char out[TRACER_KEY_MAX])
{
    return (size_t)snprintf(out, TRACER_KEY_MAX, "imc:trace:%" PRIu64, id);
}

size_t tracer_push_key(uint64_t id, char out[TRACER_KEY_MAX])
{
    return (size_t)snprintf(out, TRACER_KEY_MAX, "imc:push:%" PRIu64, id);
}

/* --- to Redis --- */

static struct redis_script add_script = {.source = trace_add_lua};
static struct redis_script count_script = {.source = trace_count_lua};

static void tracer_free(struct tracer *tracer)
{
    pthread_mutex_destroy(&tracer->lock);
    free(tracer->told.steps);
    free(tracer->told.pushes);
    for (size_t i = 0; i < tracer->told.n_spans; i++)
        free(tracer->told.spans[i]);
    free(tracer->told.spans);
    free(tracer);
}

static void tracer_unref(struct tracer *tracer)
{
    if (--tracer->refs == 0 && !tracer->in_inbox)
        tracer_free(tracer);
}

static void count(struct tracer *tracer, size_t kept, size_t lost)
{
    metric_add(tracer->counters, tracer->first_metric, (int64_t)kept);
    metric_add(tracer->counters, tracer->first_metric + 1, (int64_t)lost);
}

struct command {
    struct tracer *tracer;
    size_t n;
};

static void on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    struct command *command = arg;
    size_t kept = 0;

    (void)redis;
    if (reply != NULL && reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0)
        kept = (size_t)reply->integer < command->n ? (size_t)reply->integer : command->n;
    else if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        log_warn("redis refused a trace", "err=\"%s\"", reply->str);
    count(command->tracer, kept, command->n - kept);
    tracer_unref(command->tracer);
    free(command);
}

/* ARGV has the key, then ARGC - 1 further items. N: what is kept if Redis takes it. */
static void run(struct tracer *tracer, struct redis_script *script, const char **argv, int argc,
                size_t n)
{
    if (tracer->refs > UNANSWERED_MOST) {
        count(tracer, 0, n);
        return;
    }
    struct command *command = mem_alloc(sizeof *command);
    *command = (struct command){tracer, n};
    tracer->refs++;
    redis_eval(tracer->redis,
               &(struct redis_eval){
                   .script = script,
                   .shard = redis_shard_of(tracer->redis, argv[0], strlen(argv[0])),
                   .keys = 1,
                   .argc = argc,
                   .argv = argv,
               },
               on_reply, command);
}

static void print_step(const struct tracer *tracer, const struct trace_step *step,
                       char out[STEP_TEXT_MAX])
{
    /* Redis's clock is the cluster's. */
    int64_t at_us = (int64_t)step->at_us - redis_clock_offset_us(tracer->redis);
    char sessions[32] = "";

    if (step->sessions > 0)
        snprintf(sessions, sizeof sessions, ",\"sessions\":%" PRIu32, step->sessions);
    snprintf(out, STEP_TEXT_MAX,
             "{\"at\":%" PRId64 ",\"step\":\"%s\",\"service\":\"%s\",\"member\":\"%s\"%s%s}", at_us,
             trace_step_name(step->what), tracer->service, tracer->member, sessions, step->more);
}

static void send_steps(struct tracer *tracer, const struct trace_step *steps, size_t n)
{
    char key[TRACER_KEY_MAX], keep[16], most[16];
    char(*texts)[STEP_TEXT_MAX] = mem_alloc(n * sizeof *texts);
    const char *argv[3 + GROUP_MOST] = {key, keep, most};

    tracer_message_key(steps[0].id, key);
    snprintf(keep, sizeof keep, "%d", TRACER_KEEP_MS);
    snprintf(most, sizeof most, "%d", TRACER_STEPS_MOST);
    for (size_t i = 0; i < n; i++) {
        print_step(tracer, &steps[i], texts[i]);
        argv[3 + i] = texts[i];
    }
    run(tracer, &add_script, argv, 3 + (int)n, n);
    free(texts);
}

static void send_counts(struct tracer *tracer, const struct push_counts *counts)
{
    char key[TRACER_KEY_MAX], keep[16], ends[24], numbers[TRACE_WHATS][16];
    const char *argv[3 + 2 * TRACE_WHATS] = {key, keep, ends};
    int argc = 3;

    tracer_push_key(counts->push, key);
    snprintf(keep, sizeof keep, "%d", TRACER_KEEP_MS);
    snprintf(ends, sizeof ends, "%" PRIu64, counts->ends_ms);
    for (int i = 0; i < TRACE_WHATS; i++) {
        if (counts->counts[i] == 0)
            continue;
        snprintf(numbers[i], sizeof numbers[i], "%" PRIu32, counts->counts[i]);
        argv[argc++] = trace_step_name((enum trace_what)i);
        argv[argc++] = numbers[i];
    }
    run(tracer, &count_script, argv, argc, (size_t)(argc - 3) / 2);
}

static int compare_steps(const void *a, const void *b)
{
    const struct trace_step *x = a, *y = b;

    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return (x->at_us > y->at_us) - (x->at_us < y->at_us);
}

static void send_told(struct tracer *tracer, struct told *told)
{
    if (told->n_steps > 1)
        qsort(told->steps, told->n_steps, sizeof *told->steps, compare_steps);
    for (size_t i = 0, n; i < told->n_steps; i += n) {
        for (n = 1;
             n < GROUP_MOST && i + n < told->n_steps && told->steps[i + n].id == told->steps[i].id;)
            n++;
        send_steps(tracer, told->steps + i, n);
    }
    for (size_t i = 0; i < told->n_pushes; i++)
        send_counts(tracer, &told->pushes[i]);
    count(tracer, 0, told->lost);
    for (size_t i = 0; i < told->n_spans; i++)
        otlp_add(tracer->otlp, told->spans[i]);
    if (tracer->otlp != NULL)
        metric_add(tracer->counters, tracer->first_metric + 3, (int64_t)told->lost_spans);
}

static void on_timer(uv_timer_t *timer)
{
    struct tracer *tracer = timer->data;

    pthread_mutex_lock(&tracer->lock);
    struct told told = tracer->told;
    tracer->told = (struct told){0};
    tracer->posted = false;
    pthread_mutex_unlock(&tracer->lock);
    send_told(tracer, &told);
    free(told.steps);
    free(told.pushes);
    free(told.spans);
}

/* A moment later, so that steps of one message share a command. */
static void on_wake(struct loop *loop, struct inbox_item *item)
{
    struct tracer *tracer = container_of(item, struct tracer, wake);

    (void)loop;
    pthread_mutex_lock(&tracer->lock);
    tracer->in_inbox = false;
    pthread_mutex_unlock(&tracer->lock);
    if (tracer->refs == 0)
        tracer_free(tracer);
    else if (!tracer->closed)
        uv_timer_start(&tracer->timer, on_timer, TRACER_WAIT_MS, 0);
}

/* --- open, close --- */

int tracer_check(const struct tracer_config *config, char *err, size_t errlen)
{
    return otlp_check(config->otlp_url, config->otlp_headers, err, errlen);
}

/* False, after logging: the URL cannot be used. */
static bool open_otlp(struct tracer *tracer, const struct tracer_options *options)
{
    const struct otlp_options otlp = {
        .url = options->config->otlp_url,
        .headers = options->config->otlp_headers,
        .tls = options->tls,
        .service = options->service,
        .member = options->member,
        .counters = options->counters,
        .sent_metric = options->first_metric + 2,
        .lost_metric = options->first_metric + 3,
    };
    char err[512];

    if (otlp.url[0] == '\0')
        return true;
    if (otlp_open(tracer->loop, &otlp, &tracer->otlp, err, sizeof err) == 0)
        return true;
    log_error("cannot send spans", "%s", err);
    return false;
}

struct tracer *tracer_open(struct loop *loop, const struct tracer_options *options)
{
    struct tracer *tracer = mem_zalloc(sizeof *tracer);

    loop_assert_owner(loop);
    tracer->loop = loop;
    tracer->redis = options->redis;
    tracer->service = options->service;
    snprintf(tracer->member, sizeof tracer->member, "%s", options->member);
    tracer->counters = options->counters;
    tracer->first_metric = options->first_metric;
    tracer->refs = 1;
    tracer->wake.run = on_wake;
    if (!open_otlp(tracer, options)) {
        free(tracer);
        return NULL;
    }
    pthread_mutex_init(&tracer->lock, NULL);
    uv_timer_init(&loop->uv, &tracer->timer);
    tracer->timer.data = tracer;
    return tracer;
}

static void on_closed(uv_handle_t *handle)
{
    tracer_unref(handle->data);
}

void tracer_close(struct tracer *tracer)
{
    if (tracer == NULL)
        return;
    tracer->closed = true;
    otlp_close(tracer->otlp);
    tracer->otlp = NULL;
    uv_close((uv_handle_t *)&tracer->timer, on_closed);
}

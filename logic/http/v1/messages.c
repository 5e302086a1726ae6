/* GET /v1/messages: the way of a traced message. GET /v1/pushes/funnel: how far the messages of a
 * traced push have come. */
#include "logic/http/v1/call.h"
#include "logic/trace/trace_read.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t id_of(const struct v1_call *call)
{
    return strtoull(v1_query(call, "id")->text, NULL, 10);
}

static void not_found(struct v1_call *call, const char *what)
{
    char text[160];

    snprintf(text, sizeof text,
             "nothing is known of this %s: it was not traced, or that was over an hour ago", what);
    v1_nothing_found(call, text);
}

/* RFC 3339, with microseconds. */
static void print_time(FILE *out, int64_t at_us)
{
    time_t seconds = at_us / 1000000;
    struct tm tm;

    gmtime_r(&seconds, &tm);
    fprintf(out, "\"%04d-%02d-%02dT%02d:%02d:%02d.%06dZ\"", tm.tm_year + 1900, tm.tm_mon + 1,
            tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(at_us % 1000000));
}

/* --- a message --- */

static void print_step(FILE *out, const struct story_step *step, int64_t first_us)
{
    const char *name;
    json_t *value;

    fputs("{\"at\":", out);
    print_time(out, step->at_us);
    fprintf(out, ",\"after_us\":%" PRId64 ",\"step\":\"%s\"", step->at_us - first_us,
            trace_step_name(step->what));
    json_object_foreach(step->members, name, value) {
        if (strcmp(name, "at") == 0 || strcmp(name, "step") == 0)
            continue;
        fprintf(out, ",\"%s\":", name);
        json_dumpf(value, out, JSON_ENCODE_ANY | JSON_COMPACT);
    }
    fputc('}', out);
}

static bool is_last_of_session(const struct story *story, size_t i)
{
    for (size_t k = i + 1; k < story->n; k++) {
        if (story->steps[k].session != NULL &&
            strcmp(story->steps[k].session, story->steps[i].session) == 0)
            return false;
    }
    return true;
}

/* The last step at each session. */
static void print_sessions(FILE *out, const struct story *story)
{
    const char *separator = "";

    for (size_t i = 0; i < story->n; i++) {
        const struct story_step *step = &story->steps[i];
        if (step->session == NULL || !is_last_of_session(story, i))
            continue;
        fprintf(out, "%s{\"session\":", separator);
        params_write_string(out, step->session, strlen(step->session));
        fprintf(out, ",\"state\":\"%s\",\"at\":", trace_step_name(step->what));
        print_time(out, step->at_us);
        fputc('}', out);
        separator = ",";
    }
}

static void on_story(void *arg, int err, const struct story *story)
{
    struct v1_call *call = arg;

    if (err != 0) {
        v1_no_redis(call);
        return;
    }
    if (story->n == 0) {
        not_found(call, "message");
        return;
    }
    FILE *out = v1_begin(call);
    fprintf(out, "{\"id\":\"%" PRIu64 "\",\"state\":\"%s\",\"sessions\":[", id_of(call),
            story->state);
    print_sessions(out, story);
    fputs("],\"steps\":[", out);
    for (size_t i = 0; i < story->n; i++) {
        if (i > 0)
            fputc(',', out);
        print_step(out, &story->steps[i], story->steps[0].at_us);
    }
    fputs("]}", out);
    v1_end(call, 200, NULL);
}

void v1_message_trace(struct v1_call *call)
{
    trace_read_message(call->logic, id_of(call), on_story, call);
}

/* --- a push --- */

static uint64_t minus(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static void on_push(void *arg, int err, const struct push_story *story)
{
    struct v1_call *call = arg;

    if (err != 0) {
        v1_no_redis(call);
        return;
    }
    if (!story->known) {
        not_found(call, "push");
        return;
    }
    const uint64_t *counts = story->counts;
    uint64_t waiting = minus(counts[TRACE_STORED],
                             counts[TRACE_TAKEN] + counts[TRACE_TRIMMED] + counts[TRACE_REPLACED]);
    bool over = story->ends_ms != 0 && story->ends_ms <= logic_now_ms(call->logic);
    FILE *out = v1_begin(call);

    fprintf(out, "{\"push\":\"%" PRIu64 "\",\"at\":", id_of(call));
    print_time(out, (int64_t)message_id_millis(id_of(call)) * 1000);
    fprintf(out,
            ",\"accepted\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"sent\":%" PRIu64
            ",\"written\":%" PRIu64 ",\"acknowledged\":%" PRIu64 ",\"declined\":%" PRIu64
            ",\"stored\":%" PRIu64 ",\"waiting\":%" PRIu64 ",\"expired\":%" PRIu64
            ",\"trimmed\":%" PRIu64 ",\"replaced\":%" PRIu64 "}",
            minus(counts[TRACE_ACCEPTED], counts[TRACE_FAILED]), counts[TRACE_FAILED],
            counts[TRACE_SENT], counts[TRACE_WRITTEN], counts[TRACE_ACKNOWLEDGED],
            counts[TRACE_DECLINED], counts[TRACE_STORED], over ? 0 : waiting,
            counts[TRACE_EXPIRED] + (over ? waiting : 0), counts[TRACE_TRIMMED],
            counts[TRACE_REPLACED]);
    v1_end(call, 200, NULL);
}

void v1_push_funnel(struct v1_call *call)
{
    trace_read_push(call->logic, id_of(call), on_push, call);
}

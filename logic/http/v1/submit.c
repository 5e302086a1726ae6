/* POST /v1/push:
 *
 *   body, checked ─► v1_submit_check ─┬─► push_call_run ─► Kafka ─► answer ─► 202, the ids
 *                                     │                               └─► 503: who lacks it
 *                                     └─► v1_scheduled_add ─► 202, when it is due */
#include "logic/http/v1/submit.h"
#include "logic/http/refusals.h"
#include "logic/http/v1/problem.h"

#include <inttypes.h>
#include <string.h>

struct push_call *v1_submit_check(const struct v1_call *call, const struct schema_value *value,
                                  const char *key, const char **id, bool *later,
                                  struct schema_errors *errors)
{
    struct push_call *push = v1_push_new(call, value, key, id, errors);

    *later = push != NULL && v1_scheduled_is_later(call, value, errors);
    if (errors->n == 0 || push == NULL)
        return push;
    push_call_free(push);
    return NULL;
}

static void answer(struct push_call *push, const struct push_outcome *outcome)
{
    struct v1_call *call = push->arg;
    char line[40] = "";

    if (outcome->refusal != NULL && outcome->result == NULL) {
        v1_refuse(call, outcome->refusal);
        return;
    }
    FILE *out = v1_begin(call);

    fputc('{', out);
    int status = v1_push_print(out, push, outcome);
    fputc('}', out);
    if (outcome->refusal != NULL) {
        refusal_note(call->logic, call->request, outcome->refusal->cause,
                     problem_statuses[outcome->refusal->error], outcome->refusal->text);
        snprintf(line, sizeof line, "Retry-After: %u\r\n", outcome->refusal->retry_s);
    }
    v1_end(call, status, line);
}

static void on_scheduled(void *arg, const struct v1_scheduled *outcome)
{
    struct v1_call *call = arg;

    if (outcome->refusal != NULL) {
        v1_refuse(call, outcome->refusal);
        return;
    }
    FILE *out = v1_begin(call);
    fputc('{', out);
    v1_submit_print_later(out, outcome);
    fputc('}', out);
    v1_end(call, 202, NULL);
}

void v1_submit_print_later(FILE *out, const struct v1_scheduled *outcome)
{
    if (outcome->id == NULL) {
        (void)v1_push_print(out, NULL,
                            &(struct push_outcome){.repeated = true,
                                                   .kept = outcome->kept,
                                                   .kept_len = outcome->kept_len});
        return;
    }
    fputs("\"messages\":[],\"scheduled\":", out);
    params_write_string(out, outcome->id, strlen(outcome->id));
    fprintf(out, ",\"deliver_at\":%" PRId64, outcome->at);
}

void v1_push(struct v1_call *call)
{
    struct schema_errors errors = {0};
    const char *id;
    bool later;
    struct push_call *push = v1_submit_check(call, &call->body, call->key, &id, &later, &errors);

    if (errors.n > 0) {
        v1_refuse_errors(call, &errors);
    } else if (later) {
        v1_scheduled_add(call, &call->body, push, id, on_scheduled, call);
    } else if (push != NULL) {
        push->answer = answer;
        push->keep = v1_push_keep;
        push->arg = call;
        push_call_run(push, id);
    }
}

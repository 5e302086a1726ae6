/* POST /v1/push:
 *
 *   body, checked ─► v1_submit_check ─┬─► push_call_run ─► Kafka ─► answer ─► 202, the ids
 *                                     │                               └─► 503: who lacks it
 *                                     └─► v1_scheduled_add ─► 202, when it is due */
#include "logic/http/v1/submit.h"
#include "logic/http/v1/scheduled.h"

#include <inttypes.h>
#include <string.h>

struct push_call *v1_submit_check(const struct v1_call *call, const struct schema_value *value,
                                  const char *key, const char **id, bool *later,
                                  struct schema_errors *errors)
{
    struct push_call *push = v1_push_new(call, value, key, id, errors);

    *later = push != NULL && v1_scheduled_is_later(call, value, errors);
    if (!*later)
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
        logic_count(call->logic, outcome->refusal->cause, 1);
        snprintf(line, sizeof line, "Retry-After: %u\r\n", outcome->refusal->retry_s);
    }
    v1_end(call, status, line);
}

static void on_scheduled(void *arg, const struct api_refusal *refusal, const char *id, int64_t at)
{
    struct v1_call *call = arg;

    if (refusal != NULL) {
        v1_refuse(call, refusal);
        return;
    }
    FILE *out = v1_begin(call);
    fputc('{', out);
    v1_submit_print_later(out, id, at);
    fputc('}', out);
    v1_end(call, 202, NULL);
}

void v1_submit_print_later(FILE *out, const char *id, int64_t at)
{
    fputs("\"messages\":[],\"scheduled\":", out);
    params_write_string(out, id, strlen(id));
    fprintf(out, ",\"deliver_at\":%" PRId64, at);
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
        v1_scheduled_add(call, &call->body, id, on_scheduled, call);
    } else if (push != NULL) {
        push->answer = answer;
        push->keep = v1_push_keep;
        push->arg = call;
        push_call_run(push, id);
    }
}

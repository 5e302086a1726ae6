/* POST /v1/batch: each push is checked, accepted and answered for itself.
 *
 *   [push, …] ─► item: right? ─► push_call_run ─► its result ─┐
 *                  │ no                                       ├─► all have one: {"results":[…]}
 *                  └─► its problem ───────────────────────────┘
 *
 * Pushes begin in their order. So a user's messages arrive in this order, unless they have ids,
 * which are looked up in Redis first.
 *
 * What was read of a push goes as soon as nothing needs it. All pushes together have push.max_uids
 * receivers. So a batch takes little more memory than its body, whatever that says. */
#include "logic/http/refusals.h"
#include "logic/http/v1/problem.h"
#include "logic/http/v1/scheduled.h"
#include "logic/http/v1/submit.h"

#include <stdlib.h>
#include <string.h>

struct batch {
    struct v1_call *call;
    size_t pending, n;
    size_t receivers; /* of the pushes that began: uids, keys, rooms */
    struct batch_item {
        struct batch *batch;
        struct arena arena;
        char key[IDEM_KEY_MAX + 1]; /* the call's idempotency key, and a number */
        char *text;                 /* the result */
        size_t len;
    } items[];
};

static void batch_end(struct batch *batch)
{
    FILE *out = v1_begin(batch->call);

    fputs("{\"results\":[", out);
    for (size_t i = 0; i < batch->n; i++) {
        struct batch_item *item = &batch->items[i];
        if (i > 0)
            fputc(',', out);
        fwrite(item->text, 1, item->len, out);
        free(item->text);
    }
    fputs("]}", out);
    v1_end(batch->call, 200, NULL);
    free(batch);
}

static void item_end(struct batch_item *item)
{
    arena_wipe(&item->arena);
    if (--item->batch->pending == 0)
        batch_end(item->batch);
}

/* Each push of a batch is counted, and logged, as if it were a call of its own. */
static void note(const struct batch_item *item, const struct api_refusal *refusal)
{
    const struct v1_call *call = item->batch->call;

    refusal_note(call->logic, call->request, refusal->cause, problem_statuses[refusal->error],
                 refusal->text);
}

static void answer(struct push_call *push, const struct push_outcome *outcome)
{
    struct batch_item *item = push->arg;
    FILE *out = open_memstream(&item->text, &item->len);

    if (outcome->refusal != NULL)
        note(item, outcome->refusal);
    fputs(outcome->refusal != NULL ? "{" : "{\"status\":202,", out);
    (void)v1_push_print(out, push, outcome);
    fputc('}', out);
    fclose(out);
    item_end(item);
}

/* ERRORS may be NULL. */
static void refuse_for(struct batch_item *item, const struct api_refusal *refusal,
                       const struct schema_errors *errors)
{
    FILE *out = open_memstream(&item->text, &item->len);

    fputc('{', out);
    problem_print(out, refusal->error, problem_statuses[refusal->error], refusal->text, errors);
    fputc('}', out);
    fclose(out);
    note(item, refusal);
    item_end(item);
}

static void refuse(struct batch_item *item, const struct api_refusal *refusal)
{
    refuse_for(item, refusal, NULL);
}

static void refuse_errors(struct batch_item *item, const struct schema_errors *errors)
{
    char detail[V1_DETAIL_MAX];

    v1_detail(errors, detail, sizeof detail);
    refuse_for(item, &(struct api_refusal){API_PARAMETER, LOGIC_REFUSED_PARAMETER, 0, detail},
               errors);
}

static void refuse_many(struct batch_item *item)
{
    char text[160];

    snprintf(text, sizeof text,
             "to: with this push the batch has more than %lld receivers (push.max_uids): send it "
             "in another batch",
             (long long)item->batch->call->logic->config->push_max_uids);
    refuse(item, &(struct api_refusal){API_TOO_LARGE, LOGIC_REFUSED_SIZE, 0, text});
}

static void push_begin(struct batch_item *item, struct push_call *push, const char *id,
                       const struct schema_value *value)
{
    struct batch *batch = item->batch;
    size_t n = push->users.n + push->n_keys;
    bool refers = push->n_keys > 0 || push->rooms != NULL || !schema_get(value, "body");

    if (batch->receivers + n > (size_t)batch->call->logic->config->push_max_uids) {
        push_call_free(push);
        refuse_many(item);
        return;
    }
    batch->receivers += n;
    push->answer = answer;
    push->keep = v1_push_keep;
    push->arg = item;
    push_call_run(push, id);
    if (!refers) /* to the arena */
        arena_wipe(&item->arena);
}

static void on_scheduled(void *arg, const struct v1_scheduled *outcome)
{
    struct batch_item *item = arg;

    if (outcome->refusal != NULL) {
        refuse(item, outcome->refusal);
        return;
    }
    FILE *out = open_memstream(&item->text, &item->len);
    fputs("{\"status\":202,", out);
    v1_submit_print_later(out, outcome);
    fputc('}', out);
    fclose(out);
    item_end(item);
}

static void item_begin(struct batch_item *item, const struct schema_value *text, size_t number)
{
    const struct v1_call *call = item->batch->call;
    struct schema_errors errors = {0};
    struct schema_value value;
    struct push_call *push = NULL;
    const char *id = NULL;
    bool later = false;

    arena_init(&item->arena);
    if (call->key != NULL)
        snprintf(item->key, sizeof item->key, "%s.%zu", call->key, number);
    if (schema_check(text->schema, call->logic->config, text->span, &item->arena, &value, &errors))
        push = v1_submit_check(call, &value, call->key != NULL ? item->key : NULL, &id, &later,
                               &errors);
    if (errors.n > 0) {
        refuse_errors(item, &errors);
    } else if (later) {
        v1_scheduled_add(call, &value, push, id, on_scheduled, item);
        arena_wipe(&item->arena);
    } else if (push != NULL) {
        push_begin(item, push, id, &value);
    }
}

void v1_batch(struct v1_call *call)
{
    size_t n = call->body.n;
    struct schema_errors errors = {0};

    if (call->key != NULL && strlen(call->key) > IDEM_KEY_MAX - 6) {
        schema_error_add(&errors, SCHEMA_IN_HEADER, "Idempotency-Key",
                         "must have at most %d bytes, for each push adds its number to it",
                         IDEM_KEY_MAX - 6);
        v1_refuse_errors(call, &errors);
        return;
    }
    struct batch *batch = mem_zalloc(sizeof *batch + n * sizeof batch->items[0]);
    batch->call = call;
    batch->n = n;
    batch->pending = n + 1; /* one for this function: pushes may be answered at once */
    for (size_t i = 0; i < n; i++) {
        batch->items[i].batch = batch;
        item_begin(&batch->items[i], &call->body.items[i], i);
    }
    if (--batch->pending == 0)
        batch_end(batch);
}

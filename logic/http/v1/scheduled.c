/* Pushes with `deliver_at`, GET and DELETE /v1/scheduled.
 *
 *   push, checked ─► its key, if any, is free ─► its text ─► later_add ─► 202 {"scheduled":"…"}
 *                                                                ┆ due (logic/later/later.h)
 *                                                                ▼ on any logic
 *                                         v1_scheduled_deliver ─► v1_push_new ─► push_call_run
 *
 * What is kept is the text of the push. When it is due it is checked and pushed like one that comes
 * then. The id of the scheduled message is its idempotency key: so it is pushed once, even if the
 * logic that pushed it dies before it can say so. If its key has become another push's meanwhile,
 * which was accepted as well, it has a key of its own. */
#include "logic/http/v1/scheduled.h"
#include "common/base/log.h"
#include "common/protocol/json_scan.h"
#include "logic/http/callers.h"
#include "logic/http/idempotency.h"
#include "logic/http/v1/schemas.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { AGAIN_MS = 1000, LIST_LIMIT = 100 };

/* --- schedule --- */

bool v1_scheduled_is_later(const struct v1_call *call, const struct schema_value *push,
                           struct schema_errors *errors)
{
    const struct schema_value *at = schema_get(push, "deliver_at");
    uint64_t now_ms = logic_now_ms(call->logic);
    int64_t most = (int64_t)(now_ms / 1000) + call->logic->config->later_horizon_ms / 1000;

    if (at == NULL || (uint64_t)at->number * 1000 <= now_ms)
        return false;
    if (at->number > most)
        schema_error_add(errors, SCHEMA_IN_BODY, "/deliver_at",
                         "must be at most %" PRId64 ": later.horizon from now", most);
    return true;
}

struct scheduling {
    struct logic *logic;
    struct json_span text; /* the request has it */
    int64_t at;
    char id[LATER_ID_MAX];
    struct idem *idem; /* ours until it waits; NULL: it has no key */
    void *partial;     /* PARTIAL_LEN bytes: what IDEM had to say */
    size_t partial_len;
    v1_scheduled_fn fn;
    void *arg;
};

static void scheduling_end(struct scheduling *scheduling, const struct v1_scheduled *outcome)
{
    if (scheduling->idem != NULL) /* nothing is pushed yet */
        idem_fail(scheduling->idem, scheduling->partial, scheduling->partial_len);
    scheduling->fn(scheduling->arg, outcome);
    free(scheduling->partial);
    free(scheduling);
}

static void refuse_away(struct scheduling *scheduling)
{
    const struct api_refusal away = {API_UNAVAILABLE, LOGIC_REFUSED_REDIS, 1,
                                     redis_said(scheduling->logic->redis)};

    scheduling_end(scheduling, &(struct v1_scheduled){.refusal = &away});
}

static void on_added(void *arg, int err)
{
    static const struct api_refusal many = {API_UNAVAILABLE, LOGIC_REFUSED_LATER, 60,
                                            "too many messages wait for their time (later.max)"};
    struct scheduling *scheduling = arg;
    struct v1_scheduled outcome = {.id = scheduling->id, .at = scheduling->at};

    if (err == -EAGAIN) {
        refuse_away(scheduling);
        return;
    }
    if (err == -E2BIG)
        outcome.refusal = &many;
    else if (err == -EBUSY)
        outcome.refusal = &push_call_id_taken;
    else if (err == 0)
        logic_count(scheduling->logic, LOGIC_LATER_ADDED, 1);
    scheduling_end(scheduling, &outcome);
}

static void add(struct scheduling *scheduling)
{
    later_add(scheduling->logic,
              &(struct later_item){.id = scheduling->id,
                                   .due_ms = (uint64_t)scheduling->at * 1000,
                                   .record = (const char *)scheduling->text.at,
                                   .len = scheduling->text.len},
              on_added, scheduling);
}

/* A push with this key may have been made already: then what is scheduled now would be taken for
 * that one when it is due, and nobody would get it. */
static void on_idem(void *arg, enum idem_verdict verdict, struct idem *idem, const void *data,
                    size_t len)
{
    struct scheduling *scheduling = arg;

    switch (verdict) {
    case IDEM_FIRST:
        scheduling->idem = idem;
        scheduling->partial = mem_alloc(len + 1);
        scheduling->partial_len = len;
        if (len > 0)
            memcpy(scheduling->partial, data, len);
        add(scheduling);
        return;
    case IDEM_REPEATED:
        scheduling_end(scheduling, &(struct v1_scheduled){.kept = data, .kept_len = len});
        return;
    case IDEM_OTHER:
        scheduling_end(scheduling, &(struct v1_scheduled){.refusal = &push_call_id_taken});
        return;
    case IDEM_BUSY:
        scheduling_end(scheduling, &(struct v1_scheduled){.refusal = &push_call_id_busy});
        return;
    case IDEM_AWAY:
        refuse_away(scheduling);
        return;
    }
}

void v1_scheduled_add(const struct v1_call *call, const struct schema_value *value,
                      struct push_call *push, const char *key, v1_scheduled_fn fn, void *arg)
{
    struct logic *logic = call->logic;
    struct scheduling *scheduling = mem_zalloc(sizeof *scheduling);
    struct idem_call idem = {.scope = callers_scope(logic->callers, call->request), .key = key};

    scheduling->logic = logic;
    scheduling->text = value->span;
    scheduling->at = schema_get(value, "deliver_at")->number;
    scheduling->fn = fn;
    scheduling->arg = arg;
    if (key != NULL) {
        snprintf(scheduling->id, sizeof scheduling->id, "k%s:%s", idem.scope, key);
        push_call_digest(push, idem.digest);
        idem_begin(logic, &idem, on_idem, scheduling);
    } else {
        snprintf(scheduling->id, sizeof scheduling->id, "i%" PRIu64,
                 message_id_next(&logic->ids, logic_now_us(logic)));
        add(scheduling);
    }
    push_call_free(push);
}

/* --- deliver --- */

struct delivery {
    struct v1_call call; /* stands for a request: there is none */
    char id[LATER_ID_MAX];
    char *text; /* LEN bytes, and a NUL */
    size_t len;
    bool apart; /* its key is another push's by now, so it goes by an idempotency key of its own */
};

static void deliver(struct delivery *delivery);

static void delivery_free(struct delivery *delivery)
{
    arena_free(&delivery->call.arena);
    free(delivery->text);
    free(delivery);
}

/* It is over: nobody gets it. */
static void drop(const struct delivery *delivery, const char *why)
{
    struct logic *logic = delivery->call.logic;

    logic_count(logic, LOGIC_LATER_DROPPED, 1);
    log_error("a message for later is dropped", "id=\"%s\" why=\"%s\"", delivery->id, why);
    later_end(logic, delivery->id, 0);
}

static void on_delivered(struct push_call *push, const struct push_outcome *outcome)
{
    struct delivery *delivery = push->arg;
    const struct api_refusal *refusal = outcome->refusal;
    struct logic *logic = push->logic;

    if (refusal == NULL) {
        logic_count(logic, LOGIC_LATER_DELIVERED, 1);
        later_end(logic, delivery->id, 0);
    } else if (refusal->error == API_UNAVAILABLE || refusal->error == API_RATE) {
        logic_count(logic, LOGIC_LATER_AGAIN, 1);
        later_end(logic, delivery->id, logic_now_ms(logic) + AGAIN_MS);
    } else if (refusal->error == API_CONFLICT && !delivery->apart) {
        delivery->apart = true;
        deliver(delivery);
        return;
    } else {
        drop(delivery, refusal->text);
    }
    delivery_free(delivery);
}

/* What is kept is no push any more. */
static void drop_wrong(struct delivery *delivery, const struct schema_errors *errors)
{
    char why[SCHEMA_WHERE_MAX + 220] = "it is no JSON";

    if (errors->n > 0)
        v1_detail(errors, why, sizeof why);
    drop(delivery, why);
    delivery_free(delivery);
}

/* ID is "k", the name of whoever scheduled it, ":" and his key; or "i" and a number. No name begins
 * with a dot. */
static void run_with_id(struct push_call *push, const struct delivery *delivery)
{
    const char *id = delivery->id, *colon = id[0] == 'k' ? strchr(id, ':') : NULL;
    char scope[IDEM_SCOPE_MAX] = ".later";

    if (colon != NULL)
        snprintf(scope, sizeof scope, "%s%.*s", delivery->apart ? "." : "", (int)(colon - id - 1),
                 id + 1);
    push->scope = scope;
    push_call_run(push, colon != NULL ? colon + 1 : id);
}

static void deliver(struct delivery *delivery)
{
    const struct json_span text = json_span_of((const uint8_t *)delivery->text, delivery->len);
    struct schema_errors errors = {0};
    struct push_call *push = NULL;
    const char *id = NULL;

    if (json_is_value(text.at, text.len) &&
        schema_check(&schema_push, delivery->call.logic->config, text, &delivery->call.arena,
                     &delivery->call.body, &errors))
        push = v1_push_new(&delivery->call, &delivery->call.body, NULL, &id, &errors);
    if (push == NULL) {
        drop_wrong(delivery, &errors);
        return;
    }
    push->answer = on_delivered;
    push->keep = v1_push_keep;
    push->arg = delivery;
    run_with_id(push, delivery);
}

void v1_scheduled_deliver(struct logic *logic, const struct later_item *item)
{
    struct delivery *delivery = mem_zalloc(sizeof *delivery);

    delivery->call.logic = logic;
    arena_init(&delivery->call.arena);
    snprintf(delivery->id, sizeof delivery->id, "%s", item->id);
    delivery->text = mem_alloc(item->len + 1);
    memcpy(delivery->text, item->record, item->len);
    delivery->len = item->len;
    deliver(delivery);
}

/* --- list --- */

struct listing {
    struct v1_call *call;
    size_t shard, left, n;
};

static void list_shard(struct listing *listing, uint64_t from_ms, const char *after);

static void print_item(FILE *out, const struct later_item *item, bool first)
{
    fputs(first ? "{\"id\":" : ",{\"id\":", out);
    params_write_string(out, item->id, strlen(item->id));
    fprintf(out, ",\"deliver_at\":%" PRIu64 ",\"push\":", item->due_ms / 1000);
    fwrite(item->record, 1, item->len, out);
    fputc('}', out);
}

static void list_end(struct listing *listing, size_t shard, const struct later_item *last)
{
    FILE *out = v1_begin(listing->call);
    char cursor[LATER_ID_MAX + 48];

    fputc(']', out);
    if (last != NULL) {
        snprintf(cursor, sizeof cursor, "%zu.%" PRIu64 ".%s", shard, last->due_ms, last->id);
        fputs(",\"cursor\":", out);
        params_write_string(out, cursor, strlen(cursor));
    }
    fputc('}', out);
    v1_end(listing->call, 200, NULL);
    free(listing);
}

static void on_list(void *arg, int err, const struct later_item *items, size_t n)
{
    struct listing *listing = arg;

    if (err != 0) {
        struct v1_call *call = listing->call;
        free(listing);
        v1_no_redis(call);
        return;
    }
    for (size_t i = 0; i < n; i++)
        print_item(v1_begin(listing->call), &items[i], listing->n++ == 0);
    listing->left -= n;
    if (n > 0) { /* there may be more on this shard */
        list_end(listing, listing->shard, &items[n - 1]);
        return;
    }
    if (++listing->shard < redis_shards(listing->call->logic->redis))
        list_shard(listing, 0, "");
    else
        list_end(listing, 0, NULL);
}

static void list_shard(struct listing *listing, uint64_t from_ms, const char *after)
{
    later_list(listing->call->logic,
               &(struct later_from){listing->shard, from_ms, after, listing->left}, on_list,
               listing);
}

void v1_scheduled_list(struct v1_call *call)
{
    const struct schema_value *limit = v1_query(call, "limit"), *cursor = v1_query(call, "cursor");
    struct listing *listing = mem_zalloc(sizeof *listing);
    uint64_t from_ms = 0;
    char *after = NULL;

    listing->call = call;
    listing->left = limit != NULL ? (size_t)limit->number : LIST_LIMIT;
    if (cursor != NULL) {
        listing->shard = strtoull(cursor->text, &after, 10);
        from_ms = *after == '.' ? strtoull(after + 1, &after, 10) : 0;
        if (*after != '.' || listing->shard >= redis_shards(call->logic->redis)) {
            struct schema_errors errors = {0};
            free(listing);
            schema_error_add(&errors, SCHEMA_IN_QUERY, "cursor", "must be that of the page before");
            v1_refuse_errors(call, &errors);
            return;
        }
    }
    fputs("{\"scheduled\":[", v1_begin(call));
    list_shard(listing, from_ms, after != NULL ? after + 1 : "");
}

/* --- cancel --- */

static void on_cancelled(void *arg, int err)
{
    struct v1_call *call = arg;

    if (err == -EAGAIN) {
        v1_no_redis(call);
    } else if (err != 0) {
        v1_refuse(call, &(struct api_refusal){API_NO_SERVER, LOGIC_REFUSED_PARAMETER, 0,
                                              "id: no such message waits, or it is being "
                                              "delivered"});
    } else {
        logic_count(call->logic, LOGIC_LATER_CANCELLED, 1);
        FILE *out = v1_begin(call);
        const char *id = v1_query(call, "id")->text;
        fputs("{\"id\":", out);
        params_write_string(out, id, strlen(id));
        fputc('}', out);
        v1_end(call, 200, NULL);
    }
}

void v1_scheduled_cancel(struct v1_call *call)
{
    later_cancel(call->logic, v1_query(call, "id")->text, on_cancelled, call);
}

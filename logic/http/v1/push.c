/* What is kept for an id is {"ret":1,"v1":{…}} with the answer, so that it can be given again. */
#include "logic/http/v1/push.h"
#include "common/containers/map.h"
#include "common/protocol/ops.h"
#include "common/protocol/room_news.h"
#include "logic/http/key_groups.h"
#include "logic/http/v1/problem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_BEGIN "{\"ret\":1,\"v1\":"

/* Some 1,500 messages. A longer answer is not given again: the next call with the id hears only
 * that it is repeated. Redis has to keep each for five minutes. */
enum { KEPT_MAX = 65536 };

/* --- parsing --- */

static void take_uids(struct push_call *push, const struct schema_value *uids)
{
    struct map64 *seen = map64_new();

    push->users.uids = mem_alloc((uids->n + 1) * sizeof *push->users.uids);
    for (size_t i = 0; i < uids->n; i++) {
        int64_t uid = uids->numbers[i];
        if (map64_get(seen, (uint64_t)uid) != NULL)
            continue;
        map64_set(seen, (uint64_t)uid, 1);
        push->users.uids[push->users.n++] = uid;
    }
    map64_free(seen);
    if (push->users.n < uids->n) /* a batch may keep many of these */
        push->users.uids =
            mem_realloc(push->users.uids, (push->users.n + 1) * sizeof *push->users.uids);
    push->start = push_call_to_uids;
}

static void take_keys(struct push_call *push, const struct schema_value *keys)
{
    push->keys = mem_alloc((keys->n + 1) * sizeof *push->keys);
    for (size_t i = 0; i < keys->n; i++)
        push->keys[i] = keys->items[i].text;
    push->n_keys = keys->n;
    push->start = push_call_to_keys;
}

static void take_rooms(struct push_call *push, const struct schema_value *rooms)
{
    push->rooms = mem_alloc((rooms->n + 1) * sizeof *push->rooms);
    push->users.uids = mem_alloc((rooms->n + 1) * sizeof *push->users.uids);
    for (size_t i = 0; i < rooms->n; i++) {
        push->rooms[i] = rooms->items[i].text;
        push->users.uids[i] = (int64_t)room_hash(rooms->items[i].text, rooms->items[i].len);
    }
    push->users.n = rooms->n;
    push->start = push_call_to_rooms;
}

static void take_receivers(struct push_call *push, const struct schema_value *to)
{
    const struct schema_value *uids = schema_get(to, "uids"), *keys = schema_get(to, "keys"),
                              *rooms = schema_get(to, "rooms");

    if (uids != NULL)
        take_uids(push, uids);
    else if (keys != NULL)
        take_keys(push, keys);
    else if (rooms != NULL)
        take_rooms(push, rooms);
    else
        push->start = push_call_to_all;
}

static void take_body(struct push_call *push, const struct schema_value *value,
                      struct schema_errors *errors)
{
    const struct schema_value *json = schema_get(value, "body"),
                              *bytes = schema_get(value, "body_base64");
    struct params_error err;

    if (json != NULL) {
        push->message.body = json->span.at;
        push->message.len = json->span.len;
    } else {
        push->message.body = bytes->text;
        push->message.len = bytes->len;
    }
    if (push_call_message(push, "body", &err) != 0)
        schema_error_add(errors, SCHEMA_IN_BODY, json != NULL ? "/body" : "/body_base64", "%s",
                         err.text + strlen("body: "));
}

/* Fields that go only with certain receivers. */
static void check_receivers(const struct schema_value *value, struct schema_errors *errors)
{
    const struct schema_value *to = schema_get(value, "to");
    bool users = schema_get(to, "uids") != NULL || schema_get(to, "keys") != NULL;

    if (schema_get(value, "speed") != NULL && schema_get(to, "all") == NULL)
        schema_error_add(errors, SCHEMA_IN_BODY, "/speed", "goes only with \"all\":true");
    if (schema_get(value, "ack") != NULL && !users)
        schema_error_add(errors, SCHEMA_IN_BODY, "/ack", "goes only with uids or keys");
    if (schema_get(value, "collapse") != NULL && !users)
        schema_error_add(errors, SCHEMA_IN_BODY, "/collapse", "goes only with uids or keys");
}

struct push_call *v1_push_new(const struct v1_call *call, const struct schema_value *value,
                              const char *key, const char **id, struct schema_errors *errors)
{
    const struct schema_value *op = schema_get(value, "op"), *ttl = schema_get(value, "ttl"),
                              *speed = schema_get(value, "speed"),
                              *trace = schema_get(value, "trace"), *own = schema_get(value, "id"),
                              *ack = schema_get(value, "ack"),
                              *collapse = schema_get(value, "collapse");
    struct push_call *push = mem_zalloc(sizeof *push);

    push->logic = call->logic;
    push->request = call->request;
    push->message.op = op != NULL ? (int32_t)op->number : OP_PUSH;
    if (ttl != NULL)
        push->message.expires_ms = logic_now_ms(call->logic) + (uint64_t)ttl->number * 1000;
    push->speed = speed != NULL ? (int32_t)speed->number : 0;
    push->message.any = ack != NULL && strcmp(ack->text, "any") == 0;
    if (trace != NULL && trace->number != 0)
        push->message.traced = &push->traced;
    take_body(push, value, errors);
    check_receivers(value, errors);
    if (own != NULL && key != NULL && strcmp(own->text, key) != 0)
        schema_error_add(errors, SCHEMA_IN_BODY, "/id", "differs from the header Idempotency-Key");
    *id = own != NULL ? own->text : key;
    if (errors->n == 0) {
        if (collapse != NULL)
            push->message.collapse = push->owned = mem_strdup(collapse->text);
        take_receivers(push, schema_get(value, "to"));
        return push;
    }
    free(push);
    return NULL;
}

/* --- answers --- */

static void print_receiver(FILE *out, const struct push_call *push, size_t i)
{
    if (push->rooms != NULL) {
        fputs("{\"room\":", out);
        params_write_string(out, push->rooms[i], strlen(push->rooms[i]));
    } else if (push->start == push_call_to_all) {
        fputs("{\"all\":true", out);
    } else {
        fprintf(out, "{\"uid\":%" PRId64, push->users.uids[i]);
    }
}

/* Those that were accepted, or those that were not. Returns how many. */
static size_t print_messages(FILE *out, const struct push_call *push,
                             const struct push_result *result, bool failed)
{
    size_t n = 0;

    for (size_t i = 0; i < result->n; i++) {
        if (result->failed[i] != failed)
            continue;
        if (n++ > 0)
            fputc(',', out);
        print_receiver(out, push, i);
        if (!failed && result->ids[i] != 0)
            fprintf(out, ",\"id\":\"%" PRIu64 "\"", result->ids[i]);
        fputc('}', out);
    }
    return n;
}

static void print_accepted(FILE *out, const struct push_call *push,
                           const struct push_result *result)
{
    fputs("\"messages\":[", out);
    size_t n = print_messages(out, push, result, false);
    fprintf(out, "],\"accepted\":%zu", n + push->n_before);
    if (push->n_keys > 0)
        fprintf(out, ",\"unknown_keys\":%zu", push->n_unknown);
    if (push->traced.id != 0)
        fprintf(out, ",\"push\":\"%" PRIu64 "\"", push->traced.id);
    else if (push->traced.limited)
        fputs(",\"traced\":false", out);
}

static void print_repeated(FILE *out, const struct push_outcome *outcome)
{
    size_t begin = strlen(KEPT_BEGIN "{");

    fputs("\"repeated\":true,", out);
    if (outcome->kept_len > begin + 2 && memcmp(outcome->kept, KEPT_BEGIN "{", begin) == 0)
        fwrite(outcome->kept + begin, 1, outcome->kept_len - begin - 2, out);
    else
        fputs("\"messages\":[]", out); /* another face was asked, or the answer was too long */
}

static void print_refusal(FILE *out, const struct push_call *push,
                          const struct push_outcome *outcome, int status)
{
    problem_print(out, outcome->refusal->error, status, outcome->refusal->text, NULL);
    if (outcome->result == NULL)
        return;
    fputs(",\"not_accepted\":[", out);
    size_t n = print_messages(out, push, outcome->result, true);
    fprintf(out, "],\"accepted\":%zu", outcome->result->n - n + push->n_before);
}

int v1_push_print(FILE *out, const struct push_call *push, const struct push_outcome *outcome)
{
    if (outcome->refusal != NULL) {
        int status = problem_statuses[outcome->refusal->error];
        print_refusal(out, push, outcome, status);
        return status;
    }
    if (outcome->repeated)
        print_repeated(out, outcome);
    else
        print_accepted(out, push, outcome->result);
    return 202;
}

char *v1_push_keep(struct push_call *push, const struct push_outcome *outcome)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    fputs(KEPT_BEGIN "{", out);
    print_accepted(out, push, outcome->result);
    fputs("}}", out);
    fclose(out);
    if (len <= KEPT_MAX)
        return text;
    free(text);
    return NULL;
}

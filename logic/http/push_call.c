/* push_call.c - see push_call.h:
 *
 *   parse ─► [id: idem_begin ─► done before? that answer] ─► push_…() ─► reports ─► api_ok() */
#include "logic/http/push_call.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/protocol/ops.h"
#include "logic/http/callers.h"
#include "logic/http/idempotency.h"
#include "logic/http/key_groups.h"
#include "logic/http/trace.h"
#include "logic/push/job_backlog.h"
#include "logic/push/kafka_producer.h"
#include "logic/tokens/device_keys.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* What is kept for an id that was answered, whichever face was asked: older logics answer it as it
 * is. */
static const char answer_kept[] = "{\"ret\":1}";

/* --- parsing --- */

/* Devices take these for comet's own words: a push by them would be answered and acted upon, but
 * never shown. */
bool push_call_op_is_ours(int64_t op)
{
    return op == OP_HEARTBEAT_REPLY || op == OP_DISCONNECT || op == OP_AUTH_REPLY || op == OP_RAW;
}

int push_call_op(struct push_call *call, const char *field, int32_t op, struct params_error *err)
{
    if (push_call_op_is_ours(op)) {
        snprintf(err->text, sizeof err->text, "%s: %d is the protocol's own", field, (int)op);
        return -1;
    }
    call->message.op = op;
    return 0;
}

static int parse_common(struct push_call *call, const char **id, struct params_error *err)
{
    struct http_request *request = call->request;
    const char *ack = NULL;
    int64_t ttl = -1;

    if (api_query_int64(request, "ttl", 0, PUSH_TTL_MOST_S, &ttl, err) != 0 ||
        api_query(request, "id", id, err) != 0 || api_query(request, "ack", &ack, err) != 0)
        return -1;
    call->message.any = ack != NULL && strcmp(ack, "any") == 0;
    if (ack != NULL && !call->message.any && strcmp(ack, "each") != 0) {
        snprintf(err->text, sizeof err->text, "ack: each or any");
        return -1;
    }
    if (ttl >= 0)
        call->message.expires_ms = logic_now_ms(call->logic) + (uint64_t)ttl * 1000;
    return *id == NULL ? 0 : params_text("id", *id, IDEM_KEY_MAX, err);
}

int push_call_message(struct push_call *call, const char *field, struct params_error *err)
{
    size_t len = call->message.len, most = (size_t)call->logic->config->push_max_message;
    size_t bus = kafka_producer_most(call->logic->bus);

    bus = bus > PUSH_ENVELOPE_MOST ? bus - PUSH_ENVELOPE_MOST : 0; /* a topic may be that small */
    if (len > 0 && len <= most && len <= bus)
        return 0;
    call->too_large = len <= most && len > bus;
    if (len == 0)
        snprintf(err->text, sizeof err->text, "%s: empty", field);
    else if (call->too_large)
        snprintf(err->text, sizeof err->text,
                 "%s: %zu bytes, the bus takes %zu (max.message.bytes of the topic)", field, len,
                 bus);
    else
        snprintf(err->text, sizeof err->text, "%s: longer than %zu bytes", field, most);
    return -1;
}

int push_call_body(struct push_call *call, struct params_error *err)
{
    call->message.body = http_body(call->request, &call->message.len);
    return push_call_message(call, "body", err);
}

/* --- the end --- */

void push_call_free(struct push_call *call)
{
    if (call->users.uids != &call->uid && call->groups == NULL)
        params_pushs_free(&call->users);
    free(call->owned);
    free(call->keys);
    free(call->rooms);
    key_groups_free(call->groups);
    free(call->before);
    free(call->context);
    free(call);
}

static void conclude(struct push_call *call, const struct push_outcome *outcome)
{
    if (outcome->refusal == NULL && outcome->result != NULL && call->logic->daemon != NULL)
        daemon_took(call->logic->daemon, (uv_hrtime() - call->began_ns) / 1000);
    call->answer(call, outcome);
    push_call_free(call);
}

/* Nothing was produced. */
static void refuse(struct push_call *call, enum api_error error, enum logic_metric cause,
                   unsigned retry_s, const char *text)
{
    const struct api_refusal refusal = {error, cause, retry_s, text};

    conclude(call, &(struct push_outcome){.refusal = &refusal});
}

/* The answer of the faces that know only good and bad. */
static void answer_by_face(struct push_call *call, const struct push_outcome *outcome)
{
    if (outcome->refusal == NULL)
        api_ok(call->logic, call->request);
    else
        api_refuse(call->logic, call->request, outcome->refusal);
}

/* Records which uids have the message. So a retry with the same id pushes only to the others. */
static void fail_partly(struct push_call *call, const struct push_result *result)
{
    if (call->idem == NULL)
        return;
    size_t n = call->n_before;
    int64_t *accepted = mem_alloc((n + result->n) * sizeof *accepted);
    if (n > 0)
        memcpy(accepted, call->before, n * sizeof *accepted);
    for (size_t i = 0; i < call->users.n && i < result->n; i++) {
        if (!result->failed[i])
            accepted[n++] = call->users.uids[i];
    }
    idem_fail(call->idem, accepted, n * sizeof *accepted);
    free(accepted);
}

static void keep_answer(struct push_call *call, const struct push_outcome *outcome)
{
    char *kept = call->keep != NULL ? call->keep(call, outcome) : NULL;
    const char *text = kept != NULL ? kept : answer_kept;

    idem_done(call->idem, text, strlen(text));
    free(kept);
}

static void on_pushed(void *arg, const struct push_result *result)
{
    struct push_call *call = arg;
    struct push_outcome outcome = {.result = result};
    struct api_refusal refusal = {API_UNAVAILABLE, LOGIC_REFUSED_BACKLOG, 5, result->why};
    char text[512];

    if (result->n_failed == 0) {
        if (call->idem != NULL)
            keep_answer(call, &outcome);
        conclude(call, &outcome);
        return;
    }
    fail_partly(call, result);
    if (!result->refused) {
        snprintf(text, sizeof text, "the bus did not take %zu of %zu messages: %s",
                 result->n_failed, result->n, result->why);
        refusal = (struct api_refusal){API_UNAVAILABLE, LOGIC_REFUSED_BUS, 1, text};
    }
    outcome.refusal = &refusal;
    conclude(call, &outcome);
}

/* --- keys --- */

static int compare_uids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static bool was_before(const struct push_call *call, int64_t uid)
{
    return call->n_before > 0 &&
           bsearch(&uid, call->before, call->n_before, sizeof uid, compare_uids) != NULL;
}

/* Leaves out users for whom an earlier call with the same id was accepted. */
static bool key_is_to_be_pushed(const void *arg, int64_t uid)
{
    return !was_before(arg, uid);
}

/* 0, or -1 after the end of CALL: the bus does not take the keys of one user. */
static int check_groups(struct push_call *call)
{
    size_t most = kafka_producer_most(call->logic->bus), len = call->message.len;
    char text[200];

    if (call->groups->longest + len + PUSH_ENVELOPE_MOST <= most)
        return 0;
    snprintf(text, sizeof text,
             "keys: one user's take %zu bytes beside a body of %zu, the bus takes %zu "
             "(max.message.bytes of the topic)",
             call->groups->longest, len, most);
    fail_partly(call, &(struct push_result){0});
    refuse(call, API_TOO_LARGE, LOGIC_REFUSED_SIZE, 0, text);
    return -1;
}

static void on_owners(void *arg, int err, const struct device_key_owner *owners)
{
    struct push_call *call = arg;
    struct logic *logic = call->logic;
    char text[400];

    if (err != 0) {
        snprintf(text, sizeof text, "keys: cannot be looked up now: %s", redis_said(logic->redis));
        fail_partly(call, &(struct push_result){0});
        refuse(call, API_UNAVAILABLE, LOGIC_REFUSED_REDIS, 1, text);
        return;
    }
    call->groups = key_groups_new(&(struct key_set){call->keys, owners, call->n_keys},
                                  key_is_to_be_pushed, call);
    call->n_unknown = call->groups->unknown;
    logic_count(logic, LOGIC_KEYS_UNKNOWN, (int64_t)call->n_unknown);
    if (check_groups(call) != 0)
        return;
    call->users.uids = call->groups->uids;
    call->users.n = call->groups->n;
    push_keys(logic, &call->message,
              &(struct push_users){call->groups->n, call->groups->uids, call->groups->keys},
              on_pushed, call);
}

void push_call_to_keys(struct push_call *call)
{
    device_keys_find(call->logic, call->keys, call->n_keys, on_owners, call);
}

/* --- the way there --- */

void push_call_to_uids(struct push_call *call)
{
    push_uids(call->logic, &call->message, call->users.uids, call->users.n, on_pushed, call);
}

void push_call_to_room(struct push_call *call)
{
    push_room(call->logic, &call->message, call->room, on_pushed, call);
}

/* The messages to several rooms, of which each has its own report. */
struct rooms_push {
    struct push_call *call;
    size_t pending, n_failed;
    struct room_push {
        struct rooms_push *all;
    } * rooms;
    bool *failed;
    uint64_t *ids;
    char text[256];
};

static void on_rooms_pushed(struct rooms_push *all)
{
    const struct push_result result = {.n = all->call->users.n,
                                       .n_failed = all->n_failed,
                                       .failed = all->failed,
                                       .ids = all->ids,
                                       .why = all->text};

    on_pushed(all->call, &result);
    free(all->rooms);
    free(all->failed);
    free(all->ids);
    free(all);
}

static void on_room_pushed(void *arg, const struct push_result *result)
{
    struct room_push *room = arg;
    struct rooms_push *all = room->all;
    size_t i = (size_t)(room - all->rooms);

    all->failed[i] = result->n_failed > 0;
    all->ids[i] = result->ids[0];
    all->n_failed += result->n_failed;
    if (result->n_failed > 0)
        snprintf(all->text, sizeof all->text, "%s", result->why);
    if (--all->pending == 0)
        on_rooms_pushed(all);
}

void push_call_to_rooms(struct push_call *call)
{
    struct rooms_push *all = mem_zalloc(sizeof *all);
    size_t n = call->users.n;

    all->call = call;
    all->pending = n;
    all->rooms = mem_alloc((n + 1) * sizeof *all->rooms);
    all->failed = mem_zalloc(n + 1);
    all->ids = mem_zalloc((n + 1) * sizeof *all->ids);
    if (n == 0) { /* an earlier call with the same id was accepted for all of them */
        on_rooms_pushed(all);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        all->rooms[i].all = all;
        push_room(call->logic, &call->message, call->rooms[i], on_room_pushed, &all->rooms[i]);
    }
}

void push_call_to_all(struct push_call *call)
{
    push_all(call->logic, &call->message, call->speed, on_pushed, call);
}

static void skip_accepted(struct push_call *call, const void *data, size_t len)
{
    size_t left = 0;

    call->n_before = len / sizeof *call->before;
    call->before = mem_alloc(len + 1);
    memcpy(call->before, data, call->n_before * sizeof *call->before);
    qsort(call->before, call->n_before, sizeof *call->before, compare_uids);
    for (size_t i = 0; i < call->users.n; i++) {
        if (was_before(call, call->users.uids[i]))
            continue;
        if (call->rooms != NULL)
            call->rooms[left] = call->rooms[i];
        call->users.uids[left++] = call->users.uids[i];
    }
    call->users.n = left;
}

const struct api_refusal push_call_id_taken = {
    API_CONFLICT, LOGIC_REFUSED_PARAMETER, 0,
    "id: another push has it, of the last five minutes or for later; repeat a push as it was, or "
    "give it an id of its own"};
const struct api_refusal push_call_id_busy = {API_UNAVAILABLE, LOGIC_REFUSED_BUS, 1,
                                              "id: the first call with it is still under way"};

static void on_idem(void *arg, enum idem_verdict verdict, struct idem *idem, const void *data,
                    size_t len)
{
    struct push_call *call = arg;
    struct logic *logic = call->logic;
    char text[400];

    switch (verdict) {
    case IDEM_FIRST:
        call->idem = idem;
        if (len > 0)
            skip_accepted(call, data, len);
        call->start(call);
        return;
    case IDEM_REPEATED: /* what succeeded is kept, and nothing else is */
        conclude(call, &(struct push_outcome){.repeated = true, .kept = data, .kept_len = len});
        return;
    case IDEM_OTHER:
        conclude(call, &(struct push_outcome){.refusal = &push_call_id_taken});
        return;
    case IDEM_BUSY:
        conclude(call, &(struct push_outcome){.refusal = &push_call_id_busy});
        return;
    case IDEM_AWAY:
        snprintf(text, sizeof text, "id: cannot be honoured now: %s", redis_said(logic->redis));
        refuse(call, API_UNAVAILABLE, LOGIC_REFUSED_REDIS, 1, text);
        return;
    }
}

_Static_assert((int)JOB_BACKLOG_WHY >= (int)CALLERS_WHY_MAX, "one text has room for both");

static const char *receivers_of(const struct push_call *call)
{
    return call->n_keys > 0 ? "keys" : call->rooms != NULL ? "rooms" : "uids";
}

/* Is a correct push too large, or does it come while too many messages are under way or jobs are
 * too far behind? Then it is refused. */
static bool push_fits(struct push_call *call)
{
    struct logic *logic = call->logic;
    const struct logic_config *config = logic->config;
    size_t n = call->users.n + call->n_keys, pending = push_pending(logic->lanes);
    struct api_refusal refusal;
    char text[JOB_BACKLOG_WHY];

    if (n > 1 && n > (size_t)config->push_max_bytes / call->message.len) {
        snprintf(text, sizeof text,
                 "%zu %s times %zu bytes are more than push.max_bytes (%lld): push to fewer at a "
                 "time",
                 n, receivers_of(call), call->message.len, (long long)config->push_max_bytes);
        refuse(call, API_TOO_LARGE, LOGIC_REFUSED_SIZE, 0, text);
        return false;
    }
    if (pending > 0 && pending + n > (size_t)config->push_max_pending) {
        snprintf(text, sizeof text,
                 "%zu messages are on their way to Kafka, push.max_pending is %lld: push later",
                 pending, (long long)config->push_max_pending);
        refuse(call, API_UNAVAILABLE, LOGIC_REFUSED_PENDING, 5, text);
        return false;
    }
    if (job_backlogs_verdict(logic->backlogs, text) == JOB_BACKLOG_ALL) {
        refuse(call, API_UNAVAILABLE, LOGIC_REFUSED_LAG, 5, text);
        return false;
    }
    /* It was let in, but others came meanwhile. */
    if (call->request == NULL)
        return true;
    if (api_is_beyond(logic, call->request, true, &refusal, text)) {
        conclude(call, &(struct push_outcome){.refusal = &refusal});
        return false;
    }
    callers_spend(logic->callers, call->request, n > 0 ? n : 1);
    return true;
}

/* --- the id --- */

static void hash_text(EVP_MD_CTX *hash, const char *text)
{
    EVP_DigestUpdate(hash, text, strlen(text) + 1);
}

void push_call_digest(const struct push_call *call, char out[IDEM_DIGEST + 1])
{
    const struct push_message *message = &call->message;
    const int64_t op =
        message->op != 0 ? message->op : OP_PUSH; /* as imgo has it, if none is said */
    const int64_t numbers[] = {op, message->any, call->speed, (int64_t)message->len};
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    uint8_t digest[EVP_MAX_MD_SIZE];

    EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
    EVP_DigestUpdate(hash, numbers, sizeof numbers);
    EVP_DigestUpdate(hash, message->body, message->len);
    if (message->collapse != NULL)
        hash_text(hash, message->collapse);
    if (call->room != NULL || call->rooms != NULL)
        hash_text(hash, "rooms");
    else if (call->n_keys > 0)
        hash_text(hash, "keys");
    else
        hash_text(hash, call->users.n > 0 ? "uids" : "all");
    if (call->room != NULL)
        hash_text(hash, call->room);
    for (size_t i = 0; i < call->users.n && call->rooms != NULL; i++)
        hash_text(hash, call->rooms[i]);
    for (size_t i = 0; i < call->n_keys; i++)
        hash_text(hash, call->keys[i]);
    if (call->users.n > 0 && call->rooms == NULL)
        EVP_DigestUpdate(hash, call->users.uids, call->users.n * sizeof *call->users.uids);
    EVP_DigestFinal_ex(hash, digest, NULL);
    EVP_MD_CTX_free(hash);
    text_to_hex(digest, IDEM_DIGEST / 2, out);
}

static void ask_for_id(struct push_call *call, const char *id)
{
    struct idem_call idem = {.scope = call->scope, .key = id};

    if (call->request != NULL)
        idem.scope = callers_scope(call->logic->callers, call->request);
    push_call_digest(call, idem.digest);
    idem_begin(call->logic, &idem, on_idem, call);
}

void push_call_run(struct push_call *call, const char *id)
{
    struct logic *logic = call->logic;

    call->began_ns = uv_hrtime();
    call->context = call->request != NULL ? trace_of_request(call->request) : NULL;
    call->message.context = call->context;
    if (!logic->has_node)
        refuse(call, API_UNAVAILABLE, LOGIC_REFUSED_REDIS, 1,
               "this logic is starting: it holds no lease yet");
    else if (!push_fits(call))
        return;
    else if (id != NULL)
        ask_for_id(call, id);
    else
        call->start(call);
}

void push_call_handle(struct logic *logic, struct http_request *request, push_parse_fn parse,
                      void (*start)(struct push_call *call))
{
    struct push_call *call = mem_alloc(sizeof *call);
    struct params_error err;
    const char *id = NULL;

    *call = (struct push_call){
        .logic = logic, .request = request, .start = start, .answer = answer_by_face};
    if (parse(call, &err) == 0 && parse_common(call, &id, &err) == 0)
        push_call_run(call, id);
    else if (call->too_large)
        refuse(call, API_TOO_LARGE, LOGIC_REFUSED_SIZE, 0, err.text);
    else
        refuse(call, API_PARAMETER, LOGIC_REFUSED_PARAMETER, 0, err.text);
}

/* GET /1/msg/get?uid=&mid=&token=&cb=: the messages that wait for a user, as imgo's store answers.
 *
 *   token ─► uid the same? ─► its turn ─► [mid: confirm ids ≤ mid] ─► fetch after mid
 *                                                                      └─► {"ret":0,"data":…}
 *
 * Browsers call this (cb: JSONP). So the user's token is the credential, and no API key is needed.
 * Reading deletes nothing. */
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/protocol/ops.h"
#include "logic/http/refusals.h"
#include "logic/http/routes.h"
#include "logic/mailbox/mailbox.h"
#include "logic/tokens/revoked.h"
#include "logic/tokens/tokens.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* An answer may have more than a megabyte, which takes Redis and us some milliseconds. */
enum {
    GETS_AT_ONCE = 8, /* that read; the others wait for their turn */
    GETS_OF_UID = 2,  /* the same, of one user, so that he does not keep the others */
    WAITING_MOST = 1024,
    WAITING_OF_UID = 512,
};

struct get_call {
    struct logic *logic;
    struct http_request *request;
    int64_t uid, mid;
    const char *token, *callback;
    TAILQ_ENTRY(get_call) waiting;
    LIST_ENTRY(get_call) reading;
    bool has_turn;
};

/* --- whose turn it is --- */

static void begin(struct get_call *call);

static bool may_begin(const struct logic *logic, int64_t uid)
{
    const struct get_call *other;
    unsigned n = 0, same = 0;

    LIST_FOREACH(other, &logic->gets_reading, reading) {
        n++;
        same += other->uid == uid;
    }
    return n < GETS_AT_ONCE && same < GETS_OF_UID &&
           (logic->http == NULL || http_server_has_room(logic->http));
}

/* The first that waits and may begin. */
static struct get_call *take_next(struct logic *logic)
{
    struct get_call *call = TAILQ_FIRST(&logic->gets_waiting);

    while (call != NULL && !may_begin(logic, call->uid))
        call = TAILQ_NEXT(call, waiting);
    if (call != NULL)
        TAILQ_REMOVE(&logic->gets_waiting, call, waiting);
    return call;
}

void api_msg_get_go_on(struct logic *logic)
{
    struct get_call *call;

    while ((call = take_next(logic)) != NULL)
        begin(call);
}

static void call_end(struct get_call *call)
{
    struct logic *logic = call->logic;
    bool had_turn = call->has_turn;

    if (had_turn)
        LIST_REMOVE(call, reading);
    free(call);
    if (had_turn)
        api_msg_get_go_on(logic);
}

/* --- answers --- */

static void respond(struct get_call *call, const char *body, size_t len)
{
    char *script = NULL;
    size_t script_len = 0;

    if (call->callback == NULL) {
        api_json(call->logic, call->request, body, len);
        call_end(call);
        return;
    }
    FILE *out = open_memstream(&script, &script_len);
    fprintf(out, "%s(", call->callback);
    fwrite(body, 1, len, out);
    fputs(")", out);
    fclose(out);
    logic_count(call->logic, LOGIC_HTTP_2XX, 1);
    http_respond(call->request, 200, "application/javascript; charset=utf-8", script, script_len,
                 "X-Content-Type-Options: nosniff\r\n");
    free(script);
    call_end(call);
}

/* A script of JSONP cannot see a status. So with cb errors are answered as a call too. False: there
 * is no cb. */
static bool fail_by_script(struct get_call *call, int ret, enum logic_metric cause,
                           const char *text)
{
    char body[256];

    if (call->callback == NULL)
        return false;
    size_t len = params_imgo_error(ret, text, body, sizeof body);
    refusal_note(call->logic, call->request, cause, 200, text);
    respond(call, body, len);
    return true;
}

static void fail(struct get_call *call, enum api_error error, const char *text)
{
    bool token = error == API_TOKEN;

    if (fail_by_script(call, token ? 65533 : 65534,
                       token ? LOGIC_REFUSED_TOKEN : LOGIC_REFUSED_PARAMETER, text))
        return;
    api_error(call->logic, call->request, error, text);
    call_end(call);
}

static void fail_for_now(struct get_call *call, enum logic_metric cause, const char *text)
{
    if (fail_by_script(call, 65535, cause, text))
        return;
    api_unavailable(call->logic, call->request, cause, text);
    call_end(call);
}

/* Says why Redis failed, without names of servers, because clients see it. */
static void fail_redis(struct get_call *call)
{
    const char *said = redis_said(call->logic->redis);

    fail_for_now(call, LOGIC_REFUSED_REDIS,
                 strncmp(said, "Redis says", 10) == 0 ? said : "Redis does not answer");
}

static void write_message(FILE *out, const struct mailbox_message *message)
{
    fputs("{\"msg\":", out);
    params_write_base64(out, message->body, message->len);
    /* JavaScript's numbers have 53 bits and an id has more. So JavaScript sends mid_str back. */
    fprintf(out, ",\"mid\":%" PRIu64 ",\"mid_str\":\"%" PRIu64 "\",\"gid\":0}", message->id,
            message->id);
}

static void on_page(void *arg, int err, const struct mailbox_page *page)
{
    struct get_call *call = arg;
    char *body = NULL;
    size_t len = 0;

    if (err != 0) {
        fail_redis(call);
        return;
    }
    FILE *out = open_memstream(&body, &len);
    fputs("{\"ret\":0,\"data\":{\"msgs\":[", out);
    for (size_t i = 0; i < page->n; i++) {
        if (i > 0)
            fputc(',', out);
        write_message(out, &page->messages[i]);
    }
    fputs("]}}", out);
    fclose(out);
    respond(call, body, len);
    free(body);
}

/* --- the way there --- */

static void on_confirmed(void *arg, int err)
{
    struct get_call *call = arg;

    struct mailbox_read read = {.uid = call->uid, .after = (uint64_t)call->mid};

    if (err != 0)
        fail_redis(call);
    else
        mailbox_fetch(call->logic, &read, on_page, call);
}

static void begin(struct get_call *call)
{
    call->has_turn = true;
    LIST_INSERT_HEAD(&call->logic->gets_reading, call, reading);
    if (call->mid > 0)
        mailbox_confirm_upto(call->logic, call->uid, (uint64_t)call->mid, on_confirmed, call);
    else
        on_confirmed(call, 0);
}

static void take_turn(struct get_call *call)
{
    struct logic *logic = call->logic;
    const struct get_call *other;
    unsigned n = 0, same = 0;

    if (may_begin(logic, call->uid)) { /* whoever waits may not */
        begin(call);
        return;
    }
    TAILQ_FOREACH(other, &logic->gets_waiting, waiting) {
        n++;
        same += other->uid == call->uid;
    }
    if (n >= WAITING_MOST || same >= WAITING_OF_UID)
        fail_for_now(call, LOGIC_REFUSED_READS, "too many calls read mailboxes now: try again");
    else
        TAILQ_INSERT_TAIL(&logic->gets_waiting, call, waiting);
}

static void on_revoked(void *arg, uint32_t code, const char *why)
{
    struct get_call *call = arg;

    if (code == CLOSE_NONE)
        take_turn(call);
    else if (code == CLOSE_UNAVAILABLE)
        fail_redis(call);
    else
        fail(call, API_TOKEN, why);
}

static void on_token(void *arg, size_t index, int err, const struct token_value *value,
                     const char *why)
{
    struct get_call *call = arg;

    (void)index;
    if (err == -EAGAIN)
        fail_redis(call);
    else if (err == -EBUSY)
        fail_for_now(call, LOGIC_REFUSED_READS, why);
    else if (err != 0)
        fail(call, API_TOKEN, strncmp(why, "token: ", 7) == 0 ? why : "token: unknown or expired");
    else if (value->uid != call->uid)
        fail(call, API_TOKEN, "token: of another uid");
    else
        revoked_check(call->logic, call->uid, &value->identity, on_revoked, call);
}

/* Reads "mid" or "mid_str", the name that answers have too. Not both. */
static int parse_mid(struct get_call *call, struct params_error *err)
{
    const char *mid, *mid_str;

    if (api_query(call->request, "mid", &mid, err) != 0 ||
        api_query(call->request, "mid_str", &mid_str, err) != 0)
        return -EINVAL;
    if (mid != NULL && mid_str != NULL) {
        snprintf(err->text, sizeof err->text, "mid, mid_str: one of them");
        return -EINVAL;
    }
    if (mid != NULL)
        return params_int64("mid", mid, 0, INT64_MAX, &call->mid, err);
    return mid_str != NULL ? params_int64("mid_str", mid_str, 0, INT64_MAX, &call->mid, err) : 0;
}

static int parse(struct get_call *call, struct params_error *err)
{
    const char *uid;
    const char *callback; /* put into CALL only once it is checked, because errors are answered with
                           * it */

    if (api_query(call->request, "cb", &callback, err) != 0)
        return -EINVAL;
    if (callback != NULL && !params_is_jsonp(callback)) {
        snprintf(err->text, sizeof err->text, "cb: want 1 to 64 of A-Z a-z 0-9 _ . $");
        return -EINVAL;
    }
    call->callback = callback;
    if (api_query(call->request, "uid", &uid, err) != 0 ||
        params_int64("uid", uid, INT64_MIN, INT64_MAX, &call->uid, err) != 0 ||
        parse_mid(call, err) != 0 || api_query(call->request, "token", &call->token, err) != 0)
        return -EINVAL;
    return params_text("token", call->token, TOKEN_MAX, err);
}

void api_msg_get(struct logic *logic, struct http_request *request)
{
    struct get_call *call = mem_zalloc(sizeof *call);
    struct params_error err;

    call->logic = logic;
    call->request = request;
    if (parse(call, &err) != 0) {
        fail(call, API_PARAMETER, err.text);
        return;
    }
    struct token_ref ref = {call->token, strlen(call->token)};
    tokens_find(logic, &ref, 1, on_token, call);
}

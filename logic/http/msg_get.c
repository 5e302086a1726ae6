/* GET /1/msg/get?uid=&mid=&token=&cb=: the messages that wait for a user, as imgo's store answers.
 *
 *   token ─► uid the same? ─► [mid: confirm ids ≤ mid] ─► fetch after mid ─► {"ret":0,"data":…}
 *
 * Browsers call this (cb: JSONP). So the user's token is the credential, and no API key is needed.
 * Reading deletes nothing. */
#include "common/base/mem.h"
#include "logic/http/routes.h"
#include "logic/mailbox/mailbox.h"
#include "logic/tokens/tokens.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct get_call {
    struct logic *logic;
    struct http_request *request;
    int64_t uid, mid;
    const char *token, *callback;
};

/* --- answers --- */

static void respond(struct get_call *call, const char *body, size_t len)
{
    char *script = NULL;
    size_t script_len = 0;

    if (call->callback == NULL) {
        api_json(call->logic, call->request, body, len);
        free(call);
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
    free(call);
}

/* A script of JSONP cannot see a status. So with cb errors are answered as a call too. */
static void fail(struct get_call *call, enum api_error error, const char *text)
{
    char body[256];

    if (call->callback != NULL) {
        int ret = error == API_UNAVAILABLE ? 65535 : error == API_TOKEN ? 65533 : 65534;
        size_t len = params_imgo_error(ret, text, body, sizeof body);
        logic_count(call->logic,
                    error == API_UNAVAILABLE ? LOGIC_REFUSED_REDIS
                    : error == API_TOKEN     ? LOGIC_REFUSED_TOKEN
                                             : LOGIC_REFUSED_PARAMETER,
                    1);
        respond(call, body, len);
        return;
    }
    api_error(call->logic, call->request, error, text);
    free(call);
}

/* Why Redis failed, without names of servers, because clients see it. */
static const char *redis_trouble_of(const struct get_call *call)
{
    const char *said = redis_said(call->logic->redis);

    return strncmp(said, "Redis says", 10) == 0 ? said : "Redis does not answer";
}

static void write_message(FILE *out, const struct mailbox_message *message)
{
    size_t size = (message->len + 2) / 3 * 4 + 1;
    uint8_t *text = mem_alloc(size);

    int len = EVP_EncodeBlock(text, message->body, (int)message->len);
    /* JavaScript's numbers have 53 bits and an id has more. So JavaScript sends mid_str back. */
    fprintf(out, "{\"msg\":\"%.*s\",\"mid\":%" PRIu64 ",\"mid_str\":\"%" PRIu64 "\",\"gid\":0}",
            len, (const char *)text, message->id, message->id);
    free(text);
}

static void on_page(void *arg, int err, const struct mailbox_page *page)
{
    struct get_call *call = arg;
    char *body = NULL;
    size_t len = 0;

    if (err != 0) {
        fail(call, API_UNAVAILABLE, redis_trouble_of(call));
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
        fail(call, API_UNAVAILABLE, redis_trouble_of(call));
    else
        mailbox_fetch(call->logic, &read, on_page, call);
}

static void on_token(void *arg, size_t index, int err, const struct token_value *value)
{
    struct get_call *call = arg;

    (void)index;
    if (err == -EAGAIN)
        fail(call, API_UNAVAILABLE, redis_trouble_of(call));
    else if (err != 0)
        fail(call, API_TOKEN, "token: unknown or expired");
    else if (value->uid != call->uid)
        fail(call, API_TOKEN, "token: of another uid");
    else if (call->mid > 0)
        mailbox_confirm_upto(call->logic, call->uid, (uint64_t)call->mid, on_confirmed, call);
    else
        on_confirmed(call, 0);
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

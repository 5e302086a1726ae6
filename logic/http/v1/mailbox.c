/* GET /v1/mailbox: what waits for a user. DELETE /v1/mailbox: takes it out, up to a message. */
#include "logic/mailbox/mailbox.h"
#include "logic/http/v1/call.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void print_message(FILE *out, const struct mailbox_message *message)
{
    fprintf(out, "{\"id\":\"%" PRIu64 "\",\"op\":%" PRId32 ",\"body_base64\":", message->id,
            message->op);
    params_write_base64(out, message->body, message->len);
    if (message->expires_ms != 0)
        fprintf(out, ",\"expires\":%" PRIu64, message->expires_ms / 1000);
    fputc('}', out);
}

static void on_page(void *arg, int err, const struct mailbox_page *page)
{
    struct v1_call *call = arg;
    uint64_t last;

    if (err != 0) {
        v1_no_redis(call);
        return;
    }
    FILE *out = v1_begin(call);
    fputs("{\"messages\":[", out);
    for (size_t i = 0; i < page->n; i++) {
        if (i > 0)
            fputc(',', out);
        print_message(out, &page->messages[i]);
    }
    fputc(']', out);
    last = page->last != 0 ? page->last : page->n > 0 ? page->messages[page->n - 1].id : 0;
    if (page->more && last != 0)
        fprintf(out, ",\"cursor\":\"%" PRIu64 "\"", last);
    fputc('}', out);
    v1_end(call, 200, NULL);
}

/* A text of digits, which the schema has checked. False: it is more than 64 bits, and the call is
 * answered. */
static bool take_id(struct v1_call *call, const char *name, uint64_t *id)
{
    const struct schema_value *value = v1_query(call, name);
    struct schema_errors errors = {0};

    if (value == NULL)
        return true;
    *id = strtoull(value->text, NULL, 10);
    if (*id <= INT64_MAX)
        return true;
    schema_error_add(&errors, SCHEMA_IN_QUERY, name, "is no id of a message");
    v1_refuse_errors(call, &errors);
    return false;
}

void v1_mailbox_read(struct v1_call *call)
{
    struct logic *logic = call->logic;
    const struct schema_value *limit = v1_query(call, "limit");
    struct mailbox_read read = {.uid = v1_query(call, "uid")->number,
                                .limit = limit != NULL ? (size_t)limit->number : 0};

    if (!take_id(call, "cursor", &read.after))
        return;
    if (logic->http != NULL && !http_server_has_room(logic->http))
        v1_refuse(call, &(struct api_refusal){API_UNAVAILABLE, LOGIC_REFUSED_READS, 1,
                                              "callers have not read their answers yet"});
    else
        mailbox_fetch(logic, &read, on_page, call);
}

static void on_deleted(void *arg, int err)
{
    struct v1_call *call = arg;

    if (err != 0) {
        v1_no_redis(call);
        return;
    }
    fprintf(v1_begin(call), "{\"uid\":%" PRId64 "}", v1_query(call, "uid")->number);
    v1_end(call, 200, NULL);
}

void v1_mailbox_delete(struct v1_call *call)
{
    uint64_t upto = 0;

    if (take_id(call, "upto", &upto))
        mailbox_confirm_upto(call->logic, v1_query(call, "uid")->number, upto, on_deleted, call);
}

#include "logic/http/refusals.h"
#include "common/auth/audit.h"
#include "common/base/log.h"
#include "common/http/http.h"
#include "logic/http/callers.h"
#include "logic/http/route.h"

#include <assert.h>
#include <stdio.h>

void refusal_word(enum logic_metric cause, char out[REFUSAL_WORD_MAX + 1])
{
    size_t len;
    const char *word = metric_label(logic_metric_rows, cause, &len);

    assert(len <= REFUSAL_WORD_MAX);
    (void)snprintf(out, REFUSAL_WORD_MAX + 1, "%.*s", (int)len, word);
}

static void say(const struct logic *logic, struct http_request *request, enum logic_metric cause,
                int status, const char *text)
{
    char word[REFUSAL_WORD_MAX + 1];
    const struct route *route = route_of(logic, request);
    /* a logic that ends has closed them */
    const char *key = logic->callers != NULL ? callers_name(request) : "nobody";

    refusal_word(cause, word);
    log_debug("call refused",
              "reason=%s status=%d request_id=%s method=%s route=%s key=%s address=%s why=\"%s\"",
              word, status, http_request_id(request), audit_method(request),
              route != NULL ? route->path : "unknown", key, http_peer(request), text);
}

void refusal_note(struct logic *logic, struct http_request *request, enum logic_metric cause,
                  int status, const char *text)
{
    logic_count(logic, cause, 1);
    if (logic->callers != NULL)
        callers_refused(logic->callers, request, cause);
    if (log_is_on(LOG_DEBUG))
        say(logic, request, cause, status, text);
}

#include "common/auth/audit.h"
#include "common/base/log.h"
#include "common/http/http.h"

#include <stdio.h>

void audit_log(const struct audit *audit)
{
    const char *who = audit->who != NULL ? audit->who : "nobody";
    const char *route = audit->route != NULL ? audit->route : "unknown";
    bool refused = audit->why != NULL;
    enum log_level level = refused ? LOG_WARN : LOG_INFO;
    struct log_site unlimited = {0};
    char outcome[16] = "admitted";

    if (audit->outcome != 0)
        snprintf(outcome, sizeof(outcome), "%d", audit->outcome);

    /* Strangers can cause refusals, so these are limited to 10 lines a second, like other lines.
     * What was carried out is not. */
    static struct log_site refusals;
    if (log_is_on(level))
        log_write(refused ? &refusals : &unlimited, level, "audit",
                  "listener=%s who=%s address=%s method=%s route=%s outcome=%s why=%s "
                  "request_id=%s",
                  audit->listener, who, audit->address, audit->method, route, outcome,
                  refused ? audit->why : "ok", audit->request_id);
}

const char *audit_method(const struct http_request *request)
{
    static const char *const names[] = {
        [HTTP_GET] = "GET",       [HTTP_POST] = "POST", [HTTP_PUT] = "PUT",
        [HTTP_DELETE] = "DELETE", [HTTP_HEAD] = "HEAD", [HTTP_OPTIONS] = "OPTIONS",
        [HTTP_OTHER] = "other"};

    return names[http_method(request)];
}

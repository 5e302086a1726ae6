/* The caller's X-Request-Id if it may stand in a header and in a log, otherwise one of ours. It is
 * found out when it is first asked for, which is when the request is answered at the latest. */
#include "common/base/random.h"
#include "common/http/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_fine(const char *id)
{
    static const char fine[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/+=";
    size_t len = strspn(id, fine);

    return len > 0 && len <= HTTP_REQUEST_ID_MAX && id[len] == '\0';
}

const char *http_request_id(struct http_request *request)
{
    const char *theirs = http_header(request, "x-request-id");

    if (theirs != NULL && is_fine(theirs))
        return theirs;
    if (request->id[0] == '\0')
        (void)snprintf(request->id, sizeof(request->id), "%016" PRIx64, random_number());
    return request->id;
}

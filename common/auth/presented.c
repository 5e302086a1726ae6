#include "common/auth/presented.h"
#include "common/http/http.h"

#include <string.h>
#include <strings.h>

/* The key in the value of an Authorization header: "Bearer KEY", "Bearer" in any case. NULL:
 * another scheme. */
static const char *bearer(const char *authorization)
{
    enum { SCHEME = sizeof("Bearer") - 1 };

    if (strncasecmp(authorization, "Bearer", SCHEME) != 0 || authorization[SCHEME] != ' ')
        return NULL;
    return authorization + SCHEME + strspn(authorization + SCHEME, " ");
}

const char *presented_key(const struct http_request *request)
{
    const char *authorization = http_header(request, "authorization");
    const char *key = authorization != NULL ? bearer(authorization) : NULL;

    return key != NULL ? key : http_header(request, "x-api-key");
}

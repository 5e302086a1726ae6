#include "logic/hook/failure.h"

#include <errno.h>
#include <stdio.h>
#include <uv.h>

bool failure_is_worth_another_try(int status)
{
    return status == 502 || status == 503 || status == 504 ||
           (status < 0 && status != -EBADMSG && status != -EMSGSIZE);
}

void failure_why(int status, char *why, size_t len)
{
    if (status == -EMSGSIZE)
        (void)snprintf(why, len, "its answer is longer than auth.max_answer");
    else if (status == -EBADMSG)
        (void)snprintf(why, len, "its answer is not HTTP");
    else if (status == -ETIMEDOUT)
        (void)snprintf(why, len, "no answer within auth.timeout");
    else if (status < 0)
        (void)snprintf(why, len, "no connection: %s", uv_strerror(status));
    else
        (void)snprintf(why, len, "it answered with HTTP status %d", status);
}

enum logic_metric failure_reason(int status)
{
    if (status == -ETIMEDOUT)
        return LOGIC_AUTH_FAILED_TIMEOUT;
    if (status == -EMSGSIZE || status == -EBADMSG)
        return LOGIC_AUTH_FAILED_ANSWER;
    return status < 0 ? LOGIC_AUTH_FAILED_CONNECT : LOGIC_AUTH_FAILED_STATUS;
}

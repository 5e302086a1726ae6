#include "common/http/url.h"
#include "logic/hook/hook.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int hook_check(const struct logic_config *config, char *err, size_t errlen)
{
    struct http_url url;
    const char *why;

    if (config->auth_url[0] == '\0')
        return 0;
    if (http_url_parse(config->auth_url, &url, &why) != 0) {
        bool secret = strchr(config->auth_url, '@') != NULL;
        (void)snprintf(err, errlen, "auth.url: %s%s", why,
                       secret ? ": a secret belongs into auth.secret_file" : "");
        return -EINVAL;
    }
    if (config->auth_trust_mid) {
        (void)snprintf(err, errlen,
                       "auth.url and auth.trust_mid exclude each other: with a URL "
                       "the business is asked about clients without a token, too");
        return -EINVAL;
    }
    if ((config->auth_retries + 1) * config->auth_timeout_ms >= config->connect_timeout_ms) {
        (void)snprintf(err, errlen,
                       "auth.timeout (%lld ms) times auth.retries + 1 (%lld) has to be less than "
                       "connect.timeout (%lld ms): lower the first ones or raise the last one",
                       (long long)config->auth_timeout_ms, (long long)config->auth_retries + 1,
                       (long long)config->connect_timeout_ms);
        return -EINVAL;
    }
    return 0;
}

#include "common/webhook/settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int webhook_check(const struct webhook_settings *settings, const char *section,
                  struct http_url *url, char *err, size_t errlen)
{
    const char *why;

    if (settings->url[0] == '\0')
        return 0;
    if (http_url_parse(settings->url, url, &why) != 0) {
        (void)snprintf(
            err, errlen, "%s.url: %s%s", section, why,
            strchr(settings->url, '@') != NULL ? ": the business knows us by the signature" : "");
        return -EINVAL;
    }
    if (settings->secret_file[0] == '\0') {
        (void)snprintf(err, errlen,
                       "%s.url needs %s.url_secret_file, the key that signs what is posted: "
                       "printf 'whsec_%%s\\n' \"$(openssl rand -base64 32)\" > FILE",
                       section, section);
        return -EINVAL;
    }
    return 0;
}

/* url.h - the URL of a setting, by which a daemon asks an HTTP server. Pure; any thread. */
#ifndef IMC_COMMON_HTTP_URL_H
#define IMC_COMMON_HTTP_URL_H

#include "common/net/address.h"

#include <stdbool.h>

enum { HTTP_PATH_MAX = 1024 };

struct http_url {
    bool tls; /* https */
    struct address address;
    char host[ADDRESS_HOST_MAX + ADDRESS_PORT_MAX + 2]; /* for the header Host */
    char path[HTTP_PATH_MAX + 1];                       /* with the query */
};

/* TEXT is "http://host:port/path?query", or https; port and path may be missing. 0, or -EINVAL and
 * *WHY, a constant text. */
int http_url_parse(const char *text, struct http_url *url, const char **why);
/* Does it lead to this machine: a loopback address, or localhost? */
bool http_url_is_loopback(const struct http_url *url);

#endif

/* url.h - the URL that logic asks who connects: auth.url. Pure; any thread. */
#ifndef IMC_LOGIC_HOOK_URL_H
#define IMC_LOGIC_HOOK_URL_H

#include "common/net/address.h"

#include <stdbool.h>

enum { HOOK_PATH_MAX = 1024 };

struct hook_url {
    bool tls; /* https */
    struct address address;
    char host[ADDRESS_HOST_MAX + ADDRESS_PORT_MAX + 2]; /* for the header Host */
    char path[HOOK_PATH_MAX + 1];                       /* with the query */
};

/* TEXT is "http://host:port/path?query", or https; port and path may be missing. 0, or -EINVAL and
 * *WHY, a constant text. */
int hook_url_parse(const char *text, struct hook_url *url, const char **why);

#endif

#include "common/http/url.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int refuse(const char **why, const char *text)
{
    *why = text;
    return -EINVAL;
}

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text <= 0x20 || (unsigned char)*text >= 0x7f)
            return false;
    }
    return true;
}

/* AUTHORITY is LEN bytes: host, or host:port. */
static int parse_authority(const char *authority, size_t len, struct http_url *url,
                           const char **why)
{
    char text[ADDRESS_HOST_MAX + ADDRESS_PORT_MAX + 4];
    const char *colon = memrchr(authority, ':', len);
    bool has_port = colon != NULL && memchr(colon, ']', len - (size_t)(colon - authority)) == NULL;

    if (memchr(authority, '@', len) != NULL)
        return refuse(why, "it has a user or a password, which would be in the log");
    if (len + sizeof ":443" > sizeof text)
        return refuse(why, "its host is too long");
    (void)snprintf(text, sizeof text, "%.*s%s", (int)len, authority,
                   has_port   ? ""
                   : url->tls ? ":443"
                              : ":80");
    if (address_parse(text, strlen(text), &url->address) != 0 || url->address.host[0] == '\0' ||
        url->address.port == 0)
        return refuse(why, "it is not http://host:port/path, or https");
    (void)snprintf(url->host, sizeof url->host, "%.*s", (int)len, authority);
    return 0;
}

int http_url_parse(const char *text, struct http_url *url, const char **why)
{
    static const char plain[] = "http://", tls[] = "https://";

    url->tls = strncasecmp(text, tls, sizeof tls - 1) == 0;
    if (!url->tls && strncasecmp(text, plain, sizeof plain - 1) != 0)
        return refuse(why, "it begins neither with http:// nor with https://");
    if (!is_printable(text))
        return refuse(why, "it has a space or another byte that has to be percent-encoded");
    text += url->tls ? sizeof tls - 1 : sizeof plain - 1;
    size_t len = strcspn(text, "/?#");
    if (strchr(text, '#') != NULL)
        return refuse(why, "it has a fragment (#)");
    const char *path = text + len;
    if (strlen(path) + 1 > HTTP_PATH_MAX)
        return refuse(why, "its path is too long");
    (void)snprintf(url->path, sizeof url->path, "%s%s", *path == '/' ? "" : "/", path);
    return parse_authority(text, len, url, why);
}

bool http_url_is_loopback(const struct http_url *url)
{
    union endpoint address;

    if (strcasecmp(url->address.host, "localhost") == 0)
        return true;
    return endpoint_parse(url->address.host, url->address.port, &address) &&
           endpoint_is_loopback(&address.any);
}

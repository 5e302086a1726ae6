#include "common/auth/host_header.h"
#include "common/config/config.h"
#include "common/net/network.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* HOST without its port, and an IPv6 address without its brackets. */
static size_t cut_port(const char **host)
{
    bool v6 = **host == '[';

    *host += v6;
    return strcspn(*host, v6 ? "]" : ":");
}

enum host_header host_header_is(const char *host, const char *names)
{
    static const char usual[] = "localhost";
    const char *name = host;
    size_t len = cut_port(&name);
    struct ip ip;

    if (len == sizeof usual - 1 && strncasecmp(name, usual, len) == 0)
        return HOST_OURS;
    if (config_list_has_name(names, name, len))
        return HOST_OURS;
    if (!ip_parse(name, len, &ip))
        return HOST_FOREIGN;
    return ip_is_loopback(&ip) ? HOST_OURS : HOST_ADDRESS;
}

/* advertise.c - under which address others reach this daemon. */
#include "common/base/log.h"
#include "common/daemon/daemon.h"
#include "common/daemon/internal.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void daemon_set_rpc_port(struct daemon *daemon, int port)
{
    daemon->internal->rpc_port = port;
}

static void split(const char *address, char *host, size_t len, int *port)
{
    const char *colon = strrchr(address, ':');
    size_t n = colon != NULL ? (size_t)(colon - address) : strlen(address);
    snprintf(host, len, "%.*s", (int)n, address);
    *port = colon != NULL ? (int)strtol(colon + 1, NULL, 10) : 0;
}

static bool is_any(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "[::]") == 0;
}

static void host_name(char *buf, size_t len)
{
    if (gethostname(buf, len) != 0)
        snprintf(buf, len, "localhost");
    buf[len - 1] = '\0';
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 ==
               IN_LOOPBACKNET;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

enum leads { LEADS_NOWHERE, LEADS_TO_LOOPBACK, LEADS_AWAY };

/* Where others get by NAME, as far as we can know. */
static enum leads name_leads(const char *name)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    enum leads leads = LEADS_NOWHERE;
    if (getaddrinfo(name, NULL, &hints, &list) != 0)
        return leads;
    for (const struct addrinfo *at = list; at != NULL; at = at->ai_next) {
        enum leads here = is_loopback(at->ai_addr) ? LEADS_TO_LOOPBACK : LEADS_AWAY;
        leads = here > leads ? here : leads;
    }
    freeaddrinfo(list);
    return leads;
}

/* Of an interface that is up: IPv4 rather than IPv6, none that only its link knows. False: there is
 * none but loopback. */
static bool interface_address(char *buf, size_t len)
{
    struct ifaddrs *list = NULL;
    int found = 0;
    if (getifaddrs(&list) != 0)
        return false;
    for (const struct ifaddrs *at = list; at != NULL && found != AF_INET; at = at->ifa_next) {
        int family = at->ifa_addr != NULL ? at->ifa_addr->sa_family : 0;
        char text[INET6_ADDRSTRLEN];
        if ((at->ifa_flags & IFF_UP) == 0 || (family != AF_INET && family != AF_INET6) ||
            is_loopback(at->ifa_addr))
            continue;
        const struct sockaddr_in6 *v6 = (const void *)at->ifa_addr;
        if (family == AF_INET6 && (found != 0 || IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr)))
            continue;
        const void *raw = family == AF_INET6
                              ? (const void *)&v6->sin6_addr
                              : &((const struct sockaddr_in *)(const void *)v6)->sin_addr;
        inet_ntop(family, raw, text, sizeof(text));
        snprintf(buf, len, family == AF_INET6 ? "[%s]" : "%s", text);
        found = family;
    }
    freeifaddrs(list);
    return found != 0;
}

/* For a daemon that listens on all addresses: its host's name if that leads here, else an address.
 * Looks names up, once. */
static void reachable_host(struct daemon *daemon, char *buf, size_t len)
{
    struct daemon_internal *in = daemon->internal;
    if (in->reachable[0] == '\0') {
        char name[128];
        host_name(name, sizeof(name));
        enum leads leads = name_leads(name);
        snprintf(in->reachable, sizeof(in->reachable), "%s", name);
        if (leads != LEADS_AWAY && !interface_address(in->reachable, sizeof(in->reachable)) &&
            leads == LEADS_NOWHERE)
            snprintf(in->reachable, sizeof(in->reachable), "127.0.0.1");
        if (strcmp(in->reachable, name) != 0)
            log_warn("host name does not lead here",
                     "name=%s advertised=%s; set rpc.advertise if others do not reach that", name,
                     in->reachable);
    }
    snprintf(buf, len, "%s", in->reachable);
}

const char *daemon_advertised(struct daemon *daemon)
{
    const struct daemon_config *config = daemon->config;
    struct daemon_internal *in = daemon->internal;
    const char *given = config->rpc_advertise;
    char host[128], wanted[128];
    int port, wanted_port = 0;
    in->advertised[0] = '\0';
    if (config->rpc_listen[0] == '\0')
        return in->advertised;
    split(config->rpc_listen, host, sizeof(host), &port);
    if (port == 0)
        port = in->rpc_port;
    if (is_any(host))
        reachable_host(daemon, host, sizeof(host));
    /* "[::1]" has colons of its own: only one after the bracket is a port's. */
    bool bare_v6 = given[0] != '\0' && given[strlen(given) - 1] == ']';
    if (bare_v6)
        snprintf(wanted, sizeof(wanted), "%s", given);
    else
        split(given, wanted, sizeof(wanted), &wanted_port);
    snprintf(in->advertised, sizeof(in->advertised), "%s:%d", wanted[0] != '\0' ? wanted : host,
             wanted_port != 0 ? wanted_port : port);
    return in->advertised;
}

/* Of gRPC, or of the admin listener of a daemon without it: tells apart the daemons of one machine.
 */
static int own_port(struct daemon *daemon)
{
    const struct daemon_config *config = daemon->config;
    char host[128];
    int port;
    split(config->rpc_listen[0] != '\0' ? config->rpc_listen : config->admin_listen, host,
          sizeof(host), &port);
    if (port == 0 && config->rpc_listen[0] != '\0')
        port = daemon->internal->rpc_port;
    else if (port == 0 && daemon->internal->admin != NULL)
        port = http_server_port(daemon->internal->admin);
    return port;
}

/* HOSTNAME-PORT, or with another MARK between them. */
void daemon_own_name(struct daemon *daemon, char mark, char *buf, size_t len)
{
    char host[128];
    host_name(host, sizeof(host));
    snprintf(buf, len, "%.*s%c%d", (int)len - 8, host, mark, own_port(daemon));
}

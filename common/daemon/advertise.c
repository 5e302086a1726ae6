/* advertise.c - finds the address by which others reach this daemon. */
#include "common/base/log.h"
#include "common/daemon/daemon.h"
#include "common/daemon/internal.h"
#include "common/net/address.h"
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void daemon_set_rpc_port(struct daemon *daemon, int port)
{
    daemon->internal->rpc_port = port;
}

/* Splits "host:port" or "[v6]:port". Without a port ("host", "[v6]", or nothing) the port is 0. */
static void split(const char *text, struct address *out)
{
    size_t len = strlen(text);
    bool bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';
    *out = (struct address){0};
    if (address_parse(text, len, out) != 0)
        snprintf(out->host, sizeof(out->host), "%.*s", (int)len - (bracketed ? 2 : 0),
                 text + bracketed);
}

static void host_name(char *buf, size_t len)
{
    if (gethostname(buf, len) != 0)
        snprintf(buf, len, "localhost");
    buf[len - 1] = '\0';
}

enum leads { LEADS_NOWHERE, LEADS_TO_LOOPBACK, LEADS_AWAY };

/* Where NAME leads others, as far as we can know. */
static enum leads name_leads(const char *name)
{
    struct addrinfo *list = NULL;
    enum leads leads = LEADS_NOWHERE;
    if (address_lookup(name, NULL, AF_UNSPEC, 0, &list) != 0)
        return leads;
    for (const struct addrinfo *at = list; at != NULL; at = at->ai_next) {
        enum leads here = endpoint_is_loopback(at->ai_addr) ? LEADS_TO_LOOPBACK : LEADS_AWAY;
        leads = here > leads ? here : leads;
    }
    freeaddrinfo(list);
    return leads;
}

/* Writes the address of an interface that is up. IPv4 is preferred to IPv6; link-local addresses
 * are left out. False: there is only loopback. */
static bool interface_address(char *buf, size_t len)
{
    struct ifaddrs *list = NULL;
    int found = 0;
    if (getifaddrs(&list) != 0)
        return false;
    for (const struct ifaddrs *at = list; at != NULL && found != AF_INET; at = at->ifa_next) {
        int family = at->ifa_addr != NULL ? at->ifa_addr->sa_family : 0;
        if ((at->ifa_flags & IFF_UP) == 0 || (family != AF_INET && family != AF_INET6) ||
            endpoint_is_loopback(at->ifa_addr))
            continue;
        const struct sockaddr_in6 *v6 = (const void *)at->ifa_addr;
        if (family == AF_INET6 && (found != 0 || IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr)))
            continue;
        endpoint_ip(at->ifa_addr, buf, len);
        found = family;
    }
    freeifaddrs(list);
    return found != 0;
}

/* The host for a daemon that listens on all addresses: the machine's name if it leads here, else an
 * address of an interface. Looks the name up once. */
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
    struct address listen, wanted;
    in->advertised[0] = '\0';
    if (config->rpc_listen[0] == '\0')
        return in->advertised;
    split(config->rpc_listen, &listen);
    split(config->rpc_advertise, &wanted);
    if (listen.port == 0)
        listen.port = in->rpc_port;
    if (address_is_any(listen.host))
        reachable_host(daemon, listen.host, sizeof(listen.host));
    address_format(wanted.host[0] != '\0' ? wanted.host : listen.host,
                   wanted.port != 0 ? wanted.port : listen.port, in->advertised,
                   sizeof(in->advertised));
    return in->advertised;
}

/* The port of gRPC; without gRPC, that of the admin listener. It tells daemons on one machine
 * apart. */
static int own_port(struct daemon *daemon)
{
    const struct daemon_config *config = daemon->config;
    struct address address;
    split(config->rpc_listen[0] != '\0' ? config->rpc_listen : config->admin_listen, &address);
    if (address.port == 0 && config->rpc_listen[0] != '\0')
        return daemon->internal->rpc_port;
    if (address.port == 0 && daemon->internal->admin != NULL)
        return http_server_port(daemon->internal->admin);
    return address.port;
}

/* Writes HOSTNAME-PORT, with MARK in place of '-'. */
void daemon_own_name(struct daemon *daemon, char mark, char *buf, size_t len)
{
    char host[128];
    host_name(host, sizeof(host));
    snprintf(buf, len, "%.*s%c%d", (int)len - 8, host, mark, own_port(daemon));
}

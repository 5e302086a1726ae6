#include "common/net/address.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- host:port --- */

static int parse_port(const char *text, size_t len, struct address *out)
{
    if (len == 0 || len >= sizeof out->port_text)
        return -EINVAL;
    out->port = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -EINVAL;
        out->port = out->port * 10 + (text[i] - '0');
    }
    if (out->port > 65535)
        return -EINVAL;
    snprintf(out->port_text, sizeof out->port_text, "%hu", (unsigned short)out->port);
    return 0;
}

int address_parse(const char *text, size_t len, struct address *out)
{
    const char *colon = memrchr(text, ':', len);
    struct address address;

    if (colon == NULL || parse_port(colon + 1, len - (size_t)(colon + 1 - text), &address) != 0)
        return -EINVAL;
    size_t host_len = (size_t)(colon - text);
    bool bracketed = host_len > 2 && text[0] == '[' && text[host_len - 1] == ']';
    if (bracketed) {
        text++;
        host_len -= 2;
    } else if (host_len > 0 && (text[0] == '[' || memchr(text, ':', host_len) != NULL)) {
        return -EINVAL;
    }
    if (host_len >= sizeof address.host || memchr(text, '\0', host_len) != NULL)
        return -EINVAL;
    memcpy(address.host, text, host_len);
    address.host[host_len] = '\0';
    *out = address;
    return 0;
}

void address_format(const char *host, int port, char *buf, size_t len)
{
    bool v6 = strchr(host, ':') != NULL;

    snprintf(buf, len, "%s%s%s:%d", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

bool address_is_any(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

const char *address_reached(const char *host)
{
    if (!address_is_any(host))
        return host;
    return host[0] == ':' ? "::1" : "127.0.0.1";
}

int address_lookup(const char *host, const char *port, int family, int flags,
                   struct addrinfo **list)
{
    const struct addrinfo hints = {
        .ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = flags};

    return getaddrinfo(host, port, &hints, list);
}

/* --- what a socket has --- */

static const struct sockaddr_in *as_v4(const struct sockaddr *address)
{
    return (const struct sockaddr_in *)(const void *)address;
}

static const struct sockaddr_in6 *as_v6(const struct sockaddr *address)
{
    return (const struct sockaddr_in6 *)(const void *)address;
}

bool endpoint_parse(const char *host, int port, union endpoint *out)
{
    union endpoint endpoint = {0};

    if (inet_pton(AF_INET, host, &endpoint.v4.sin_addr) == 1)
        endpoint.any.sa_family = AF_INET;
    else if (inet_pton(AF_INET6, host, &endpoint.v6.sin6_addr) == 1)
        endpoint.any.sa_family = AF_INET6;
    else
        return false;
    endpoint_set_port(&endpoint.any, port);
    *out = endpoint;
    return true;
}

bool endpoint_same(const union endpoint *a, const union endpoint *b)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    if (a->any.sa_family == AF_INET)
        return a->v4.sin_port == b->v4.sin_port && a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    return a->v6.sin6_port == b->v6.sin6_port && a->v6.sin6_scope_id == b->v6.sin6_scope_id &&
           memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
}

bool endpoint_is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(as_v4(address)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&as_v6(address)->sin6_addr);
}

void endpoint_ip(const struct sockaddr *address, char *buf, size_t len)
{
    bool v6 = address->sa_family == AF_INET6;
    const void *raw = v6 ? (const void *)&as_v6(address)->sin6_addr : &as_v4(address)->sin_addr;

    if ((!v6 && address->sa_family != AF_INET) ||
        inet_ntop(address->sa_family, raw, buf, (socklen_t)len) == NULL)
        buf[0] = '\0';
}

void endpoint_text(const struct sockaddr *address, char *buf, size_t len)
{
    char ip[ENDPOINT_IP_MAX];

    endpoint_ip(address, ip, sizeof ip);
    /* sockaddr_in and sockaddr_in6 have the port at the same place. */
    address_format(ip, ntohs(as_v6(address)->sin6_port), buf, len);
}

void endpoint_set_port(struct sockaddr *address, int port)
{
    ((struct sockaddr_in6 *)(void *)address)->sin6_port = htons((uint16_t)port);
}

bool address_is_host_text(const char *text, size_t most)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._";
    size_t len = strlen(text);

    return len <= most && strspn(text, plain) == len;
}

bool address_is_exposed(const char *text)
{
    struct address address;
    struct addrinfo *list = NULL;
    bool exposed = false;

    if (address_parse(text, strlen(text), &address) != 0 ||
        address_lookup(address.host, NULL, AF_UNSPEC, 0, &list) != 0)
        return false;
    for (const struct addrinfo *at = list; at != NULL; at = at->ai_next)
        exposed = exposed || !endpoint_is_loopback(at->ai_addr);
    freeaddrinfo(list);
    return exposed;
}

/* address.h - parses, looks up and writes "host:port". Any thread.
 *
 *   "10.0.0.7:80", "[::1]:80", "comet:80" ──address_parse──► host, port ──address_lookup──► a list
 *   a socket's address ──endpoint_text──► "10.0.0.7:80", "[::1]:80"
 *
 * An IPv6 address has brackets if a port follows (RFC 3986, 3.2.2), and none if it stands alone. */
#ifndef IMC_COMMON_NET_ADDRESS_H
#define IMC_COMMON_NET_ADDRESS_H

#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    ADDRESS_HOST_MAX = 256,
    ADDRESS_PORT_MAX = 6, /* both include the NUL */
    ENDPOINT_IP_MAX = INET6_ADDRSTRLEN,
    ENDPOINT_TEXT_MAX = ENDPOINT_IP_MAX + 8, /* brackets, colon, port */
};

struct address {
    char host[ADDRESS_HOST_MAX]; /* a name or an IP address, without brackets; "": none was given */
    char port_text[ADDRESS_PORT_MAX];
    int port;
};

/* Parses the LEN bytes of TEXT: "host:port", "[v6]:port" or ":port". The port is 0 to 65535, only
 * digits. 0, or -EINVAL for anything else, such as an IPv6 address without brackets or a host that
 * is too long. */
int address_parse(const char *text, size_t len, struct address *out);
/* Writes HOST and PORT as address_parse() reads them. Cut off if BUF is too short. */
void address_format(const char *host, int port, char *buf, size_t len);
/* Does HOST stand for every address of a family ("0.0.0.0" or "::")? */
bool address_is_any(const char *host);
/* The host by which this machine reaches a server that listens on HOST. It is loopback if HOST
 * stands for every address, else HOST itself. */
const char *address_reached(const char *host);
/* getaddrinfo() for SOCK_STREAM. FAMILY may be AF_UNSPEC; FLAGS are AI_…. 0 with *LIST, which the
 * caller passes to freeaddrinfo(), or EAI_…. Blocks for DNS: not for a loop that serves anybody. */
int address_lookup(const char *host, const char *port, int family, int flags,
                   struct addrinfo **list);

/* A socket's address, IPv4 or IPv6. */
union endpoint {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* False: HOST is not an IP address. */
bool endpoint_parse(const char *host, int port, union endpoint *out);
bool endpoint_same(const union endpoint *a, const union endpoint *b);
bool endpoint_is_loopback(const struct sockaddr *address);
/* Writes "10.0.0.7" or "::1"; "" for another family. */
void endpoint_ip(const struct sockaddr *address, char *buf, size_t len);
/* Writes "10.0.0.7:80" or "[::1]:80". */
void endpoint_text(const struct sockaddr *address, char *buf, size_t len);
void endpoint_set_port(struct sockaddr *address, int port);

/* Is TEXT, an address "host:port" to listen on, more than loopback: can other machines reach it?
 * False also for what is no address, and for a name that cannot be resolved: listening there fails
 * with a message of its own. Blocks for DNS: only at start. */
bool address_is_exposed(const char *text);

/* Could TEXT stand in a host's name: letters, digits, -, . and _, at most MOST of them? "" can. */
bool address_is_host_text(const char *text, size_t most);

#endif

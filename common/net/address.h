/* address.h - "host:port" in one place: taken apart, looked up, written. Any thread.
 *
 *   "10.0.0.7:80", "[::1]:80", "comet:80" ──address_parse──► host, port ──address_lookup──► a list
 *   a socket's address ──endpoint_text──► "10.0.0.7:80", "[::1]:80"
 *
 * An IPv6 address has brackets where a port follows it (RFC 3986, 3.2.2), and none where it stands
 * alone. */
#ifndef IMC_COMMON_NET_ADDRESS_H
#define IMC_COMMON_NET_ADDRESS_H

#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    ADDRESS_HOST_MAX = 256,
    ADDRESS_PORT_MAX = 6, /* both with their NUL */
    ENDPOINT_IP_MAX = INET6_ADDRSTRLEN,
    ENDPOINT_TEXT_MAX = ENDPOINT_IP_MAX + 8, /* brackets, colon, port */
};

struct address {
    char host[ADDRESS_HOST_MAX]; /* a name or an IP address, without brackets; "": none was given */
    char port_text[ADDRESS_PORT_MAX];
    int port;
};

/* "host:port", "[v6]:port", ":port" in the LEN bytes of TEXT; port 0 to 65535, in digits only. 0,
 * or -EINVAL: it is none of these, an IPv6 address without brackets, or a host that is too long. */
int address_parse(const char *text, size_t len, struct address *out);
/* The reverse, for any host and port; cut off where BUF ends. */
void address_format(const char *host, int port, char *buf, size_t len);
/* HOST stands for every address of a family. */
bool address_is_any(const char *host);
/* Where this machine reaches what listens on HOST: loopback if that is any, else HOST itself. */
const char *address_reached(const char *host);
/* getaddrinfo() for a stream: FAMILY may be AF_UNSPEC, FLAGS are AI_…. 0 and LIST for
 * freeaddrinfo(), or EAI_…. Waits for DNS, so never on a loop that others need. */
int address_lookup(const char *host, const char *port, int family, int flags,
                   struct addrinfo **list);

/* A socket's address, of either family. */
union endpoint {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* False: HOST is no IP address. */
bool endpoint_parse(const char *host, int port, union endpoint *out);
bool endpoint_same(const union endpoint *a, const union endpoint *b);
bool endpoint_is_loopback(const struct sockaddr *address);
/* "10.0.0.7", "::1"; "" for another family. */
void endpoint_ip(const struct sockaddr *address, char *buf, size_t len);
/* "10.0.0.7:80", "[::1]:80". */
void endpoint_text(const struct sockaddr *address, char *buf, size_t len);
void endpoint_set_port(struct sockaddr *address, int port);

#endif

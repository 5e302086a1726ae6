/* network.h - IP addresses and networks (CIDR, RFC 4632) of both families, as bytes. Pure.
 *
 *   "10.0.0.0/8", "fd00::/8", "10.1.2.3" ──network_parse──► struct network ──network_has──► yes, no
 *   "10.1.2.3", "::1" ──ip_parse──► struct ip ────────────────────────────────────┘
 *
 * An IPv4 address is kept as IPv6 (::ffff:a.b.c.d), so it equals the one that a socket of both
 * families shows. */
#ifndef IMC_COMMON_NET_NETWORK_H
#define IMC_COMMON_NET_NETWORK_H

#include "common/net/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ip {
    uint8_t bytes[16];
};

struct network {
    struct ip ip;  /* bits behind the first BITS do not matter */
    unsigned bits; /* 0 to 128; an IPv4 network has 96 more than its text */
};

enum { IP_TEXT_MAX = 46 }; /* with the NUL */

/* Reads the LEN bytes of TEXT: "10.1.2.3" or "::1", without a port or brackets. False: they are no
 * address. */
bool ip_parse(const char *text, size_t len, struct ip *out);
/* The address of a socket. False: it is none of IPv4 or IPv6. */
bool ip_of_endpoint(const union endpoint *endpoint, struct ip *out);
/* Writes "10.1.2.3" or "::1". */
void ip_text(const struct ip *ip, char out[IP_TEXT_MAX]);
/* 127.0.0.0/8 or ::1. */
bool ip_is_loopback(const struct ip *ip);
/* Not an address of one host on the internet: loopback, private networks, link-local, multicast and
 * the like (IANA's special-purpose registries), and IPv6 that stands for any IPv4 address. */
bool ip_is_private(const struct ip *ip);
/* Reads the LEN bytes of TEXT; an address alone is the network of itself. False: they are none. */
bool network_parse(const char *text, size_t len, struct network *out);
bool network_has(const struct network *network, const struct ip *ip);

#endif

/* forwarded.h - X-Forwarded-For: whom a proxy speaks for. Pure; any thread.
 *
 * Each proxy adds the address that it sees, at the end. What stands before the addresses of proxies
 * that we trust, anybody may have made up. So it is read from its end. Forwarded (RFC 7239) is not
 * read: quoted strings in what a client made up could hide what a proxy added. */
#ifndef IMC_COMMON_NET_FORWARDED_H
#define IMC_COMMON_NET_FORWARDED_H

#include "common/net/network.h"

#include <stdbool.h>
#include <stddef.h>

/* Cuts the last item off the *LEN bytes of TEXT, between commas and without blanks around it,
 * whatever it is. Returns its length, and *ITEM is where it begins: at TEXT if nothing is left. */
size_t forwarded_cut(const char *text, size_t *len, const char **item);
/* Cuts the last address off the *LEN bytes of TEXT: an IPv4 or IPv6 address, with a port or
 * without. 1 with OUT; 0: TEXT is empty; -EBADMSG: something else stands there. */
int forwarded_last(const char *text, size_t *len, struct ip *out);

#endif

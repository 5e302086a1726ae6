/* net.h - many client sockets on one machine. Any thread.
 *
 * A port number is free or taken per source address: connections to loopback come from 127.1.G.1,
 * 127.1.G.2 …, 4,000 each (the kernel's search for a free port gets slow above that). */
#ifndef IMC_BENCH_BASE_NET_H
#define IMC_BENCH_BASE_NET_H

#include <netinet/in.h>
#include <stddef.h>

enum { NET_PORTS_PER_SOURCE = 4000, NET_GROUPS = 250 };

/* "host:port" into an IPv4 address. 0, or -EINVAL with ERR filled. */
int net_address(const char *text, struct sockaddr_in *out, char *err, size_t errlen);
/* Starts a non-blocking connection, the N-th of GROUP. The socket, or -E…. It closes by a reset, so
 * that no TIME_WAIT is left. */
int net_connect(const struct sockaddr_in *to, unsigned group, unsigned n);
/* Descriptors this process may have; raises the soft limit to the hard one first. */
size_t net_file_limit(void);

#endif

/* net.h - many client sockets on one machine. Any thread.
 *
 * Each source address has ports of its own. So connections to loopback come from 127.1.G.1,
 * 127.1.G.2 …, 4,000 from each: above that the kernel is slow to find a free port. */
#ifndef IMC_BENCH_BASE_NET_H
#define IMC_BENCH_BASE_NET_H

#include <netinet/in.h>
#include <stddef.h>

enum { NET_PORTS_PER_SOURCE = 4000, NET_GROUPS = 250 };

/* "host:port" into an IPv4 address. 0, or -EINVAL with ERR filled. */
int net_address(const char *text, struct sockaddr_in *out, char *err, size_t errlen);
/* Starts a non-blocking connection, the N-th of GROUP. The socket, or -E…. The socket closes by a
 * reset, so that no TIME_WAIT is left. */
int net_connect(const struct sockaddr_in *to, unsigned group, unsigned n);
/* The number of descriptors that this process may have. Raises the soft limit to the hard one
 * first. */
size_t net_file_limit(void);

#endif

/* addresses.h - the addresses that clients come from: how many connections each has, and how often
 * it opens one. The loops share one table, because the kernel spreads the connections of an address
 * over them. Any thread.
 *
 *   accept ─► addresses_enter ─┬─ ADDRESS_FULL (conn.per_address)
 *                              ├─ ADDRESS_FAST (conn.rate_per_address)
 *                              └─ ADDRESS_OK: a reference ─► struct conn ─► addresses_leave
 *   session begins, ends ─► addresses_session ─► addresses_with_sessions (told to logic)
 *
 * Of IPv6 the first 64 bits are the address: the others are a host's own choice. IPv4 and the same
 * in IPv6 (::ffff:a.b.c.d) are one.
 *
 * An address takes 28 to 32 bytes as long as it has a connection. One without is kept while its
 * token bucket is not full, to know how often it came. There are at most ADDRESSES_IDLE of those:
 * the oldest are forgotten. So memory is bounded by conn.max, wherever connections come from. Every
 * call takes the lock of one of 64 parts, for a look at a hash table. */
#ifndef IMC_COMET_NET_ADDRESSES_H
#define IMC_COMET_NET_ADDRESSES_H

#include "common/base/rate.h"
#include "common/net/network.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ADDRESSES_IDLE = 1 << 16 };

struct addresses_limits {
    int64_t most;           /* connections of an address; 0: any number */
    struct rate_limit rate; /* new ones, refused ones too */
};

enum address_verdict { ADDRESS_OK, ADDRESS_FULL, ADDRESS_FAST };

/* A connection from IP begins. LIMITS NULL: it is counted, and not limited. With ADDRESS_OK, *REF
 * is not 0, and stands for the address until addresses_leave(). Otherwise it stays untouched. */
enum address_verdict addresses_enter(const struct ip *ip, const struct addresses_limits *limits,
                                     uint64_t now_ms, uint32_t *ref);
/* The connection has ended. RATE is that of addresses_enter(); NULL: it was not limited. REF 0 is
 * fine. */
void addresses_leave(uint32_t ref, const struct rate_limit *rate, uint64_t now_ms);
/* The address has a session more (BY is 1) or less (-1). REF 0 is fine. */
void addresses_session(uint32_t ref, int by);
/* The number of addresses that have sessions. */
int64_t addresses_with_sessions(void);
/* The number of addresses in the table. */
int64_t addresses_known(void);
/* For tests: the bytes of memory that the table has. */
size_t addresses_bytes(void);

#endif

/* client_ips.h - how many IP addresses the sessions of this process come from, as an estimate that
 * takes 256 KiB, however many there are. Any thread; a connection belongs to its loop.
 *
 *   session admitted: client_ips_enter ─► a counter, chosen by the address's hash, + 1
 *   session ended:    client_ips_leave ─► the same counter - 1
 *   counters that are 0 ─► client_ips_count
 *
 * Of IPv6 addresses the first 64 bits count: the others are a host's own choice. Behind a proxy all
 * clients have its address. */
#ifndef IMC_COMET_NET_CLIENT_IPS_H
#define IMC_COMET_NET_CLIENT_IPS_H

#include <stdint.h>

struct conn;

enum { CLIENT_IPS_COUNTERS = 1 << 16 };

void client_ips_enter(struct conn *conn);
/* For a connection that has entered, once. */
void client_ips_leave(struct conn *conn);
/* Right within 1 % up to some 300,000 addresses. Never more than 800,000. */
int64_t client_ips_count(void);
/* How many keys hit N counters when HIT of them were hit at least once. */
int64_t client_ips_estimate(int64_t hit, int64_t n);

#endif

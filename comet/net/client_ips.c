/* Linear counting (Whang, Vander-Zanden, Taylor 1990): of n counters e^(-k/n) stay 0 when k keys
 * chose theirs at random. A counter goes down again, so what left is forgotten. */
#include "comet/net/client_ips.h"
#include "comet/base/worker.h"
#include "comet/net/conn.h"
#include "common/base/hash.h"
#include "common/net/address.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

/* Touched only when a session comes or goes. */
static _Atomic uint32_t counters[CLIENT_IPS_COUNTERS];
static _Atomic int64_t counters_hit; /* that are not 0 */

/* What of ADDRESS counts. IPv4 and the same in IPv6 (::ffff:a.b.c.d) are one. */
static uint64_t key_of(const union endpoint *address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    const uint8_t *bytes = address->v6.sin6_addr.s6_addr;
    uint64_t key = 0;

    if (address->any.sa_family == AF_INET)
        key = address->v4.sin_addr.s_addr;
    else if (address->any.sa_family == AF_INET6 && memcmp(bytes, mapped, sizeof mapped) == 0)
        memcpy(&key, bytes + sizeof mapped, sizeof address->v4.sin_addr.s_addr);
    else if (address->any.sa_family == AF_INET6)
        memcpy(&key, bytes, sizeof key);
    return key;
}

void client_ips_enter(struct conn *conn)
{
    union endpoint address;
    socklen_t len = sizeof address;

    loop_assert_owner(&conn->worker->loop);
    memset(&address, 0, sizeof address);
    if (getpeername(conn->fd, &address.any, &len) != 0)
        address.any.sa_family = AF_UNSPEC; /* it has gone meanwhile; its end is seen soon */
    conn->ip_counter = (uint16_t)(hash_mix64(key_of(&address)) % CLIENT_IPS_COUNTERS);
    if (atomic_fetch_add_explicit(&counters[conn->ip_counter], 1, memory_order_relaxed) == 0)
        atomic_fetch_add_explicit(&counters_hit, 1, memory_order_relaxed);
}

void client_ips_leave(struct conn *conn)
{
    loop_assert_owner(&conn->worker->loop);
    if (atomic_fetch_sub_explicit(&counters[conn->ip_counter], 1, memory_order_relaxed) == 1)
        atomic_fetch_sub_explicit(&counters_hit, 1, memory_order_relaxed);
}

int64_t client_ips_estimate(int64_t hit, int64_t n)
{
    double all = (double)n, free = (double)(n - hit);

    if (free < 1)
        free = 1; /* there may be any number; this is the least that is likely */
    return (int64_t)(all * log(all / free) + 0.5);
}

int64_t client_ips_count(void)
{
    int64_t hit = atomic_load_explicit(&counters_hit, memory_order_relaxed);

    return client_ips_estimate(hit < 0 ? 0 : hit, CLIENT_IPS_COUNTERS);
}

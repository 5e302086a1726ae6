#include "common/net/network.h"

#include <arpa/inet.h>
#include <string.h>

enum { V4_BITS = 96, V4_BYTES = V4_BITS / 8, MOST_BITS = 128 };

static const struct ip mapped = {.bytes = {[10] = 0xff, [11] = 0xff}};

static bool read_ip(const char *text, size_t len, struct ip *out, bool *is_v4)
{
    char copy[IP_TEXT_MAX];
    struct ip ip = mapped;

    if (len >= sizeof copy || memchr(text, '\0', len) != NULL)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    *is_v4 = inet_pton(AF_INET, copy, ip.bytes + V4_BYTES) == 1;
    if (!*is_v4 && inet_pton(AF_INET6, copy, ip.bytes) != 1)
        return false;
    *out = ip;
    return true;
}

bool ip_parse(const char *text, size_t len, struct ip *out)
{
    bool is_v4;

    return read_ip(text, len, out, &is_v4);
}

bool ip_of_endpoint(const union endpoint *endpoint, struct ip *out)
{
    struct ip ip = mapped;

    if (endpoint->any.sa_family == AF_INET)
        memcpy(ip.bytes + V4_BYTES, &endpoint->v4.sin_addr, sizeof endpoint->v4.sin_addr);
    else if (endpoint->any.sa_family == AF_INET6)
        memcpy(ip.bytes, &endpoint->v6.sin6_addr, sizeof ip.bytes);
    else
        return false;
    *out = ip;
    return true;
}

void ip_text(const struct ip *ip, char out[IP_TEXT_MAX])
{
    bool v4 = memcmp(ip->bytes, mapped.bytes, V4_BYTES) == 0;

    if (inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? ip->bytes + V4_BYTES : ip->bytes, out,
                  IP_TEXT_MAX) == NULL)
        out[0] = '\0';
}

bool ip_is_loopback(const struct ip *ip)
{
    static const struct network v4 = {{{[10] = 0xff, [11] = 0xff, [12] = 127}}, V4_BITS + 8};
    static const struct network v6 = {{{[15] = 1}}, MOST_BITS};

    return network_has(&v4, ip) || network_has(&v6, ip);
}

bool ip_is_private(const struct ip *ip)
{
    static const struct network networks[] = {
        {{{[10] = 0xff, [11] = 0xff, [12] = 0}}, V4_BITS + 8},  /* 0.0.0.0/8 */
        {{{[10] = 0xff, [11] = 0xff, [12] = 10}}, V4_BITS + 8}, /* RFC 1918 */
        {{{[10] = 0xff, [11] = 0xff, [12] = 172, [13] = 16}}, V4_BITS + 12},
        {{{[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 168}}, V4_BITS + 16},
        {{{[10] = 0xff, [11] = 0xff, [12] = 100, [13] = 64}}, V4_BITS + 10},  /* RFC 6598 */
        {{{[10] = 0xff, [11] = 0xff, [12] = 169, [13] = 254}}, V4_BITS + 16}, /* link-local */
        {{{[10] = 0xff, [11] = 0xff, [12] = 198, [13] = 18}}, V4_BITS + 15},  /* benchmarks */
        {{{[10] = 0xff, [11] = 0xff, [12] = 224}}, V4_BITS + 3}, /* multicast, and reserved */
        {{{0}}, MOST_BITS - 32}, /* ::, ::1, and IPv4 as it was once embedded */
        {{{[1] = 0x64, [2] = 0xff, [3] = 0x9b}}, 32}, /* NAT64: any IPv4 address */
        {{{[0] = 0x20, [1] = 0x02}}, 16},             /* 6to4: likewise */
        {{{[0] = 0xfc}}, 7},                          /* unique local */
        {{{[0] = 0xfe, [1] = 0x80}}, 9},              /* link-local, and site-local of old */
        {{{[0] = 0xff}}, 8},                          /* multicast */
    };

    if (ip_is_loopback(ip))
        return true;
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        if (network_has(&networks[i], ip))
            return true;
    }
    return false;
}

/* Reads 1 to 3 digits, at most MOST. */
static bool read_bits(const char *text, size_t len, unsigned most, unsigned *bits)
{
    unsigned value = 0;

    if (len == 0 || len > 3)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *bits = value;
    return value <= most;
}

bool network_parse(const char *text, size_t len, struct network *out)
{
    const char *slash = len > 0 ? memchr(text, '/', len) : NULL;
    size_t ip_len = slash != NULL ? (size_t)(slash - text) : len;
    struct network network;
    bool is_v4;

    if (!read_ip(text, ip_len, &network.ip, &is_v4))
        return false;
    unsigned most = is_v4 ? MOST_BITS - V4_BITS : MOST_BITS;
    network.bits = most;
    if (slash != NULL && !read_bits(slash + 1, len - ip_len - 1, most, &network.bits))
        return false;
    network.bits += MOST_BITS - most;
    *out = network;
    return true;
}

bool network_has(const struct network *network, const struct ip *ip)
{
    const uint8_t *own = network->ip.bytes, *other = ip->bytes;
    unsigned bytes = network->bits / 8, rest = network->bits % 8;
    uint8_t mask = (uint8_t)(0xff00 >> rest);

    if (memcmp(own, other, bytes) != 0)
        return false;
    return rest == 0 || ((own[bytes] ^ other[bytes]) & mask) == 0;
}

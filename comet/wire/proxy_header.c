#include "comet/wire/proxy_header.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* --- version 1: one line of text --- */

enum { ADDRESS_MAX = INET6_ADDRSTRLEN };

/* Cuts the field before the next space, or before the end, off LINE and copies it to OUT. */
static bool cut_field(const char **line, size_t *len, char out[ADDRESS_MAX])
{
    const char *space = *len > 0 ? memchr(*line, ' ', *len) : NULL;
    size_t n = space != NULL ? (size_t)(space - *line) : *len;

    if (n == 0 || n >= ADDRESS_MAX || memchr(*line, '\0', n) != NULL)
        return false;
    memcpy(out, *line, n);
    out[n] = '\0';
    n += space != NULL;
    *line += n;
    *len -= n;
    return space == NULL || *len > 0;
}

/* 0 to 65535 without leading zeros. */
static bool is_port(const char *text)
{
    size_t n = strlen(text);
    unsigned port = 0;

    if (n > 5 || strspn(text, "0123456789") != n || (n > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < n; i++)
        port = port * 10 + (unsigned)(text[i] - '0');
    return port <= UINT16_MAX;
}

/* LINE is what stands between the family and CR LF: source, destination, their ports. */
static bool read_line(int family, const char *line, size_t len, struct proxy_header *out)
{
    char from[ADDRESS_MAX], to[ADDRESS_MAX], from_port[ADDRESS_MAX], to_port[ADDRESS_MAX];
    uint8_t raw[16];

    if (!cut_field(&line, &len, from) || !cut_field(&line, &len, to) ||
        !cut_field(&line, &len, from_port) || !cut_field(&line, &len, to_port) || len > 0)
        return false;
    out->known = true;
    return inet_pton(family, from, raw) == 1 && inet_pton(family, to, raw) == 1 &&
           is_port(from_port) && is_port(to_port) && ip_parse(from, strlen(from), &out->client);
}

static bool begins(const uint8_t *buf, size_t len, const char *with, size_t with_len)
{
    return memcmp(buf, with, len < with_len ? len : with_len) == 0;
}

static long parse_v1(const uint8_t *buf, size_t len, struct proxy_header *out)
{
    static const struct {
        char text[8];
        int family;
    } families[] = {{"TCP4 ", AF_INET}, {"TCP6 ", AF_INET6}};
    static const char head[] = "PROXY ", unknown[] = "UNKNOWN";
    size_t at = sizeof head - 1, look = len < PROXY_V1_MAX ? len : PROXY_V1_MAX;
    const uint8_t *end = memchr(buf, '\n', look);
    struct proxy_header header = {0};
    bool good = false;

    if (end == NULL)
        return look == PROXY_V1_MAX ? -EPROTO : 0;
    size_t line_len = (size_t)(end - buf);
    if (line_len < at + 1 || end[-1] != '\r')
        return -EPROTO;
    line_len--;
    const char *line = (const char *)buf + at;
    size_t rest = line_len - at, n = sizeof unknown - 1;
    /* What a proxy wrote behind UNKNOWN is to be ignored. */
    if (rest >= n && memcmp(line, unknown, n) == 0 && (rest == n || line[n] == ' '))
        good = true;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        size_t word = strlen(families[i].text);
        if (rest > word && memcmp(line, families[i].text, word) == 0)
            good = read_line(families[i].family, line + word, rest - word, &header);
    }
    if (!good)
        return -EPROTO;
    *out = header;
    return (long)line_len + 2;
}

/* --- version 2: bytes --- */

enum { V2_FIXED = 16, V2_LOCAL = 0x20, V2_PROXY = 0x21 };
enum { V2_UNSPEC = 0x00, V2_TCP4 = 0x11, V2_TCP6 = 0x21 };
enum { V2_TCP4_LEN = 12, V2_TCP6_LEN = 36 };

/* The addresses of a PROXY command: source, destination, ports. */
static bool read_addresses(uint8_t family, const uint8_t *buf, size_t len, struct proxy_header *out)
{
    union endpoint endpoint = {0};

    if (family == V2_UNSPEC)
        return true;
    if (family == V2_TCP4 && len >= V2_TCP4_LEN) {
        endpoint.any.sa_family = AF_INET;
        memcpy(&endpoint.v4.sin_addr, buf, sizeof endpoint.v4.sin_addr);
    } else if (family == V2_TCP6 && len >= V2_TCP6_LEN) {
        endpoint.any.sa_family = AF_INET6;
        memcpy(&endpoint.v6.sin6_addr, buf, sizeof endpoint.v6.sin6_addr);
    } else {
        return false;
    }
    out->known = ip_of_endpoint(&endpoint, &out->client);
    return out->known;
}

static long parse_v2(const uint8_t *buf, size_t len, struct proxy_header *out)
{
    struct proxy_header header = {0};

    if (len < V2_FIXED)
        return 0;
    size_t rest = (size_t)buf[14] << 8 | buf[15];
    if ((buf[12] != V2_LOCAL && buf[12] != V2_PROXY) || V2_FIXED + rest > PROXY_HEADER_MAX)
        return -EPROTO;
    if (len < V2_FIXED + rest)
        return 0;
    if (buf[12] == V2_PROXY && !read_addresses(buf[13], buf + V2_FIXED, rest, &header))
        return -EPROTO;
    *out = header;
    return (long)(V2_FIXED + rest);
}

long proxy_header_parse(const uint8_t *buf, size_t len, struct proxy_header *out)
{
    static const char v1[] = "PROXY ", v2[] = "\r\n\r\n\0\r\nQUIT\n";

    if (begins(buf, len, v1, sizeof v1 - 1))
        return len < sizeof v1 - 1 ? 0 : parse_v1(buf, len, out);
    if (begins(buf, len, v2, sizeof v2 - 1))
        return parse_v2(buf, len, out);
    return -EPROTO;
}

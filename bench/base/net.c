#include "bench/base/net.h"
#include "common/net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

int net_address(const char *text, struct sockaddr_in *out, char *err, size_t errlen)
{
    struct address address;
    struct addrinfo *found;
    int failed;

    if (address_parse(text, strlen(text), &address) != 0 || address.host[0] == '\0') {
        snprintf(err, errlen, "%s: host:port is wanted", text);
        return -EINVAL;
    }
    failed = address_lookup(address.host, address.port_text, AF_INET, 0, &found);
    if (failed != 0) {
        snprintf(err, errlen, "%s: %s", text, gai_strerror(failed));
        return -EINVAL;
    }
    memcpy(out, found->ai_addr, sizeof *out);
    freeaddrinfo(found);
    return 0;
}

/* Chooses a source address, on loopback only: elsewhere the machine has one address. */
static int bind_source(int fd, const struct sockaddr_in *to, unsigned group, unsigned n)
{
    uint32_t source = 0x7f010001U + (group % NET_GROUPS << 8) + n / NET_PORTS_PER_SOURCE;
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(source)};
    int on = 1;

    if (ntohl(to->sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
        return 0;
    /* Lets connect() choose the port, which then has to be free only for that peer. */
    if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) != 0 ||
        bind(fd, (const struct sockaddr *)&from, sizeof from) != 0)
        return -errno;
    return 0;
}

int net_connect(const struct sockaddr_in *to, unsigned group, unsigned n)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    int failed, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    failed = bind_source(fd, to, group, n);
    if (failed == 0 &&
        (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) != 0 ||
         (connect(fd, (const struct sockaddr *)to, sizeof *to) != 0 && errno != EINPROGRESS)))
        failed = -errno;
    if (failed != 0) {
        close(fd);
        return failed;
    }
    return fd;
}

size_t net_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0)
            return 1024;
    }
    return (size_t)limit.rlim_cur;
}

#include "common/net/listen.h"
#include "common/net/address.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int listen_on(const struct sockaddr *address, socklen_t len, int backlog)
{
    int yes = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, address, len) == 0 && listen(fd, backlog) == 0)
        return fd;
    int err = -errno;
    close(fd);
    return err;
}

int listen_port(int fd)
{
    struct sockaddr_in6 address = {0}; /* sockaddr_in has the port at the same place */
    socklen_t len = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return 0;
    return ntohs(address.sin6_port);
}

void listen_close(int *fds, int n)
{
    for (int i = 0; i < n; i++)
        close(fds[i]);
}

/* Does ERR say that this machine does not have the address? A name may have one of a family that is
 * switched off here. */
static bool is_not_ours(int err)
{
    return err == -EADDRNOTAVAIL || err == -EAFNOSUPPORT;
}

static int listen_all(const struct addrinfo *list, int backlog, int fds[LISTEN_MOST])
{
    int n = 0, err = -EADDRNOTAVAIL;

    for (const struct addrinfo *at = list; at != NULL && n < LISTEN_MOST; at = at->ai_next) {
        if (n > 0)
            endpoint_set_port(at->ai_addr, listen_port(fds[0]));
        int fd = listen_on(at->ai_addr, at->ai_addrlen, backlog);
        if (fd >= 0) {
            fds[n++] = fd;
            continue;
        }
        err = fd;
        if (is_not_ours(err))
            continue;
        listen_close(fds, n);
        return err;
    }
    return n > 0 ? n : err;
}

int listen_open(const char *text, int backlog, int fds[LISTEN_MOST])
{
    struct address address;
    struct addrinfo *list = NULL;

    if (address_parse(text, strlen(text), &address) != 0)
        return -EINVAL;
    if (address_lookup(address.host, address.port_text, AF_UNSPEC, AI_PASSIVE | AI_NUMERICSERV,
                       &list) != 0)
        return -EADDRNOTAVAIL;
    int n = listen_all(list, backlog, fds);
    freeaddrinfo(list);
    return n;
}

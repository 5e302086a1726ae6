#include "common/base/log.h"
#include "common/config/value.h"
#include "common/daemon/daemon.h"
#include "common/daemon/internal.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

void daemon_listen_failed(struct daemon *daemon, const char *address, const char *section,
                          const char *key, int err)
{
    struct config_row row = {.section = section, .key = key};
    char env[128];
    config_env_name(&row, daemon->spec->name, env, sizeof(env));
    log_error(
        "cannot listen", "on %s (%s): %s; %s set %s.%s / %s", address, section, uv_strerror(err),
        err == -EADDRINUSE ? "stop what holds it or" : "to listen elsewhere", section, key, env);
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;
        return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    const struct sockaddr_in6 *v6 = (const void *)address;
    return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

/* False also for a name that nobody knows: listening there fails, and says so itself. */
static bool is_open(const char *address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    const char *colon = strrchr(address, ':');
    char host[256];
    bool open = false;
    if (colon == NULL || (size_t)(colon - address) >= sizeof(host))
        return false;
    bool v6 = address[0] == '[' && colon > address + 1 && colon[-1] == ']';
    snprintf(host, sizeof(host), "%.*s", (int)(colon - address) - (v6 ? 2 : 0), address + v6);
    if (getaddrinfo(host, NULL, &hints, &list) != 0)
        return false;
    for (const struct addrinfo *at = list; at != NULL; at = at->ai_next)
        open = open || !is_loopback(at->ai_addr);
    freeaddrinfo(list);
    return open;
}

void daemon_warn_if_open(const char *setting, const char *address, const char *meaning)
{
    if (is_open(address))
        log_warn("open to other machines",
                 "%s=%s; this port asks nobody who he is: whoever reaches "
                 "it %s. Keep strangers off its network, or listen on loopback",
                 setting, address, meaning);
}

void daemon_warn_of_open(const struct daemon_config *config)
{
    daemon_warn_if_open("rpc.listen", config->rpc_listen,
                        "can speak as any other daemon, and read, forge and delete what is on its "
                        "way to anybody");
    daemon_warn_if_open("admin.listen", config->admin_listen,
                        "can read the configuration and metrics, and speak as any other member");
}

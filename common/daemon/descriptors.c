/* descriptors.c - raises the limit of descriptors to what the host allows, and gives each listener
 * a share. So strangers who connect to one port cannot make the daemon deaf at another.
 *
 *   limit = reserve (files, Redis, Kafka, our own calls)
 *         + admin + rpc + http (logic) | clients (comet) */
#include "common/base/log.h"
#include "common/daemon/daemon.h"
#include "common/daemon/internal.h"
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>

enum {
    FILES_FEWEST = 64, /* every listener gets at least so many, even if the limit is very low */
    RESERVE_MOST = 1024,
    ADMIN_FEWEST = 8,
    ADMIN_MOST = 64,
    HTTP_MOST = 4096,
};

static int64_t between(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

static int64_t raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return FILES_FEWEST;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    return limit.rlim_cur > INT32_MAX ? INT32_MAX : (int64_t)limit.rlim_cur;
}

void daemon_descriptors_share(int64_t limit, int64_t rpc_connections,
                              struct daemon_descriptors *out)
{
    int64_t reserve = between(limit / 8, FILES_FEWEST, RESERVE_MOST);
    out->limit = limit;
    out->admin = between(limit / 32, ADMIN_FEWEST, ADMIN_MOST);
    out->rpc = between(limit / 8, ADMIN_FEWEST, rpc_connections);
    out->http = between(limit / 4, ADMIN_FEWEST, HTTP_MOST);
    out->clients = between(limit - reserve - out->admin - out->rpc, ADMIN_FEWEST, INT32_MAX);
}

void daemon_descriptors_raise(struct daemon *daemon)
{
    const struct daemon_config *config = daemon->config;
    struct daemon_descriptors *files = &daemon->internal->files;
    daemon_descriptors_share(raise_limit(), config->rpc_connections, files);
    if (files->rpc < config->rpc_connections)
        log_info("few open files allowed",
                 "limit=%lld rpc.connections=%lld using=%lld; raise the "
                 "hard limit (ulimit -Hn, LimitNOFILE=) for more",
                 (long long)files->limit, (long long)config->rpc_connections,
                 (long long)files->rpc);
}

const struct daemon_descriptors *daemon_descriptors(const struct daemon *daemon)
{
    return &daemon->internal->files;
}

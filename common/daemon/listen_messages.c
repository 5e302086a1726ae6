#include "common/base/log.h"
#include "common/config/value.h"
#include "common/daemon/daemon.h"
#include "common/daemon/internal.h"
#include "common/net/address.h"
#include <errno.h>
#include <string.h>

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

/* Logs a warning if ADDRESS, the value of SETTING, is more than loopback. MEANING says what anybody
 * who reaches it can do. Looks names up, which may block. */
static void warn_if_open(const char *setting, const char *address, const char *meaning)
{
    if (address_is_exposed(address))
        log_warn("open to other machines",
                 "%s=%s; this port asks nobody who he is: whoever reaches "
                 "it %s. Keep strangers off its network, or listen on loopback",
                 setting, address, meaning);
}

void daemon_warn_open(const struct daemon_config *config)
{
    if (config->admin_keys_file[0] == '\0')
        warn_if_open("admin.listen", config->admin_listen,
                     "can read the configuration and metrics, and speak as any other member");
    if (!daemon_rpc_is_guarded(config))
        warn_if_open("rpc.listen", config->rpc_listen,
                     "can speak as any other daemon, and read, forge and delete what is on its "
                     "way to anybody");
}

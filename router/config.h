/* config.h - the router's settings; read-only once it runs. */
#ifndef IMC_ROUTER_CONFIG_H
#define IMC_ROUTER_CONFIG_H

#include "common/daemon/daemon.h"

struct router_config {
    struct daemon_config daemon; /* first */
    int64_t sweep_slice;
    int64_t max_counted;
};

extern const struct config_row router_config_rows[];

#endif

#include "common/config/networks.h"
#include "common/base/mem.h"
#include "common/config/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { ITEM_MAX = 64 }; /* of an item that is shown */

struct check {
    const char *setting;
    char *err;
    size_t errlen;
    int n;
};

static void check_network(const char *item, size_t len, void *arg)
{
    struct check *check = arg;
    struct network network;

    if (check->n < 0)
        return;
    check->n++;
    if (network_parse(item, len, &network))
        return;
    check->n = -EINVAL;
    snprintf(check->err, check->errlen, "%s: %.*s is no address and no network like 10.0.0.0/8",
             check->setting, (int)(len < ITEM_MAX ? len : ITEM_MAX), item);
}

int networks_check(const char *setting, const char *list, char *err, size_t errlen)
{
    struct check check = {setting, err, errlen, 0};

    config_list_each(list, check_network, &check);
    return check.n;
}

static void add_network(const char *item, size_t len, void *arg)
{
    struct networks *networks = arg;

    networks->at = mem_realloc(networks->at, (networks->n + 1) * sizeof *networks->at);
    networks->n += network_parse(item, len, &networks->at[networks->n]);
}

void networks_read(struct networks *networks, const char *list)
{
    *networks = (struct networks){0};
    config_list_each(list, add_network, networks);
}

void networks_free(struct networks *networks)
{
    free(networks->at);
    *networks = (struct networks){0};
}

bool networks_have(const struct networks *networks, const struct ip *ip)
{
    for (size_t i = 0; i < networks->n; i++) {
        if (network_has(&networks->at[i], ip))
            return true;
    }
    return false;
}

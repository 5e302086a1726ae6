/* networks.h - a setting that lists addresses and networks: "10.0.0.0/8, ::1". Owner only. */
#ifndef IMC_COMMON_CONFIG_NETWORKS_H
#define IMC_COMMON_CONFIG_NETWORKS_H

#include "common/net/network.h"

struct networks {
    size_t n;
    struct network *at;
};

/* How many LIST has, or -EINVAL with ERR, which names SETTING and the first item that is none. */
int networks_check(const char *setting, const char *list, char *err, size_t errlen);
/* Fills NETWORKS with those of LIST. Items that are none are left out. */
void networks_read(struct networks *networks, const char *list);
void networks_free(struct networks *networks);
/* Is IP in one of them? */
bool networks_have(const struct networks *networks, const struct ip *ip);

#endif
